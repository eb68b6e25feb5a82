"""Events, windows' kinds, delays and false alarms, on tables small enough to count by hand."""

import numpy as np
import pandas as pd
import pytest

from lib.evaluation.events import (
    describe_windows,
    detections,
    false_alarms,
    gate_delays,
    labelled_events,
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
    events = labelled_events(pd.concat([first, clean_table(["dropout", ""], user_id="b")], ignore_index=True))
    expected = event_table(("a", "spikes", 5, 10), ("a", "dropout", 15, 15), ("b", "dropout", 0, 0))
    pd.testing.assert_frame_equal(events, expected, check_dtype=False)


@pytest.mark.parametrize("table", [clean_table(["", ""]), clean_table(["", ""]).drop(columns="label")])
def test_a_table_without_labels_has_no_events(table):
    assert list(labelled_events(table)) == ["user_id", "kind", "start", "end"]
    assert labelled_events(table).empty


def test_a_window_has_the_kind_of_its_last_sample_and_at_least_half_of_it():
    table = clean_table(["", "", "", "", "x", "x", "x", ""])
    windows = describe_windows(table, [0, 1, 2, 3, 4], length=4)
    assert windows["kind"].tolist() == ["normal", "mixed", "x", "x", "mixed"]


def test_a_window_of_two_kinds_has_the_last_only_if_that_is_half_of_it():
    windows = describe_windows(clean_table(["y", "y", "y", "x", "x"]), [0, 1], length=4)
    assert windows["kind"].tolist() == ["mixed", "x"]


def test_a_window_is_described_by_its_wearer_and_its_first_and_last_sample():
    table = pd.concat([clean_table([""] * 3), clean_table([""] * 3, user_id="b")], ignore_index=True)
    windows = describe_windows(table, np.array([0, 4]), length=2)
    expected = window_table(("a", 0, 5, "normal"), ("b", 5, 10, "normal"))
    pd.testing.assert_frame_equal(windows, expected, check_dtype=False)


def test_no_windows_give_no_rows():
    assert describe_windows(clean_table([""]), np.array([], dtype=int), length=4).empty


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
    detected = detections(windows, event_table(("a", "x", 1000, 1300)), [True])
    assert detected["detected"].tolist() == [counts]


def test_the_delay_runs_from_the_events_start_to_its_first_alarm():
    windows = window_table(*(("a", end - 300, end, "x") for end in (1030, 1020, 1010)))
    detected = detections(windows, event_table(("a", "x", 1000, 1300)), [True, True, False])
    assert detected["delay_s"].tolist() == [20.0]


def test_another_wearers_alarm_finds_no_event():
    windows = window_table(("b", 750, 1050, "x"))
    detected = detections(windows, event_table(("a", "x", 1000, 1300)), [True])
    assert detected["detected"].tolist() == [False]
    assert detected["delay_s"].isna().all()


def test_false_alarms_less_than_apart_s_apart_are_one_episode():
    ends = (1000, 1299, 1598, 1898)  # 299, 299 and 300 s apart
    windows = window_table(*(("a", end - 295, end, "normal") for end in ends))
    assert false_alarms(windows, [True] * 4) == 2
    assert false_alarms(windows, [True, False, True, True]) == 3


def test_episodes_are_counted_by_wearer():
    windows = window_table(("a", 0, 300, "normal"), ("b", 5, 305, "normal"), ("a", 10, 310, "normal"))
    assert false_alarms(windows, [True] * 3) == 2


def test_an_alarm_that_overlaps_a_labelled_sample_is_not_false():
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


def test_the_gate_reports_an_event_by_a_faulty_window_within():
    table = clean_table(["x"] * 4 + [""] * 4)
    windows = window_table(("a", 0, 10, "x"), ("a", 25, 35, "normal"))
    events = labelled_events(table)
    assert gate_delays(table, windows, events, [True, False]).tolist() == [10]
    assert np.isnan(gate_delays(table, windows, events, [False, True])).tolist() == [True]


def test_the_gate_reports_an_event_if_half_of_its_samples_are_not_worn():
    table = clean_table(["x"] * 4 + [""] + ["y"] * 4, quality=["ok"] * 2 + ["not_worn"] * 4 + ["ok"] * 3)
    windows = window_table(("b", 0, 10, "normal"))
    first, second = gate_delays(table, windows, labelled_events(table), [False])
    assert first == 15  # of its last sample: only two of them are not worn
    assert np.isnan(second)


def test_lost_heart_rate_is_reported_when_it_is_no_longer_carried_forward():
    table = clean_table(["x"] * 8, quality=["ok"] + ["not_worn"] * 7)
    windows = window_table(("b", 0, 10, "normal"))
    assert gate_delays(table, windows, labelled_events(table), [False]).tolist() == [
        20
    ]  # the fourth, of samples 5 s apart
