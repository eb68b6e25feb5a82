import ast
import itertools
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from lib.detector.checksums import sha256
from lib.export import bundle, wheels
from lib.files import ROOT

# --- what the handler never loads


@pytest.fixture(scope="module")
def local():
    return wheels.package_files(target="local")


def numpy_imports(name, path):
    """The modules of NumPy that its module `name` imports, be it within a function, as `numpy.x.y`."""
    package = name.split("/")[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (base, *(f"{base}.{alias.name}" for alias in node.names))


def test_only_tests_and_lazy_names_import_what_is_left_out(local):
    asking = {
        name
        for name, path in local.items()
        if name.endswith(".py")
        for module in numpy_imports(name, path)
        if module.startswith("numpy.") and module.split(".")[1] in wheels.NUMPYS_LEFT_OUT
    }
    assert asking == {"numpy/__init__.py", "numpy/_pytesttester.py"}


def test_the_handler_uses_nothing_of_numpy_that_is_left_out():
    for path in bundle.sources().values():
        used = set(re.findall(r"\b(?:np|numpy)\.(\w+)", path.read_text(encoding="utf-8")))
        assert not used & wheels.NUMPYS_LEFT_OUT, path.name


def test_numpys_tests_headers_stubs_and_static_libraries_are_left_out(local):
    assert {"".join(Path(name).suffixes[-1:]) for name in local if name.startswith("numpy/")} == {".py", ".so"}
    assert not [name for name in local if re.search(r"/tests/|conftest|_tests\.|_simd", name)]


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("numpy/_core/_multiarray_umath.cpython-313-x86_64-linux-gnu.so", True),
        ("numpy/linalg/_linalg.py", True),
        ("numpy/ma/core.py", True),
        ("numpy.libs/libgfortran-040039e1.so.5.0.0", True),
        ("numpy-2.4.6.dist-info/licenses/LICENSE.txt", True),
        ("numpy-2.3.5.dist-info/LICENSE.txt", True),
        ("numpy-2.4.6.dist-info/RECORD", False),
        ("numpy/_core/_multiarray_tests.cpython-313-x86_64-linux-gnu.so", False),
        ("numpy/_core/tests/test_numeric.py", False),
        ("numpy/_core/lib/libnpymath.a", False),
        ("numpy/random/mtrand.cpython-313-x86_64-linux-gnu.so", False),
        ("numpydoc/docscrape.py", False),
        ("onnxruntime/__init__.py", True),
        ("onnxruntime/LICENSE", True),
        ("onnxruntime/capi/onnxruntime_pybind11_state.cpython-313-x86_64-linux-gnu.so", True),
        ("onnxruntime-1.32.0.dist-info/METADATA", True),
        ("onnxruntime/capi/libonnxruntime_providers_shared.so", True),
        ("onnxruntime/capi/libonnxruntime.so.1.32.0", False),
        ("onnxruntime/transformers/optimizer.py", False),
        ("onnxruntime_extensions/__init__.py", False),
    ],
)
def test_a_file_of_a_wheel_is_kept_or_left_out(name, kept):
    assert wheels.is_needed(name) == kept


# --- the wheel for Lambda


def test_the_requested_wheels_run_on_amazon_linux_2023():
    for platform in wheels.PLATFORMS:
        glibc = re.fullmatch(r"manylinux(?:_2_(\d+)|2014)_x86_64", platform)
        assert int(glibc[1] or 17) <= 34


def pinned(package, path):
    """The line that pins a package in a requirements file, and its hashes."""
    lines = path.read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"{package}=="))
    hashes = itertools.takewhile(lambda line: "--hash=" in line, lines[start + 1 :])
    return [line.strip(" \\") for line in (lines[start], *hashes)]


@pytest.mark.parametrize("package", wheels.PACKAGES)
def test_the_function_gets_the_packages_of_the_lock_with_their_hashes(package):
    function = pinned(package, ROOT / "lambda" / "requirements.txt")
    assert len(function) > 1
    assert function == pinned(package, ROOT / "requirements.lock")


@pytest.fixture
def bare_cache(tmp_path, monkeypatch):
    """An environment without wheels for Lambda."""
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    return tmp_path / "lambda-wheels"


def test_packages_that_cannot_be_fetched_are_reported_and_leave_nothing(bare_cache, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(RuntimeError, match="Lambda's Python 3.13 cannot be fetched: .*numpy"):
        wheels.package_files(target="3.13")
    assert not list(bare_cache.iterdir())


def test_wheels_fetched_before_are_used_without_pip(bare_cache, monkeypatch):
    folder = bare_cache / f"3.13-{sha256(ROOT / 'lambda' / 'requirements.txt')[:16]}"
    kept = {"numpy/core_.py", "numpy.libs/blas.so", "onnxruntime/__init__.py"}
    for name in {*kept, "numpy/tests/test_core.py", "numpy/core_.pyi", "onnxruntime/tools/x.py", "other/x.py"}:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    monkeypatch.setattr(subprocess, "run", lambda *args, **kwargs: pytest.fail("pip was called"))
    assert set(wheels.package_files(target="3.13")) == kept


def test_the_local_packages_are_those_that_are_imported(local):
    for module in (np, onnxruntime):
        assert local[f"{module.__name__}/__init__.py"].samefile(module.__file__)


def test_everything_that_onnxruntime_loads_to_run_a_model_is_included(local, export):
    program = """
import sys, numpy
from lib.detector.network import Network
network = Network.load(sys.argv[1])
network.reconstruct(numpy.zeros((2, *network.shape), dtype=numpy.float32))
print(*(getattr(module, "__file__", 0) for module in sys.modules.values()), sep="\\n")
"""
    command = [sys.executable, "-c", program, export / "lstm_model.onnx"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = {Path(name) for name in done.stdout.splitlines() if "/onnxruntime/" in name}
    assert loaded
    assert loaded <= set(local.values())


def test_onnxruntime_has_no_telemetry(local):
    """Wheels from 1.29 on report each process that loads a model, and the model, to Microsoft."""
    libraries = [path for name, path in local.items() if "pybind11_state" in name]
    assert len(libraries) == 1
    assert b"OneDsTelemetry" not in libraries[0].read_bytes()
