"""All runs side by side: their data, parameters, results and cost, and the command that repeats each.

A run that is unfinished, of an older version or made by hand is listed, too. What it lacks is None.
"""

import json
import shlex
from datetime import datetime
from itertools import starmap

import pandas as pd

from lib.detector.export_folder import MODEL, NETWORK
from lib.evaluation import summary
from lib.export.bundle import ZIP
from lib.run import Run, runs_home
from lib.workflow.parameters import UsageError, format_argument

FORMATS = {  # column: its format in notebooks and pages
    **dict.fromkeys(("VUS-PR", "recall at 1 a day", "AUROC", "validation loss"), "{:.3f}"),
    **dict.fromkeys(("share at 0.3", "share at 0.7"), "{:.2%}"),
    **dict.fromkeys(("readings", "training windows", "epochs"), "{:,.0f}"),
    **dict.fromkeys(("false alarms a day", "zip (MB)", "minutes"), "{:.1f}"),
}
# columns of --runs
SHORT = ("state", "made", "VUS-PR", "recall at 1 a day", "false alarms a day", "minutes", "base", "given")


def all_runs(*, at_most=None):
    """Return every Run, finished or in its staging folders, sorted by name; with `at_most`, only the newest."""
    runs = []
    for folder in sorted(path for path in (runs_home() / "models").glob("*") if path.is_dir()):
        staged = folder.name.startswith(".") and folder.suffix == ".partial"
        try:
            runs.append(Run.at(folder.stem[1:] if staged else folder.name, staged=staged))
        except ValueError:
            continue  # not a run's name: another folder
    newest = sorted(runs, key=lambda run: _written_at(run) or "", reverse=True)[:at_most]
    return sorted(newest, key=lambda run: (run.name, run.models.name))


def table(runs=None):
    """Return a frame with a row for each run, by default `all_runs()`.

    The index holds the names. The name of an unfinished run ends in '…'.
    """
    runs = all_runs() if runs is None else runs
    rows = {_label(run): row(run) for run in runs}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("run")


def styled(table):
    """Return a table of runs styled for a notebook, without the columns in which no run has a value."""
    filled = table.dropna(axis="columns", how="all").drop(columns="given")
    formats = {name: text for name, text in FORMATS.items() if name in filled}
    others = [name for name in filled if name not in formats]
    return filled.style.format(formats, na_rep="–").format(na_rep="–", subset=others)


def row(run):
    """Return what is known of one Run, {column: value}. The shares are of normal windows that reach a level."""
    journal, model, metrics = _journal(run), _model(run), _json(run.models / "metrics.json")
    data, deployed = journal.get("01_generate", {}), metrics.get("ranking", {}).get(summary.DEPLOYED, {})
    headline, trained = metrics.get("headline", {}), model.get("metrics", {})
    seconds = [step["seconds"] for step in journal.get("ran", {}).values() if "seconds" in step]
    archive = run.models / "lambda_export" / ZIP
    return {
        "state": _state(run, journal, model, metrics),
        "made": _written_at(run),
        "base": metrics.get("challenge", {}).get("base") or None,
        "verdict": verdict(run),
        "source": data.get("source"),
        "data": (data.get("fingerprint") or model.get("data", {}).get("fingerprint") or "")[:8] or None,
        "readings": sum(data.get("readings", {}).values()) or None,
        "training windows": trained.get("windows", {}).get("train"),
        "epochs": trained.get("epochs"),
        "validation loss": trained.get("val_loss"),
        **{name: deployed.get(name) for name in (summary.VUS, summary.RECALL)},
        "AUROC": headline.get("auroc_macro"),
        "false alarms a day": headline.get("false_alarms_per_day_at_0.7"),
        "share at 0.3": headline.get("share_of_normal_at_0.3"),
        "share at 0.7": headline.get("share_of_normal_at_0.7"),
        "zip (MB)": archive.stat().st_size / 1e6 if archive.exists() else None,
        "minutes": sum(seconds) / 60 if seconds else None,
        "weights": model.get("files", {}).get(NETWORK, "")[:8] or None,
        "given": " ".join(starmap(format_argument, given_values(run).items())),
    }


def verdict(run):
    """Return the decision on a Run that had a base, in a sentence, or None without a base."""
    exported, challenge = _journal(run).get("05_export", {}), _json(run.models / "metrics.json").get("challenge")
    if not challenge:
        return None
    return exported.get("verdict") or ("passed" if challenge.get("passed") else "; ".join(challenge.get("against", [])))


def given_values(run):
    """Return {name: value} of the command line that made the Run; empty if its record is missing or unreadable."""
    return _journal(run).get("given", {})


def parameters(run):
    """Return {name: value} of all parameters of a Run's numbered notebooks, from model.json and its record."""
    values = dict(_model(run).get("parameters", {}))
    for step, facts in sorted(_journal(run).get("ran", {}).items()):
        if step[0].isdigit():
            values |= facts.get("parameters", {})
    return {name: value for name, value in values.items() if name != "run"}


def differing_parameters(runs=None):
    """Return the parameters that differ between runs: a frame with a row for each parameter, a column for each run."""
    runs = all_runs() if runs is None else runs
    values = {_label(run): {name: str(value) for name, value in parameters(run).items()} for run in runs}
    texts = pd.DataFrame(values).fillna("–")
    return texts[texts.nunique(axis=1) > 1].rename_axis("parameter")


def format_table():
    """Return the output of --runs."""
    runs = table()
    if runs.empty:
        return "there are no runs yet"
    short = runs[list(SHORT)].assign(made=runs["made"].str[:16], base=runs["base"].fillna("–"))
    short = short.astype({name: float for name in SHORT if name in FORMATS})
    text = short.to_string(na_rep="–", float_format="{:.3g}".format, max_colwidth=60)
    verdicts = [f"{name}: {sentence}" for name, sentence in runs["verdict"].dropna().items()]
    return "\n".join([text, *verdicts])


def rebuild_commands(name, known):
    """Return the commands that repeat the run `name`. Lines with # say what they cannot repeat.

    Parameters
    ----------
    name : str
    known : dict
        {name: Parameter} of today's notebooks. A command holds the values that differ from the defaults.

    Raises
    ------
    UsageError
        If no record says how the run was made.
    """
    run = next((run for run in all_runs() if run.name == name), None)
    values = parameters(run) if run else {}
    if not values:
        raise UsageError(f"--rebuild {name}: no run of that name has a record of its parameters; see --runs")
    adjusted = _model(run).get("adjusted")
    return "\n".join(_adjust_lines(name, adjusted, known) if adjusted else _run_lines(run, values, known))


def _run_lines(run, values, known):
    changed = {key: values[key] for key in known if key in values and values[key] != known[key].default}
    lines = [shlex.join(["./run_all.sh", f"run={run.name}", *starmap(format_argument, changed.items())])]
    removed = {key: value for key, value in values.items() if key not in known}
    lines += [f"# no notebook takes {format_argument(*item)} any more" for item in removed.items()]
    if values.get("data_path"):
        lines.append(f"# the data had the fingerprint {row(run)['data']}…: models/{run.name}/run.json holds it in full")
    return lines


def _adjust_lines(name, adjusted, known):
    """Return the lines for a run with another run's weights and the limits of an accepted proposal of the monitor."""
    base = adjusted["from"]["run"]
    lines = [f"# the weights are those of run {base!r}:"]
    try:
        lines.append(rebuild_commands(base, known))
    except UsageError:
        lines += _run_lines(Run.at(base), parameters(Run.at(name)), known)
        lines.append(f"# run {base!r} no longer exists: unless its data were simulated, their place is unknown")
    proposal = {key: adjusted[key] for key in ("factor", "persistence") if key in adjusted}
    code = "from lib.monitoring.adjustment import accept; from lib.run import Run; "
    code += f"accept(Run.at({base!r}), {proposal!r}, run={name!r})"
    return [*lines, shlex.join([".venv/bin/python", "-c", code])]


def _label(run):
    return run.name + ("…" if run.models.name.startswith(".") else "")


def _state(run, journal, model, metrics):
    if any("unreadable" in content for content in (journal, model, metrics)):
        return "unreadable"
    if not run.models.name.startswith("."):
        if (run.models / "lambda_export" / MODEL).exists():
            return "adjusted" if "adjusted" in model else "exported"
        return "unfinished"
    refused = metrics.get("challenge", {}).get("passed") is False
    return "not exported" if refused else "unfinished"


def _written_at(run):
    """Return the time at which the run's record, or else its model, was written: ISO 8601 to the second, or None."""
    for path in (run.models / "run.json", run.models / "lambda_export" / MODEL, run.models / MODEL):
        if path.exists():
            return datetime.fromtimestamp(path.stat().st_mtime).isoformat(sep=" ", timespec="seconds")
    return None


def _journal(run):
    return _json(run.models / "run.json")


def _model(run):
    path = run.models / MODEL
    return _json(path if path.exists() else run.models / "lambda_export" / MODEL)


def _json(path):
    """Return a file's JSON object; empty without the file; {"unreadable": None} for any other content."""
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        content = None
    return content if isinstance(content, dict) else {"unreadable": None}
