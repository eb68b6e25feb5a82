"""The Lambda bundle: the model in its formats, the handler, and the zip that holds both and what they import."""

import importlib.metadata
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from contextlib import contextmanager
from pathlib import Path

from lib.detector import checksums
from lib.detector.checksums import CRCS, SUMS, sha256
from lib.detector.detector import MODEL, NETWORK, NORMAL, THRESHOLD
from lib.detector.features import FEATURES
from lib.export import bytecode, wheels
from lib.files import ROOT, write_json, writing

HANDLER = ROOT / "lambda"
ZIP = "lambda_deployment.zip"
ARTEFACTS = (  # what an export holds for its readers, beside the modules that the handler imports
    "lambda_deployment.zip",
    "lambda_function.py",
    "lstm_autoencoder.h5",
    "lstm_model.tflite",
    "lstm_model_savedmodel",
    "model.json",
    "requirements.txt",
    "threshold.npy",
)
CALL_S = 600  # how long a called bundle may take, for all its events
LARGEST_ZIP, LARGEST_UNPACKED = 50_000_000, 250_000_000  # bytes: Lambda's limits
COMMANDS = ("deploy.py", "serve.py")  # of `lambda/`, which are run here and not deployed

EXAMPLE_READING = {
    "heartRate": 75.0,
    "steps": 120,
    "calories": 45.5,
    "distance": 96.0,
    "hour_sin": 0.5,
    "hour_cos": 0.866,
    "is_weekend": 0,
}


def sources(handler=HANDLER):
    """The function's files by their name in the bundle: {name: path}.

    They are the modules at the top of `lambda/`, but for the two commands, and the folder `lib/detector` as it is.
    """
    modules = [path for path in handler.glob("*.py") if path.name not in COMMANDS]
    served = [ROOT / "lib/__init__.py", *(ROOT / "lib/detector").glob("*.py")]
    names = {path.name: path for path in modules} | {path.relative_to(ROOT).as_posix(): path for path in served}
    return dict(sorted(names.items()))


def write_export(folder, model, *, target=wheels.TARGETS[0]):
    """Complete an export folder that holds the model's formats: handler, zip, and model.json with every file's hash.

    folder: with threshold.npy, lstm_model.onnx and normal.npz in it; model: what model.json is to say. Raises
    ValueError for an unknown target or a zip beyond Lambda's limits, RuntimeError when its packages can not be had.
    """
    wheels.check_target(target)
    code = sources()
    for name, path in code.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / name)
    shutil.copyfile(wheels.REQUIREMENTS, folder / wheels.REQUIREMENTS.name)
    evidence = [NORMAL] if (folder / NORMAL).exists() else []
    own = {name: folder / name for name in [*code, THRESHOLD, NETWORK, *evidence]}
    with tempfile.TemporaryDirectory() as made:
        write_zip(folder / ZIP, _deployed(own, model, Path(made), target=target))
    every = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / MODEL)
    files = {path.relative_to(folder).as_posix(): sha256(path) for path in every}
    write_json(folder / MODEL, {**model, "files": files})


def _deployed(own, model, made, *, target):
    """The zip's files: {name: path}, those that are not to be had elsewhere written to the folder `made`.

    Its model.json says which Python compiled the code ("compiled", None where none was found) and lists the function's
    own files; SHA256SUMS and CRC32SUMS list all.
    """
    files = own | wheels.package_files(target=target)
    python = bytecode.interpreter(wheels.python_of(target))
    if python:
        files |= bytecode.compiled(files, made / "code", by=python)
    else:
        print(f"no Python {target} was found to compile the zip's code: each cold start will, and take twice as long")
    mine = {name: sha256(path) for name, path in sorted(files.items()) if not wheels.is_packages(name)}
    write_json(made / MODEL, {**model, "compiled": python and python.version, "files": mine})
    files[MODEL] = made / MODEL
    return files | checksums.write(made, files, is_quick=wheels.is_packages)


def write_zip(path, files):
    """Write {name: path} as a zip whose bytes depend on nothing but the files' names and bytes, and this Python's zlib.

    Another version of zlib may pack the same bytes in other ones; what they unpack to is the same.
    """
    unpacked = sum(source.stat().st_size for source in files.values())
    if unpacked > LARGEST_UNPACKED:
        raise ValueError(f"{unpacked / 1e6:.0f} MB unpacked are more than Lambda's {LARGEST_UNPACKED / 1e6:.0f}")
    with writing(path) as new:
        with zipfile.ZipFile(new, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for name, source in sorted(files.items()):
                entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
                entry.external_attr = 0o644 << 16
                entry.create_system = 3  # Unix, on whatever machine it is written
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, source.read_bytes())
        if new.stat().st_size > LARGEST_ZIP:
            size = new.stat().st_size / 1e6
            raise ValueError(f"{path.name}: {size:.0f} MB are more than Lambda's {LARGEST_ZIP / 1e6:.0f}")


def request_of(samples):
    """The request that reports samples (T, 7) in raw units, NaN for a channel the data lack."""
    given = [dict(zip(FEATURES, row, strict=True)) for row in samples.tolist()]
    metrics = [{name: value for name, value in row.items() if not math.isnan(value)} for row in given]
    return {"metrics": metrics, "counters": "interval"}


_CALLER = """
import contextlib, json, sys, time
with contextlib.redirect_stdout(sys.stderr):  # where the handler's log goes
    began = time.perf_counter()
    from lambda_function import handler
    start = {"load_ms": 1000 * (time.perf_counter() - began), "python": sys.version.split()[0]}
    calls = []
    for line in sys.stdin:
        event, began = json.loads(line), time.perf_counter()
        answer = handler(event, None)
        calls.append({"answer": answer, "ms": 1000 * (time.perf_counter() - began)})
print(json.dumps([start, calls]))
"""


@contextmanager
def unpacked(archive):
    """Yield a folder that holds what is in the zip `archive`, and from which its handler runs in this Python.

    Where the zip's packages are for another Python, this one's stand in. Raises RuntimeError when one of those is of
    another version.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(folder)
        if not wheels.run_here(folder):
            _link_local_packages(folder)
        yield folder


def _link_local_packages(folder):
    for name in wheels.HELD:
        if (held := _version(folder, name)) != (here := importlib.metadata.version(name)):
            raise RuntimeError(
                f"the zip's {name} {held} is for another Python, and this one's {here} can not stand in for it"
            )
        for part in (name, f"{name}.libs"):
            shutil.rmtree(folder / part, ignore_errors=True)
            if (beside := wheels.local(name) / part).exists():
                (folder / part).symlink_to(beside)
    if (folder / SUMS).exists():
        own = [name for name in checksums.listed(folder) if name != CRCS]
        checksums.write(folder, {name: folder / name for name in own})


def _version(folder, package):
    """The version of a package in the folder, by its .dist-info, or "unknown"."""
    names = (path.name for path in folder.glob(f"{package}-*.dist-info"))
    return next((name.split("-")[1].removesuffix(".dist") for name in names), "unknown")


def call(archive, events):
    """Answers of the handler in a zip, unpacked (see `unpacked`) and run in a process of its own.

    Returns (start, calls): start {"load_ms", "python"}; calls a list of {"answer", "ms"}, one an event. Raises
    RuntimeError if the process dies, or takes more than CALL_S.
    """
    with unpacked(archive) as folder:
        try:
            done = _called(folder, "\n".join(json.dumps(event) for event in events))
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"the bundle did not answer within {CALL_S} s") from None
    if done.returncode:
        raise RuntimeError(f"the bundle's process failed: {done.stderr.strip()[-2000:]}")
    return tuple(json.loads(done.stdout))


def _called(folder, lines):
    return subprocess.run(
        [sys.executable, "-S", "-E", "-c", f"import sys; sys.path.insert(0, {str(folder)!r})\n{_CALLER}"],
        input=lines,
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=CALL_S,
        env={"PATH": os.environ.get("PATH", ""), "OPENBLAS_NUM_THREADS": "1"},
    )
