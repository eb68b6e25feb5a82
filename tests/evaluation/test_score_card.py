"""The score card of one detector, on windows that can be counted by hand."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lib.evaluation.score_card import EvaluationSet, median_window, score_card

START = pd.Timestamp("2026-03-02T08:00:00")


def at(seconds):
    return START + pd.to_timedelta(seconds, unit="s")


def window_table(*rows):
    """Rows of (wearer, start s, end s, kind)."""
    users, starts, ends, kinds = zip(*rows, strict=True)
    return pd.DataFrame({"user_id": users, "start": at(list(starts)), "end": at(list(ends)), "kind": list(kinds)})


def event_table(*rows):
    """Rows of (wearer, kind, start s, end s)."""
    users, kinds, starts, ends = zip(*rows, strict=True)
    return pd.DataFrame({"user_id": users, "kind": kinds, "start": at(list(starts)), "end": at(list(ends))})


@pytest.fixture
def scored():
    """Normal windows 10 minutes apart with errors 0..9; events of x with 7 and 2.5, and one of y without a window."""
    normal = [("b", 600 * k, 600 * k + 295, "normal") for k in range(10)]
    windows = window_table(*normal, ("a", 800, 1095, "x"), ("a", 2800, 3095, "x"))
    labelled = event_table(("a", "x", 1000, 1300), ("a", "x", 3000, 3300), ("a", "y", 5000, 5300))
    test = EvaluationSet(windows, labelled, days=2, gated=np.array([False, False, True]))
    return test, np.array([*range(10), 7.0, 2.5])


def test_the_score_card_has_a_row_for_each_kind(scored):
    card, _ = score_card(*scored, {"low": 5, "high": 8})
    expected = {
        "events": [2, 1],
        "auroc": [(7.5 + 3) / 20, np.nan],
        "recall_low": [0.5, 0.0],
        "delay_s_low": [95.0, np.nan],
        "recall_high": [0.0, 0.0],
        "delay_s_high": [np.nan, np.nan],
        "found_by_gate": [0.0, 1.0],
    }
    index = pd.Index(["x", "y"], name="kind")
    pd.testing.assert_frame_equal(card, pd.DataFrame(expected, index=index), check_index_type=False)


def test_the_total_counts_alarms_a_day_and_shares_of_normal_windows(scored):
    _, total = score_card(*scored, {"low": 5, "high": 8})
    assert total == {
        "wearer_days": 2.0,
        "events": 3,
        "auroc_macro": pytest.approx(0.525),
        "auroc_pooled": pytest.approx(0.525),
        "recall_macro_low": 0.25,
        "delay_s_low": 95.0,
        "false_alarms_per_day_low": 2.5,
        "share_of_normal_low": 0.5,
        "recall_macro_high": 0.0,
        "delay_s_high": pytest.approx(np.nan, nan_ok=True),
        "false_alarms_per_day_high": 1.0,
        "share_of_normal_high": 0.2,
    }


def test_faulty_windows_count_in_no_auroc_but_may_raise_alarms(scored):
    test, errors = scored
    card, total = score_card(replace(test, faulty=np.arange(12) == 10), errors, {"low": 5})
    assert card["auroc"]["x"] == total["auroc_pooled"] == pytest.approx(0.3)
    assert card["recall_low"]["x"] == 0.5


def test_windows_without_a_score_raise_no_alarm_and_have_no_share_of_the_normal_ones(scored):
    test, errors = scored
    errors[9] = errors[10] = np.nan
    _, total = score_card(test, errors, {"low": 5})
    assert total["false_alarms_per_day_low"] == 2
    assert total["recall_macro_low"] == 0
    assert total["share_of_normal_low"] == pytest.approx(4 / 9)


def test_without_events_the_card_is_empty_and_false_alarms_are_counted(scored):
    test, errors = scored
    normal = EvaluationSet(test.windows[:10], test.events[:0], days=1, gated=np.zeros(0))
    card, total = score_card(normal, errors[:10], {"low": 5})
    assert list(card) == ["events", "auroc", "recall_low", "delay_s_low", "found_by_gate"]
    assert card.empty
    assert total["false_alarms_per_day_low"] == 5
    assert np.isnan(total["recall_macro_low"])


def test_false_alarms_need_time_to_be_counted_over(scored):
    with pytest.raises(ValueError, match="expected more than 0 worn, unlabelled days .* got 0"):
        replace(scored[0], days=0)


def test_the_median_window_has_the_median_error_of_those_that_count():
    assert median_window([9.0, 5.0, 1.0, 3.0, 7.0], np.array([False, True, True, True, True])) == 3
