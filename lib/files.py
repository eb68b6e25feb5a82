"""Files that are written whole or not at all, and where paths point.

Whatever writes a file in this project writes it beside its place first (`writing`), so no file is ever half-written.
"""

import errno
import glob
import hashlib
import json
import os
import shutil
import uuid
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FULL = tuple(f"[Errno {number}]" for number in (errno.ENOSPC, errno.EDQUOT))


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
