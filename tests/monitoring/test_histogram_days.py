"""A log's histograms by day, and the statistics of two histograms, by hand."""

import numpy as np
import pandas as pd

from lib.monitoring import histogram_days


def test_the_shift_is_how_much_likelier_above_than_below():
    shift = histogram_days.shift(np.array([[0, 0, 4], [2, 2, 0], [1, 1, 2], [0, 0, 0]]), np.array([1, 1, 2]))
    np.testing.assert_allclose(shift, [0.5, 0.125 - 0.625, 0, np.nan])


def test_the_stability_index_is_the_symmetric_divergence():
    index = histogram_days.stability_index(np.array([[1.5, 5.5], [3.5, 3.5]]), np.array([3.5, 3.5]))
    np.testing.assert_allclose(index, [(0.25 - 0.5) * np.log(0.5) + (0.75 - 0.5) * np.log(1.5), 0])


def test_an_empty_bin_has_a_finite_index():
    assert np.isfinite(histogram_days.stability_index(np.array([[0, 9]]), np.array([5, 5]))).all()


def test_counts_are_summed_by_day_and_lists_of_other_bins_left_out():
    lines = pd.DataFrame({"Time": pd.to_datetime(["2026-03-02T01", "2026-03-02T23", "2026-03-03T00", "2026-03-04T00"])})
    lines["Steps"] = [np.array([1, 2]), np.array([3, 0]), np.array([1, 1, 1]), None]
    days, counts = histogram_days.daily_counts(lines, {"Steps": {"edges": [0.0]}})
    assert [str(day) for day in days] == ["2026-03-02", "2026-03-03", "2026-03-04"]
    np.testing.assert_array_equal(counts["Steps"], [[4, 2], [0, 0], [0, 0]])


def test_a_day_cut_off_by_the_start_or_end_of_the_log_is_left_out():
    times = pd.date_range("2026-03-02T14:00", "2026-03-07T13:50", freq="10min")
    lines = pd.DataFrame({"Time": times, "Steps": [np.array([1, 0])] * len(times)})
    days, counts = histogram_days.daily_counts(lines, {"Steps": {"edges": [0.0]}})
    assert [str(day) for day in days] == ["2026-03-03", "2026-03-04", "2026-03-05", "2026-03-06"]
    assert counts["Steps"][:, 0].tolist() == [144] * 4
    days, _ = histogram_days.daily_counts(
        lines.drop(range(60, 150)), {"Steps": {"edges": [0.0]}}
    )  # an outage cuts off no day
    assert len(days) == 4
