import importlib.util
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lib.detector import checksums
from lib.detector.checksums import sha256
from lib.export import bundle, bytecode
from lib.export.wheels import is_package_file
from lib.files import ROOT

MODEL_FILES = {"lstm_model.onnx", "normal.npz", "threshold.npy"}


@pytest.fixture(scope="module")
def archive(export):
    return export / "lambda_deployment.zip"


@pytest.fixture(scope="module")
def names(archive):
    with zipfile.ZipFile(archive) as opened:
        return opened.namelist()


# --- what the handler needs


def test_the_sources_include_all_that_the_handler_loads_and_no_notebooks_module(archive):
    text = (
        "import sys, lambda_function; print(*(getattr(m, '__file__', None) for m in sys.modules.values()), sep='\\n')"
    )
    with bundle.unpacked(archive) as folder:
        done = subprocess.run([sys.executable, "-c", text], cwd=folder, capture_output=True, text=True, check=True)
        files = {Path(name) for name in done.stdout.splitlines() if Path(name).is_relative_to(folder)}
        loaded = {path.relative_to(folder).as_posix() for path in files}
    own = {name for name in loaded if not is_package_file(name)}
    assert own <= set(bundle.sources())
    assert {"lambda_function.py", "lib/detector/detector.py"} <= own
    assert not {"lib/data/clean.py", "lib/training/autoencoder.py", "lib/run.py"} & set(bundle.sources())


def test_the_whole_detector_is_served_and_nothing_else_of_lib():
    served = {path.relative_to(ROOT).as_posix() for path in (ROOT / "lib/detector").glob("*.py")}
    assert {name for name in bundle.sources() if name.startswith("lib/")} == served | {"lib/__init__.py"}


def test_a_cold_start_loads_neither_boto3_nor_any_package_but_numpy_and_onnxruntime(archive):
    text = "import sys, answering, numpy, onnxruntime; print(*{name.partition('.')[0] for name in sys.modules})"
    with bundle.unpacked(archive) as folder:
        command = [sys.executable, "-S", "-E", "-c", f"import sys; sys.path.insert(0, {str(folder)!r}); {text}"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    modules = {path.stem for path in (ROOT / "lambda").glob("*.py")}
    loaded = set(done.stdout.split()) - sys.stdlib_module_names - modules
    assert {name for name in loaded if not name.startswith("_")} == {"lib", "numpy", "onnxruntime"}


# --- the zip


def test_the_zip_contains_handler_model_and_packages_and_nothing_else(names):
    own = {name for name in names if not is_package_file(name) and not name.endswith(".pyc")}
    assert own == set(bundle.sources()) | MODEL_FILES | {"model.json", "SHA256SUMS", "CRC32SUMS"}
    assert {"numpy/__init__.py", "onnxruntime/__init__.py"} < set(names)
    assert any(name.startswith("numpy-") and name.endswith("LICENSE.txt") for name in names)


def test_the_zip_and_its_content_stay_within_lambdas_limits(archive):
    with zipfile.ZipFile(archive) as opened:
        unpacked = sum(entry.file_size for entry in opened.infolist())
    assert archive.stat().st_size < 50e6
    assert unpacked < 250e6


def test_equal_files_make_equal_bytes_whatever_their_order_times_and_modes(tmp_path):
    written = []
    for number, order in enumerate((["a/b.py", "c.npy", "a.txt"], ["a.txt", "c.npy", "a/b.py"])):
        folder = tmp_path / str(number)
        (folder / "a").mkdir(parents=True)
        for name in order:
            (folder / name).write_text(name * 100)
            os.utime(folder / name, (1e9 + number * 1e6, 1e9 + number * 1e6))
            (folder / name).chmod(0o600 + 0o111 * number)
        bundle.write_zip(folder / "made.zip", {name: folder / name for name in order})
        written.append((folder / "made.zip").read_bytes())
    assert written[0] == written[1]


def test_entries_are_sorted_readable_by_all_and_of_one_date(archive, names):
    assert names == sorted(names)
    with zipfile.ZipFile(archive) as opened:
        entries = opened.infolist()
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.external_attr >> 16 for entry in entries} == {0o644}
    assert {entry.create_system for entry in entries} == {3}


@pytest.mark.parametrize(
    ("limit", "bytes_", "message"),
    [
        ("LARGEST_UNPACKED", 3999, "unpacked: expected at most 0 MB"),
        ("LARGEST_ZIP", 50, "made.zip: expected at most 0 MB"),
    ],
)
def test_a_zip_above_a_limit_is_refused_and_the_one_before_it_stays(tmp_path, monkeypatch, limit, bytes_, message):
    (tmp_path / "file").write_bytes(bytes(4000))
    (tmp_path / "made.zip").write_text("the one before")
    monkeypatch.setattr(bundle, limit, bytes_)
    with pytest.raises(ValueError, match=message):
        bundle.write_zip(tmp_path / "made.zip", {"file": tmp_path / "file"})
    assert {path.name for path in tmp_path.iterdir()} == {"file", "made.zip"}
    assert (tmp_path / "made.zip").read_text() == "the one before"


def test_files_of_exactly_the_limit_are_accepted(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(bytes(4000))
    monkeypatch.setattr(bundle, "LARGEST_UNPACKED", 4000)
    bundle.write_zip(tmp_path / "made.zip", {"file": tmp_path / "file"})
    with zipfile.ZipFile(tmp_path / "made.zip") as opened:
        assert opened.read("file") == bytes(4000)


# --- the export folder


def test_model_json_lists_every_file_beside_it_with_its_hash(export):
    listed = json.loads((export / "model.json").read_text())["files"]
    beside = {path.relative_to(export).as_posix() for path in export.rglob("*") if path.is_file()}
    assert set(listed) == beside - {"model.json"}
    assert {"lambda_deployment.zip", "requirements.txt"} < set(listed)
    assert all(sha256(export / name) == digest for name, digest in listed.items())


def test_model_json_in_the_zip_lists_the_functions_own_files_their_bytecode_too(archive, tmp_path):
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(tmp_path)
    listed = json.loads((tmp_path / "model.json").read_text())["files"]
    code = set(bundle.sources())
    assert {name for name in listed if not name.endswith(".pyc")} == code | MODEL_FILES
    assert {tmp_path / name for name in listed if name.endswith(".pyc")} == {
        Path(importlib.util.cache_from_source(tmp_path / name)) for name in code
    }
    assert all(sha256(tmp_path / name) == digest for name, digest in listed.items())


def test_the_lists_of_sums_are_right_and_name_every_other_file_of_the_zip(archive, names, tmp_path):
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(tmp_path)
    checksums.check(tmp_path)
    own, packages = (set(checksums.listed(tmp_path, kind)) for kind in (checksums.SUMS, checksums.CRCS))
    assert own | packages == set(names) - {"SHA256SUMS"}
    assert not own & packages
    assert all(map(is_package_file, packages))


def test_the_bytecode_in_the_zip_is_what_runs(archive):
    with bundle.unpacked(archive) as folder:
        for source in (folder / "lib/detector/detector.py", folder / "numpy/_core/numeric.py"):
            source.write_text("raise SystemExit('the source was read')")
        command = [sys.executable, "-B", "-c", "import lib.detector; print('ran')"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("ran\n", "")


def test_without_a_python_to_compile_it_the_zip_has_no_bytecode_and_a_warning_is_printed(
    export, model_json, tmp_path, monkeypatch, capsys
):
    for name in MODEL_FILES:
        shutil.copy(export / name, tmp_path)
    monkeypatch.setattr(bytecode, "find_interpreter", lambda python: None)
    bundle.write_export(tmp_path, model_json, target="local")
    assert "no Python local can compile" in capsys.readouterr().out
    with zipfile.ZipFile(tmp_path / "lambda_deployment.zip") as opened:
        assert not [name for name in opened.namelist() if name.endswith(".pyc")]
        assert json.loads(opened.read("model.json"))["compiled"] is None


def test_the_zip_names_the_python_that_compiled_it(archive):
    with zipfile.ZipFile(archive) as opened:
        assert json.loads(opened.read("model.json"))["compiled"] == sys.version.split()[0]


def test_the_same_export_gives_the_same_zip(export, model_json, tmp_path):
    for name in MODEL_FILES:
        shutil.copy(export / name, tmp_path)
    bundle.write_export(tmp_path, model_json, target="local")
    assert sha256(tmp_path / "lambda_deployment.zip") == sha256(export / "lambda_deployment.zip")


def test_model_json_keeps_its_content(export, model_json):
    written = json.loads((export / "model.json").read_text())
    assert {name: written[name] for name in model_json} == model_json


@pytest.mark.parametrize(("target", "reason"), [("2.7", ""), ("3.11", ": .* glibc 2.26")])
def test_another_target_is_refused_before_anything_is_written(tmp_path, model_json, target, reason):
    with pytest.raises(ValueError, match=f"expected lambda_python 3.13, 3.12 or local, got '{target}'{reason}"):
        bundle.write_export(tmp_path, model_json, target=target)
    assert not list(tmp_path.iterdir())


def test_a_request_leaves_out_the_channels_that_the_samples_lack():
    samples = np.array([[70.0, 1.0, 0.1, np.nan, 0.0, 1.0, 0.0]])
    assert bundle.request_of(samples) == {
        "metrics": [
            {"heartRate": 70.0, "steps": 1.0, "calories": 0.1, "hour_sin": 0.0, "hour_cos": 1.0, "is_weekend": 0.0}
        ],
        "counters": "interval",
    }
