"""NumPy and onnxruntime as the bundle holds them: of the wheels for Lambda's Python, less what is never loaded."""

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

COMPILED = {  # the packages in the zip, and what each holds for one Python and processor alone
    "numpy": "numpy/_core/_multiarray_umath",
    "onnxruntime": "onnxruntime/capi/onnxruntime_pybind11_state",
}
HELD = tuple(COMPILED)
REQUIREMENTS = ROOT / "lambda" / "requirements.txt"
TARGETS = ("3.13", "3.12", "local")  # Pythons on Lambda, x86_64 on Amazon Linux 2023 (glibc 2.34), and this one
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux2014_x86_64")
REFUSED = {
    "3.11": "Lambda runs it on Amazon Linux 2, near its end of life, whose glibc 2.26 is too old for NumPy's wheels"
}

# What NumPy loads on demand and no other part of NumPy needs (`numpy.ma` is no such part: nanmedian needs it).
NUMPYS_LEFT_OUT = {"core", "ctypeslib", "distutils", "doc", "f2py", "fft", "polynomial", "random", "testing", "typing"}
_FOR_TESTS = re.compile(r"/tests/|/conftest\.py$|/_pyinstaller/|/ma/testutils\.py$|/_core/(_simd|_\w+_tests)\.")
_TO_RUN_ONNX = re.compile(  # the rest makes, converts and trains models, or is for other processors
    r"onnxruntime/(__init__\.py|LICENSE|ThirdPartyNotices\.txt|capi/(__init__|_ld_preload|_pybind_state"
    r"|build_and_package_info|onnxruntime_(inference_collection|validation))\.py"
    r"|capi/(libonnxruntime_providers_shared|onnxruntime_pybind11_state\.[\w-]+)\.so)"
    r"|onnxruntime-[\w.]+\.dist-info/METADATA"  # which names its version and licence
)


def check_target(target):
    """Raise ValueError, saying why where there is a reason, unless the bundle can be made for that Python."""
    if target not in TARGETS:
        reason = f": {REFUSED[target]}" if target in REFUSED else ""
        raise ValueError(f"lambda_python={target!r}{reason}; one of {', '.join(TARGETS)} is wanted")


def python_of(target):
    """The Python of a target, such as "3.13"; "local" is that of this one."""
    return f"{sys.version_info.major}.{sys.version_info.minor}" if target == "local" else target


def package_files(*, target):
    """The packages' files by their name in the zip: of the wheels for Python `target` on Lambda, or the "local" ones.

    Raises RuntimeError when the wheels are neither in the cache nor to be had.
    """
    files = {}
    for package in HELD:
        packages = local(package) if target == "local" else _wheels(target)
        paths = (path for path in packages.glob(f"{package}*/**/*") if path.is_file())
        files |= {path.relative_to(packages).as_posix(): path for path in paths}
    return {name: path for name, path in files.items() if is_kept(name)}


def local(package):
    """The folder in which this Python's `package` lies."""
    return Path(importlib.metadata.distribution(package).locate_file(""))


def run_here(folder):
    """Whether the packages in a folder are for this Python."""
    return all((folder / f"{module}{EXTENSION_SUFFIXES[0]}").is_file() for module in COMPILED.values())


def is_packages(name):
    """Whether a file of the zip is of one of the packages."""
    return name.startswith(HELD)


def is_kept(name):
    """Whether the bundle holds a file of that name: the modules and libraries that may be loaded, and the licences."""
    package, _, rest = name.partition("/")
    if package == "numpy":
        part = rest.partition("/")[0]
        return name.endswith((".py", ".so")) and part not in NUMPYS_LEFT_OUT and not _FOR_TESTS.search(name)
    if package.startswith("onnxruntime"):
        return bool(_TO_RUN_ONNX.fullmatch(name))
    return package == "numpy.libs" or (package.startswith("numpy-") and "LICENSE" in rest)


def _wheels(target):
    """The folder into which the wheels for Python `target` on Lambda are unpacked, fetched on first use."""
    folder = Path(sys.prefix) / "lambda-wheels" / f"{target}-{sha256(REQUIREMENTS)[:16]}"
    if folder.exists():
        return folder
    platforms = [word for name in PLATFORMS for word in ("--platform", name)]
    with writing(folder) as new, tempfile.TemporaryDirectory() as downloads:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        command += ["--require-hashes", "--implementation", "cp", "--python-version", target, *platforms]
        done = subprocess.run([*command, "-d", downloads, "-r", REQUIREMENTS], capture_output=True, text=True)
        wheels = list(Path(downloads).glob("*.whl"))
        if done.returncode or len(wheels) < len(HELD):
            reason = done.stderr.strip()[-500:] or f"only {', '.join(wheel.name for wheel in wheels)} came"
            raise RuntimeError(f"{' and '.join(HELD)} for Lambda's Python {target} can not be had: {reason}")
        for wheel in wheels:
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(new)
    return folder
