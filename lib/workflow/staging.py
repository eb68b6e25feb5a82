"""How a run's folders come to be: worked on in staging folders, then moved over the run of that name.

    data/.<run>.partial   models/.<run>.partial    being worked on, or left by a run that died
    data/<run>            models/<run>             the finished run, always whole
    data/.<run>.old       models/.<run>.old        the run before it, until both folders are in place
    models/.<run>.lock                             held by the process that works on this run
    models/.<run>.publish                          there from the decision to publish until it is done

Two folders can not be moved in one step. So `publish` first writes the last of these; a process that dies
after that leaves a publication which the next one completes (`recover`), and one that dies before it
leaves the old run as it was.
"""

import fcntl
import json
import os
import shutil
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from lib.files import remove, write_json
from lib.run import Run, runs_home

REPLACED = ("processed", "parts")  # the folder of a run's data whose files are replaced or removed, never written to


class Busy(RuntimeError):
    """Another process works on this run."""


class NothingToResume(LookupError):
    """Neither the unfinished nor the finished run has the results that are to be gone on from."""


@contextmanager
def locked(name):
    """Hold the run's lock. Raises Busy, saying who holds it since when, if another process does."""
    path = runs_home() / "models" / f".{Run.at(name).name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise Busy(f"run {name!r} is being worked on by {file.read() or 'another process'}") from None
        file.truncate(0)
        file.write(f"process {os.getpid()} since {datetime.now():%Y-%m-%d %H:%M:%S}")
        file.flush()
        yield


def done(run):
    """The steps whose results the run holds.

    In staging only what run_all.sh saw succeed counts: a step that died may have recorded facts before.
    A finished run may also have been made by hand, and then the notebooks' own records tell.
    """
    journal = run.journal
    ran = set(journal.get("ran", {}))
    staged = run.models.name.startswith(".")
    return ran if staged else ran | set(journal) - {"ran", "given"}


def source(name, needed):
    """The Run to go on from: the unfinished one if it holds the steps `needed`, else the finished one.

    Raises NothingToResume when neither holds them.
    """
    for run in (Run.at(name, staged=True), Run.at(name)):
        if run.models.exists() and set(needed) <= done(run):
            return run
    if base := _adjusted_from(name):
        raise NothingToResume(
            f"run {name!r} is {base!r} at other limits, an export alone: --only monitor, with run={base}, reads its "
            f"log, too; a run of that name would replace it"
        )
    missing = [step for step in needed if step not in done(Run.at(name)) | done(Run.at(name, staged=True))]
    first = (missing or list(needed))[0]
    raise NothingToResume(f"run {name!r} has no {first} to go on from: ./run_all.sh run={name} --from {first}")


def _adjusted_from(name):
    """The run whose weights an adjusted run has; None of a run that is none."""
    path = Run.at(name).models / "lambda_export" / "model.json"
    model = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return model["adjusted"]["from"]["run"] if "adjusted" in model else None


def stage(name, origin, *, without):
    """The staging Run, holding what `origin` holds (nothing if None), but no record of the steps `without`.

    A finished run is copied, not linked: writing to a linked file would change the finished run's too. Only the clean
    parts, which may be as large as all data, are linked: `clean_partitions` puts another file in a part's place.
    """
    staged = Run.at(name, staged=True)
    if origin != staged:
        _clear(staged)
    if origin not in (None, staged):
        _copy(origin, staged)
    staged.data.mkdir(parents=True, exist_ok=True)
    staged.models.mkdir(parents=True, exist_ok=True)
    journal = {step: facts for step, facts in staged.journal.items() if step not in without}
    journal["ran"] = {step: facts for step, facts in journal.get("ran", {}).items() if step not in without}
    write_json(staged.models / "run.json", journal)
    return staged


def _clear(run):
    remove(run.models)
    remove(run.data)


def _copy(finished, staged):
    """Copy a finished run; its record comes last, so that an interrupted copy holds no results."""
    if finished.data.exists():
        shutil.copytree(finished.data, staged.data, symlinks=True, copy_function=_copy_file)
    shutil.copytree(finished.models, staged.models, symlinks=True, ignore=shutil.ignore_patterns("run.json"))
    ran = {step: {} for step in done(finished)} | finished.journal.get("ran", {})
    write_json(staged.models / "run.json", {**finished.journal, "ran": ran})


def _copy_file(source, target):
    """Copy a file of a run's data; one that is never written to is linked, where the file system can do that."""
    if Path(source).parent.parts[-2:] == REPLACED:
        try:
            return os.link(source, target)
        except OSError:  # no links here, or none over there
            pass
    return shutil.copy2(source, target)


def publish(name):
    """Move the staging folders over the finished run's. Whenever the process dies, old or new is whole."""
    recover(name)
    write_json(_decision(name), {"pid": os.getpid()})
    recover(name)


def recover(name):
    """Complete a publication that was decided on, and remove what one left. Call it with the lock held."""
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
