import numpy as np
import pytest

from lib.detector import features


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-03-02T00:00:00", [0, 1, 0]),  # a Monday
        ("2026-03-06T06:00:00", [1, 0, 0]),
        ("2026-03-07T12:00:00", [0, -1, 1]),
        ("2026-03-08T18:00:00", [-1, 0, 1]),
    ],
)
def test_the_calendar_tells_hour_and_weekend(moment, expected):
    wall_s = np.datetime64(moment, "s").astype(int)
    np.testing.assert_allclose(features.calendar([wall_s])[0], expected, atol=1e-12)


def test_the_scaler_takes_each_channels_mean_and_deviation_and_skips_what_is_missing():
    samples = np.zeros((3, 7))
    samples[:, 0] = [60, 70, 80]
    samples[:, 1] = [1, np.nan, 3]
    samples[:, 3] = np.nan
    scaler = features.fit_scaler(samples)
    np.testing.assert_allclose(scaler["mean"], [70, 2, 0, 0])
    np.testing.assert_allclose(scaler["scale"], [np.sqrt(200 / 3), 1, 1, 1])


def test_unscaling_undoes_scaling_and_the_calendar_is_left_alone():
    scaler = {"mean": [70.0, 1, 2, 3], "scale": [10.0, 2, 3, 4]}
    samples = np.array([[80.0, 3, 5, 7, 0.5, -0.5, 1]])
    scaled = features.scale(samples, scaler)
    np.testing.assert_allclose(scaled, [[1, 1, 1, 1, 0.5, -0.5, 1]])
    np.testing.assert_allclose(features.unscale(scaled, scaler), samples)


def test_a_channel_the_data_lack_becomes_the_training_mean():
    scaled = features.scale(np.full((2, 7), np.nan), {"mean": [1.0] * 4, "scale": [1.0] * 4})
    np.testing.assert_array_equal(scaled, 0)


def test_a_feature_is_present_where_any_sample_has_it():
    samples = np.zeros((2, 7))
    samples[:, 2] = np.nan
    samples[0, 3] = np.nan
    assert features.present(samples).tolist() == [True, True, False, True, True, True, True]


def test_no_samples_are_no_scaler():
    said = "^expected trusted samples of the training wearers, got none: quality.json says what became of the readings$"
    with pytest.raises(ValueError, match=said):
        features.fit_scaler(np.empty((0, 7)))


def test_a_channel_set_holds_what_its_watches_report_and_the_model_counts():
    sets = features.channel_sets([True, True, False, True, True, True, True])
    assert sets["all channels"].tolist() == [True, True, False, True, True, True, True]
    assert sets["without distance"].tolist() == [True, True, False, False, True, True, True]
    assert sets["heart rate alone"].tolist() == [True, False, False, False, True, True, True]
