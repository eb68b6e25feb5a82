"""VUS-PR on windows that can be followed by hand, and compared with aeon."""

import numpy as np
import pandas as pd
import pytest
from aeon.benchmarking.metrics.anomaly_detection import range_pr_vus_score

from lib.evaluation.vus import Surface, vus_pr


def minutes(kinds, *, user_id="a"):
    """A window a minute, one for each kind; "n" is normal."""
    end = pd.Timestamp("2026-03-02T08:00:00") + pd.to_timedelta(60 * np.arange(len(kinds)), unit="s")
    kinds = ["normal" if kind == "n" else kind for kind in kinds]
    return pd.DataFrame({"user_id": user_id, "start": end - pd.Timedelta(295, "s"), "end": end, "kind": kinds})


def test_a_buffer_is_as_long_however_close_the_windows_lie():
    """The same alarm, four minutes before the event, in windows half a minute and a reading apart."""
    kinds, errors = np.array(list("n" * 30 + "x" * 6 + "n" * 30)), np.zeros(66)
    errors[25:27] = 1
    volumes = []
    for times in (2, 12):
        dense = minutes(np.repeat(kinds, times))
        dense["end"] = dense["end"].iloc[0] + (dense["end"] - dense["end"].iloc[0]) / times
        volumes.append(vus_pr(dense, np.repeat(errors, times)))
    assert volumes[0] == pytest.approx(volumes[1], rel=0.05)


def two_wearers():
    """An event at the very end of one wearer and at the very beginning of the next, and in the middle of both."""
    kinds = ["n"] * 40 + ["x"] * 8 + ["n"] * 60 + ["y"] * 6
    both = [minutes(kinds), minutes(kinds[::-1], user_id="b")]
    return pd.concat(both, ignore_index=True)


def padded(values, gap):
    """The two wearers' values with `gap` zeros before and after each."""
    return np.pad(values.reshape(2, -1).astype(float), ((0, 0), (gap, gap))).ravel()


def test_errors_that_rank_every_anomalous_window_first_have_volume_one_without_a_buffer():
    assert vus_pr(minutes("nnxxnn"), [0, 1, 5, 4, 2, 3], buffer_minutes=0) == pytest.approx(1)


def test_the_volume_is_that_under_precision_and_recall_without_a_buffer():
    # falling: x, n, x, n; recall 1/2, 1/2, 1, 1 and precision 1, 1/2, 2/3, 2/4
    # area: 1/2 x (1 + 1)/2, then 1/2 x (1/2 + 2/3)/2
    assert vus_pr(minutes("xxnn"), [4, 2, 3, 1], buffer_minutes=0) == pytest.approx(0.5 + 0.5 * (1 / 2 + 2 / 3) / 2)


def test_recall_is_lowered_by_the_share_of_events_not_touched():
    # falling: x, x, n, x; recall 1/3 x 1/2, 2/3 x 1/2, 2/3 x 1/2, 1; precision 1, 1, 2/3, 3/4
    area = (1 / 3) * 1 + (2 / 3) * (2 / 3 + 3 / 4) / 2
    assert vus_pr(minutes("xxnx"), [4, 3, 2, 1], buffer_minutes=0) == pytest.approx(area)


@pytest.mark.parametrize("buffer", [0, 1, 2, 5, 10])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_volume_is_aeons(buffer, seed):
    windows, rng = two_wearers(), np.random.default_rng(seed)
    anomalous = (windows["kind"] != "normal").to_numpy()
    errors = np.round(anomalous + rng.gamma(2, 1, len(windows)), 1)  # with ties
    ranks = pd.Series(errors).rank(method="dense").to_numpy()
    gap = buffer // 2 + 1
    expected = range_pr_vus_score(padded(anomalous, gap).astype(int), padded(ranks, gap), buffer)
    assert vus_pr(windows, errors, buffer_minutes=buffer) == pytest.approx(expected, abs=1e-12)


def test_a_resample_has_the_volume_of_its_wearers_windows_one_after_the_other():
    windows, errors = two_wearers(), np.random.default_rng(3).random(228)
    copy = windows[:114].assign(user_id="c")
    drawn = pd.concat([windows[:114], copy], ignore_index=True)
    expected = vus_pr(drawn, np.tile(errors[:114], 2))
    assert Surface(windows, errors, 10).volume(np.array([2, 0])) == pytest.approx(expected, abs=1e-12)


def test_an_alarm_a_minute_early_counts_only_with_a_buffer():
    windows = minutes(["n"] * 20 + ["x"] * 3 + ["n"] * 20)
    early, late = np.zeros(43), np.zeros(43)
    early[19], late[5] = 1, 1
    assert vus_pr(windows, early, buffer_minutes=0) == pytest.approx(vus_pr(windows, late, buffer_minutes=0))
    assert vus_pr(windows, early) > vus_pr(windows, late) + 0.01


def test_only_the_order_of_errors_counts():
    windows, errors = two_wearers(), np.random.default_rng(0).random(228)
    assert vus_pr(windows, errors) == vus_pr(windows, np.exp(20 * errors))


def test_a_window_without_a_score_is_the_least_evidence():
    windows, errors = two_wearers(), 1 + np.random.default_rng(0).random(228)
    lowest, missing = errors.copy(), errors.copy()
    lowest[::7], missing[::7] = -1, np.nan
    assert vus_pr(windows, missing) == pytest.approx(vus_pr(windows, lowest), abs=0.01)
    assert vus_pr(windows, missing) != vus_pr(windows, errors)


def test_wearers_and_windows_may_come_in_any_order():
    windows, errors = two_wearers(), np.random.default_rng(0).random(228)
    order = np.random.default_rng(1).permutation(228)
    shuffled = windows.iloc[order].reset_index(drop=True)
    assert vus_pr(shuffled, errors[order]) == pytest.approx(vus_pr(windows, errors), abs=1e-12)


@pytest.mark.parametrize(("kinds", "errors"), [("nnn", [1, 2, 3]), ("nxn", [np.nan] * 3), ("", [])])
def test_without_anomalous_windows_or_scores_there_is_no_volume(kinds, errors):
    assert np.isnan(vus_pr(minutes(kinds), errors))


@pytest.mark.parametrize("buffer", [-1, 2.5])
def test_a_buffer_that_is_no_whole_number_of_minutes_is_refused(buffer):
    with pytest.raises(ValueError, match=f"buffer_minutes: expected a whole number, 0 or more, got {buffer}"):
        vus_pr(minutes("nx"), [0, 1], buffer_minutes=buffer)
