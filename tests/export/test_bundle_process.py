import sys
import zipfile
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from conftest import life

from lib.detector import checksums
from lib.detector.detector import Detector
from lib.export import bundle
from lib.export.wheels import COMPILED, is_package_file

HERE, OTHER = EXTENSION_SUFFIXES[0], ".cpython-39-x86_64-linux-gnu.so"


@pytest.fixture(scope="module")
def archive(export):
    return export / "lambda_deployment.zip"


def small_zip(folder, handler, *, suffixes=(OTHER, OTHER), version=np.__version__):
    """A zip of a handler's text with stand-ins for packages, whose extension modules end in `suffixes`."""
    files = {
        "lambda_function.py": handler,
        "numpy/__init__.py": "raise ImportError('the stand-in')",
        **{f"{module}{suffix}": "" for module, suffix in zip(COMPILED.values(), suffixes, strict=True)},
        f"numpy-{version}.dist-info/licenses/LICENSE.txt": "",
        "onnxruntime/__init__.py": "raise ImportError('the stand-in')",
        f"onnxruntime-{onnxruntime.__version__}.dist-info/METADATA": "",
        "numpy.libs/libopenblas.so": "",
    }
    with zipfile.ZipFile(folder / "small.zip", "w") as opened:
        for name, text in files.items():
            opened.writestr(name, text)
    return folder / "small.zip"


@pytest.fixture(scope="module")
def served(archive):
    """Requests for two wearers, each sent twice in mixed order, the example, and one that cannot be answered."""
    requests = [bundle.request_of(life(90, seed=seed)) for seed in (1, 2)]
    example = {"metrics": [bundle.EXAMPLE_READING] * 60}
    return bundle.call(archive, [requests[0], requests[1], requests[1], {"metrics": []}, requests[0], example])


def scores(call):
    return [item["anomalyScore"] for item in call["answer"]["body"]["results"]]


def test_the_bundle_scores_as_the_detector_does(served, export):
    detector = Detector.load(export)
    for number, seed in ((0, 1), (1, 2)):
        expected = detector.score(life(90, seed=seed), np.zeros(90, dtype=int)).by_sample
        np.testing.assert_allclose(scores(served[1][number]), expected, rtol=1e-5)


def test_a_request_gets_the_same_answer_whatever_came_before_it(served):
    _, calls = served
    assert calls[0]["answer"] == calls[4]["answer"]
    assert calls[1]["answer"] == calls[2]["answer"]
    assert calls[0]["answer"] != calls[1]["answer"]


def test_the_bundle_answers_the_example_and_refuses_a_request_without_readings(served):
    _, calls = served
    assert calls[5]["answer"]["statusCode"] == 200
    assert len(calls[5]["answer"]["body"]["results"]) == 60
    assert calls[3]["answer"]["statusCode"] == 400


def test_the_times_of_loading_and_of_each_call_are_returned(served):
    start, calls = served
    assert start["load_ms"] > 0
    assert start["python"] == sys.version.split()[0]
    assert len(calls) == 6
    assert all(call["ms"] > 0 for call in calls)


@pytest.mark.parametrize("suffixes", [(OTHER, OTHER), (HERE, OTHER), (OTHER, HERE)])
def test_the_process_sees_only_the_zip_and_local_packages_in_place_of_another_pythons(tmp_path, suffixes):
    text = """
import importlib.util, numpy, onnxruntime
def handler(event, context):
    print("a line for the log")
    unseen = [importlib.util.find_spec(name) is None for name in ("pandas", "lib")]
    return [numpy.__version__, onnxruntime.__version__, *unseen]
"""
    _, calls = bundle.call(small_zip(tmp_path, text, suffixes=suffixes), [{}])
    assert calls[0]["answer"] == [np.__version__, onnxruntime.__version__, True, True]


def test_packages_that_are_for_this_python_are_left_in_place(tmp_path):
    with pytest.raises(RuntimeError, match="the stand-in"):
        bundle.call(small_zip(tmp_path, "import numpy\n", suffixes=(HERE, HERE)), [{}])


def test_a_local_numpy_of_another_version_is_refused(tmp_path):
    with (
        pytest.raises(RuntimeError, match=f"numpy 1.2.3 .* and cannot be replaced by this one.s {np.__version__}"),
        bundle.unpacked(small_zip(tmp_path, "", version="1.2.3")),
    ):
        pytest.fail("it did")


def test_the_checksums_are_right_when_local_packages_replace_the_zips(tmp_path):
    archive = small_zip(tmp_path, "")
    with zipfile.ZipFile(archive, "a") as opened:
        opened.extractall(tmp_path / "content")
        files = {name: tmp_path / "content" / name for name in opened.namelist()}
        for name, path in checksums.write(tmp_path, files, is_quick=is_package_file).items():
            opened.write(path, name)
    with bundle.unpacked(archive) as folder:
        checksums.check(folder)
        assert list(checksums.listed(folder)) == ["lambda_function.py"]


def test_an_unpacked_bundle_is_removed_afterwards(archive):
    with bundle.unpacked(archive) as folder:
        assert (folder / "lambda_function.py").is_file()
    assert not folder.exists()


def test_a_call_leaves_the_local_packages_unharmed(tmp_path):
    bundle.call(small_zip(tmp_path, "def handler(event, context): return 1"), [{}])
    assert all(Path(module.__file__).is_file() for module in (np, onnxruntime))


def test_a_process_that_dies_is_reported_with_its_reason(tmp_path):
    handler = "def handler(event, context): raise SystemExit('out of breath')"
    with pytest.raises(RuntimeError, match="out of breath"):
        bundle.call(small_zip(tmp_path, handler), [{}])


def test_a_process_that_never_answers_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(bundle, "CALL_S", 1)
    handler = "import time\ndef handler(event, context): time.sleep(60)"
    with pytest.raises(RuntimeError, match="^the bundle did not answer within 1 s$"):
        bundle.call(small_zip(tmp_path, handler), [{}])


def test_a_damaged_model_in_the_zip_is_answered_not_raised(archive, tmp_path):
    with zipfile.ZipFile(archive) as whole, zipfile.ZipFile(tmp_path / "cut.zip", "w") as cut:
        for name in whole.namelist():
            cut.writestr(name, b"" if name == "threshold.npy" else whole.read(name))
    _, calls = bundle.call(tmp_path / "cut.zip", [{"metrics": [bundle.EXAMPLE_READING] * 60}])
    assert calls[0]["answer"]["statusCode"] == 503
    assert calls[0]["answer"]["body"]["code"] == "no_model"
