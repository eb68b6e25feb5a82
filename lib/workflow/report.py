"""A run's report: `report.html`, the run at a glance, linked with a page for each executed notebook."""

import base64
import json
import re

from lib.evaluation import summary
from lib.workflow import page
from lib.workflow.progress import format_duration

NAME = "report.html"
FILES = ("model.json", "metrics.json", "lambda_export/*.zip")  # to which the report links
_COMPARED = {  # column of the report: name in metrics.json
    "this run": "challenger",
    "its base": "champion",
    "difference": "difference",
    "from": "low",
    "to (95 %)": "high",
}
_LABELS = {  # name in metrics.json: label in the report
    "auroc_macro": "AUROC, mean over kinds of anomaly",
    "event_recall_at_0.3": "events that reach 0.3 (borderline), mean over kinds",
    "event_recall_at_0.7": "events that reach 0.7 (alert), mean over kinds",
    "false_alarms_per_day_at_0.3": "false alarms a wearer-day at 0.3",
    "false_alarms_per_day_at_0.7": "false alarms a wearer-day at 0.7",
    "share_of_normal_at_0.3": "normal windows that reach 0.3",
    "share_of_normal_at_0.7": "normal windows that reach 0.7",
    "median_delay_s_at_0.7": "median delay of events that reach 0.7, s",
}
_NAVIGATION = re.compile(r"<nav>.*?</nav>", re.DOTALL)


def write(run):
    """Write the report of what the Run has executed so far, and update the navigation of its pages."""
    links = navigation_links(run)
    context = {
        "monitor": monitor_verdict(run),
        "challenge": _challenge(run),
        "headline": [*_vus_rows(run), *_headline_rows(run)],
        "notebooks": [_notebook(run, step) for step in executed_steps(run)],
        "figures": _figures(run),
        "parameters": _parameter_rows(run),
        "files": _files(run),
    }
    text = page.render("report", title=f"Run {run.name}", run=run.name, links=links, here=NAME, **context)
    page.save(run.models / NAME, text)
    for step in executed_steps(run):
        path = run.models / f"{step}.html"
        navigation = page.render("navigation", links=links, here=path.name)
        text = path.read_text(encoding="utf-8")
        page.save(path, _NAVIGATION.sub(lambda _, navigation=navigation: navigation, text, count=1))


def executed_steps(run):
    """Return the notebooks that ran to their end in this Run and have a page, in order."""
    return [step for step in sorted(run.journal.get("ran", {})) if (run.models / f"{step}.html").exists()]


def headline(run):
    """Return {name: text} of the run's headline metrics, to four digits; empty before 04 has run."""
    metrics = _json(run, "metrics.json").get("headline", {})
    return {name: f"{value:.4g}" if isinstance(value, float) else str(value) for name, value in metrics.items()}


def monitor_verdict(run):
    """Return the monitor's verdict on the run in use, as monitor.json has it; empty before the monitor has run."""
    return _json(run, "monitor.json")


def navigation_links(run):
    """Return the links to the report and to each executed notebook, as `page.render` takes them."""
    steps = [{"target": f"{step}.html", "label": title(run, step).partition(":")[0]} for step in executed_steps(run)]
    return [{"target": NAME, "label": f"Run {run.name}"}, *steps]


def title(run, step):
    """Return a notebook's first heading, or its name if it has none."""
    heading = re.search(r"^#+ (.+)$", _markdown(run, step), re.MULTILINE)
    return heading[1] if heading else step


def _markdown(run, step):
    """Return the text between the code of an executed notebook."""
    cells = json.loads((run.models / f"{step}.ipynb").read_text(encoding="utf-8"))["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def _json(run, name):
    path = run.models / name
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _notebook(run, step):
    """Return a notebook's title, the question it opens with, and the time it took."""
    question = re.search(r"\*\*Question\.\*\* (.+)", _markdown(run, step))
    seconds = run.journal["ran"][step].get("seconds")
    return {
        "step": step,
        "title": title(run, step),
        "duration": "" if seconds is None else format_duration(seconds),
        "question": question[1] if question else "",
    }


def _challenge(run):
    """Return the comparison with the run's base and its consequence, or None without a base."""
    challenge = _json(run, "metrics.json").get("challenge")
    if not challenge:
        return None
    rows = [
        (measure, *("–" if row[name] is None else f"{row[name]:.3f}" for name in _COMPARED.values()))
        for measure, row in challenge["measures"].items()
    ]
    return {
        **{name: challenge[name] for name in ("base", "passed", "against")},
        "margin": f"{challenge['margin']:g}",
        "forced": "force=true" in run.journal.get("05_export", {}).get("verdict", ""),
        "columns": ["on the same windows", *_COMPARED],
        "rows": rows,
    }


def _headline_rows(run):
    metrics = _json(run, "metrics.json").get("headline", {})
    return [(_LABELS.get(name, name.replace("_", " ")), _format(name, value)) for name, value in metrics.items()]


def _vus_rows(run):
    """Return the VUS-PR of the deployed score and of its best rival, if there are events to rank by."""
    metrics, rows = _json(run, "metrics.json"), []
    ranking, rival = metrics.get("ranking") or {}, (metrics.get("best_rival") or {}).get("name")
    for name in (summary.DEPLOYED, rival):
        value, low, high = (ranking.get(name, {}).get(f"VUS-PR{end}") for end in ("", ", low", ", high"))
        if value is not None:
            interval = "" if None in (low, high) else f" ({low:.3f}–{high:.3f})"
            rows.append((f"VUS-PR (95 % over wearers): {name}", f"{value:.3f}{interval}"))
    return rows


def _format(name, value):
    if value is None:
        return "none"
    if name.startswith(("event_recall", "share_of_normal")):
        return f"{value:.2%}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _figures(run):
    """Return the run's figures with their data. Each is shown small and links to its file."""
    return [
        {
            "file": path.name,
            "name": path.stem.replace("_", " "),
            "data": base64.b64encode(path.read_bytes()).decode(),
        }
        for path in sorted(run.models.glob("*.png"))
    ]


def _parameter_rows(run):
    """Return each parameter's name, its value, whether it was given, and the notebooks that took it."""
    journal, users = run.journal, {}
    for step, facts in sorted(journal.get("ran", {}).items()):
        for name, value in facts.get("parameters", {}).items():
            users.setdefault((name, json.dumps(value, ensure_ascii=False)), []).append(step.partition("_")[0])
    marks = dict.fromkeys(journal.get("given", {}), " (given)")
    return [
        (name, value + marks.get(name, ""), " ".join(steps)) for (name, value), steps in users.items() if name != "run"
    ]


def _files(run):
    paths = [path for pattern in FILES for path in sorted(run.models.glob(pattern))]
    return [
        {"path": path.relative_to(run.models).as_posix(), "size": _format_size(path.stat().st_size)} for path in paths
    ]


def _format_size(count):
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"
