"""What is deployed: a run's lambda_export, checked whole, and against Lambda's limits. Asks AWS nothing.

Not in the bundle.
"""

import base64
import json
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

from deployment.refusals import Refused
from lib.detector.checksums import sha256
from lib.detector.detector import MODEL, NETWORK
from lib.export import bundle, wheels
from lib.run import Run

HANDLER = "lambda_function.lambda_handler"
RUNTIMES = ("python3.12", "python3.13")  # of Lambda, on Amazon Linux 2023
_FOR = r"\.cpython-3(\d+)-x86_64-linux-gnu\.so"  # how what is compiled for a Python of Lambda ends


@dataclass(frozen=True)
class Package:
    """An export folder, and what AWS is to know of it."""

    run: str
    folder: Path
    files: dict  # {name: SHA-256}, as model.json lists them
    model_sha256: str  # of model.json, which pins all the others
    runtime: str  # such as "python3.13": the Python that the zip's packages are for

    @property
    def archive(self):
        """The zip that is the function's code."""
        return self.folder / bundle.ZIP

    @property
    def code_sha256(self):
        """The zip's SHA-256 as Lambda states it: base64."""
        return base64.b64encode(bytes.fromhex(self.files[bundle.ZIP])).decode()

    @property
    def is_direct(self):
        """Whether the zip may travel in the request itself, or needs a bucket."""
        return self.archive.stat().st_size <= bundle.LARGEST_ZIP

    @property
    def prefix(self):
        """Where in a bucket the export lies: a place of its own for each content, so nothing is ever overwritten."""
        return f"models/{self.run}/{self.model_sha256[:16]}"


def read(run, *, bucket=None):
    """The Package of a run, every file of it checked against model.json, and its zip against Lambda's limits.

    bucket: that may carry a zip which is too large to be sent directly, or None. Raises Refused.
    """
    try:
        folder = Run.at(run).models / "lambda_export"
    except ValueError as error:
        raise Refused(str(error)) from None
    if not (folder / MODEL).is_file():
        raise Refused(f"run {run!r} has no lambda_export: ./run_all.sh run={run}, or --from 05_export if it is trained")
    files = _checked(folder, run)
    package = Package(run, folder, files, sha256(folder / MODEL), _within_limits(folder / bundle.ZIP, run))
    if not (package.is_direct or bucket):
        size = package.archive.stat().st_size
        raise Refused(
            f"{bundle.ZIP} is {_mb(size)}, more than the {_mb(bundle.LARGEST_ZIP)} that Lambda takes directly: "
            "give --bucket, which then carries it"
        )
    return package


def _checked(folder, run):
    again = f"./run_all.sh run={run} --from 05_export makes it anew"
    try:
        files = dict(json.loads((folder / MODEL).read_text(encoding="utf-8"))["files"])
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise Refused(f"{folder / MODEL} can not be read ({type(error).__name__}): {again}") from None
    for name, step in {NETWORK: "03_train", bundle.ZIP: "05_export"}.items():
        if name not in files:
            raise Refused(f"{folder / MODEL} does not list {name}: ./run_all.sh run={run} --from {step} makes it anew")
    for name, expected in files.items():
        path = folder / name
        if not path.is_file() or sha256(path) != expected:
            raise Refused(f"{path} is missing, or not the file that was exported: {again}")
    return files


def _within_limits(archive, run):
    """The runtime of a zip. Raises Refused unless Lambda can unpack and run it."""
    again = f"./run_all.sh run={run} --from 05_export makes it anew"
    try:
        with zipfile.ZipFile(archive) as opened:
            unpacked, names = sum(entry.file_size for entry in opened.infolist()), set(opened.namelist())
    except (zipfile.BadZipFile, OSError) as error:
        raise Refused(f"{archive} can not be read ({type(error).__name__}): {again}") from None
    if unpacked > bundle.LARGEST_UNPACKED:
        raise Refused(f"{archive.name} unpacks to {_mb(unpacked)}, more than Lambda's {_mb(bundle.LARGEST_UNPACKED)}")
    if "lambda_function.py" not in names:
        raise Refused(f"{archive} holds no lambda_function.py: {again}")
    pythons = _pythons(names)
    runtime = pythons[wheels.PACKAGES[0]]
    if runtime not in RUNTIMES or set(pythons.values()) != {runtime}:
        held = [f"{name} for {python or 'no Python on x86_64 Linux'}" for name, python in pythons.items()]
        raise Refused(
            f"{archive.name} holds {' and '.join(held)}, and takes both for {' or '.join(RUNTIMES)}: "
            f"./run_all.sh run={run} lambda_python=3.13 --from 05_export"
        )
    return runtime


def _pythons(names):
    """The Python that a zip's packages are for, {package: such as "python3.13"}, None where there is none."""
    found = {package: re.compile(module + _FOR) for package, module in wheels.COMPILED.items()}
    matches = {package: next(filter(None, map(form.fullmatch, names)), None) for package, form in found.items()}
    return {package: f"python3.{match[1]}" if match else None for package, match in matches.items()}


def _mb(size):
    return f"{size / 1e6:.1f} MB"
