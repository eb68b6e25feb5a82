"""All runs side by side: what each was made with and from, what came of it, what it took, and how to make it again.

A run that is unfinished, of an older version or made by hand is listed with what it has; what it lacks is None.
"""

import json
import shlex
from datetime import datetime
from itertools import starmap

import pandas as pd

from lib.detector.detector import MODEL, NETWORK
from lib.evaluation import summary
from lib.export.bundle import ZIP
from lib.run import Run, runs_home
from lib.workflow.parameters import UsageError, word

FORMATS = {  # of a table in a notebook
    **dict.fromkeys(("VUS-PR", "recall at 1 a day", "AUROC", "validation loss"), "{:.3f}"),
    **dict.fromkeys(("share at 0.3", "share at 0.7"), "{:.2%}"),
    **dict.fromkeys(("readings", "training windows", "epochs"), "{:,.0f}"),
    **dict.fromkeys(("false alarms a day", "zip (MB)", "minutes"), "{:.1f}"),
}
SHORT = ("state", "made", "VUS-PR", "recall at 1 a day", "false alarms a day", "minutes", "base", "given")  # of --runs


def everyone(*, at_most=None):
    """Every Run there is, finished or (in its staging folders) not, in the order of their names; or the newest."""
    found = []
    for folder in sorted(path for path in (runs_home() / "models").glob("*") if path.is_dir()):
        staged = folder.name.startswith(".") and folder.suffix == ".partial"
        try:
            found.append(Run.at(folder.stem[1:] if staged else folder.name, staged=staged))
        except ValueError:
            continue  # no run's name: something else lies there
    newest = sorted(found, key=lambda run: _when(run) or "", reverse=True)[:at_most]
    return sorted(newest, key=lambda run: (run.name, run.models.name))


def table(runs=None):
    """A frame with a row a run, `everyone` unless given, by name; an unfinished one's name is followed by '…'."""
    runs = everyone() if runs is None else runs
    rows = {_shown(run): row(run) for run in runs}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("run")


def styled(table):
    """A table of runs as a notebook shows it: without the columns that no run has a value in."""
    shown = table.dropna(axis="columns", how="all").drop(columns="given")
    form = {name: text for name, text in FORMATS.items() if name in shown}
    return shown.style.format(form, na_rep="–").format(na_rep="–", subset=[n for n in shown if n not in form])


def row(run):
    """What is known of one Run, {column: value}; the shares are of normal windows that reach a level."""
    journal, model, found = _journal(run), _model(run), _json(run.models / "metrics.json")
    made, deployed = journal.get("01_generate", {}), found.get("ranking", {}).get(summary.DEPLOYED, {})
    headline, trained = found.get("headline", {}), model.get("metrics", {})
    seconds = [step["seconds"] for step in journal.get("ran", {}).values() if "seconds" in step]
    archive = run.models / "lambda_export" / ZIP
    return {
        "state": _state(run, journal, model, found),
        "made": _when(run),
        "base": found.get("challenge", {}).get("base") or None,
        "verdict": verdict(run),
        "source": made.get("source"),
        "data": (made.get("fingerprint") or model.get("data", {}).get("fingerprint") or "")[:8] or None,
        "readings": sum(made.get("readings", {}).values()) or None,
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
        "given": " ".join(starmap(word, given(run).items())),
    }


def verdict(run):
    """What was decided of a Run that had a base, in a sentence; None for one that had none."""
    exported, challenge = _journal(run).get("05_export", {}), _json(run.models / "metrics.json").get("challenge")
    if not challenge:
        return None
    return exported.get("verdict") or ("passed" if challenge.get("passed") else "; ".join(challenge.get("against", [])))


def given(run):
    """The values {name: value} that a Run was given; none where its record is not there or can not be read."""
    return _journal(run).get("given", {})


def parameters(run):
    """Every parameter {name: value} that a Run's numbered notebooks took, from model.json and its record."""
    values = dict(_model(run).get("parameters", {}))
    for step, facts in sorted(_journal(run).get("ran", {}).items()):
        if step[0].isdigit():
            values |= facts.get("parameters", {})
    return {name: value for name, value in values.items() if name != "run"}


def differing(runs=None):
    """The parameters that are not the same in all these runs: a frame with a row a parameter, a column a run."""
    runs = everyone() if runs is None else runs
    taken = {_shown(run): {name: str(value) for name, value in parameters(run).items()} for run in runs}
    texts = pd.DataFrame(taken).fillna("–")
    return texts[texts.nunique(axis=1) > 1].rename_axis("parameter")


def printed():
    """What --runs says."""
    found = table()
    if found.empty:
        return "there are no runs yet"
    shown = found[list(SHORT)].assign(made=found["made"].str[:16], base=found["base"].fillna("–"))
    shown = shown.astype({name: float for name in SHORT if name in FORMATS})
    text = shown.to_string(na_rep="–", float_format="{:.3g}".format, max_colwidth=60)
    why = [f"{name}: {said}" for name, said in found["verdict"].dropna().items()]
    return "\n".join([text, *why])


def rebuilding(name, known):
    """The commands that make run `name` again, by today's defaults of `known`; lines with # say what they can not give.

    Raises UsageError where nothing tells how the run was made.
    """
    run = next((run for run in everyone() if run.name == name), None)
    values = parameters(run) if run else {}
    if not values:
        raise UsageError(f"--rebuild {name}: there is no run of that name that says how it was made; see --runs")
    adjusted = _model(run).get("adjusted")
    return "\n".join(_of_adjusted(name, adjusted, values, known) if adjusted else _training(run, values, known))


def _training(run, values, known):
    given = {key: values[key] for key in known if key in values and values[key] != known[key].default}
    lines = [shlex.join(["./run_all.sh", f"run={run.name}", *starmap(word, given.items())])]
    gone = {key: value for key, value in values.items() if key not in known}
    lines += [f"# no notebook takes {word(*item)} any more" for item in gone.items()]
    if values.get("data_path"):
        lines.append(f"# the data had the fingerprint {row(run)['data']}…: models/{run.name}/run.json holds it in full")
    return lines


def _of_adjusted(name, adjusted, values, known):
    """The lines for a run that has another's weights and, since the monitor's proposal was accepted, other limits."""
    base = adjusted["from"]["run"]
    lines = [f"# the weights are those of run {base!r}:"]
    try:
        lines.append(rebuilding(base, known))
    except UsageError:
        lines += _training(Run.at(base), values, known)
        lines.append(f"# run {base!r} is gone: where its data lay is not known, if they were not simulated")
    chosen = {key: adjusted[key] for key in ("factor", "persistence") if key in adjusted}
    accept = f"adjustment.accept(runs.Run.at({base!r}), {chosen!r}, run={name!r})"
    return [*lines, shlex.join([".venv/bin/python", "-c", f"from lib import adjustment, runs; {accept}"])]


def _shown(run):
    return run.name + ("…" if run.models.name.startswith(".") else "")


def _state(run, journal, model, figures):
    if any("unreadable" in found for found in (journal, model, figures)):
        return "unreadable"
    if not run.models.name.startswith("."):
        if (run.models / "lambda_export" / MODEL).exists():
            return "adjusted" if "adjusted" in model else "exported"
        return "unfinished"
    refused = figures.get("challenge", {}).get("passed") is False
    return "not exported" if refused else "unfinished"


def _when(run):
    """When its record (or its model, where it has none) was written, ISO 8601 to the second; None for neither."""
    for path in (run.models / "run.json", run.models / "lambda_export" / MODEL, run.models / MODEL):
        if path.exists():
            return datetime.fromtimestamp(path.stat().st_mtime).isoformat(sep=" ", timespec="seconds")
    return None


def _journal(run):
    return _json(run.models / "run.json")


def _model(run):
    own = run.models / MODEL
    return _json(own if own.exists() else run.models / "lambda_export" / MODEL)


def _json(path):
    """A file's JSON object; empty where there is no file; {"unreadable": None} where it holds no object."""
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {"unreadable": None}
