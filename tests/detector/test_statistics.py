import numpy as np
import pytest

from lib.detector import statistics as plain


def windows(heart, steps=(0.0,), calories=(0.0,), distance=(0.0,)):
    """One window (1, length, 7) of these channels."""
    length = max(map(len, (heart, steps, calories, distance)))
    channels = [np.resize(values, length) for values in (heart, steps, calories, distance)]
    return np.column_stack([*channels, np.zeros((length, 3))])[None]


def of(name, statistics):
    return statistics[0, plain.NAMES.index(name)]


def test_the_heart_rates_statistics_are_those_of_paper():
    found = plain.window_statistics(windows([60.0, 64.0, 62.0, 70.0]), interval_s=5, level=50.0)
    assert of("heart rate", found) == 14
    assert (of("lowest heart rate", found), of("highest heart rate", found)) == (10, 20)
    assert of("heart rate spread", found) == pytest.approx(np.log(np.std([60, 64, 62, 70]) + 1))
    assert of("heart rate change", found) == pytest.approx(np.log(14 / 3 + 1))
    assert of("largest heart rate change", found) == pytest.approx(np.log(8 + 1))


def test_amounts_are_taken_a_minute_whatever_the_spacing():
    five = plain.window_statistics(windows([60.0], [2.0], [0.1], [1.0]), interval_s=5)
    ten = plain.window_statistics(windows([60.0], [4.0], [0.2], [2.0]), interval_s=10)
    np.testing.assert_allclose(five, ten)
    assert of("steps", five) == pytest.approx(np.log(24 + 1))


def test_what_does_not_go_with_the_steps_shows():
    usual, far = (plain.window_statistics(windows([90.0], [8.0], [0.4], [m]), interval_s=5) for m in (5.6, 28.0))
    assert of("distance for the steps", usual) == pytest.approx(0)
    assert of("distance for the steps", far) == pytest.approx(np.log((336 + 0.2) / (67.2 + 0.2)))
    locked = plain.window_statistics(windows([96.0], [8.0]), interval_s=5)
    assert of("heart rate off the cadence", locked) == 0


def test_a_channel_that_is_absent_leaves_what_is_made_of_it_unknown_and_nothing_else():
    found = plain.window_statistics(windows([60.0, 61.0], [1.0], [0.1], [np.nan]), interval_s=5)[0]
    made_of_distance = [3 in channels for channels in plain.CHANNELS]
    assert np.isnan(found).tolist() == made_of_distance


def test_a_single_sample_has_no_change():
    found = plain.window_statistics(windows([60.0]), interval_s=5)
    assert of("heart rate change", found) == of("heart rate spread", found) == 0


def test_means_give_back_what_the_statistics_were_made_of():
    found = plain.window_statistics(windows([90.0, 92.0], [8.0], [0.4], [5.6]), interval_s=5, level=70.0)[0]
    np.testing.assert_allclose(plain.means(found), [21, 96, 4.8, 67.2])
