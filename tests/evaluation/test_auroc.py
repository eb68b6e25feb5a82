"""AUROC by kind and severity, counted by hand, and which severity an event has."""

import numpy as np
import pandas as pd
import pytest

from lib.evaluation.auroc import auroc_by_kind, auroc_by_severity, pooled_auroc, severities

DAY = "2026-03-02T"


def spans(*rows):
    """Rows of (wearer, kind, start, end), as clock times of one day."""
    users, kinds, starts, ends = zip(*rows, strict=True)
    begun, ended = (pd.to_datetime([DAY + t for t in times], format="ISO8601") for times in (starts, ends))
    return pd.DataFrame({"user_id": users, "kind": kinds, "start": begun, "end": ended})


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


@pytest.fixture
def events():
    return spans(
        ("a", "x", "08:00:05", "08:10:00"), ("a", "x", "09:00:00", "09:10:00"), ("b", "y", "08:00:00", "08:10:00")
    )


@pytest.fixture
def injected():
    """As in the file of 01: times are text."""
    rows = [("a", "x", "08:00:02", "08:10:03", 0.4), ("b", "y", "08:00:00", "08:09:00", 1.0)]
    rows += [("a", "y", "09:00:00", "09:10:00", 0.7), ("b", "x", "09:00:00", "09:10:00", 0.7)]
    frame = pd.DataFrame(rows, columns=["user_id", "kind", "start", "end", "severity"])
    return frame.assign(start=DAY + frame["start"], end=DAY + frame["end"])


def test_an_event_has_the_severity_of_the_overlapping_anomaly_of_its_wearer_and_kind(events, injected):
    np.testing.assert_array_equal(severities(events, injected), [0.4, np.nan, 1.0])


def test_the_longest_overlap_decides(events, injected):
    two = pd.concat([injected[:1].assign(end=DAY + "08:01:00", severity=0.7), injected[:1]], ignore_index=True)
    assert severities(events, two)[0] == 0.4
    assert severities(events, two[::-1])[0] == 0.4


def test_wearers_may_be_categorical(events, injected):
    events["user_id"] = events["user_id"].astype("category")
    assert severities(events, injected)[0] == 0.4


def test_without_injected_anomalies_no_severity_is_known(events, injected):
    assert np.isnan(severities(events, injected[:0])).all()


@pytest.fixture
def windows():
    rows = [("a", "normal", "07:00", "07:05"), ("a", "normal", "07:01", "07:06")]
    rows += [("a", "x", "08:02", "08:07"), ("a", "x", "09:02", "09:07"), ("a", "x", "09:03", "09:08")]
    return spans(*rows, ("b", "y", "08:02", "08:07"), ("b", "mixed", "08:02", "08:12"))


def test_auroc_by_severity_compares_its_windows_with_all_normal_windows(events, windows):
    errors = [1.0, 3.0, 2.0, 4.0, 0.0, 3.0, 9.0]
    aurocs = auroc_by_severity(windows, events, errors, [0.4, 1.0, 1.0])
    assert aurocs.loc["x"].to_dict() == {0.4: 0.5, 1.0: 0.5}  # 2 of 1, 3; then 4 and 0 of them
    assert np.isnan(aurocs.loc["y", 0.4])
    assert aurocs.loc["y", 1.0] == 0.75  # above one, equal to the other


def test_kinds_of_unknown_severity_have_no_figure(events, windows):
    aurocs = auroc_by_severity(windows, events, np.arange(7.0), [np.nan, np.nan, 0.7])
    assert list(aurocs.columns) == [0.7]
    assert aurocs[0.7].isna().to_dict() == {"x": True, "y": False}
    assert list(auroc_by_severity(windows, events, np.arange(7.0), [np.nan] * 3).index) == ["x", "y"]
