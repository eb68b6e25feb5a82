"""The page that compares a sweep's runs: a figure, what came of each, and what they were given, where it differs."""

import base64
import io
from html import escape

import matplotlib
import pandas as pd

from lib.figures import runs as runs_figures
from lib.files import writing
from lib.run import Run, runs_home
from lib.workflow import report, runs_table

COLUMNS = ("state", "VUS-PR", "recall at 1 a day", "AUROC", "false alarms a day", "share at 0.3", "minutes")


def write(name, outcomes):
    """Write models/sweep-<name>.html on the runs {name: what went wrong, or nothing}, and return its path."""
    runs = [_newest(name) for name in outcomes]
    table = runs_table.table(runs)
    shown = _figure(table) + _results(table, runs, outcomes) + _differences(table, runs)
    body = f"<h1>Sweep {escape(name)}</h1>\n{shown}"
    path = runs_home() / "models" / f"sweep-{name}.html"
    with writing(path) as new:
        new.write_text(report.page(f"Sweep {name}", body, nav=""), encoding="utf-8")
    return path


def _newest(name):
    """The Run as it was last worked on: the unfinished one if there is one."""
    staged = Run.at(name, staged=True)
    return staged if staged.models.exists() else Run.at(name)


def _figure(table):
    matplotlib.use("Agg", force=False)
    drawn = io.BytesIO()
    runs_figures.side_by_side(table).savefig(drawn, format="png", dpi=130)
    image = base64.b64encode(drawn.getvalue()).decode()
    return f'<figure><img src="data:image/png;base64,{image}" alt="the runs side by side"></figure>\n'


def _results(table, runs, outcomes):
    head = "".join(f"<th>{escape(name)}</th>" for name in ("run", *COLUMNS))
    body, wrong = "", ""
    for run, (shown, row) in zip(runs, table.iterrows(), strict=True):
        link = escape(shown)
        if (run.models / report.NAME).exists():
            link = f'<a href="{escape(run.models.name)}/{report.NAME}">{link}</a>'
        cells = [link, *(escape(_text(name, row[name])) for name in COLUMNS)]
        body += f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>\n"
        verdict = row["verdict"] if isinstance(row["verdict"], str) else ""  # of a run that has come to none
        if said := outcomes[run.name] or verdict:
            wrong += f"<p><b>{escape(shown)}</b>: {escape(said)}</p>\n"
    table = f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>\n'
    return table + (f"<h2>What became of them</h2>\n{wrong}" if wrong else "")


def _differences(table, runs):
    given = {
        shown: {name: str(value) for name, value in runs_table.given(run).items()}
        for shown, run in zip(table.index, runs, strict=True)
    }
    texts = pd.DataFrame(given).fillna("–")  # the default
    texts = texts[texts.nunique(axis=1) > 1].rename_axis("parameter")
    return f'<h2>What they differ in</h2>\n<div class="wide">{texts.T.to_html(border=0)}</div>\n' if len(texts) else ""


def _text(column, value):
    if value is None or value != value:  # NaN is not itself
        return "–"
    return runs_table.FORMATS[column].format(value) if column in runs_table.FORMATS else str(value)
