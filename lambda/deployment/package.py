"""What is deployed: a run's lambda_export, every file checked, and against Lambda's limits. No call of AWS.

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
from lib.detector.export_folder import MODEL, NETWORK
from lib.export import bundle, wheels
from lib.run import Run

HANDLER = "lambda_function.lambda_handler"
RUNTIMES = ("python3.12", "python3.13")  # of Lambda on Amazon Linux 2023
_SUFFIX = r"\.cpython-3(\d+)-x86_64-linux-gnu\.so"  # of a module compiled for a Python of Lambda


@dataclass(frozen=True)
class Package:
    """An export folder, as AWS sees it."""

    run: str
    folder: Path
    files: dict  # {name: SHA-256}, as model.json lists them
    model_sha256: str  # of model.json, which pins all other files
    runtime: str  # such as "python3.13", for which the zip's packages are built

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
        """Whether the zip fits in the request itself; otherwise it needs a bucket."""
        return self.archive.stat().st_size <= bundle.LARGEST_ZIP

    @property
    def prefix(self):
        """The export's prefix in a bucket: another for each content, so that nothing is ever overwritten."""
        return f"models/{self.run}/{self.model_sha256[:16]}"


def read(run, *, bucket=None):
    """Read the Package of a run: check every file against model.json, and the zip against Lambda's limits.

    Parameters
    ----------
    run : str
    bucket : str or None
        Needed for a zip that is too large to be sent directly.

    Raises
    ------
    Refused
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
            f"{bundle.ZIP}: expected at most {_mb(bundle.LARGEST_ZIP)}, which Lambda takes directly, got {_mb(size)}: "
            "give --bucket, which then carries it"
        )
    return package


def _checked(folder, run):
    """The files that model.json lists, by name, after a check of each. Raises Refused."""
    again = _export_again(run)
    try:
        files = dict(json.loads((folder / MODEL).read_text(encoding="utf-8"))["files"])
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise Refused(f"{folder / MODEL} cannot be read ({type(error).__name__}): {again}") from None
    for name, step in {NETWORK: "03_train", bundle.ZIP: "05_export"}.items():
        if name not in files:
            raise Refused(
                f"{folder / MODEL} does not list {name}: ./run_all.sh run={run} --from {step} writes it again"
            )
    for name, expected in files.items():
        path = folder / name
        if not path.is_file() or sha256(path) != expected:
            raise Refused(f"{path} is missing, or is not the exported file: {again}")
    return files


def _within_limits(archive, run):
    """The runtime of a zip. Raises Refused unless Lambda can unpack and run it."""
    again = _export_again(run)
    try:
        with zipfile.ZipFile(archive) as opened:
            unpacked, names = sum(entry.file_size for entry in opened.infolist()), set(opened.namelist())
    except (zipfile.BadZipFile, OSError) as error:
        raise Refused(f"{archive} cannot be read ({type(error).__name__}): {again}") from None
    if unpacked > bundle.LARGEST_UNPACKED:
        raise Refused(f"{archive.name} unpacks to {_mb(unpacked)}, more than Lambda's {_mb(bundle.LARGEST_UNPACKED)}")
    if "lambda_function.py" not in names:
        raise Refused(f"{archive} holds no lambda_function.py: {again}")
    pythons = _pythons(names)
    runtime = pythons[wheels.PACKAGES[0]]
    if runtime not in RUNTIMES or set(pythons.values()) != {runtime}:
        packages = [f"{name} for {python or 'no Python on x86_64 Linux'}" for name, python in pythons.items()]
        raise Refused(
            f"{archive.name}: expected both packages for {' or '.join(RUNTIMES)}, got {' and '.join(packages)}: "
            f"./run_all.sh run={run} lambda_python=3.13 --from 05_export"
        )
    return runtime


def _pythons(names):
    """The Python that each package of a zip is for: {package: such as "python3.13", or None}."""
    patterns = {package: re.compile(module + _SUFFIX) for package, module in wheels.COMPILED.items()}
    matches = {package: next(filter(None, map(one.fullmatch, names)), None) for package, one in patterns.items()}
    return {package: f"python3.{match[1]}" if match else None for package, match in matches.items()}


def _export_again(run):
    return f"./run_all.sh run={run} --from 05_export writes it again"


def _mb(size):
    return f"{size / 1e6:.1f} MB"
