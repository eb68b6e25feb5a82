"""run_all.sh's other half: `python -m lib.pipeline [--only NOTEBOOK | --from NOTEBOOK] [name=value …]`.

Exit status: 0 done, 1 a notebook failed, 2 what was asked for can not be done, 3 the run is being worked on,
130 stopped by Ctrl-C.
"""

import argparse
import json
import re
import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from lib import staging
from lib.parameters import UsageError, caller_dir, declared, described, did_you_mean, given, located
from lib.progress import Progress, duration
from lib.runs import ROOT, Run

HELP = """\
usage: ./run_all.sh [--help] [--setup] [--only NOTEBOOK] [--from NOTEBOOK] [name=value ...]

Runs the numbered notebooks one after the other into models/<run>/ and data/<run>/.

  --from NOTEBOOK   go on from that notebook, with what an unfinished or finished run of that name holds
  --only NOTEBOOK   run that notebook alone; one without a number works on a finished run
  --setup           set up .venv, and nothing else
  name=value        a parameter, for the notebooks that declare it

  ./run_all.sh
  ./run_all.sh run=march epochs=50 data_path=watch.csv.gz
  ./run_all.sh run=march --from 03_train
  ./run_all.sh run=march --only 04

A run that fails leaves the finished run of that name as it was, and --from goes on from what it has done,
with the values it was given. Exit status: 0 done, 1 a notebook failed, 2 what was asked for can not be done,
3 the run is being worked on, 130 stopped by Ctrl-C."""


@dataclass(frozen=True)
class Plan:
    """What to run, how the user asked for it, what must be done before, and all numbered notebooks."""

    selected: tuple
    how: str
    needed: tuple
    numbered: tuple


class Stopped(Exception):
    """A notebook failed or was interrupted; `status` is the exit status that says which."""

    def __init__(self, message, status):
        super().__init__(message)
        self.status = status


def main(argv, *, notebooks=ROOT / "notebooks"):
    """Run what `argv` asks for, of the notebooks in that folder. Returns the exit status."""
    try:
        _main(argv, {path.stem: path for path in sorted(notebooks.glob("*.ipynb"))})
    except (UsageError, staging.NothingToResume) as error:
        return _refuse(error, 2)
    except staging.Busy as error:
        return _refuse(error, 3)
    except Stopped as error:
        return _refuse(error, error.status)
    except KeyboardInterrupt:
        return _refuse("stopped by Ctrl-C", 130)
    return 0


def _refuse(error, status):
    print(f"run_all.sh: {error}", file=sys.stderr)
    return status


def _main(argv, paths):
    known = declared(paths.values())
    options = _options(argv)
    if options.help:
        print("\n".join([HELP, *described(known)]))
        return
    values = located(given(options.values, known))
    plan = planned(list(paths), only=options.only, start=options.start)
    name = _run_name(values, known)
    with staging.locked(name):
        staging.recover(name)
        _work(name, plan, paths, known, values)


def _work(name, plan, paths, known, values):
    """Stage the run, execute the plan's notebooks, and publish what is whole. Call it with the lock held."""
    origin = staging.source(name, plan.needed) if plan.needed else None
    resumed = origin or (Run.at(name, staged=True) if plan.how.startswith("--from") else None)
    journal = resumed.journal if resumed else {}
    check_skipped(values, known, plan, journal.get("ran", {}))
    values = {key: value for key, value in journal.get("given", {}).items() if key in known} | values
    _say_what_runs(name, plan, origin, values)
    staged = staging.stage(name, origin, without=plan.selected)
    staged.record("given", **values)
    began = time.monotonic()
    for step in plan.selected:
        run_step(staged, paths[step], known, values | {"run": name})
    _finish(staged, plan, seconds=time.monotonic() - began)


def _options(argv):
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.error = _raise_usage
    parser.add_argument("-h", "--help", action="store_true")
    parser.add_argument("--only")
    parser.add_argument("--from", dest="start")
    parser.add_argument("values", nargs="*")
    return parser.parse_intermixed_args(argv)


def _raise_usage(message):
    raise UsageError(f"{message}; see ./run_all.sh --help")


def _run_name(values, known):
    try:
        return Run.at(values.pop("run", known["run"].default if "run" in known else "default")).name
    except ValueError as error:
        raise UsageError(error) from error


def planned(names, *, only=None, start=None):
    """The Plan for the notebooks of these names, in order: each numbered one, `only` one, or from `start` on.

    Raises UsageError where there is no such notebook.
    """
    numbered = tuple(name for name in names if re.match(r"\d", name))
    if only and start:
        raise UsageError("--only and --from exclude each other")
    if not numbered:
        raise UsageError("there are no numbered notebooks to run")
    if only:
        name = _named(only, names)
        return Plan((name,), f"--only {name}", _before(name, numbered), numbered)
    if start:
        name = _named(start, numbered)
        return Plan(numbered[numbered.index(name) :], f"--from {name}", _before(name, numbered), numbered)
    return Plan(numbered, "a run without --only", (), numbered)


def _before(name, numbered):
    return numbered[: numbered.index(name)] if name in numbered else numbered


def _named(text, names):
    """The notebook meant by its name, its number, or its name without number; folder and .ipynb aside."""
    asked = Path(text).name.removesuffix(".ipynb")
    shorts = {short: name for name in names if name[0].isdigit() for short in name.split("_", 1)}
    shorts |= {name: name for name in names}
    if asked not in shorts:
        raise UsageError(f"no notebook is called {asked!r}{did_you_mean(asked, shorts)}")
    return shorts[asked]


def check_skipped(values, known, plan, ran):
    """Refuse a value that only notebooks which do not run would take, unless they ran with that very value.

    `ran` is the record of what ran: {step: {"parameters": {name: value}}}. Raises UsageError.
    """
    for name, value in values.items():
        takers = known[name].notebooks
        before = [ran[step]["parameters"][name] for step in takers if name in ran.get(step, {}).get("parameters", {})]
        if set(takers) & set(plan.selected) or (before and all(old == value for old in before)):
            continue
        tail = f"; it ran with {before[0]}" if before else ""
        raise UsageError(f"{name} is a parameter of {' and '.join(takers)}, which {plan.how} does not run{tail}")


def _say_what_runs(name, plan, origin, values):
    unfinished = Run.at(name, staged=True)
    left = sorted(staging.done(unfinished))
    if left and origin != unfinished:
        print(f"an unfinished run {name!r}, which had done {', '.join(left)}, is dropped")
    after = f" after {plan.needed[-1]}" if plan.needed else ""
    print(" ".join([f"run {name!r}{after}:", *plan.selected, *(f"{key}={value}" for key, value in values.items())]))


def run_step(staged, notebook, known, values):
    """Execute one notebook of a staged run with those of `values` that it declares, and write its report.

    Raises Stopped, with a message that says where, why, and how to go on.
    """
    from lib import execution  # takes seconds, which a misspelt parameter is not to wait for

    step = notebook.stem
    defaults = {name: parameter.default for name, parameter in known.items() if step in parameter.notebooks}
    routed = {name: value for name, value in values.items() if name in defaults}
    progress = Progress(step, sys.stdout)
    executed = staged.models / notebook.name
    try:
        execution.execute(notebook, executed, parameters=routed, progress=progress)
        execution.report(executed, run=staged.name)
    except (execution.CellFailed, KeyboardInterrupt) as error:
        interrupted = isinstance(error, KeyboardInterrupt)
        progress.end("stopped after" if interrupted else "failed after")
        why = "stopped by Ctrl-C" if interrupted else f"failed: {error}"
        raise Stopped(_stopped(staged, step, progress.heading, why, executed), 130 if interrupted else 1) from None
    staged.record("ran", **{step: {"parameters": defaults | routed, "seconds": round(progress.seconds, 1)}})
    progress.end("took")


def _stopped(staged, step, heading, why, executed):
    at = f' at "{heading}"' if heading else ""
    kept = f"\n  the finished run {staged.name!r} is as it was" if Run.at(staged.name).models.exists() else ""
    return (
        f"{step}{at} {why}\n  the executed notebook, with all that it said: {_shown(executed)}{kept}"
        f"\n  to go on: ./run_all.sh run={staged.name} --from {step}"
    )


def _finish(staged, plan, *, seconds):
    """Publish the run if every numbered notebook is done, and say where it is; else say what is missing."""
    missing = [step for step in plan.numbered if step not in staging.done(staged)]
    if missing:
        print(f"run {staged.name!r} is not finished; its results so far are in {_shown(staged.models)}")
        print(f"  to go on: ./run_all.sh run={staged.name} --from {missing[0]}")
        return
    staging.publish(staged.name)
    print("\n".join(summary(Run.at(staged.name), seconds=seconds)))
    later = [step for step in plan.numbered if step > plan.selected[-1]]
    if later and plan.selected[-1] in plan.numbered:
        print(f"{', '.join(later)} still hold earlier results; to renew them: --from {later[0]}")


def summary(run, *, seconds):
    """The lines that end a run: time, memory, where reports, figures and bundle are, the headline metrics."""
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    lines = [f"run {run.name!r} took {duration(seconds)}, at most {peak / 2**30:.1f} GiB of memory a notebook"]
    for label, pattern in (("reports", "*.html"), ("figures", "*.png"), ("bundle", "lambda_export/*.zip")):
        for path in sorted(run.models.glob(pattern)):
            lines.append(f"  {label:8} {_shown(path)}")
            label = ""
    metrics = run.models / "metrics.json"
    headline = json.loads(metrics.read_text(encoding="utf-8")).get("headline", {}) if metrics.exists() else {}
    width = max(map(len, headline), default=0)
    return lines + [f"  {name:{width}}  {_figure(value)}" for name, value in headline.items()]


def _figure(value):
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _shown(path):
    """A path as the caller can open it: relative to the caller's folder if it is below that."""
    caller = caller_dir()
    return path.relative_to(caller) if path.is_relative_to(caller) else path


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
