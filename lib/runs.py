"""One run: its folders `data/<run>/` and `models/<run>/`, and its record `models/<run>/run.json`.

The folders lie under RUNS_HOME (an environment variable; the repository root unless it is set).
`./run_all.sh` works in hidden staging folders (`data/.<run>.partial`, `models/.<run>.partial`), which it
moves over the run's own when every notebook has succeeded; RUN_STAGED=1 tells its notebooks so.
A notebook that is run by hand works in `data/<run>` and `models/<run>` themselves.
Whatever writes a file here writes it beside its place first (`writing`), so no file is ever half-written.
"""

import errno
import glob
import hashlib
import json
import os
import platform
import re
import shutil
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIBRARIES = ("tensorflow", "keras", "numpy", "pandas", "scikit-learn", "papermill")
FULL = tuple(f"[Errno {number}]" for number in (errno.ENOSPC, errno.EDQUOT))
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


@contextmanager
def writing(path):
    """Yield a hidden path beside `path`, with the same suffixes, for a file or a folder to be written to.

    It takes `path`'s place when the block succeeds, and is removed when the block fails.
    Raises FileNotFoundError when the block wrote nothing.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    token = uuid.uuid4().hex[:8]
    new = path.with_name(f".{token}.{path.name}")
    try:
        yield new
        if not new.exists():
            raise FileNotFoundError(f"nothing was written for {path}")
        _swap_in(new, path, old=path.with_name(f".{token}.old.{path.name}"))
    finally:
        remove(new)


def is_full(error):
    """Whether an OSError (shutil's, which gathers those of many files, too) says that there is no room to write."""
    return any(sign in str(error) for sign in FULL)


def _swap_in(new, path, *, old):
    """Move `new` to `path`. A folder can not be replaced in one step: it goes to `old` first, and back on failure."""
    if not path.is_dir():
        os.replace(new, path)
        return
    path.rename(old)
    try:
        new.rename(path)
    except BaseException:
        if not path.exists():  # else only Ctrl-C came after it
            old.rename(path)
        raise
    remove(old)


def remove(path):
    """Remove a file or a folder with all that it holds, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_json(path, value):
    """Write `value` as indented JSON, keys in the order given; NumPy numbers and arrays become plain ones.

    Raises ValueError for NaN and infinities, which JSON does not have.
    """
    text = json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False, default=_plain)
    with writing(path) as new:
        new.write_text(text + "\n", encoding="utf-8")


def _plain(value):
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} {value!r} can not be written as JSON")


def resolve(path):
    """Where a `*_path` parameter points, as text: relative paths start at the repository root.

    A file, a folder or a glob; `s3://…` passes through unread. Raises FileNotFoundError naming the missing.
    """
    if str(path).startswith("s3://"):
        return str(path)
    absolute = str(ROOT / path)
    if not (os.path.exists(absolute) or glob.glob(absolute, recursive=True)):
        raise FileNotFoundError(f"{path}: no such file or folder")
    return absolute


def fingerprint(paths):
    """SHA-256 (hex) of the files' bytes, one file after the other in the order given."""
    digest = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def versions():
    """{name: version} of Python and of those LIBRARIES that are installed."""
    found = {"python": platform.python_version()}
    for library in LIBRARIES:
        try:
            found[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return found
