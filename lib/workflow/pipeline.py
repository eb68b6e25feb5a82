"""One run: stage its folders, execute its notebooks, write its report, and publish it once it is complete."""

import resource
import sys
import time
from dataclasses import dataclass

from lib.files import is_full
from lib.run import Run
from lib.workflow import report, staging
from lib.workflow.exit_status import FAILED, INTERRUPTED, NOT_EXPORTED
from lib.workflow.parameter_checks import check_skipped, check_values
from lib.workflow.parameters import UsageError, caller_dir
from lib.workflow.progress import Progress, format_duration

MONITOR = "monitor"  # the notebook whose verdict ends the run


class Stopped(Exception):
    """A notebook failed or was interrupted. `status` is the exit status."""

    def __init__(self, message, status):
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Notebooks:
    """All notebooks, {name: path}, and the parameters they declare, {name: Parameter}."""

    paths: dict
    parameters: dict


def execute_run(name, plan, notebooks, values):
    """Stage the run, execute the notebooks of the plan, and publish the run if it is complete.

    Call it with the run's lock held.

    Parameters
    ----------
    name : str
        The run.
    plan : Plan
    notebooks : Notebooks
    values : dict
        {name: value} of the command line.

    Raises
    ------
    UsageError, NothingToResume
        If the request cannot be carried out.
    Stopped
        If a notebook fails or is interrupted, or the disk is full.
    """
    origin = staging.origin(name, plan.required) if plan.required else None
    resumed = origin or (Run.at(name, staged=True) if plan.request.startswith("--from") else None)
    journal = resumed.journal if resumed else {}
    known = notebooks.parameters
    check_skipped(values, known, plan, journal.get("ran", {}))
    carried = carried_values(journal.get("given", {}), known, finished=resumed == Run.at(name))
    given, values = carried | _of_the_run(values, known, plan), carried | values
    check_values(values | {"run": name}, known, plan)
    _protect_unfinished(name, plan, origin)
    _announce(name, plan, origin, values)
    try:
        staged = staging.stage(name, origin, without=plan.selected)
        staged.record("given", **given)
        began = time.monotonic()
        for step in plan.selected:
            run_step(staged, notebooks.paths[step], known, values | {"run": name})
        _finish(staged, plan, seconds=time.monotonic() - began)
    except OSError as error:
        staged = Run.at(name, staged=True)
        if not is_full(error) or staged.journal.get("given") != given:
            raise
        raise Stopped(_full_disk_message(staged, plan, error), FAILED) from None


def carried_values(earlier, known, *, finished):
    """Return those values that a resumed run keeps.

    A finished run drops test_path, a question to that run, and force, an answer to it. Every run drops what only
    notebooks without a number take, such as a log or an accepted proposal: each counts once.

    Parameters
    ----------
    earlier : dict
        {name: value} of the command line that made the run.
    known : dict
        {name: Parameter}.
    finished : bool
        Whether the run is finished.
    """
    dropped = {"test_path", "force"} if finished else set()
    dropped |= {name for name in known if not any(notebook[0].isdigit() for notebook in known[name].notebooks)}
    return {name: value for name, value in earlier.items() if name in known and name not in dropped}


def _of_the_run(values, known, plan):
    """Return those of `values` that the run is made with: a notebook without a number may read other data."""
    if set(plan.selected) & set(plan.numbered):
        return values
    return {name: value for name, value in values.items() if not set(known[name].notebooks) & set(plan.numbered)}


def _protect_unfinished(name, plan, origin):
    """Refuse to drop an unfinished run for a notebook without a number, which works on the finished run."""
    unfinished = Run.at(name, staged=True)
    if origin == Run.at(name) and not set(plan.selected) & set(plan.numbered) and (done := staging.done(unfinished)):
        missing = next((step for step in plan.numbered if step not in done), plan.numbered[-1])
        raise UsageError(
            f"{plan.request} would drop the unfinished run {name!r} with {', '.join(sorted(done))}; continue it by "
            f"./run_all.sh run={name} --from {missing}, or remove {_displayed(unfinished.models)}"
        )


def _announce(name, plan, origin, values):
    unfinished = Run.at(name, staged=True)
    done = sorted(staging.done(unfinished))
    if done and origin != unfinished:
        print(f"the unfinished run {name!r} with {', '.join(done)} is dropped")
    after = f" after {plan.required[-1]}" if plan.required else ""
    print(" ".join([f"run {name!r}{after}:", *plan.selected, *(f"{key}={value}" for key, value in values.items())]))


def run_step(staged, notebook, known, values):
    """Execute one notebook of a staged run with the values that it declares, and update the run's report.

    Raises
    ------
    Stopped
        If the notebook fails or is interrupted. The message says where, why, and how to continue.
    """
    from lib.workflow import notebook_page, notebooks  # the import takes seconds: checks of parameters come first

    step = notebook.stem
    defaults = {name: parameter.default for name, parameter in known.items() if step in parameter.notebooks}
    parameters = {name: value for name, value in values.items() if name in defaults}
    progress = Progress(step, sys.stdout)
    executed = staged.models / notebook.name
    try:
        notebooks.execute(notebook, executed, parameters=parameters, progress=progress)
        notebook_page.write(staged, step)
        notebooks.check_contract(executed)
    except (notebooks.CellFailed, notebooks.ContractBroken, KeyboardInterrupt) as error:
        progress.end("stopped after" if isinstance(error, KeyboardInterrupt) else "failed after")
        in_cell = not isinstance(error, notebooks.ContractBroken)
        raise _stopped(staged, step, error, heading=progress.heading if in_cell else "") from None
    except OSError:
        progress.end("failed after")
        raise
    staged.record("ran", **{step: {"parameters": defaults | parameters, "seconds": round(progress.seconds, 1)}})
    report.write(staged)
    progress.end("took")


def _stopped(staged, step, error, *, heading):
    """Return the Stopped for a notebook that failed below a heading."""
    if getattr(error, "kind", None) == "NotExported":
        return Stopped(_not_exported_message(staged, step, error.message), NOT_EXPORTED)
    interrupted = isinstance(error, KeyboardInterrupt)
    where = f' at "{heading}"' if heading else ""
    reason = "stopped by Ctrl-C" if interrupted else f"failed: {error}"
    executed = _displayed(staged.models / f"{step}.ipynb")
    message = f"{step}{where} {reason}\n  the executed notebook with all outputs: {executed}"
    message += _unchanged_line(staged) + _resume_line(staged, step)
    return Stopped(message, INTERRUPTED if interrupted else FAILED)


def _full_disk_message(staged, plan, error):
    done = staging.done(staged)
    step = next((step for step in plan.selected if step not in done), plan.selected[-1])
    finished = f"\n  finished and kept: {', '.join(sorted(done))}" if done else ""
    unchanged, resume = _unchanged_line(staged), _resume_line(staged, step)
    return f"the disk is full: {error}{finished}{unchanged}\n  free some space first{resume}"


def _not_exported_message(staged, step, reason):
    return (
        f"run {staged.name!r} is not exported: {reason}; force=true exports it anyway: "
        f"./run_all.sh run={staged.name} --from {step} force=true\n"
        f"  its report: {_displayed(staged.models / report.NAME)}{_unchanged_line(staged)}"
    )


def _unchanged_line(staged):
    return f"\n  the finished run {staged.name!r} is unchanged" if Run.at(staged.name).models.exists() else ""


def _resume_line(staged, step):
    return f"\n  to continue: ./run_all.sh run={staged.name} {'--from' if step[0].isdigit() else '--only'} {step}"


def _finish(staged, plan, *, seconds):
    """Publish the run if every numbered notebook is done, and print its summary; otherwise print what is missing."""
    missing = [step for step in plan.numbered if step not in staging.done(staged)]
    if missing:
        print(f"run {staged.name!r} is unfinished; its results so far are in {_displayed(staged.models)}")
        print(f"  to continue: ./run_all.sh run={staged.name} --from {missing[0]}")
        return
    staging.publish(staged.name)
    print("\n".join(summary_lines(Run.at(staged.name), seconds=seconds)))
    later = [step for step in plan.numbered if step > plan.selected[-1]]
    if later and plan.selected[-1] in plan.numbered:
        print(f"{', '.join(later)} keep earlier results; to repeat them: --from {later[0]}")
    if MONITOR in plan.selected:
        print("\n".join(verdict_lines(Run.at(staged.name))))


def verdict_lines(run):
    """Return the lines that end the monitor: the verdict, its reasons, and the page that explains them."""
    monitor = report.monitor_verdict(run)
    reasons = [_printable(reason) for reason in monitor["why"]]
    page = _displayed(run.models / f"{MONITOR}.html")
    return [f"verdict: {monitor['verdict']}", *(f"  {reason}" for reason in reasons), f"  page: {page}"]


def _printable(text):
    """Replace control characters, which could rewrite the terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)


def summary_lines(run, *, seconds):
    """Return the lines that end a run: time, memory, the places of its files, and the headline metrics.

    `seconds` is the time that the notebooks took.
    """
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    duration = format_duration(seconds)
    lines = [f"run {run.name!r} took {duration}; its notebooks used at most {peak / 2**30:.1f} GiB of memory"]
    for label, pattern in (("report", report.NAME), ("figures", "*.png"), ("bundle", "lambda_export/*.zip")):
        for path in sorted(run.models.glob(pattern)):
            lines.append(f"  {label:8} {_displayed(path)}")
            label = ""
    headline = report.headline(run)
    width = max(map(len, headline), default=0)
    return lines + [f"  {name:{width}}  {text}" for name, text in headline.items()]


def _displayed(path):
    """Return a path that the caller can open, relative to the caller's folder if it is below it."""
    caller = caller_dir()
    return path.relative_to(caller) if path.is_relative_to(caller) else path
