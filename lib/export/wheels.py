"""NumPy and onnxruntime for the bundle: from the wheels for Lambda's Python, without the files that never load."""

import importlib.metadata
import re
import subprocess
import sys
import tempfile
import zipfile
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from lib.detector.checksums import sha256
from lib.files import ROOT, writing

COMPILED = {  # each package in the zip, and a module of it that fits one Python and processor only
    "numpy": "numpy/_core/_multiarray_umath",
    "onnxruntime": "onnxruntime/capi/onnxruntime_pybind11_state",
}
PACKAGES = tuple(COMPILED)
REQUIREMENTS = ROOT / "lambda" / "requirements.txt"
TARGETS = ("3.13", "3.12", "local")  # Pythons on Lambda, x86_64 on Amazon Linux 2023 (glibc 2.34), and this one
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux2014_x86_64")
REFUSED = {
    "3.11": "Lambda runs it on Amazon Linux 2, near its end of life, whose glibc 2.26 is too old for NumPy's wheels"
}

# What NumPy loads on demand and its other modules do not need. numpy.ma is not among it: nanmedian needs it.
NUMPYS_LEFT_OUT = {"core", "ctypeslib", "distutils", "doc", "f2py", "fft", "polynomial", "random", "testing", "typing"}
_FOR_TESTS = re.compile(r"/tests/|/conftest\.py$|/_pyinstaller/|/ma/testutils\.py$|/_core/(_simd|_\w+_tests)\.")
_TO_RUN_ONNX = re.compile(  # the rest makes, converts and trains models, or is for other processors
    r"onnxruntime/(__init__\.py|LICENSE|ThirdPartyNotices\.txt|capi/(__init__|_ld_preload|_pybind_state"
    r"|build_and_package_info|onnxruntime_(inference_collection|validation))\.py"
    r"|capi/(libonnxruntime_providers_shared|onnxruntime_pybind11_state\.[\w-]+)\.so)"
    r"|onnxruntime-[\w.]+\.dist-info/METADATA"  # it names version and licence
)


def check_target(target):
    """Raise ValueError, with the reason if one is known, unless the bundle can be built for that Python."""
    if target not in TARGETS:
        reason = f": {REFUSED[target]}" if target in REFUSED else ""
        raise ValueError(f"expected lambda_python {', '.join(TARGETS[:-1])} or {TARGETS[-1]}, got {target!r}{reason}")


def python_version(target):
    """Return the Python of a target, such as "3.13". "local" is this one."""
    return f"{sys.version_info.major}.{sys.version_info.minor}" if target == "local" else target


def package_files(*, target):
    """Collect the packages' files: from the wheels for Python `target` on Lambda, or the "local" ones.

    Returns
    -------
    dict of str to Path
        Files by their name in the zip.

    Raises
    ------
    RuntimeError
        If the wheels are not in the cache and cannot be fetched.
    """
    files = {}
    for package in PACKAGES:
        root = local_root(package) if target == "local" else _wheels_root(target)
        paths = (path for path in root.glob(f"{package}*/**/*") if path.is_file())
        files |= {path.relative_to(root).as_posix(): path for path in paths}
    return {name: path for name, path in files.items() if is_needed(name)}


def local_root(package):
    """Return the folder that contains this Python's `package`."""
    return Path(importlib.metadata.distribution(package).locate_file(""))


def fits_this_python(folder):
    """Whether the packages in a folder run in this Python."""
    return all((folder / f"{module}{EXTENSION_SUFFIXES[0]}").is_file() for module in COMPILED.values())


def is_package_file(name):
    """Whether a file of the zip belongs to one of the packages."""
    return name.startswith(PACKAGES)


def is_needed(name):
    """Whether the bundle includes a package's file: modules and libraries that may load, and licences."""
    package, _, rest = name.partition("/")
    if package == "numpy":
        module = rest.partition("/")[0]
        return name.endswith((".py", ".so")) and module not in NUMPYS_LEFT_OUT and not _FOR_TESTS.search(name)
    if package.startswith("onnxruntime"):
        return bool(_TO_RUN_ONNX.fullmatch(name))
    return package == "numpy.libs" or (package.startswith("numpy-") and "LICENSE" in rest)


def _wheels_root(target):
    """Return the folder of the unpacked wheels for Python `target` on Lambda. They are fetched on first use."""
    folder = Path(sys.prefix) / "lambda-wheels" / f"{target}-{sha256(REQUIREMENTS)[:16]}"
    if not folder.exists():
        with writing(folder) as new, tempfile.TemporaryDirectory() as downloads:
            for wheel in _download_wheels(target, Path(downloads)):
                with zipfile.ZipFile(wheel) as archive:
                    archive.extractall(new)
    return folder


def _download_wheels(target, folder):
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    command += ["--require-hashes", "--implementation", "cp", "--python-version", target]
    command += [word for platform in PLATFORMS for word in ("--platform", platform)]
    done = subprocess.run([*command, "-d", folder, "-r", REQUIREMENTS], capture_output=True, text=True)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or len(wheels) < len(PACKAGES):
        reason = (
            done.stderr.strip()[-500:] or f"expected {len(PACKAGES)} wheels, got {[wheel.name for wheel in wheels]}"
        )
        raise RuntimeError(f"{' and '.join(PACKAGES)} for Lambda's Python {target} cannot be fetched: {reason}")
    return wheels
