"""A run's report: `report.html`, the run at a glance, linked with a page for each notebook that it executed.

Every page is whole in itself: its style and figures are in it, and its Content-Security-Policy keeps a browser from
running a script and from asking the network for anything, whatever a notebook's output holds.
"""

import base64
import json
import re
from html import escape
from pathlib import Path

from lib.evaluation import summary
from lib.files import writing
from lib.workflow.progress import duration

NAME = "report.html"
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
FILES = ("model.json", "metrics.json", "lambda_export/*.zip")  # that the index links to
_COMPARED = {  # column of the report: name in metrics.json
    "this run": "challenger",
    "its base": "champion",
    "difference": "difference",
    "from": "low",
    "to (95 %)": "high",
}
_LABELS = {  # name in metrics.json: what a reader is told
    "auroc_macro": "AUROC, mean over kinds of anomaly",
    "event_recall_at_0.3": "events that reach 0.3 (borderline), mean over kinds",
    "event_recall_at_0.7": "events that reach 0.7 (alert), mean over kinds",
    "false_alarms_per_day_at_0.3": "false alarms a wearer-day at 0.3",
    "false_alarms_per_day_at_0.7": "false alarms a wearer-day at 0.7",
    "share_of_normal_at_0.3": "normal windows that reach 0.3",
    "share_of_normal_at_0.7": "normal windows that reach 0.7",
    "median_delay_s_at_0.7": "median delay of what reaches 0.7, s",
}
_STYLE = Path(__file__).with_suffix(".css").read_text(encoding="utf-8")
_NAV = re.compile(r"<nav>.*?</nav>", re.DOTALL)


def write(run):
    """Write the report of what the Run has executed so far, and bring each of its pages' navigation up to date."""
    steps = executed(run)
    sections = (_monitor, _challenge, _headline, _notebooks, _figures, _parameters, _files)
    body = f"<h1>Run {escape(run.name)}</h1>\n" + "".join(section(run) for section in sections)
    _save(run.models / NAME, page(f"Run {run.name}", body, nav=nav(run, steps, here=NAME)))
    for step in steps:
        path = run.models / f"{step}.html"
        text, renewed = path.read_text(encoding="utf-8"), nav(run, steps, here=path.name)
        _save(path, _NAV.sub(lambda _, renewed=renewed: renewed, text, count=1))


def executed(run):
    """The names of the notebooks that ran to their end in this Run and have a page, in order."""
    return [step for step in sorted(run.journal.get("ran", {})) if (run.models / f"{step}.html").exists()]


def headline(run):
    """{name: text} of the run's headline figures, to four digits; empty before 04 has run."""
    found = _metrics(run).get("headline", {})
    return {name: f"{value:.4g}" if isinstance(value, float) else str(value) for name, value in found.items()}


def page(title, body, *, nav, style=""):
    """A whole HTML page. `title` is text; `body`, `nav` and the `style` beside the report's own are HTML and CSS."""
    return f"""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>
{_STYLE}{style}</style>
</head>
<body>
{nav}
<main>
{body}</main>
</body>
</html>
"""


def nav(run, steps, *, here):
    """The navigation of the page `here`, a file's name: to the report, and to each of `steps`."""
    targets = {NAME: f"Run {run.name}"} | {f"{step}.html": title(run, step).partition(":")[0] for step in steps}
    current = {here: ' aria-current="page"'}
    links = [f'<a href="{escape(to)}"{current.get(to, "")}>{escape(label)}</a>' for to, label in targets.items()]
    return f"<nav>{' '.join(links)}</nav>"


def title(run, step):
    """A notebook's first heading, or its name where it has none."""
    found = re.search(r"^#+ (.+)$", _markdown(run, step), re.MULTILINE)
    return found[1] if found else step


def _markdown(run, step):
    """What an executed notebook says between its code."""
    cells = json.loads((run.models / f"{step}.ipynb").read_text(encoding="utf-8"))["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def _notebooks(run):
    """Each notebook: a link, the question it opens with, and what it took."""
    items = []
    for step in executed(run):
        asked = re.search(r"\*\*Question\.\*\* (.+)", _markdown(run, step))
        seconds = run.journal["ran"][step].get("seconds")
        took = f' <span class="soft">took {duration(seconds)}</span>' if seconds is not None else ""
        question = f"<br>{escape(asked[1])}" if asked else ""
        items.append(f'<li><a href="{escape(step)}.html">{escape(title(run, step))}</a>{took}{question}</li>\n')
    return f"<h2>Notebooks</h2>\n<ul>\n{''.join(items)}</ul>\n"


def _metrics(run):
    path = run.models / "metrics.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _monitor(run):
    """The monitor's verdict on the model as it is in use, and why; nothing where it has not run."""
    path = run.models / "monitor.json"
    if not path.exists():
        return ""
    found = json.loads(path.read_text(encoding="utf-8"))
    said = "".join(f"<li>{escape(reason)}</li>\n" for reason in [*found["why"], *found["also"]])
    lead = f"<p><b>{escape(found['verdict'])}</b>, by the log from {escape(found['from'])} to {escape(found['to'])}</p>"
    return f"<h2>In use</h2>\n{lead}\n<ul>\n{said}</ul>\n"


def _challenge(run):
    """What the comparison with the run's base came to, and what follows from it; nothing where it had no base."""
    found = _metrics(run).get("challenge")
    if not found:
        return ""
    exported = run.journal.get("05_export", {}).get("verdict", "")
    why = "".join(f"<li>{escape(reason)}</li>\n" for reason in found["against"])
    state = "as good as" if found["passed"] else "not shown to be as good as"
    forced = " Exported all the same, by force." if "force=true" in exported else ""
    lead = f"<p>This run is {state} <b>{escape(found['base'])}</b>, margin {found['margin']:g}.{forced}</p>\n"
    rows = [
        (what, *("–" if row[name] is None else f"{row[name]:.3f}" for name in _COMPARED.values()))
        for what, row in found["measures"].items()
    ]
    lead += f"<ul>\n{why}</ul>\n" if why else ""
    return _table("Champion and challenger", ("on the same windows", *_COMPARED), rows, lead)


def _headline(run):
    found = _metrics(run).get("headline", {})
    rows = [*_ranked(run)]
    rows += [(_LABELS.get(name, name.replace("_", " ")), _shown(name, value)) for name, value in found.items()]
    return _table("Headline figures", ("of the test", "value"), rows)


def _ranked(run):
    """The VUS-PR of the deployed score and of its best rival, where there are events to rank by."""
    found = _metrics(run)
    ranking, rival = found.get("ranking") or {}, (found.get("best_rival") or {}).get("name")
    for name in (summary.DEPLOYED, rival):
        value, *ends = (ranking.get(name, {}).get(f"VUS-PR{end}") for end in ("", ", low", ", high"))
        if value is not None:
            between = "" if None in ends else f" ({ends[0]:.3f}–{ends[1]:.3f})"
            yield f"VUS-PR (95 % over wearers): {name}", f"{value:.3f}{between}"


def _shown(name, value):
    if value is None:
        return "none"
    if name.startswith(("event_recall", "share_of_normal")):
        return f"{value:.2%}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _figures(run):
    """The run's figures, small, each a link to itself as a file."""
    shown = []
    for path in sorted(run.models.glob("*.png")):
        name, data = escape(path.stem.replace("_", " ")), base64.b64encode(path.read_bytes()).decode()
        image = f'<img src="data:image/png;base64,{data}" alt="{name}">'
        shown.append(f'<figure><a href="{escape(path.name)}">{image}</a><figcaption>{name}</figcaption></figure>\n')
    return f'<h2>Figures</h2>\n<div class="figures">\n{"".join(shown)}</div>\n' if shown else ""


def _parameters(run):
    """Each parameter's value, whether it was given, and the notebooks that took it so."""
    journal, rows = run.journal, {}
    for step, facts in sorted(journal.get("ran", {}).items()):
        for name, value in facts.get("parameters", {}).items():
            rows.setdefault((name, json.dumps(value, ensure_ascii=False)), []).append(step.partition("_")[0])
    given = dict.fromkeys(journal.get("given", {}), " (given)")
    shown = [(name, value + given.get(name, ""), " ".join(of)) for (name, value), of in rows.items() if name != "run"]
    return _table("Parameters", ("parameter", "value", "used by"), shown)


def _files(run):
    links = []
    for path in (path for pattern in FILES for path in sorted(run.models.glob(pattern))):
        name = escape(path.relative_to(run.models).as_posix())
        links.append(f'<li><a href="{name}">{name}</a> <span class="soft">{_size(path.stat().st_size)}</span></li>\n')
    return f"<h2>Files</h2>\n<ul>\n{''.join(links)}</ul>\n" if links else ""


def _size(count):
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"


def _table(title, columns, rows, lead=""):
    """A section with a table of texts, below the HTML `lead`; nothing where there are no rows."""
    if not rows:
        return ""
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join(f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in row)}</tr>\n" for row in rows)
    table = f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>"
    return f'<h2>{title}</h2>\n{lead}<div class="wide">{table}</div>\n'


def _save(path, text):
    with writing(path) as new:
        new.write_text(text, encoding="utf-8")
