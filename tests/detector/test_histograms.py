"""The bins in which the log counts, by hand."""

import numpy as np
import pytest

from lib.detector import histograms


def samples(heart, steps):
    """(T, 7) of one reading each 20 s: three a minute."""
    table = np.zeros((len(heart), 7))
    table[:, 0], table[:, 1] = heart, steps
    return table


def test_a_minute_is_three_samples_of_one_segment_and_what_is_over_is_left_out():
    given = samples([60, 61, 62, 90, 70, 72, 74, 99], [0, 0, 0, 9, 10, 20, 30, 9])
    heart, steps = histograms.minutes(given, np.array([0, 0, 0, 0, 1, 1, 1, 1]), interval_s=20)
    np.testing.assert_allclose(heart, [61, 72])
    np.testing.assert_allclose(steps, [0, 60])


@pytest.mark.parametrize("interval_s", [60, 300])
def test_a_reading_a_minute_or_fewer_is_a_minute_at_the_pace_of_its_steps(interval_s):
    heart, steps = histograms.minutes(samples([60, 80], [0, 90]), np.zeros(2), interval_s=interval_s)
    np.testing.assert_allclose(heart, [60, 80])
    np.testing.assert_allclose(steps, [0, 90 * 60 / interval_s])


@pytest.fixture
def fitted():
    heart = np.repeat(np.arange(50, 150), 3)  # a hundred minutes, of which the last 40 have steps
    steps = np.repeat(np.where(np.arange(100) >= 60, np.arange(100) - 40, 0), 3)
    return histograms.fit(samples(heart, steps), np.zeros(300), np.arange(1, 1001) / 1000, interval_s=20)


def test_the_bins_are_the_deciles_and_hold_a_tenth_each(fitted):
    np.testing.assert_allclose(fitted["HeartRate"]["shares"], [0.1] * 10)
    np.testing.assert_allclose(fitted["HeartRate"]["edges"], 50 + 9.9 * np.arange(1, 10), atol=1e-9)
    np.testing.assert_allclose(fitted["Errors"]["shares"], [0.1] * 9 + [0.05, 0.04, 0.009, 0.001])


def test_minutes_without_a_step_are_a_bin_and_only_brisk_ones_are_moving(fitted):
    assert fitted["Steps"]["edges"][0] == 0
    np.testing.assert_allclose(fitted["Steps"]["shares"], [0.6] + [0.04] * 10)
    assert len(fitted["HeartRateMoving"]["edges"]) == 9
    assert fitted["HeartRateMoving"]["edges"][0] > 110


def test_counts_are_of_the_same_bins_and_nothing_is_lost(fitted):
    given = samples(np.repeat([10, 54, 300, 120], 3), np.repeat([0, 0, 0, 40], 3))
    found = histograms.count(fitted, given, np.zeros(12), np.array([0.05, 5.0]), interval_s=20)
    np.testing.assert_array_equal(found["HeartRate"], [2, 0, 0, 0, 0, 0, 0, 1, 0, 1])
    assert [found[name].sum() for name in histograms.NAMES] == [4, 1, 4, 2]
    np.testing.assert_array_equal(found["Errors"][[0, -1]], [1, 1])


def test_what_a_watch_does_not_report_is_not_counted(fitted):
    found = histograms.count(fitted, samples([60] * 3, [np.nan] * 3), np.zeros(3), np.empty(0), interval_s=20)
    assert [found[name].sum() for name in histograms.NAMES] == [1, 0, 0, 0]


def test_nothing_is_fitted_to_nothing():
    unknown = samples([60] * 3, [np.nan] * 3)
    assert set(histograms.fit(unknown, np.zeros(3), np.empty(0), interval_s=20)) == {"HeartRate"}
