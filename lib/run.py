"""One run: its folders `data/<run>/` and `models/<run>/`, and its record `models/<run>/run.json`.

Both folders lie under the environment variable RUNS_HOME, by default the repository root. `./run_all.sh` works in the
staging folders `data/.<run>.partial` and `models/.<run>.partial`, and sets RUN_STAGED=1 for its notebooks. The staging
folders replace the run's folders when every notebook has succeeded. A notebook executed by hand works in `data/<run>`
and `models/<run>` until the run is finished, and from then on in a copy (`lib.workflow.working_copy`).
"""

import difflib
import json
import os
import platform
import re
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from lib.files import ROOT, private_folder, write_json

LIBRARIES = ("tensorflow", "keras", "numpy", "pandas", "scikit-learn", "papermill")
LONGEST_NAME = 100  # characters; file systems allow 255, and staging adds some
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
_RESERVED = {"readme.md"}  # files beside the runs


class NoSuchRun(LookupError):
    """There is no run of this name. The message names the nearest one, and all that exist."""

    def __init__(self, name):
        existing = names()
        nearest = difflib.get_close_matches(str(name), existing, n=1)
        hint = f"; did you mean {nearest[0]!r}?" if nearest else "."
        listed = (
            f"There are: {', '.join(existing)}" if existing else f"There is none yet: ./run_all.sh run={name} makes it"
        )
        super().__init__(f"there is no run {name!r}{hint} {listed}")


@dataclass(frozen=True)
class Run:
    """A run's name and its two folders, which may not exist yet."""

    name: str
    data: Path
    models: Path

    @classmethod
    def at(cls, name, *, staged=False, home=""):
        """Return the run called `name`, without creating its folders.

        Parameters
        ----------
        name : str
        staged : bool
            Return the run in its staging folders.
        home : str or Path
            The folder that holds `data/` and `models/`; by default `runs_home()`.

        Raises
        ------
        ValueError
            If `name` cannot be the name of a folder.
        """
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ValueError(
                f"run={name!r}: expected a run's name of letters, digits, '.', '_' and '-', not first a '.'"
            )
        if name.lower() in _RESERVED:
            raise ValueError(f"run={name}: expected another name, because data/ and models/ hold a file of this one")
        if len(name) > LONGEST_NAME:
            raise ValueError(
                f"run={name}: expected at most {LONGEST_NAME} characters, got {len(name)}; shorten the name"
            )
        folder = f".{name}.partial" if staged else name
        home = Path(home or runs_home())
        return cls(name, home / "data" / folder, home / "models" / folder)

    @property
    def journal(self):
        """Everything recorded so far, {step: facts}; empty before the first record.

        Raises
        ------
        ValueError
            If `run.json` holds anything but a JSON object.
        """
        path = self.models / "run.json"
        journal = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        if not isinstance(journal, dict):
            raise ValueError(f"{path.name}: expected an object, got a {type(journal).__name__}")
        return journal

    def record(self, step, **facts):
        """Add `facts`, JSON or NumPy values, to the record of `step`. They replace earlier facts of the same name."""
        journal = self.journal
        write_json(self.models / "run.json", {**journal, step: {**journal.get(step, {}), **facts}})

    def recorded(self, step):
        """Return the facts recorded for `step`.

        Raises
        ------
        LookupError
            If nothing is recorded. The message names the command that runs the step.
        """
        journal = self.journal
        if step not in journal:
            raise LookupError(
                f"run {self.name!r} has no {step} yet: run notebooks/{step} first, "
                f"or ./run_all.sh run={self.name} --from {step}"
            )
        return journal[step]

    def show(self, path):
        """Return `path` as a reader will find it, `models/<run>/…`, without the name of the staging folder."""
        path = Path(path)
        for folder in (self.data, self.models):
            if path.is_relative_to(folder):
                return (Path(folder.parent.name) / self.name / path.relative_to(folder)).as_posix()
        return str(path)


def runs_home():
    """Return the folder that holds `data/` and `models/`."""
    return Path(os.environ.get("RUNS_HOME") or ROOT).resolve()


def open_run(name, *, create=False):
    """Return the run called `name`: in its staging folders within run_all.sh.

    Parameters
    ----------
    name : str
    create : bool
        Create the folders of a run that does not exist. Only the first notebook asks for it.

    Raises
    ------
    ValueError
        If `name` cannot be the name of a folder.
    NoSuchRun
        If there is no such run. The message names those that exist.
    """
    staged = os.environ.get("RUN_STAGED") == "1"
    run = Run.at(name, staged=staged)
    if not (create or staged or run.models.is_dir()):
        raise NoSuchRun(name)
    private_folder(run.data)
    private_folder(run.models)
    return run


def names():
    """Return the names of the runs that exist, sorted."""
    folders = (runs_home() / "models").glob("*")
    return sorted(folder.name for folder in folders if folder.is_dir() and _NAME.fullmatch(folder.name))


def versions():
    """Return {name: version} of Python and of the installed LIBRARIES."""
    by_name = {"python": platform.python_version()}
    for library in LIBRARIES:
        try:
            by_name[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return by_name
