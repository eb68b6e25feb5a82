"""NumPy as the bundle holds it: of the wheel for Lambda's Python, without what the handler never loads."""

import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from lib.checksums import sha256
from lib.runs import ROOT, writing

REQUIREMENTS = ROOT / "lambda" / "requirements.txt"
TARGETS = ("3.13", "3.12", "local")  # Pythons on Lambda, x86_64 on Amazon Linux 2023 (glibc 2.34), and this one
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux2014_x86_64")
REFUSED = {
    "3.11": "Lambda runs it on Amazon Linux 2, near its end of life, whose glibc 2.26 is too old for NumPy's wheels"
}

# What NumPy loads on demand and no other part of NumPy needs (`numpy.ma` is no such part: nanmedian needs it).
LEFT_OUT = {"core", "ctypeslib", "distutils", "doc", "f2py", "fft", "polynomial", "random", "testing", "typing"}
_FOR_TESTS = re.compile(r"/tests/|/conftest\.py$|/_pyinstaller/|/ma/testutils\.py$|/_core/(_simd|_\w+_tests)\.")


def check_target(target):
    """Raise ValueError, saying why where there is a reason, unless the bundle can be made for that Python."""
    if target not in TARGETS:
        reason = f": {REFUSED[target]}" if target in REFUSED else ""
        raise ValueError(f"lambda_python={target!r}{reason}; one of {', '.join(TARGETS)} is wanted")


def python_of(target):
    """The Python of a target, such as "3.13"; "local" is that of this one."""
    return f"{sys.version_info.major}.{sys.version_info.minor}" if target == "local" else target


def numpy_files(*, target):
    """NumPy's files by their name in the zip: of the wheel for Python `target` on Lambda, or the "local" one.

    Raises RuntimeError when the wheel is neither in the cache nor to be had.
    """
    if target == "local":
        import numpy

        packages = Path(numpy.__file__).parents[1]
    else:
        packages = _wheel(target)
    paths = (path for path in packages.glob("numpy*/**/*") if path.is_file())
    files = {path.relative_to(packages).as_posix(): path for path in paths}
    return {name: path for name, path in files.items() if is_kept(name)}


def is_kept(name):
    """Whether the bundle holds a file of that name: the modules and libraries that may be loaded, and the licences."""
    package, _, rest = name.partition("/")
    if package == "numpy":
        part = rest.partition("/")[0]
        return name.endswith((".py", ".so")) and part not in LEFT_OUT and not _FOR_TESTS.search(name)
    return package == "numpy.libs" or (package.startswith("numpy-") and "LICENSE" in rest)


def _wheel(target):
    """The folder into which NumPy's wheel for Python `target` on Lambda is unpacked, fetched on first use."""
    folder = Path(sys.prefix) / "lambda-wheels" / f"{target}-{sha256(REQUIREMENTS)[:16]}"
    if folder.exists():
        return folder
    platforms = [word for name in PLATFORMS for word in ("--platform", name)]
    with writing(folder) as new, tempfile.TemporaryDirectory() as downloads:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        command += ["--require-hashes", "--implementation", "cp", "--python-version", target, *platforms]
        done = subprocess.run([*command, "-d", downloads, "-r", REQUIREMENTS], capture_output=True, text=True)
        wheels = list(Path(downloads).glob("*.whl"))
        if done.returncode or not wheels:
            raise RuntimeError(f"NumPy for Lambda's Python {target} can not be had: {done.stderr.strip()[-500:]}")
        for wheel in wheels:
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(new)
    return folder
