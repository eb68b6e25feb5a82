"""Writing files whole or not at all, locking them, and resolving paths.

Every file of this project is written through `writing`: first beside its place, then moved. No file is half-written.
"""

import errno
import fcntl
import glob
import hashlib
import json
import os
import shutil
import uuid
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FULL = tuple(f"[Errno {number}]" for number in (errno.ENOSPC, errno.EDQUOT))


class Locked(RuntimeError):
    """Another process holds a lock. `holder` names it, such as "process 12 since 2026-03-02 07:00:00"."""

    def __init__(self, path, holder):
        super().__init__(f"{path} is locked by {holder}")
        self.holder = holder


@contextmanager
def writing(path):
    """Yield a hidden path beside `path`, with the same suffixes; write a file or a folder there.

    It replaces `path` when the block succeeds. It is removed when the block fails.

    Raises
    ------
    FileNotFoundError
        If the block wrote nothing.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    token = uuid.uuid4().hex[:8]
    new = path.with_name(f".{token}.{path.name}")
    try:
        yield new
        if not new.exists():
            raise FileNotFoundError(f"nothing was written for {path}")
        if new.is_file():
            _reach_disk(new)
        _swap_in(new, path, old=path.with_name(f".{token}.old.{path.name}"))
    finally:
        remove(new)


def _reach_disk(path):
    """Flush a file to the disk: without that, a power cut after the move can leave an empty file in its place."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def private_folder(path):
    """Create a folder, and its parents, that only its owner can read: health data are personal."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)


@contextmanager
def locked(path):
    """Hold the exclusive lock file `path` for the duration of the block, then remove it.

    The operating system releases the lock when the process dies. A lock file left behind locks nothing.

    Raises
    ------
    Locked
        If another process, or another block of this process, holds the lock.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = _lock_file(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        file.close()


def _lock_file(path):
    """Return `path` opened and locked; it names this process."""
    while True:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW  # a link would truncate the file it points to
        file = os.fdopen(os.open(path, flags, 0o600), "a+", encoding="utf-8")  # open as long as the lock is held
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            with file:
                raise Locked(path, file.read() or "another process") from None
        if os.fstat(file.fileno()).st_nlink:
            break
        file.close()  # its holder removed it between the two steps: the next one is a new file
    file.truncate(0)
    file.write(f"process {os.getpid()} since {datetime.now():%Y-%m-%d %H:%M:%S}")
    file.flush()
    return file


def is_full(error):
    """Whether an OSError reports a full disk. `shutil.Error`, which lists the errors of many files, counts too."""
    return any(sign in str(error) for sign in FULL)


def _swap_in(new, path, *, old):
    """Move `new` to `path`. A folder cannot be replaced in one step: it moves to `old` first, and back on failure."""
    if not path.is_dir():
        os.replace(new, path)
        return
    path.rename(old)
    try:
        new.rename(path)
    except BaseException:
        if not path.exists():  # otherwise only Ctrl-C came after the move
            old.rename(path)
        raise
    remove(old)


def remove(path):
    """Remove a file, or a folder with its content, if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_json(path, value):
    """Write `value` as indented JSON and keep the order of its keys. NumPy numbers and arrays become plain ones.

    Raises
    ------
    ValueError
        For NaN and infinities, which JSON cannot express.
    TypeError
        For a value of any other type that JSON cannot express.
    """
    text = json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False, default=_plain)
    with writing(path) as new:
        new.write_text(text + "\n", encoding="utf-8")


def _plain(value):
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(
        f"{type(value).__name__} {value!r} cannot be written as JSON; expected numbers, texts, lists or dicts"
    )


def resolve(path):
    """Return, as text, the file, folder or glob that a `*_path` parameter names.

    A relative path starts at the repository root. An `s3://` address is returned unchecked.

    Raises
    ------
    FileNotFoundError
        If nothing exists there, or the glob matches nothing.
    """
    if str(path).startswith("s3://"):
        return str(path)
    absolute = str(ROOT / path)
    if not (os.path.exists(absolute) or glob.glob(absolute, recursive=True)):
        raise FileNotFoundError(f"{path}: no such file or folder")
    return absolute


def fingerprint(paths):
    """Return the SHA-256 (hex) of the concatenated bytes of the files, in the order of `paths`."""
    digest = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
