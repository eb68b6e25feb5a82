"""run_all.sh's other half: `python -m lib.workflow.cli [--only NOTEBOOK | --from NOTEBOOK] [name=value …]`.

It ends with one of `exit_status`.
"""

import argparse
import os
import resource
import sys
import time

from lib.files import ROOT, is_full
from lib.run import Run
from lib.workflow import report, staging
from lib.workflow.exit_status import BUSY, DONE, FAILED, INTERRUPTED, NOT_EXPORTED, REFUSED, UNREAD
from lib.workflow.parameters import UsageError, caller_dir, declared, described, given, located
from lib.workflow.plan import check_skipped, check_values, planned
from lib.workflow.progress import Progress, duration

HELP = """\
usage: ./run_all.sh [--only NOTEBOOK | --from NOTEBOOK] [name=value ...]
       ./run_all.sh --sweep FILE [name=value ...]
       ./run_all.sh --help | --setup | --runs | --rebuild RUN

Runs the numbered notebooks one after the other into models/<run>/ and data/<run>/.

  --from NOTEBOOK   go on from that notebook, with what an unfinished or finished run of that name holds
  --only NOTEBOOK   run that notebook alone; one without a number works on a finished run
  --setup           set up .venv, and nothing else
  --runs            list all runs: what each was made with, and what came of it
  --rebuild RUN     print the command that makes that run again
  --sweep FILE      many runs, several at once: a grid or a list of parameters, in YAML
  name=value        a parameter, for the notebooks that declare it

  ./run_all.sh
  ./run_all.sh run=march epochs=50 data_path=watch.csv.gz
  ./run_all.sh run=march --from 03_train
  ./run_all.sh run=march --only 04
  ./run_all.sh run=april data_path=april.csv.gz base=march warm_start=true

A notebook fails when a cell does, or when a check in its contract cell says False. The finished run of that name stays
as it was, and --from goes on from what is done, with the values that were given. Exit status: 0 done, 1 a notebook
failed, 2 what was asked for can not be done, 3 the run is being worked on, 4 not exported, for it is worse than its
base, 130 stopped by Ctrl-C."""


class Stopped(Exception):
    """A notebook failed or was interrupted; `status` is the exit status that says which."""

    def __init__(self, message, status):
        super().__init__(message)
        self.status = status


def main(argv, *, notebooks=ROOT / "notebooks"):
    """Run what `argv` asks for, of the notebooks in that folder. Returns the exit status."""
    try:
        return _main(argv, {path.stem: path for path in sorted(notebooks.glob("*.ipynb"))})
    except (UsageError, staging.NothingToResume) as error:
        return _refuse(error, REFUSED)
    except staging.Busy as error:
        return _refuse(error, BUSY)
    except Stopped as error:
        return _refuse(error, error.status)
    except OSError as error:
        if not is_full(error):
            raise
        return _refuse(f"the disk is full: {error}; make room, and give the same command again", FAILED)
    except KeyboardInterrupt as stopped:
        return _refuse(str(stopped) or "stopped by Ctrl-C", INTERRUPTED)


def piped(argv):
    """`main`, whose output goes to a pipe: where its reader (`| head`) has gone, that is no error to be told."""
    try:
        status = main(argv)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python would complain as it ends
        return UNREAD
    return status


def _refuse(error, status):
    print(f"run_all.sh: {error}", file=sys.stderr)
    return status


def _main(argv, paths):
    known = declared(paths.values())
    options = _options(argv)
    if options.help:
        print("\n".join([HELP, *described(known)]))
        return DONE
    if options.runs or options.rebuild:
        from lib.workflow import runs_table  # which takes long to import

        print(runs_table.printed() if options.runs else runs_table.rebuilding(options.rebuild, known))
        return DONE
    if options.sweep:
        from lib.workflow import sweep

        return sweep.main(options.sweep, given(options.values, known), known, paths)
    values = located(given(options.values, known))
    plan = planned(list(paths), only=options.only, start=options.start)
    name = _run_name(values, known)
    with staging.locked(name):
        staging.recover(name)
        _work(name, plan, paths, known, values)
    return DONE


def _work(name, plan, paths, known, values):
    """Stage the run, execute the plan's notebooks, and publish what is whole. Call it with the lock held."""
    origin = staging.source(name, plan.needed) if plan.needed else None
    resumed = origin or (Run.at(name, staged=True) if plan.how.startswith("--from") else None)
    journal = resumed.journal if resumed else {}
    check_skipped(values, known, plan, journal.get("ran", {}))
    values = carried(journal.get("given", {}), known, finished=resumed == Run.at(name)) | values
    check_values(values | {"run": name}, known, plan)
    _keep_unfinished(name, plan, origin)
    _say_what_runs(name, plan, origin, values)
    try:
        staged = staging.stage(name, origin, without=plan.selected)
        staged.record("given", **values)
        began = time.monotonic()
        for step in plan.selected:
            run_step(staged, paths[step], known, values | {"run": name})
        _finish(staged, plan, seconds=time.monotonic() - began)
    except OSError as error:
        staged = Run.at(name, staged=True)
        if not is_full(error) or staged.journal.get("given") != values:
            raise
        raise Stopped(_no_room(staged, plan, error), FAILED) from None


def _options(argv):
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.error = _raise_usage
    parser.add_argument("-h", "--help", action="store_true")
    parser.add_argument("--only")
    parser.add_argument("--from", dest="start")
    parser.add_argument("--runs", action="store_true")
    parser.add_argument("--rebuild", metavar="RUN")
    parser.add_argument("--sweep", metavar="FILE")
    parser.add_argument("values", nargs="*")
    options = parser.parse_intermixed_args(argv)
    asked = [name for name in ("only", "start", "runs", "rebuild", "sweep") if getattr(options, name)]
    if len(asked) > 1:
        raise UsageError(f"{' and '.join(f'--{name}'.replace('start', 'from') for name in asked)} exclude each other")
    return options


def _raise_usage(message):
    raise UsageError(f"{message}; see ./run_all.sh --help")


def _run_name(values, known):
    try:
        return Run.at(values.pop("run", known["run"].default if "run" in known else "default")).name
    except ValueError as error:
        raise UsageError(error) from error


def carried(given_before, known, *, finished):
    """Of the values {name: value} given to the run that is gone on from, those that still hold.

    A test_path was a question put to that run, and force an answer to one: once it is finished, they are put anew.
    So is what only notebooks without a number take: a log that was read, a proposal that was accepted, each once.
    """
    dropped = {"test_path", "force"} if finished else set()
    dropped |= {name for name in known if not any(notebook[0].isdigit() for notebook in known[name].notebooks)}
    return {name: value for name, value in given_before.items() if name in known and name not in dropped}


def _keep_unfinished(name, plan, origin):
    """Refuse to drop what is unfinished beside the finished run for a notebook that makes no run."""
    unfinished = Run.at(name, staged=True)
    if origin == Run.at(name) and not set(plan.selected) & set(plan.numbered) and (left := staging.done(unfinished)):
        missing = next((step for step in plan.numbered if step not in left), plan.numbered[-1])
        raise UsageError(
            f"{plan.how} would drop what is unfinished of run {name!r}, {', '.join(sorted(left))}: go on by "
            f"./run_all.sh run={name} --from {missing}, or remove {_shown(unfinished.models)}"
        )


def _say_what_runs(name, plan, origin, values):
    unfinished = Run.at(name, staged=True)
    left = sorted(staging.done(unfinished))
    if left and origin != unfinished:
        print(f"an unfinished run {name!r}, which had done {', '.join(left)}, is dropped")
    after = f" after {plan.needed[-1]}" if plan.needed else ""
    print(" ".join([f"run {name!r}{after}:", *plan.selected, *(f"{key}={value}" for key, value in values.items())]))


def run_step(staged, notebook, known, values):
    """Execute one notebook of a staged run with those of `values` that it declares, and renew the run's report.

    Raises Stopped, with a message that says where, why, and how to go on.
    """
    from lib.workflow import notebook_page  # takes seconds, which a misspelt parameter is not to wait for
    from lib.workflow import notebooks as execution

    step = notebook.stem
    defaults = {name: parameter.default for name, parameter in known.items() if step in parameter.notebooks}
    routed = {name: value for name, value in values.items() if name in defaults}
    progress = Progress(step, sys.stdout)
    executed = staged.models / notebook.name
    try:
        execution.execute(notebook, executed, parameters=routed, progress=progress)
        notebook_page.write(staged, step)
        execution.check_contract(executed)
    except (execution.CellFailed, execution.ContractBroken, KeyboardInterrupt) as error:
        interrupted = isinstance(error, KeyboardInterrupt)
        progress.end("stopped after" if interrupted else "failed after")
        if getattr(error, "kind", None) == "NotExported":
            raise Stopped(_not_exported(staged, step, error.message), NOT_EXPORTED) from None
        why = "stopped by Ctrl-C" if interrupted else f"failed: {error}"
        heading = "" if isinstance(error, execution.ContractBroken) else progress.heading
        status = INTERRUPTED if interrupted else FAILED
        raise Stopped(_stopped(staged, step, heading, why, executed), status) from None
    except OSError:
        progress.end("failed after")
        raise
    staged.record("ran", **{step: {"parameters": defaults | routed, "seconds": round(progress.seconds, 1)}})
    report.write(staged)
    progress.end("took")


def _stopped(staged, step, heading, why, executed):
    at = f' at "{heading}"' if heading else ""
    said = f"\n  the executed notebook, with all that it said: {_shown(executed)}"
    return f"{step}{at} {why}{said}{_kept(staged)}{_onward(staged, step)}"


def _no_room(staged, plan, error):
    done = staging.done(staged)
    step = next((step for step in plan.selected if step not in done), plan.selected[-1])
    stays = f"\n  done, and kept: {', '.join(sorted(done))}" if done else ""
    return f"the disk is full: {error}{stays}{_kept(staged)}\n  make room first{_onward(staged, step)}"


def _kept(staged):
    return f"\n  the finished run {staged.name!r} is as it was" if Run.at(staged.name).models.exists() else ""


def _onward(staged, step):
    return f"\n  to go on: ./run_all.sh run={staged.name} {'--from' if step[0].isdigit() else '--only'} {step}"


def _not_exported(staged, step, why):
    return (
        f"run {staged.name!r} is not exported: {why}; force=true exports it all the same: "
        f"./run_all.sh run={staged.name} --from {step} force=true\n"
        f"  its report: {_shown(staged.models / report.NAME)}{_kept(staged)}"
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
        print(f"earlier results stay in {', '.join(later)}; to renew them: --from {later[0]}")


def summary(run, *, seconds):
    """The lines that end a run: time, memory, where report, figures and bundle are, the headline metrics."""
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    lines = [f"run {run.name!r} took {duration(seconds)}, at most {peak / 2**30:.1f} GiB of memory a notebook"]
    for label, pattern in (("report", report.NAME), ("figures", "*.png"), ("bundle", "lambda_export/*.zip")):
        for path in sorted(run.models.glob(pattern)):
            lines.append(f"  {label:8} {_shown(path)}")
            label = ""
    headline = report.headline(run)
    width = max(map(len, headline), default=0)
    return lines + [f"  {name:{width}}  {text}" for name, text in headline.items()]


def _shown(path):
    """A path as the caller can open it: relative to the caller's folder if it is below that."""
    caller = caller_dir()
    return path.relative_to(caller) if path.is_relative_to(caller) else path


if __name__ == "__main__":
    sys.exit(piped(sys.argv[1:]))
