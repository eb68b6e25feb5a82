"""Bytecode for the bundle. Lambda's /var/task is read-only: without bytecode each cold start compiles NumPy.

The .pyc files are hash-based and unchecked (PEP 552). They contain no time, and Python does not compare them with
their sources.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

DEPLOYED = "/var/task"  # where Lambda unpacks a zip; tracebacks name this path
_PROBE = "import sys; print(sys.implementation.cache_tag, sys.version_info.releaselevel, sys.version.split()[0])"


@dataclass(frozen=True)
class Interpreter:
    """A Python that can compile. `version`: such as "3.13.0"."""

    path: str
    version: str


def find_interpreter(python):
    """Find a released CPython: this one, or one on PATH, of pyenv or of uv.

    Parameters
    ----------
    python : str
        Version, such as "3.13".

    Returns
    -------
    Interpreter or None
    """
    for path in _candidates(python):
        try:
            done = subprocess.run([path, "-I", "-S", "-c", _PROBE], capture_output=True, text=True, timeout=60)
        except (OSError, subprocess.TimeoutExpired):
            continue
        tag, level, version = (done.stdout.split() or [""] * 3)[:3]
        if (tag, level) == (f"cpython-{python.replace('.', '')}", "final"):
            return Interpreter(path, version)
    return None


def _candidates(python):
    yield sys.executable
    if path := shutil.which(f"python{python}"):
        yield path
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from map(str, sorted(pyenv.glob(f"versions/{python}.*/bin/python{python}")))
    if uv := shutil.which("uv"):
        done = subprocess.run([uv, "python", "find", "--no-project", python], capture_output=True, text=True)
        if path := done.stdout.strip():  # empty if uv has none
            yield path


def compile_files(files, folder, *, interpreter):
    """Compile the Python files among `files` in a new folder.

    The bytes depend only on the sources and the interpreter, not on the folder, the time or the hash seed.

    Parameters
    ----------
    files : dict of str to Path
        Files by their name in the bundle.
    folder : Path
    interpreter : Interpreter

    Returns
    -------
    dict of str to Path
        The .pyc files by their name in the bundle.

    Raises
    ------
    RuntimeError
        If a source cannot be compiled, with Python's message.
    """
    for name, path in files.items():
        if name.endswith(".py"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / name)
    command = [interpreter.path, "-s", "-S", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    command += ["-s", str(folder), "-p", DEPLOYED, str(folder)]
    # marshal's bytes depend on hashes and on what the process has done before, so both are the same each time
    done = subprocess.run(command, capture_output=True, text=True, env={"PYTHONHASHSEED": "0"})
    if done.returncode:
        raise RuntimeError(f"Python {interpreter.version} cannot compile the bundle: {done.stdout.strip()[-500:]}")
    return {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*.pyc"))}
