"""A folder that all processes of a test session share: the first one makes it, and the others wait for it."""

import fcntl
import os
import shutil


def shared_folder(tmp_path_factory, name, make):
    """Return the session's folder `name`. `make(folder)` fills it once, in whichever process comes first."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent  # a worker's folder is inside that of the session
    folder, complete = root / name, root / f"{name}.complete"
    with open(root / f"{name}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            complete.touch()
    return folder
