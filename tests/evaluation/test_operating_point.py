"""Recall at a rate of false alarms, on windows whose alarms can be counted by hand."""

import numpy as np
import pandas as pd
import pytest

from lib.evaluation.events import detections, false_alarms
from lib.evaluation.operating_point import at_threshold, calibrated, count, curve, lowest_within, recall_at

START = pd.Timestamp("2026-03-02T08:00:00")


def at(seconds):
    return START + pd.to_timedelta(seconds, unit="s")


def window(user_id, end, kind):
    return {"user_id": user_id, "start": at(end - 295), "end": at(end), "kind": kind}


def event(user_id, kind, start, end):
    return {"user_id": user_id, "kind": kind, "start": at(start), "end": at(end)}


@pytest.fixture
def scored():
    """Ten normal windows 10 minutes apart with errors 0..9; x has events with 8.5 and 4.5, y one with 6.5."""
    normal = [window("b", 600 * k, "normal") for k in range(10)]
    anomalous = [window("a", 1000 + 60, "x"), window("a", 3000 + 200, "x"), window("a", 5000 + 120, "y")]
    events = [event("a", "x", 1000, 1300), event("a", "x", 3000, 3300), event("a", "y", 5000, 5300)]
    return pd.DataFrame(normal + anomalous), pd.DataFrame(events), np.array([*range(10), 8.5, 4.5, 6.5])


@pytest.fixture
def random_life():
    """Two wearers' random windows, a minute apart, with events and windows without a score."""
    rng = np.random.default_rng(5)
    kinds = np.repeat(["normal", "x", "normal", "mixed", "y", "normal"], [300, 10, 200, 5, 20, 100])
    rows = [window(user, 60 * k, kind) for user in "ab" for k, kind in enumerate(kinds)]
    spans = [event(user, kind, 60 * k, 60 * k + 600) for user in "ab" for k, kind in ((300, "x"), (515, "y"))]
    errors = rng.gamma(2, 1, len(rows))
    errors[rng.random(len(rows)) < 0.05] = np.nan
    return pd.DataFrame(rows), pd.DataFrame(spans), errors


def test_the_threshold_is_just_above_the_first_normal_window_too_many(scored):
    point = recall_at(*scored, 1.0, days=2)  # two episodes: 9 and 8, so anything above 7
    assert point.threshold == np.nextafter(7, 8)
    assert point.false_alarms_per_day == 1.0
    assert point.recall_by_kind.to_dict() == {"x": 0.5, "y": 0.0}
    assert point.recall_macro == 0.25
    assert point.delay_s == 60


def test_the_delay_is_the_median_over_the_events_found(scored):
    point = recall_at(*scored, 3.0, days=2)  # six episodes: anything above 3
    assert point.recall_macro == 1.0
    assert point.delay_s == 120


def test_events_found_by_the_gate_count_separately(scored):
    delays = [20.0, np.nan, 500.0]  # the first is found by both: by the score after 60 s
    point = recall_at(*scored, 1.0, days=2, gate_delays=delays)
    assert point.recall_macro == 0.25
    assert point.recall_macro_with_gate == 0.75
    assert point.delay_s == 60
    assert point.delay_with_gate_s == 260
    assert np.isnan(recall_at(*scored, days=2).recall_macro_with_gate)
    assert np.isnan(recall_at(*scored, days=2).delay_with_gate_s)


def test_a_rate_of_zero_finds_the_events_above_every_normal_window(scored):
    windows, events, errors = scored
    errors[12] = 9.5
    point = recall_at(windows, events, errors, 0, days=2)
    assert point.threshold == np.nextafter(9, 10)
    assert point.recall_by_kind.to_dict() == {"x": 0.0, "y": 1.0}


def test_a_rate_that_always_holds_flags_every_scored_window(scored):
    point = recall_at(*scored, 5.0, days=2)
    assert point.threshold == 0
    assert point.false_alarms_per_day == 5


def test_thresholds_below_one_that_breaks_the_rate_are_not_used():
    assert lowest_within([0, 1, 3, 1], 2) == 1
    assert lowest_within([0, 1, 1], 2) == 2
    assert lowest_within([3, 1], 2) == 0


def test_two_episodes_that_become_one_do_not_lower_the_threshold():
    windows = pd.DataFrame([window("a", end, "normal") for end in (0, 240, 480)])  # 8 minutes, or 4 and 4
    nothing = pd.DataFrame([event("a", "x", 9000, 9300)])
    assert count(windows, nothing, [3, 1, 2]).episodes.tolist() == [[0, 1, 2, 1]]
    assert recall_at(windows, nothing, [3, 1, 2], 1, days=1).threshold == np.nextafter(2, 3)


def test_a_window_without_a_score_raises_no_alarm(scored):
    windows, events, errors = scored
    errors[9] = errors[10] = np.nan
    point = recall_at(windows, events, errors, 1.0, days=2)
    assert point.threshold == np.nextafter(6, 7)
    assert point.recall_by_kind.to_dict() == {"x": 0.0, "y": 1.0}


def test_without_any_score_nothing_is_found(scored):
    windows, events, errors = scored
    point = recall_at(windows, events, np.full(13, np.nan), days=2)
    assert (point.threshold, point.recall_macro, point.false_alarms_per_day) == (np.inf, 0, 0)


def test_without_normal_windows_every_scored_window_is_flagged(scored):
    windows, events, errors = scored
    point = recall_at(windows[10:].reset_index(drop=True), events, errors[10:], days=2)
    assert (point.threshold, point.recall_macro) == (4.5, 1.0)


def test_without_events_there_is_no_recall(scored):
    windows, events, errors = scored
    point = recall_at(windows, events[:0], errors, days=2)
    assert np.isnan(point.recall_macro)
    assert point.recall_by_kind.empty
    assert point.false_alarms_per_day == 1.0


def test_episodes_and_delays_are_those_of_events(random_life):
    windows, events, errors = random_life
    counts = count(windows, events, errors)
    for place in range(0, len(counts.thresholds), 20):
        flagged = errors >= counts.thresholds[place]
        assert counts.episodes[:, place].sum() == false_alarms(windows, flagged)
        delays = detections(windows, events, flagged)["delay_s"]
        np.testing.assert_array_equal(counts.delays[:, place], delays)


def test_the_windows_may_come_in_any_order(random_life):
    windows, events, errors = random_life
    order = np.random.default_rng(1).permutation(len(windows))
    shuffled = recall_at(windows.iloc[order].reset_index(drop=True), events, errors[order], 60, days=1)
    ordered = recall_at(windows, events, errors, 60, days=1)
    for field in ("threshold", "recall_macro", "delay_s"):
        assert getattr(shuffled, field) == getattr(ordered, field)
    assert ordered.recall_macro > 0


def test_a_curve_has_the_recall_of_each_rate_and_never_falls(random_life):
    rates = [0.5, 2, 8, 32, 128]
    points = curve(*random_life, days=1, rates=rates)
    assert points["recall_macro"].tolist() == [recall_at(*random_life, rate, days=1).recall_macro for rate in rates]
    assert points["threshold"].tolist() == [recall_at(*random_life, rate, days=1).threshold for rate in rates]
    assert points["recall_macro"].is_monotonic_increasing
    assert points["recall_macro"].iloc[-1] == 1


def test_impossible_days_rates_and_errors_are_refused(scored):
    windows, events, errors = scored
    with pytest.raises(ValueError, match="days: expected more than 0 .* got 0"):
        recall_at(windows, events, errors, days=0)
    with pytest.raises(ValueError, match="false_alarms_per_day: expected 0 or more, got -1"):
        recall_at(windows, events, errors, -1, days=2)
    with pytest.raises(ValueError, match="got an infinite one"):
        recall_at(windows, events, np.where(errors == 9, np.inf, errors), days=2)


def test_a_threshold_of_other_wearers_is_used_at_any_rate(scored):
    seen, events, errors = scored
    usual = seen[seen["kind"] == "normal"].reset_index(drop=True)
    threshold = calibrated(usual, np.arange(10.0) / 2, 1.0, days=2)  # their two largest are 4.5 and 4.0
    assert threshold == np.nextafter(3.5, 4)
    point = at_threshold(seen, events, errors, threshold, days=2)
    assert point.threshold == threshold
    assert point.false_alarms_per_day == 3.0  # of 4 to 9
    assert point.recall_by_kind.to_dict() == {"x": 1.0, "y": 1.0}


def test_at_the_threshold_that_recall_at_finds_there_is_the_same_point(random_life):
    seen, events, errors = random_life
    gate = np.array([30.0, np.nan, np.nan, np.nan])
    one = recall_at(seen, events, errors, 4.0, days=0.5, gate_delays=gate)
    same = at_threshold(seen, events, errors, one.threshold, days=0.5, gate_delays=gate)
    assert same.false_alarms_per_day == one.false_alarms_per_day
    assert (same.recall_macro, same.recall_macro_with_gate) == (one.recall_macro, one.recall_macro_with_gate)
    assert (same.delay_s, same.delay_with_gate_s) == (one.delay_s, one.delay_with_gate_s)
