"""Events, windows' kinds, recall, delay and false alarms, on tables small enough to count by hand."""

import numpy as np
import pandas as pd
import pytest

from lib.evaluation.events import (
    auroc_by_kind,
    describe_windows,
    detections,
    events,
    false_alarms,
    gate_delays,
    middle,
    pooled_auroc,
    score_card,
    times_off_wrist,
    wearer_days,
)

START = pd.Timestamp("2026-03-02T08:00:00")


def at(seconds):
    return START + pd.to_timedelta(seconds, unit="s")


def clean_table(labels, *, user_id="a", quality="ok", segment=0):
    """One sample every 5 s, one for each label."""
    count = len(labels)
    columns = {"user_id": user_id, "segment": segment, "timestamp": at(5 * np.arange(count))}
    return pd.DataFrame({**columns, "quality": quality, "label": labels})


def window_table(*rows):
    """Rows of (wearer, start s, end s, kind)."""
    users, starts, ends, kinds = zip(*rows, strict=True)
    return pd.DataFrame({"user_id": users, "start": at(list(starts)), "end": at(list(ends)), "kind": list(kinds)})


def event_table(*rows):
    """Rows of (wearer, kind, start s, end s)."""
    users, kinds, starts, ends = zip(*rows, strict=True)
    return pd.DataFrame({"user_id": users, "kind": kinds, "start": at(list(starts)), "end": at(list(ends))})


def test_an_event_is_a_run_of_one_label_of_one_wearer_across_segments():
    first = clean_table(["", "spikes", "spikes", "dropout"], segment=[0, 0, 1, 1])
    found = events(pd.concat([first, clean_table(["dropout", ""], user_id="b")], ignore_index=True))
    wanted = event_table(("a", "spikes", 5, 10), ("a", "dropout", 15, 15), ("b", "dropout", 0, 0))
    pd.testing.assert_frame_equal(found, wanted, check_dtype=False)


@pytest.mark.parametrize("table", [clean_table(["", ""]), clean_table(["", ""]).drop(columns="label")])
def test_a_table_without_labels_has_no_events(table):
    assert list(events(table)) == ["user_id", "kind", "start", "end"]
    assert events(table).empty


def test_a_window_is_of_the_kind_that_its_last_sample_and_half_of_it_carry():
    table = clean_table(["", "", "", "", "x", "x", "x", ""])
    windows = describe_windows(table, [0, 1, 2, 3, 4], length=4)
    assert windows["kind"].tolist() == ["normal", "mixed", "x", "x", "mixed"]


def test_a_window_of_two_kinds_is_of_the_last_only_where_that_is_half_of_it():
    windows = describe_windows(clean_table(["y", "y", "y", "x", "x"]), [0, 1], length=4)
    assert windows["kind"].tolist() == ["mixed", "x"]


def test_a_window_is_described_by_its_wearer_and_its_first_and_last_sample():
    table = pd.concat([clean_table([""] * 3), clean_table([""] * 3, user_id="b")], ignore_index=True)
    windows = describe_windows(table, np.array([0, 4]), length=2)
    wanted = window_table(("a", 0, 5, "normal"), ("b", 5, 10, "normal"))
    pd.testing.assert_frame_equal(windows, wanted, check_dtype=False)


def test_a_table_without_windows_is_described_by_no_rows():
    assert describe_windows(clean_table([""]), np.array([], dtype=int), length=4).empty


def test_auroc_compares_each_kind_with_all_normal_windows():
    errors = [1, 2, 3, 4, 2.5, 5, 6, 0]
    kinds = ["normal"] * 4 + ["x", "x", "y", "mixed"]
    auroc = auroc_by_kind(errors, kinds)
    assert auroc.to_dict() == {"x": 0.75, "y": 1.0}
    assert pooled_auroc(errors, kinds) == pytest.approx(10 / 12)


def test_auroc_leaves_out_windows_without_a_score():
    auroc = auroc_by_kind([1, np.nan, 2, np.nan], ["normal", "normal", "x", "y"])
    assert auroc["x"] == 1.0
    assert np.isnan(auroc["y"])


def test_auroc_is_nan_without_normal_windows():
    assert auroc_by_kind([1.0, 2.0], ["x", "mixed"]).isna().all()
    assert np.isnan(pooled_auroc([1.0, 2.0], ["x", "mixed"]))
    assert np.isnan(pooled_auroc([1.0, 2.0], ["normal", "mixed"]))


@pytest.mark.parametrize(
    ("start_s", "end_s", "counts"),
    [
        (700, 999, False),  # ends just before the event
        (700, 1000, True),  # ends at its first sample
        (1150, 1450, True),  # half of it lies in the event
        (1155, 1455, False),  # less than half does
    ],
)
def test_a_window_counts_for_an_event_that_it_ends_within_or_half_lies_in(start_s, end_s, counts):
    windows = window_table(("a", start_s, end_s, "mixed"))
    found = detections(windows, event_table(("a", "x", 1000, 1300)), [True])
    assert found["detected"].tolist() == [counts]


def test_the_delay_runs_from_the_events_start_to_its_first_alarm():
    windows = window_table(*(("a", end - 300, end, "x") for end in (1030, 1020, 1010)))
    found = detections(windows, event_table(("a", "x", 1000, 1300)), [True, True, False])
    assert found["delay_s"].tolist() == [20.0]


def test_another_wearers_alarm_finds_no_event():
    windows = window_table(("b", 750, 1050, "x"))
    found = detections(windows, event_table(("a", "x", 1000, 1300)), [True])
    assert found["detected"].tolist() == [False]
    assert found["delay_s"].isna().all()


def test_the_middle_window_has_the_median_error_of_those_that_count():
    assert middle([9.0, 5.0, 1.0, 3.0, 7.0], np.array([False, True, True, True, True])) == 3


def test_false_alarms_less_than_apart_s_apart_are_one_episode():
    ends = (1000, 1299, 1598, 1898)  # 299, 299 and 300 s apart
    windows = window_table(*(("a", end - 295, end, "normal") for end in ends))
    assert false_alarms(windows, [True] * 4) == 2
    assert false_alarms(windows, [True, False, True, True]) == 3


def test_wearers_have_episodes_of_their_own():
    windows = window_table(("a", 0, 300, "normal"), ("b", 5, 305, "normal"), ("a", 10, 310, "normal"))
    assert false_alarms(windows, [True] * 3) == 2


def test_an_alarm_that_overlaps_a_labelled_sample_is_no_false_one():
    windows = window_table(("a", 0, 300, "mixed"), ("a", 0, 300, "x"), ("a", 0, 300, "normal"))
    assert false_alarms(windows, [True, True, False]) == 0


def test_wearer_days_count_worn_and_unlabelled_samples():
    table = clean_table(["", "x", "", ""], quality=["ok", "ok", "not_worn", "stuck"])
    assert wearer_days(table, interval_s=43_200) == 1.0


def test_times_off_the_wrist_are_stretches_of_one_wearer_without_a_label():
    off, on = "not_worn", "ok"
    table = clean_table([""] * 6 + ["x", ""], quality=[off, off, on, off, off, on, off, off])
    assert times_off_wrist(table) == 3
    table["user_id"] = list("aaaabbbb")
    assert times_off_wrist(table) == 4


def test_the_gate_finds_an_event_by_a_stuck_window_within():
    table = clean_table(["x"] * 4 + [""] * 4)
    windows = window_table(("a", 0, 10, "x"), ("a", 25, 35, "normal"))
    found = events(table)
    assert gate_delays(table, windows, found, [True, False]).tolist() == [10]
    assert np.isnan(gate_delays(table, windows, found, [False, True])).tolist() == [True]


def test_the_gate_finds_an_event_half_of_whose_samples_are_not_worn():
    table = clean_table(["x"] * 4 + [""] + ["y"] * 4, quality=["ok"] * 2 + ["not_worn"] * 4 + ["ok"] * 3)
    windows = window_table(("b", 0, 10, "normal"))
    first, second = gate_delays(table, windows, events(table), [False])
    assert first == 15  # of its last sample: only two of them are not worn
    assert np.isnan(second)


def test_lost_heart_rate_is_told_when_none_is_carried_forward_any_more():
    table = clean_table(["x"] * 8, quality=["ok"] + ["not_worn"] * 7)
    windows = window_table(("b", 0, 10, "normal"))
    assert gate_delays(table, windows, events(table), [False]).tolist() == [20]  # the fourth, of samples 5 s apart


@pytest.fixture
def scored():
    """Normal windows 10 minutes apart with errors 0..9; of x one event has 7 and one 2.5, of y none."""
    normal = [("b", 600 * k, 600 * k + 295, "normal") for k in range(10)]
    windows = window_table(*normal, ("a", 800, 1095, "x"), ("a", 2800, 3095, "x"))
    labelled = event_table(("a", "x", 1000, 1300), ("a", "x", 3000, 3300), ("a", "y", 5000, 5300))
    return windows, labelled, np.array([*range(10), 7.0, 2.5])


def test_the_score_card_has_a_row_for_each_kind(scored):
    card, _ = score_card(*scored, {"low": 5, "high": 8}, days=2, gated=np.array([False, False, True]))
    wanted = {
        "events": [2, 1],
        "auroc": [(7.5 + 3) / 20, np.nan],
        "recall_low": [0.5, 0.0],
        "delay_s_low": [95.0, np.nan],
        "recall_high": [0.0, 0.0],
        "delay_s_high": [np.nan, np.nan],
        "found_by_gate": [0.0, 1.0],
    }
    index = pd.Index(["x", "y"], name="kind")
    pd.testing.assert_frame_equal(card, pd.DataFrame(wanted, index=index), check_index_type=False)


def test_the_summary_counts_alarms_a_day_and_shares_of_normal_windows(scored):
    _, summary = score_card(*scored, {"low": 5, "high": 8}, days=2, gated=np.zeros(3, dtype=bool))
    assert summary == {
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


def test_what_the_quality_check_takes_counts_in_no_auroc_but_may_raise_alarms(scored):
    windows, labelled, errors = scored
    form = {"days": 2, "gated": np.zeros(3, dtype=bool), "faulty": np.arange(12) == 10}
    card, summary = score_card(windows, labelled, errors, {"low": 5}, **form)
    assert card["auroc"]["x"] == summary["auroc_pooled"] == pytest.approx(0.3)
    assert card["recall_low"]["x"] == 0.5


def test_windows_without_a_score_raise_no_alarm_and_are_no_share_of_the_normal_ones(scored):
    windows, labelled, errors = scored
    errors[9] = errors[10] = np.nan
    _, summary = score_card(windows, labelled, errors, {"low": 5}, days=1, gated=np.zeros(3, dtype=bool))
    assert summary["false_alarms_per_day_low"] == 4
    assert summary["recall_macro_low"] == 0
    assert summary["share_of_normal_low"] == pytest.approx(4 / 9)


def test_without_events_the_card_is_empty_and_the_false_alarms_remain(scored):
    windows, labelled, errors = scored
    card, summary = score_card(windows[:10], labelled[:0], errors[:10], {"low": 5}, days=1, gated=np.zeros(0))
    assert list(card) == ["events", "auroc", "recall_low", "delay_s_low", "found_by_gate"]
    assert card.empty
    assert summary["false_alarms_per_day_low"] == 5
    assert np.isnan(summary["recall_macro_low"])


def test_the_score_card_wants_time_to_count_false_alarms_over(scored):
    with pytest.raises(ValueError, match="days=0"):
        score_card(*scored, {"low": 5}, days=0, gated=np.zeros(3, dtype=bool))
