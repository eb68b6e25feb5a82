"""The page that compares a sweep's runs: a figure, their results, and the parameters in which they differ."""

import base64
import io

import matplotlib
import pandas as pd

from lib.figures import scorecard
from lib.run import Run, runs_home
from lib.workflow import page, report, runs_table

COLUMNS = ("state", "VUS-PR", "recall at 1 a day", "AUROC", "false alarms a day", "share at 0.3", "minutes")


def write(name, problems):
    """Write models/sweep-<name>.html and return its path.

    Parameters
    ----------
    name : str
        The sweep.
    problems : dict
        {run's name: problem}; the problem is empty if the run succeeded.
    """
    runs = [_latest(run_name) for run_name in problems]
    table = runs_table.table(runs)
    context = {
        "figure": _figure(table),
        "columns": COLUMNS,
        "runs": [_result(*item, problems) for item in zip(runs, table.iterrows(), strict=True)],
        "differences": _differences(table, runs),
    }
    path = runs_home() / "models" / f"sweep-{name}.html"
    page.save(path, page.render("sweep", title=f"Sweep {name}", sweep=name, **context))
    return path


def _latest(name):
    """Return the Run that was last worked on: the unfinished one if it exists."""
    staged = Run.at(name, staged=True)
    return staged if staged.models.exists() else Run.at(name)


def _figure(table):
    """Return the figure of the runs side by side, a PNG in base64."""
    matplotlib.use("Agg", force=False)
    png = io.BytesIO()
    scorecard.runs_side_by_side(table).savefig(png, format="png", dpi=130)
    return base64.b64encode(png.getvalue()).decode()


def _result(run, labelled_row, problems):
    label, row = labelled_row
    verdict = row["verdict"] if isinstance(row["verdict"], str) else ""  # empty for a run that was not judged
    return {
        "name": label,
        "report": f"{run.models.name}/{report.NAME}" if (run.models / report.NAME).exists() else "",
        "cells": [_format(name, row[name]) for name in COLUMNS],
        "outcome": problems[run.name] or verdict,
    }


def _differences(table, runs):
    """Return the columns and rows of a table of those parameters that differ, or None."""
    values = {
        label: {name: str(value) for name, value in runs_table.given_values(run).items()}
        for label, run in zip(table.index, runs, strict=True)
    }
    texts = pd.DataFrame(values).fillna("–")  # the default
    texts = texts[texts.nunique(axis=1) > 1].T
    if texts.empty:
        return None
    rows = [(label, *row) for label, row in zip(texts.index, texts.to_numpy(), strict=True)]
    return {"columns": list(texts), "rows": rows}


def _format(column, value):
    if value is None or value != value:  # NaN differs from itself
        return "–"
    return runs_table.FORMATS[column].format(value) if column in runs_table.FORMATS else str(value)
