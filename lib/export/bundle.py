"""The Lambda bundle: the model in its formats, the handler, and the zip that contains both with their imports."""

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
from lib.detector.export_folder import MODEL, NETWORK, NORMAL, THRESHOLD
from lib.detector.features import FEATURES
from lib.export import bytecode, wheels
from lib.files import ROOT, write_json, writing

HANDLER = ROOT / "lambda"
ZIP = "lambda_deployment.zip"
ARTEFACTS = (  # an export's files for its readers, beside the modules that the handler imports
    "lambda_deployment.zip",
    "lambda_function.py",
    "lstm_autoencoder.h5",
    "lstm_model.tflite",
    "lstm_model_savedmodel",
    "model.json",
    "requirements.txt",
    "threshold.npy",
)
CALL_S = 600  # s a bundle may take for all events of a call
LARGEST_ZIP, LARGEST_UNPACKED = 50_000_000, 250_000_000  # bytes: Lambda's limits
COMMANDS = ("deploy.py", "serve.py")  # of `lambda/`: they run here and are not deployed

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
    """Return the function's own files: the modules at the top of `lambda/` except commands, and `lib/detector`.

    Returns
    -------
    dict of str to Path
        Files by their name in the bundle.
    """
    modules = [path for path in handler.glob("*.py") if path.name not in COMMANDS]
    served = [ROOT / "lib/__init__.py", *(ROOT / "lib/detector").glob("*.py")]
    names = {path.name: path for path in modules} | {path.relative_to(ROOT).as_posix(): path for path in served}
    return dict(sorted(names.items()))


def write_export(folder, model, *, target=wheels.TARGETS[0]):
    """Complete an export folder: add the handler, the zip, and model.json with every file's hash.

    Parameters
    ----------
    folder : Path
        Already contains threshold.npy, lstm_model.onnx and normal.npz, if the model has one.
    model : dict
        Content of model.json.
    target : str
        Python of the zip, one of `wheels.TARGETS`.

    Raises
    ------
    ValueError
        If the target is unknown or the zip exceeds Lambda's limits.
    RuntimeError
        If its packages cannot be fetched.
    """
    wheels.check_target(target)
    code = sources()
    for name, path in code.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / name)
    shutil.copyfile(wheels.REQUIREMENTS, folder / wheels.REQUIREMENTS.name)
    evidence = [NORMAL] if (folder / NORMAL).exists() else []
    function_files = {name: folder / name for name in [*code, THRESHOLD, NETWORK, *evidence]}
    with tempfile.TemporaryDirectory() as scratch:
        write_zip(folder / ZIP, _zip_files(function_files, model, Path(scratch), target=target))
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / MODEL)
    sums = {path.relative_to(folder).as_posix(): sha256(path) for path in paths}
    write_json(folder / MODEL, {**model, "files": sums})


def _zip_files(function_files, model, scratch, *, target):
    """Return all of the zip's files {name: path}; generated ones are written to the folder `scratch`.

    Its model.json names the Python that compiled the code ("compiled", None without one) and lists the function's own
    files. SHA256SUMS and CRC32SUMS list all.
    """
    files = function_files | wheels.package_files(target=target)
    interpreter = bytecode.find_interpreter(wheels.python_version(target))
    if interpreter:
        files |= bytecode.compile_files(files, scratch / "code", interpreter=interpreter)
    else:
        print(f"no Python {target} can compile the zip's code: each cold start will compile it and take twice as long")
    sums = {name: sha256(path) for name, path in sorted(files.items()) if not wheels.is_package_file(name)}
    write_json(scratch / MODEL, {**model, "compiled": interpreter and interpreter.version, "files": sums})
    files[MODEL] = scratch / MODEL
    return files | checksums.write(scratch, files, is_quick=wheels.is_package_file)


def write_zip(path, files):
    """Write a zip whose bytes depend only on the files' names and bytes, and on this Python's zlib.

    Another version of zlib may pack the same files into other bytes.

    Parameters
    ----------
    path : Path
    files : dict of str to Path
        Files by their name in the zip.

    Raises
    ------
    ValueError
        If the zip exceeds Lambda's limits.
    """
    _check_size("unpacked", sum(source.stat().st_size for source in files.values()), LARGEST_UNPACKED)
    with writing(path) as new:
        with zipfile.ZipFile(new, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for name, source in sorted(files.items()):
                entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
                entry.external_attr = 0o644 << 16
                entry.create_system = 3  # Unix, whichever system writes it
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, source.read_bytes())
        _check_size(path.name, new.stat().st_size, LARGEST_ZIP)


def _check_size(what, size, largest):
    if size > largest:
        raise ValueError(f"{what}: expected at most {largest / 1e6:.0f} MB, Lambda's limit, got {size / 1e6:.0f} MB")


def request_of(samples):
    """Return the request that reports samples (n_samples, 7) in raw units; NaN stands for an absent channel."""
    readings = [dict(zip(FEATURES, row, strict=True)) for row in samples.tolist()]
    metrics = [{name: value for name, value in row.items() if not math.isnan(value)} for row in readings]
    return {"metrics": metrics, "counters": "interval"}


_CALLER = """
import contextlib, json, sys, time
with contextlib.redirect_stdout(sys.stderr):  # the handler prints its log
    start_time = time.perf_counter()
    from lambda_function import handler
    start = {"load_ms": 1000 * (time.perf_counter() - start_time), "python": sys.version.split()[0]}
    calls = []
    for line in sys.stdin:
        event, start_time = json.loads(line), time.perf_counter()
        answer = handler(event, None)
        calls.append({"answer": answer, "ms": 1000 * (time.perf_counter() - start_time)})
print(json.dumps([start, calls]))
"""


def call(archive, events):
    """Unpack a zip and answer events with its handler, in a process of its own.

    Parameters
    ----------
    archive : Path
    events : list of dict

    Returns
    -------
    start : dict
        `load_ms` and `python`, the version.
    calls : list of dict
        `answer` and `ms` of each event.

    Raises
    ------
    RuntimeError
        If the process dies, or takes more than CALL_S.
    """
    with unpacked(archive) as folder:
        try:
            done = _run_caller(folder, "\n".join(json.dumps(event) for event in events))
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"the bundle did not answer within {CALL_S} s") from None
    if done.returncode:
        raise RuntimeError(f"the bundle's process failed: {done.stderr.strip()[-2000:]}")
    return tuple(json.loads(done.stdout))


def _run_caller(folder, lines):
    return subprocess.run(
        [sys.executable, "-S", "-E", "-c", f"import sys; sys.path.insert(0, {str(folder)!r})\n{_CALLER}"],
        input=lines,
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=CALL_S,
        env={"PATH": os.environ.get("PATH", ""), "OPENBLAS_NUM_THREADS": "1"},
    )


@contextmanager
def unpacked(archive):
    """Yield a folder with the content of a zip, whose handler runs in this Python.

    If the zip's packages are for another Python, this one's packages replace them.

    Raises
    ------
    RuntimeError
        If this Python has another version of such a package.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(folder)
        if not wheels.fits_this_python(folder):
            _link_local_packages(folder)
        yield folder


def _link_local_packages(folder):
    for package in wheels.PACKAGES:
        zipped, local = _version(folder, package), importlib.metadata.version(package)
        if zipped != local:
            raise RuntimeError(
                f"the zip's {package} {zipped} is for another Python, and cannot be replaced by this one's {local}"
            )
        for name in (package, f"{package}.libs"):
            shutil.rmtree(folder / name, ignore_errors=True)
            if (path := wheels.local_root(package) / name).exists():
                (folder / name).symlink_to(path)
    if (folder / SUMS).exists():
        function_files = [name for name in checksums.listed(folder) if name != CRCS]
        checksums.write(folder, {name: folder / name for name in function_files})


def _version(folder, package):
    """Return the version of a package in the folder, by its .dist-info, or "unknown"."""
    names = (path.name for path in folder.glob(f"{package}-*.dist-info"))
    return next((name.split("-")[1].removesuffix(".dist") for name in names), "unknown")
