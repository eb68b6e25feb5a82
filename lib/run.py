"""One run: its folders `data/<run>/` and `models/<run>/`, and its record `models/<run>/run.json`.

The folders lie under RUNS_HOME (an environment variable; the repository root unless it is set).
`./run_all.sh` works in hidden staging folders (`data/.<run>.partial`, `models/.<run>.partial`), which it
moves over the run's own when every notebook has succeeded; RUN_STAGED=1 tells its notebooks so.
A notebook that is run by hand works in `data/<run>` and `models/<run>` themselves.
"""

import json
import os
import platform
import re
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from lib.files import ROOT, write_json

LIBRARIES = ("tensorflow", "keras", "numpy", "pandas", "scikit-learn", "papermill")
LONGEST_NAME = 100  # of a run; file systems allow 255, of which staging takes some
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Run:
    """A run's name and its two folders, which need not exist yet."""

    name: str
    data: Path
    models: Path

    @classmethod
    def at(cls, name, *, staged=False, home=""):
        """The run of that name below `home` (`runs_home` unless given), in its staging folders where `staged`.

        Creates nothing. Raises ValueError for a name that could not be a folder's.
        """
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ValueError(f"run={name!r}: a run's name is letters, digits, '.', '_' and '-', and starts with no '.'")
        if len(name) > LONGEST_NAME:
            raise ValueError(f"run={name}: a run's name is at most {LONGEST_NAME} characters, not {len(name)}")
        folder = f".{name}.partial" if staged else name
        home = Path(home or runs_home())
        return cls(name, home / "data" / folder, home / "models" / folder)

    @property
    def journal(self):
        """All that is recorded so far: {step: facts}; empty before the first record. ValueError for any other JSON."""
        path = self.models / "run.json"
        found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        if not isinstance(found, dict):
            raise ValueError(f"{path.name} holds a {type(found).__name__}, and a record is an object")
        return found

    def record(self, step, **facts):
        """Add `facts` (JSON values or NumPy's) to the record of `step`, over earlier ones of that name."""
        journal = self.journal
        write_json(self.models / "run.json", {**journal, step: {**journal.get(step, {}), **facts}})

    def recorded(self, step):
        """The facts recorded of `step`. Raises LookupError, saying what to run, where there are none."""
        journal = self.journal
        if step not in journal:
            raise LookupError(
                f"run {self.name!r} has no {step} yet: run notebooks/{step} first, "
                f"or ./run_all.sh run={self.name} --from {step}"
            )
        return journal[step]

    def show(self, path):
        """`path` as a reader will find it, `models/<run>/…`: never by the staging folder's name."""
        path = Path(path)
        for folder in (self.data, self.models):
            if path.is_relative_to(folder):
                return (Path(folder.parent.name) / self.name / path.relative_to(folder)).as_posix()
        return str(path)


def runs_home():
    """The folder that holds `data/` and `models/`."""
    return Path(os.environ.get("RUNS_HOME") or ROOT).resolve()


def open_run(name):
    """The run of that name, its folders created: the staging folders within run_all.sh.

    Raises ValueError for a name that could not be a folder's.
    """
    run = Run.at(name, staged=os.environ.get("RUN_STAGED") == "1")
    run.data.mkdir(parents=True, exist_ok=True)
    run.models.mkdir(parents=True, exist_ok=True)
    return run


def versions():
    """{name: version} of Python and of those LIBRARIES that are installed."""
    found = {"python": platform.python_version()}
    for library in LIBRARIES:
        try:
            found[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return found
