import json
import shutil

import numpy as np
import pytest
from conftest import life

from lib import autoencoder, features, scoring
from lib.detector import DamagedModel, Detector


@pytest.fixture(scope="module")
def detector(export):
    return Detector.load(export)


def test_a_sample_has_the_score_of_the_window_that_ends_at_it(detector, model, model_json):
    samples = life(100)
    scores = detector.score(samples, np.zeros(100, dtype=int)).by_sample
    scaled = features.scale(samples, model_json["scaler"])
    by_feature = autoencoder.feature_errors(model, scaled, np.arange(41), length=60)
    errors = scoring.window_errors(by_feature, model_json["channels"])
    expected = scoring.anomaly_scores(errors, model_json["calibration"])
    np.testing.assert_allclose(scores[59:], expected, rtol=1e-5)


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
    np.testing.assert_allclose(scores[70:129], alone.by_sample, rtol=1e-6)


@pytest.mark.parametrize("count", [1, 2, 17, 59])
def test_a_short_batch_scores_as_the_notebooks_padded_windows_do(detector, model, model_json, count):
    samples = life(count)
    scaled = features.scale(samples, model_json["scaler"])
    size = np.array([count])
    by_feature = autoencoder.feature_errors(model, scaled, np.array([0]), length=60, size=size)
    limits = scoring.limits(model_json["calibration"], channel_set="all channels", size=size)
    expected = scoring.anomaly_scores(by_feature.mean(axis=1), limits)
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
def test_absent_channels_are_neither_fed_nor_counted(detector, model, model_json, absent, name):
    samples = life(60)
    samples[:, absent] = np.nan
    counted = features.channel_sets([True] * 7)[name]
    scaled = np.where(counted, features.scale(samples, model_json["scaler"]), 0)[None].astype(np.float32)
    error = np.square(scaled - model.predict_on_batch(scaled))[:, :, counted].mean(axis=(1, 2))
    limits = scoring.limits(model_json["calibration"], channel_set=name, size=np.array([60]))
    found = detector.score(samples, np.zeros(60, dtype=int))
    assert found.channel_set == name
    np.testing.assert_allclose(found.scores, scoring.anomaly_scores(error, limits), rtol=1e-5)


def test_the_reasons_lie_where_the_reconstruction_fails(detector):
    samples = life(100)
    samples[50:55, 3] = 400.0
    (why, *_) = detector.explain(samples, 20, 60)
    assert why["feature"] == "distance"
    assert (why["begin"], why["observed"]) == (50, 400 * 12)
    assert why["end"] <= 54


def test_a_stuck_sensor_gets_no_score(detector):
    samples = life(130)
    samples[:70, 0] = 80.0
    scores = detector.score(samples, np.zeros(130, dtype=int)).by_sample
    assert np.isnan(scores[:70]).all()
    assert not np.isnan(scores[75:]).any()


@pytest.mark.parametrize("name", ["lstm_weights.npz", "threshold.npy", "lambda_function.py", "lib/grid.py"])
def test_one_flipped_bit_is_found_and_named(export, tmp_path, name):
    folder = shutil.copytree(export, tmp_path / "damaged")
    damaged = bytearray((folder / name).read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (folder / name).write_bytes(damaged)
    with pytest.raises(DamagedModel, match=name) as caught:
        Detector.load(folder)
    assert caught.value.file == name


@pytest.mark.parametrize("name", ["lstm_weights.npz", "model.json"])
def test_a_missing_file_is_named(export, tmp_path, name):
    folder = shutil.copytree(export, tmp_path / "damaged")
    (folder / name).unlink()
    with pytest.raises(DamagedModel, match=name):
        Detector.load(folder)


def test_a_model_of_other_features_is_refused(export, tmp_path):
    folder = shutil.copytree(export, tmp_path / "other")
    model = json.loads((folder / "model.json").read_text())
    model["features"].reverse()
    (folder / "model.json").write_text(json.dumps(model))
    with pytest.raises(DamagedModel, match="features"):
        Detector.load(folder)
