"""Figures of a log: by version, as shares with their interval, failures and losses."""

import numpy as np
import pandas as pd
import pytest
from logged_requests import failures, losses, with_statuses

from lib.monitoring import health
from lib.monitoring.log import UNANSWERED


def log(*rows):
    """A log's table of (version, status, readings, rejected, unknown, alerts, ms, cold)."""
    columns = ["Version", "Status", "Readings", "Rejected", "Unknown", "Alerts", "DurationMs", "ColdStart"]
    errors = {"ErrorP50": [0.2, 0.4], "ErrorP90": [0.5, 0.9], "ErrorMax": [3.0, 1.5], "LargestScore": [0.4, 0.35]}
    table = pd.DataFrame(rows, columns=columns).assign(Windows=1.0)
    return table.assign(**{name: pd.Series(values).reindex(table.index) for name, values in errors.items()})


def test_a_log_is_summarised_by_version():
    lines = log(
        ("a", 200, 8640, 0, 0, 1, 4.0, 1),
        ("a", 200, 8640, 100, 300, 2, 6.0, 0),
        ("b", 200, 100, 50, 0, 0, 5.0, 0),
        ("b", 503, None, None, None, None, 1.0, 1),
        ("b", 413, None, None, None, None, 1.0, 0),
        ("b", 400, None, None, None, None, 1.0, 0),
    )
    table = health.summarise(lines, "Version", interval_s=5)
    assert table.loc["a", "wearer_days"] == pytest.approx((17280 - 400) * 5 / 86400)
    assert table.loc["a", "alerts_per_day"] == pytest.approx(3 / table.loc["a", "wearer_days"])
    assert table.loc["a", ["rejected", "unknown", "failed", "cold", "median_ms"]].tolist() == pytest.approx(
        [100 / 17280, 300 / 17280, 0, 0.5, 5.0]
    )
    assert table.loc["b", ["requests", "rejected", "refused", "failed", "cold"]].tolist() == [4, 0.5, 0.5, 0.25, 0.25]
    errors = table[["error_p50", "error_p90", "error_max", "largest_score"]]
    assert errors.loc["a"].tolist() == pytest.approx([0.3, 0.7, 3.0, 0.4])
    assert errors.loc["b"].isna().all()


def test_a_version_that_scored_nothing_has_no_rate():
    table = health.summarise(log(("a", 503, None, None, None, None, 1.0, 1)), "Version", interval_s=5)
    assert table.loc["a", ["alerts_per_day", "rejected", "unknown"]].isna().all()


def test_the_trend_is_summarised_among_the_answers_that_have_one():
    rows = [("a", 200, 8640, 0, 0, 0, 4.0, 0)] * 4 + [("a", 500, None, None, None, None, 1.0, 0)]
    lines = log(*rows, ("b", 200, 10, 0, 10, 0, 4.0, 0))
    lines = lines.assign(TrendScore=[0.1, 0.75, 0.8, np.nan, np.nan, np.nan], TrendAlerts=[0, 1, 0] + [np.nan] * 3)
    table = health.trends(lines, "Version", interval_s=5)
    assert table.loc["a"].tolist() == pytest.approx([0.75, 2 / 3, 1, 30 / 2, 0.8])
    assert table.loc["b", ["with_trend", "alerts"]].tolist() == [0, 0]
    assert table.loc["b", ["raised", "alerts_per_month", "largest"]].isna().all()


def test_a_share_has_the_interval_of_wilson():
    assert health.share(8, 10) == pytest.approx((0.8, 0.4902, 0.9433), abs=1e-4)
    assert health.share(0, 10) == pytest.approx((0.0, 0.0, 0.2775), abs=1e-4)
    assert health.share(0, 0) is None


def test_false_alarms_are_counted_by_version():
    requests = pd.DataFrame({"Version": list("aaab"), "Alerts": [1, 1, 1, 1], "correct": [0, 1, None, 0]})
    requests.loc[4] = ["a", 0, 0]  # a missed event is not an alert
    shares = health.false_alarm_shares(requests, "Version")
    assert shares.index.tolist() == ["a", "b"]
    assert shares[["answered", "share"]].to_numpy().tolist() == [[2, 0.5], [1, 1.0]]
    assert shares.loc["a", ["low", "high"]].tolist() == pytest.approx(health.share(1, 2)[1:])
    assert health.false_alarm_shares(requests[:0], "Version").empty


def test_requests_that_no_model_answered_count_since_the_versions_first_answer():
    counted = failures((UNANSWERED, 503, 9, 0), ("a", 200, 6, 10), ("b", 500, 5, 12), (UNANSWERED, 503, 2, 20))
    assert counted["in_all"] == counted["last_day"] == health.share(2, 8)
    assert counted["last"] == pd.Timestamp("2026-03-02T00:21")


def test_failures_before_the_last_day_count_in_all_alone():
    counted = failures(("a", 500, 5, 0), ("a", 200, 20, 24 * 60 + 10))
    assert (counted["in_all"][0], counted["last_day"][0]) == (0.2, 0)


def test_losses_are_those_of_the_last_day_beside_the_usual_ones():
    facts = losses((0, 200, 30, 60, 3, 6), (0, 400, 10, None, None, None))
    assert (facts["scored"], facts["sent"], facts["codes"]) == (30 * 51, 30 * 60 + 10, {"not_json": 10})
    shares = {name: (facts[name]["share"], facts[name]["usual"]) for name in health.LOST}
    assert shares["rejected"] == pytest.approx((3 / 60, 1 / 60))
    assert shares["unknown"] == pytest.approx((6 / 60, 5 / 60))
    assert shares["refused"] == pytest.approx((0.25, 0.0))
    assert facts["refused"]["low"] == pytest.approx(health.share(10, 40)[1])


@pytest.mark.parametrize("now", ["2026-03-03T11:59", "2026-03-03T13:59+02:00", "2026-03-02T12:00"])
def test_less_than_a_day_since_the_last_request_is_not_silence(now):
    assert health.silence(with_statuses(("a", 200, 1, 12 * 60)), now) is None


def test_silence_is_measured_up_to_the_present_unless_another_moment_is_given():
    assert health.silence(with_statuses(("a", 200, 1, 0)), "")[0] == pd.Timestamp("2026-03-02")
