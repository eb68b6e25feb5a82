import builtins
import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import keras_scores, life

from lib.detector import heart_rate
from lib.detector.baseline import KNOWN, Baseline, bins
from lib.detector.checksums import sha256
from lib.detector.detector import Detector
from lib.detector.export_folder import DamagedModel


@pytest.fixture(scope="module")
def detector(export):
    return Detector.load(export)


def test_a_sample_has_the_score_of_the_window_that_ends_at_it(detector, model):
    samples = life(100)
    scores = detector.score(samples, np.zeros(100, dtype=int)).by_sample
    expected = keras_scores(model, detector, samples, np.arange(41), np.full(41, 60))
    np.testing.assert_allclose(scores[59:], expected, rtol=1e-5)


def test_a_wearers_own_baseline_moves_what_is_expected_of_the_heart_rate_once_it_is_known(detector, model):
    samples, segment = life(60), np.zeros(60, dtype=int)
    for minutes in (KNOWN - 1, KNOWN):
        own = Baseline()
        own.add(np.full(minutes, 9.0))
        expected = keras_scores(model, detector, samples, np.array([0]), np.array([60]), own=own)
        np.testing.assert_allclose(detector.score(samples, segment, own=own).scores, expected, rtol=1e-5)
        assert detector.score(samples, segment).scores != expected


def test_still_windows_tell_how_far_the_heart_rate_lies_from_the_usual(detector):
    samples = life(70)
    samples[:, 1] = 0
    samples[65, 1] = 9
    found = detector.score(samples, np.zeros(70, dtype=int))
    mean = np.array([samples[row : row + 60, 0].mean() for row in found.first])
    usual = heart_rate.usual(samples[found.first + 59], detector.reference.curve)
    assert found.learns.all()  # of a new wearer, even windows that alert
    windows = {name: getattr(found, name) for name in ("first", "descriptors", "error_ratio")}
    learned = detector.learned(Baseline(), found.personal, **windows, learns=np.full(len(found.scores), True))
    assert np.flatnonzero(learned.minutes).tolist() == bins((mean - usual)[:1]).tolist()  # one window of the minute


def test_samples_before_the_first_full_window_share_its_score(detector):
    scores = detector.score(life(70), np.zeros(70, dtype=int)).by_sample
    assert (scores[:60] == scores[59]).all()
    assert scores[60] != scores[59]


def test_no_window_crosses_a_segment(detector):
    samples = life(200)
    segment = np.repeat([0, 1, 2], [70, 59, 71])
    scores = detector.score(samples, segment).by_sample
    np.testing.assert_allclose(scores[:70], detector.score(samples[:70], segment[:70]).by_sample, rtol=1e-6)
    alone = detector.score(samples[70:129], segment[70:129])
    assert alone.size.tolist() == [59]
    np.testing.assert_allclose(scores[70:129], alone.by_sample, rtol=1e-5)


@pytest.mark.parametrize("count", [1, 2, 17, 59])
def test_a_short_batch_scores_as_the_notebooks_padded_windows_do(detector, model, count):
    samples = life(count)
    expected = keras_scores(model, detector, samples, np.array([0]), np.array([count]))
    found = detector.score(samples, np.zeros(count, dtype=int))
    np.testing.assert_allclose(found.by_sample, np.repeat(expected, count), rtol=1e-5)


@pytest.mark.parametrize(
    ("absent", "name"),
    [
        ([3], "without distance"),
        ([2], "heart rate and steps"),
        ([2, 3], "heart rate and steps"),
        ([1], "heart rate alone"),
        ([1, 2, 3], "heart rate alone"),
    ],
)
def test_absent_channels_are_neither_fed_nor_counted(detector, model, absent, name):
    samples = life(60)
    samples[:, absent] = np.nan
    found = detector.score(samples, np.zeros(60, dtype=int))
    assert found.channel_set == name
    expected = keras_scores(model, detector, samples, np.array([0]), np.array([60]), name=name)
    np.testing.assert_allclose(found.scores, expected, rtol=1e-5)


def test_the_reasons_name_the_channel_that_is_out_of_keeping_and_what_was_expected_of_it(detector):
    samples = life(100)
    samples[50:55, 3] = 400.0
    (why, *_) = detector.explain(samples, 20, 60)
    assert why["feature"] == "distance"
    assert (why["begin"] >= 50, why["end"] <= 54, why["observed"]) == (True, True, 400 * 12)
    assert 10 < why["expected"] < 60  # m a minute, as in windows with as many steps
    assert why["share"] > 0.5


def test_a_model_of_an_older_version_without_reference_windows_is_refused_with_the_remedy(export, tmp_path):
    folder = shutil.copytree(export, tmp_path / "old")
    model = json.loads((folder / "model.json").read_text())
    del model["files"]["normal.npz"]
    (folder / "model.json").write_text(json.dumps(model))
    with pytest.raises(DamagedModel, match="normal.npz: is missing: .* train it again"):
        Detector.load(folder)


def test_a_stuck_sensor_gets_no_score(detector):
    samples = life(130)
    samples[:70, 0] = 80.0
    scores = detector.score(samples, np.zeros(130, dtype=int)).by_sample
    assert np.isnan(scores[:75]).all()  # a window that ends up to six samples later is nearly stuck
    assert not np.isnan(scores[77:]).any()


@pytest.mark.parametrize(
    "name", ["lstm_model.onnx", "normal.npz", "threshold.npy", "lambda_function.py", "lib/detector/grid.py"]
)
def test_one_flipped_bit_is_found_and_named(export, tmp_path, name):
    folder = shutil.copytree(export, tmp_path / "damaged")
    damaged = bytearray((folder / name).read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (folder / name).write_bytes(damaged)
    with pytest.raises(DamagedModel, match=name) as caught:
        Detector.load(folder)
    assert caught.value.file == name


@pytest.mark.parametrize("name", ["lstm_model.onnx", "normal.npz", "model.json"])
def test_a_missing_file_is_named(export, tmp_path, name):
    folder = shutil.copytree(export, tmp_path / "damaged")
    (folder / name).unlink()
    with pytest.raises(DamagedModel, match=name):
        Detector.load(folder)


@pytest.mark.parametrize("name", ["lstm_model.onnx", "normal.npz", "threshold.npy"])
@pytest.mark.parametrize("fails_at", [1, 2])  # to check it, to load it
def test_a_file_that_can_not_be_read_is_named(export, monkeypatch, name, fails_at):
    real, opened = open, []

    def broken(path, *args, **kwargs):
        opened.append(Path(path).name)
        if opened.count(name) == fails_at:
            raise OSError(5, "Input/output error", str(path))
        return real(path, *args, **kwargs)

    monkeypatch.setattr(builtins, "open", broken)
    with pytest.raises(DamagedModel, match=f"{name}: cannot be read"):
        Detector.load(export)


def test_a_model_of_other_features_is_refused(export, tmp_path):
    folder = shutil.copytree(export, tmp_path / "other")
    model = json.loads((folder / "model.json").read_text())
    model["features"].reverse()
    (folder / "model.json").write_text(json.dumps(model))
    with pytest.raises(DamagedModel, match="features"):
        Detector.load(folder)


@pytest.mark.parametrize(
    "changed",
    [
        *({"scaler": scaler} for scaler in (None, {}, {"mean": [1.0] * 4, "scale": [1.0, 1.0, 0.0, 1.0]})),
        {"scaler": {"mean": [1.0] * 3, "scale": [1.0] * 3}},
        {"sequence_length": 0},
        {"sequence_length": 30},
        {"interval_s": -5},
    ],
)
def test_a_model_whose_form_is_none_is_damaged(export, tmp_path, changed):
    folder = shutil.copytree(export, tmp_path / "other")
    model = json.loads((folder / "model.json").read_text()) | changed
    (folder / "model.json").write_text(json.dumps(model))
    with pytest.raises(DamagedModel, match="scaler|mean|subscriptable|not positive|sequence_length is 30"):
        Detector.load(folder)


@pytest.mark.parametrize("name", ["lstm_model.onnx", "normal.npz", "threshold.npy"])
@pytest.mark.parametrize("share", [0, 0.5])
def test_a_file_that_was_cut_off_before_it_was_listed_is_refused(export, tmp_path, name, share):
    folder = shutil.copytree(export, tmp_path / "cut")
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: int(share * len(content))])
    model = json.loads((folder / "model.json").read_text())
    model["files"][name] = sha256(folder / name)
    (folder / "model.json").write_text(json.dumps(model))
    with pytest.raises(DamagedModel, match="is incomplete"):
        Detector.load(folder)


def test_a_damaged_model_is_told_as_it_is_by_another_process():
    told = pickle.loads(pickle.dumps(DamagedModel("normal.npz", "is missing")))
    assert (str(told), told.file) == ("normal.npz: is missing", "normal.npz")
