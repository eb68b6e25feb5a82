"""The promise of calibration: simulated logs of wearers who differ, normal ones and ones that alert too often."""

import numpy as np
import pandas as pd
import pytest

from lib.monitoring import promise

PROMISED, SHARE = 0.43, 0.05
MODEL = {
    "interval_s": 5,
    "calibration": {"threshold": 1.0, "alert": 2.0},
    "metrics": {"false_alarms_per_day": {"1 of 1": PROMISED}},
    "population": {"Errors": {"edges": [0.5, 1.0, 1.5], "shares": [0.6, 0.35, 0.04, 0.01]}},
}
WINDOWS = 60  # of a request of an hour


def log(rng, *, wearers, days, often=1.0):
    """Requests of an hour each. Wearers' rates differ, alerts come in bursts, and so do borderline windows."""
    hours = 24 * days
    rate = PROMISED * often * rng.gamma(1 / 4, 4, wearers)  # coefficient of variation 2
    share = np.clip(SHARE * often * rng.gamma(1.5, 1 / 1.5, wearers), 0, 0.9)
    bursts = rng.random((hours, wearers)) < rate / 24 / 1.5
    goes_on = rng.random((hours, wearers)) < 0.5
    alerts = bursts | (np.roll(bursts, 1, axis=0) & goes_on)
    above = rng.binomial(WINDOWS, np.clip(share * rng.gamma(0.5, 2, (hours, wearers)), 0, 1))
    times = np.repeat(pd.date_range("2026-03-02", periods=hours, freq="h"), wearers)
    above = above.ravel()
    errors = [np.array([WINDOWS - number, 0, number, 0]) for number in above]
    table = pd.DataFrame({"Time": times, "Alerts": alerts.ravel().astype(float), "Errors": errors})
    return table.assign(Readings=720.0, Rejected=0.0, Unknown=0.0)


def test_a_rate_is_compared_by_hand():
    errors = [np.array([50, 5, 4, 1]), np.array([60, 0, 0, 0]), None]
    times = pd.to_datetime(["2026-03-02T01:10", "2026-03-02T02:20", "2026-03-02T02:50"])
    lines = pd.DataFrame({"Time": times, "Alerts": [1.0, 0.0, np.nan], "Errors": errors})
    lines = lines.assign(Readings=[8640.0, 8640.0, np.nan], Rejected=0.0, Unknown=0.0)
    alerts, borderline = promise.compare(lines, MODEL)
    assert (alerts.name, alerts.rate, alerts.promised, alerts.wearers) == (promise.ALERTS, 1.0, PROMISED, 1.0)
    assert (borderline.rate, borderline.promised) == pytest.approx((5 / 120, 0.05))
    assert alerts.low < alerts.rate < alerts.high
    assert str(alerts).startswith("1.00 alerts a wearer-day (0.")
    assert str(alerts).endswith(" 1 wearers); calibration promises 0.43")


def test_a_model_without_a_promise_is_not_compared():
    lines = log(np.random.default_rng(1), wearers=2, days=1)
    assert promise.compare(lines, {"interval_s": 5, "calibration": {"threshold": 1.0, "alert": 2.0}}) == []


def test_an_adjusted_model_promises_what_its_proposal_predicted():
    model = {**MODEL, "metrics": {}, "adjusted": {"false_alarms": 0.2}}
    alerts, _ = promise.compare(log(np.random.default_rng(1), wearers=2, days=1), model)
    assert alerts.promised == 0.2


def test_of_fifty_normal_weeks_at_most_two_break_the_promise():
    rng = np.random.default_rng(5)
    weeks = [promise.compare(log(rng, wearers=number, days=7), MODEL) for number in (5, 10, 20, 40, 80) * 10]
    assert sum(any(rate.is_broken for rate in week) for week in weeks) <= 2
    assert sum(all(rate.is_kept for rate in week) for week in weeks) >= 40


@pytest.mark.parametrize(("wearers", "days"), [(1, 1), (1, 7), (10, 1), (10, 7), (40, 1), (40, 28)])
def test_a_deployment_that_alerts_ten_times_too_often_never_keeps_the_promise(wearers, days):
    rng = np.random.default_rng(6)
    for _ in range(10):
        lines = log(rng, wearers=wearers, days=days)
        alerts = lines["Alerts"].to_numpy()
        missing = max(0, 10 * PROMISED * wearers * days - alerts.sum()) / len(lines)  # these wearers, ten times
        lines["Alerts"] = np.maximum(alerts, rng.random(len(lines)) < missing)
        assert not all(rate.is_kept for rate in promise.compare(lines, MODEL))


def test_many_wearers_who_alert_ten_times_too_often_break_it():
    rng = np.random.default_rng(7)
    for _ in range(10):
        assert any(rate.is_broken for rate in promise.compare(log(rng, wearers=40, days=7, often=10), MODEL))


def test_borderline_windows_in_excess_are_called_day_by_day():
    rng = np.random.default_rng(8)
    for _ in range(5):
        _, borderline = promise.compare(log(rng, wearers=80, days=28, often=4), MODEL)
        assert borderline.evidence >= promise.LIMIT
