"""Bytecode for the bundle. Lambda's /var/task can not be written to: without it each cold start compiles NumPy anew.

The .pyc files are hash-based and unchecked (PEP 552): there is no time in them, and Python does not ask the source
whether it has changed.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

DEPLOYED = "/var/task"  # where Lambda unpacks a zip, and so where tracebacks say that the code lies
_PROBE = "import sys; print(sys.implementation.cache_tag, sys.version_info.releaselevel, sys.version.split()[0])"


@dataclass(frozen=True)
class Interpreter:
    """A Python that can compile; version: such as "3.13.0"."""

    path: str
    version: str


def interpreter(python):
    """A released CPython `python`, such as "3.13": this one, on PATH, pyenv's or uv's; None where there is none."""
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
    if found := shutil.which(f"python{python}"):
        yield found
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from map(str, sorted(pyenv.glob(f"versions/{python}.*/bin/python{python}")))
    if uv := shutil.which("uv"):
        done = subprocess.run([uv, "python", "find", "--no-project", python], capture_output=True, text=True)
        if found := done.stdout.strip():  # empty where uv has none
            yield found


def compiled(files, folder, *, by):
    """Compile those of {name: path} that are Python's, within a new `folder`: {name of the .pyc: its path}.

    The bytes depend on the sources and on the Interpreter `by` alone: not on `folder`, times or the hash seed. Raises
    RuntimeError, with what Python says, when a source can not be compiled.
    """
    for name, path in files.items():
        if name.endswith(".py"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / name)
    command = [by.path, "-s", "-S", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    command += ["-s", str(folder), "-p", DEPLOYED, str(folder)]
    # marshal's bytes hang on hashes and on what the process has done before, so both are made the same each time
    done = subprocess.run(command, capture_output=True, text=True, env={"PYTHONHASHSEED": "0"})
    if done.returncode:
        raise RuntimeError(f"Python {by.version} can not compile the bundle: {done.stdout.strip()[-500:]}")
    return {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*.pyc"))}
