"""The staging folders of a run, in which notebooks work, and their publication as the finished run.

    data/.<run>.partial   models/.<run>.partial    in progress, or left by a run that died
    data/<run>            models/<run>             the finished run, always complete
    data/.<run>.old       models/.<run>.old        the previous run, until both folders are in place
    models/.<run>.lock                             held by the process that works on the run
    models/.<run>.publish                          exists from the decision to publish until it is done

Two folders cannot be moved in one step. `publish` therefore writes the last of these files first. If the process dies
after that, the next one completes the publication (`recover`). If it dies before, the old run stays unchanged.
"""

import json
import os
import shutil
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lib import files
from lib.files import remove, write_json
from lib.run import Run, runs_home

REPLACED = ("processed", "parts")  # the folder in a run's data whose files are replaced or removed, never written to


class Busy(RuntimeError):
    """Another process works on the run."""


class NothingToResume(LookupError):
    """Neither the unfinished nor the finished run has the results to continue from."""


@contextmanager
def locked(name):
    """Hold the run's lock for the duration of the block.

    Raises
    ------
    Busy
        If another process holds it. The message names that process and the time since when.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(files.locked(runs_home() / "models" / f".{Run.at(name).name}.lock"))
        except files.Locked as error:
            raise Busy(f"run {name!r} is in use by {error.holder}; wait for it to end") from None
        yield


def done(run):
    """Return the names of the steps whose results the run holds, a set.

    In staging, only the steps count that run_all.sh saw succeed: a step that died may have recorded facts. In a
    finished run each step with a record counts, because it may have been executed by hand.
    """
    journal = run.journal
    ran = set(journal.get("ran", {}))
    staged = run.models.name.startswith(".")
    return ran if staged else ran | set(journal) - {"ran", "given"}


def origin(name, required):
    """Return the Run to continue from: the unfinished one if it holds the steps `required`, else the finished one.

    Raises
    ------
    NothingToResume
        If neither holds them. The message names the command that makes the first missing step.
    """
    for run in (Run.at(name, staged=True), Run.at(name)):
        if run.models.exists() and set(required) <= done(run):
            return run
    if base := _adjusted_from(name):
        raise NothingToResume(
            f"run {name!r} is an adjusted export of {base!r} without results of its own; --only monitor run={base} "
            f"reads its log, too, and a run called {name!r} would replace it"
        )
    missing = [step for step in required if step not in done(Run.at(name)) | done(Run.at(name, staged=True))]
    first = (missing or list(required))[0]
    raise NothingToResume(f"run {name!r} has no {first} to continue from: ./run_all.sh run={name} --from {first}")


def _adjusted_from(name):
    """Return the run whose weights an adjusted run has, or None for any other run."""
    path = Run.at(name).models / "lambda_export" / "model.json"
    model = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return model["adjusted"]["from"]["run"] if "adjusted" in model else None


def stage(name, origin, *, without):
    """Return the staging Run with the content of `origin`, but without a record of the steps `without`.

    A finished run is copied: writing to a linked file would change the finished run, too. Only the clean partitions,
    which may be as large as all data, are linked. `clean_partitions` replaces their files and never writes to them.

    Parameters
    ----------
    name : str
    origin : Run or None
        None for an empty run.
    without : iterable of str
        The steps that run again.
    """
    staged = Run.at(name, staged=True)
    if origin is None:
        _clear(staged)
    elif origin != staged:
        replace_by_copy(origin, staged)
    files.private_folder(staged.data)
    files.private_folder(staged.models)
    journal = {step: facts for step, facts in staged.journal.items() if step not in without}
    journal["ran"] = {step: facts for step, facts in journal.get("ran", {}).items() if step not in without}
    write_json(staged.models / "run.json", journal)
    return staged


def _clear(run):
    remove(run.models)
    remove(run.data)


def replace_by_copy(finished, staged):
    """Copy a finished run over another. The record comes last, so that an interrupted copy holds no results."""
    _clear(staged)
    if finished.data.exists():
        shutil.copytree(finished.data, staged.data, symlinks=True, copy_function=_copy_file)
    shutil.copytree(finished.models, staged.models, symlinks=True, ignore=shutil.ignore_patterns("run.json"))
    ran = {step: {} for step in done(finished)} | finished.journal.get("ran", {})
    write_json(staged.models / "run.json", {**finished.journal, "ran": ran})


def _copy_file(source, target):
    """Copy a file of a run's data. Link one that is never written to, if the file system can."""
    if Path(source).parent.parts[-2:] == REPLACED:
        try:
            return os.link(source, target)
        except OSError:  # no links on this file system, or to the other one
            pass
    return shutil.copy2(source, target)


def publish(name):
    """Replace the finished run by its staging folders. Whenever the process dies, the old or new run is complete."""
    recover(name)
    write_json(_decision(name), {"pid": os.getpid()})
    recover(name)


def recover(name):
    """Complete a publication that a process began, and remove what it left. Call it with the lock held."""
    finished, staged = Run.at(name), Run.at(name, staged=True)
    pairs = [(finished.data, staged.data), (finished.models, staged.models)]
    if _decision(name).exists():
        for folder, new in pairs:
            if new.exists():
                if folder.exists():
                    folder.rename(_old(folder))
                new.rename(folder)
        _decision(name).unlink()
    for folder, _ in pairs:
        remove(_old(folder))


def _decision(name):
    return runs_home() / "models" / f".{name}.publish"


def _old(folder):
    return folder.with_name(f".{folder.name}.old")
