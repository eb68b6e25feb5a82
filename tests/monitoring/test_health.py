"""What a log comes to: figures by version, shares with their interval, and the verdict."""

import pandas as pd
import pytest

from lib.monitoring import health
from lib.monitoring import log as log_lines
from lib.monitoring.health import ADJUST, HEALTHY, REPAIR, RETRAIN
from lib.monitoring.log import UNANSWERED

FEW = {"share": 0.02, "low": 0.01, "usual": 0.02}
QUIET = {"scored": 9000, "sent": 9500, "codes": {}, "rejected": FEW, "unknown": FEW, "refused": FEW}
SOUND = {"last_day": (0.0, 0.0, 0.01), "in_all": (0.0, 0.0, 0.001), "last": pd.NaT}


def log(*rows):
    """A log's table of (version, status, readings, rejected, unknown, alerts, ms, cold)."""
    columns = ["Version", "Status", "Readings", "Rejected", "Unknown", "Alerts", "DurationMs", "ColdStart"]
    errors = {"ErrorP50": [0.2, 0.4], "ErrorP90": [0.5, 0.9], "ErrorMax": [3.0, 1.5], "LargestScore": [0.4, 0.35]}
    table = pd.DataFrame(rows, columns=columns).assign(Windows=1.0)
    return table.assign(**{name: pd.Series(values).reindex(table.index) for name, values in errors.items()})


def test_figures_are_told_by_version():
    lines = log(
        ("a", 200, 8640, 0, 0, 1, 4.0, 1),
        ("a", 200, 8640, 100, 300, 2, 6.0, 0),
        ("b", 200, 100, 50, 0, 0, 5.0, 0),
        ("b", 503, None, None, None, None, 1.0, 1),
        ("b", 413, None, None, None, None, 1.0, 0),
        ("b", 400, None, None, None, None, 1.0, 0),
    )
    table = health.figures(lines, "Version", interval_s=5)
    assert table.loc["a", "wearer_days"] == pytest.approx((17280 - 400) * 5 / 86400)
    assert table.loc["a", "alerts_per_day"] == pytest.approx(3 / table.loc["a", "wearer_days"])
    assert table.loc["a", ["rejected", "unknown", "failed", "cold", "median_ms"]].tolist() == pytest.approx(
        [100 / 17280, 300 / 17280, 0, 0.5, 5.0]
    )
    assert table.loc["b", ["requests", "rejected", "refused", "failed", "cold"]].tolist() == [4, 0.5, 0.5, 0.25, 0.25]
    errors = table[["error_p50", "error_p90", "error_max", "largest_score"]]
    assert errors.loc["a"].tolist() == pytest.approx([0.3, 0.7, 3.0, 0.4])
    assert errors.loc["b"].isna().all()


def test_what_was_never_scored_has_no_rate():
    table = health.figures(log(("a", 503, None, None, None, None, 1.0, 1)), "Version", interval_s=5)
    assert table.loc["a", ["alerts_per_day", "rejected", "unknown"]].isna().all()


def test_a_share_has_the_interval_of_wilson():
    assert health.share(8, 10) == pytest.approx((0.8, 0.4902, 0.9433), abs=1e-4)
    assert health.share(0, 10) == pytest.approx((0.0, 0.0, 0.2775), abs=1e-4)
    assert health.share(0, 0) is None


def test_false_alarms_are_told_by_version():
    requests = pd.DataFrame({"Version": list("aaab"), "Alerts": [1, 1, 1, 1], "correct": [0, 1, None, 0]})
    requests.loc[4] = ["a", 0, 0]  # an event that was missed is no alert
    found = health.false_shares(requests, "Version")
    assert found.index.tolist() == ["a", "b"]
    assert found[["answered", "share"]].to_numpy().tolist() == [[2, 0.5], [1, 1.0]]
    assert found.loc["a", ["low", "high"]].tolist() == pytest.approx(health.share(1, 2)[1:])
    assert health.false_shares(requests[:0], "Version").empty


def days(*rows):
    """What `drift.Usual.judge` returns, of (day, name, judged, called)."""
    table = pd.DataFrame(rows, columns=["day", "name", "judged", "called"])
    table["day"] = pd.to_datetime(table["day"])
    return table.assign(shift=0.25, psi=0.2, surprise=9.0)


def told(judged=None, *, false_share=None, answered=0, losses=QUIET, failures=SOUND):
    judged = days(("2026-03-02", "Steps", True, False)) if judged is None else judged
    given = {"false_share": false_share, "answered": answered, "most_false": 0.5}
    return health.verdict(judged=judged, losses=losses, failures=failures, **given)


def test_nothing_out_of_the_ordinary_is_healthy():
    said = told(false_share=(0.3, 0.2, 0.42), answered=60)
    assert (said["verdict"], said["also"]) == (HEALTHY, [])
    assert said["why"] == ["nothing that was looked at is out of the ordinary"]


@pytest.mark.parametrize("name", ["HeartRate", "HeartRateMoving", "Steps"])
def test_what_comes_in_has_changed_so_retrain(name):
    said = told(days(("2026-03-02", name, True, True), ("2026-03-02", "Errors", True, True)))
    assert said["verdict"] == RETRAIN
    assert said["why"] == [
        f"{name} of 2026-03-02 is not that of normal days: 9.0 standard deviations off, "
        "shift +0.25 (higher), stability index 0.20"
    ]


def test_errors_alone_have_changed_so_adjust():
    said = told(days(("2026-03-02", "Steps", True, False), ("2026-03-02", "Errors", True, True)))
    assert said["verdict"] == ADJUST
    assert said["why"][0].startswith("Errors of 2026-03-02")


def test_surely_too_many_false_alarms_so_adjust():
    said = told(false_share=(0.7, 0.6, 0.8), answered=80)
    assert said["verdict"] == ADJUST
    assert said["why"] == ["70% of the alerts that wearers spoke of were false (60% to 80%), more than 50%"]


@pytest.mark.parametrize(("false_share", "answered"), [((0.7, 0.45, 0.9), 20), ((1.0, 0.83, 1.0), 19), (None, 0)])
def test_false_alarms_that_may_be_chance_do_not_count(false_share, answered):
    assert told(false_share=false_share, answered=answered)["verdict"] == HEALTHY


def test_feedback_that_met_no_request_is_told_beside_the_verdict():
    given = {"judged": days(("2026-03-02", "Steps", True, False)), "most_false": 0.5, "failures": SOUND}
    said = health.verdict(false_share=(0, 0, 0.1), answered=60, losses=QUIET, unmet=3, **given)
    assert (said["verdict"], said["also"]) == (HEALTHY, ["3 rows of the feedback met no request of the log"])


def test_a_day_that_is_not_judged_says_nothing_and_a_call_may_pass():
    rows = [("2026-03-02", "Steps", True, True), ("2026-03-03", "Steps", True, False)]
    said = told(days(*rows, ("2026-03-04", "Steps", False, False)))
    assert said["verdict"] == HEALTHY
    assert "drift was called on 2026-03-02 and has passed" in said["also"]


def test_days_of_little_traffic_after_the_last_judged_one_are_told():
    rows = [("2026-03-02", "Steps", True, False), ("2026-03-03", "Steps", False, False)]
    said = told(days(*rows, ("2026-03-04", "Steps", False, False)), false_share=(0, 0, 0.1), answered=60)
    assert said["also"] == ["less than half the usual traffic since 2026-03-03: drift is told of 2026-03-02"]
    said = told(days(("2026-03-02", "Steps", False, False)), false_share=(0, 0, 0.1), answered=60)
    assert said["also"] == ["less than half the usual traffic since 2026-03-02: drift is not told"]


def test_too_few_normal_days_are_told():
    given = {"false_share": None, "answered": 3, "most_false": 0.5}
    said = health.verdict(judged=None, losses=QUIET, failures=SOUND, **given)
    assert said["verdict"] == HEALTHY
    assert said["also"] == [
        "drift can not be told yet: too few normal days",
        "wearers spoke of 3 alerts; 20 are wanted to tell how many are false",
    ]


def statuses(*runs):
    """Lines of (version, status, how many, the minute of the first), a minute apart."""
    rows = [(version, status, minute + n) for version, status, count, minute in runs for n in range(count)]
    lines = pd.DataFrame(rows, columns=["Version", "Status", "minute"])
    return lines.assign(Time=pd.Timestamp("2026-03-02") + pd.to_timedelta(lines["minute"], unit="min"))


def failed(*runs, version="a"):
    return health.failures(log_lines.since_first(statuses(*runs), version))


def test_requests_that_no_model_answered_count_since_the_version_first_did():
    found = failed((UNANSWERED, 503, 9, 0), ("a", 200, 6, 10), ("b", 500, 5, 12), (UNANSWERED, 503, 2, 20))
    assert found["in_all"] == found["last_day"] == health.share(2, 8)
    assert found["last"] == pd.Timestamp("2026-03-02T00:21")


def test_failures_of_the_day_before_the_last_count_in_all_alone():
    found = failed(("a", 500, 5, 0), ("a", 200, 20, 24 * 60 + 10))
    assert (found["in_all"][0], found["last_day"][0]) == (0.2, 0)


def test_an_outage_is_mended_before_anything_else():
    drifted = days(("2026-03-02", "Steps", True, True))
    said = told(drifted, failures=failed(("a", 200, 5000, 0), (UNANSWERED, 503, 60, 5000)))
    assert said["verdict"] == REPAIR
    assert said["why"][0].startswith("4.2% of the last day's requests failed (5xx), the last at 2026-03-05 12:19: ")
    assert "deploy.py --rollback" in said["why"][0]
    assert said["why"][1].startswith("Steps of 2026-03-02")


@pytest.mark.parametrize(("number", "verdict"), [(14, HEALTHY), (30, REPAIR)])
def test_a_share_of_failures_that_may_be_one_in_a_hundred_is_no_outage(number, verdict):
    assert told(failures=failed(("a", 200, 1400, 0), ("a", 500, number, 1400)))["verdict"] == verdict


def test_an_outage_that_has_passed_is_told_beside_the_verdict():
    said = told(failures=failed((UNANSWERED, 503, 60, 0), ("a", 200, 1, -1), ("a", 200, 1940, 1500)))
    assert said["verdict"] == HEALTHY
    assert said["also"][0] == (
        "3.0% of all requests failed (5xx), the last at 2026-03-02 00:59: see Fault and Defect in the log"
    )


def sent(*rows):
    """Lines of (days before the end, status, how many, readings of each, of which rejected, and unknown)."""
    end = pd.Timestamp("2026-03-30T12:00")
    table = [
        (end - pd.Timedelta(days=day, minutes=n), status, readings, rejected, unknown)
        for day, status, count, readings, rejected, unknown in rows
        for n in range(count)
    ]
    lines = pd.DataFrame(table, columns=["Time", "Status", "Readings", "Rejected", "Unknown"])
    return lines.assign(Code=lines["Status"].map({400: "not_json", 500: "defect"})).sort_values("Time")


USUAL = [(day, 200, 50, 60, 1, 5) for day in range(1, 29)]


def of(*last):
    every = sent(*USUAL, *last)
    return health.losses(every, every)


def test_what_came_to_nothing_is_that_of_the_last_day_beside_what_is_usual():
    found = of((0, 200, 30, 60, 3, 6), (0, 400, 10, None, None, None))
    assert (found["scored"], found["sent"], found["codes"]) == (30 * 51, 30 * 60 + 10, {"not_json": 10})
    shares = {name: (found[name]["share"], found[name]["usual"]) for name in health.LOST}
    assert shares["rejected"] == pytest.approx((3 / 60, 1 / 60))
    assert shares["unknown"] == pytest.approx((6 / 60, 5 / 60))
    assert shares["refused"] == pytest.approx((0.25, 0.0))
    assert found["refused"]["low"] == pytest.approx(health.share(10, 40)[1])


def test_an_app_release_of_which_every_reading_is_rejected_since_yesterday_is_a_repair():
    said = told(losses=of((0, 200, 50, 60, 60, 0)))
    assert said["verdict"] == REPAIR
    assert said["why"][0].startswith("no reading got a score on the last day: what watches send is not what the model")


def test_of_a_few_requests_that_none_got_a_score_says_little():
    first = sent((0, 200, 4, 60, 0, 60))
    assert told(losses=health.losses(first, first))["verdict"] == HEALTHY
    first = sent((0, 200, 5, 60, 0, 60))
    assert told(losses=health.losses(first, first))["verdict"] == REPAIR


def test_that_every_request_of_the_last_day_is_refused_is_a_repair_that_names_the_codes():
    said = told(losses=of((0, 400, 50, None, None, None)))
    assert said["verdict"] == REPAIR
    assert said["why"][0].endswith("look at the app first (answers: 50 not_json)")


@pytest.mark.parametrize(
    ("last", "why"),
    [
        ([(0, 200, 50, 60, 30, 5)], "50% of the last day's readings are rejected, 2% are usual: look at what the app "),
        ([(0, 200, 50, 60, 1, 30)], "50% of the last day's readings are unknown, 8% are usual: look at what the app "),
        (
            [(0, 200, 25, 60, 1, 5), (0, 400, 25, None, None, None)],
            "50% of the last day's requests are refused (4xx), 0% are usual: look at what the app sends (answers: 25 "
            "not_json)",
        ),
    ],
)
def test_a_surge_of_what_comes_to_nothing_is_a_repair(last, why):
    said = told(losses=of(*last))
    assert (said["verdict"], len(said["why"])) == (REPAIR, 1)
    assert said["why"][0].startswith(why)


@pytest.mark.parametrize(
    "last",
    [
        [(0, 200, 50, 60, 7, 10)],  # more, but not by much
        [(0, 200, 2, 60, 30, 5)],  # two requests, which may be chance
        [(0, 500, 50, None, None, None)],  # for `failures` to tell
    ],
)
def test_a_little_more_or_what_may_be_chance_is_no_surge(last):
    assert told(losses=of(*last))["verdict"] == HEALTHY


def test_without_days_before_much_that_comes_to_nothing_is_told_beside_the_verdict():
    first = sent((0, 200, 50, 60, 30, 5))
    said = told(losses=health.losses(first, first), answered=60, false_share=(0, 0, 1))
    assert (said["verdict"], said["also"]) == (HEALTHY, ["50% of the last day's readings are rejected"])


@pytest.mark.parametrize("now", ["2026-03-03T11:59", "2026-03-03T13:59+02:00", "2026-03-02T12:00"])
def test_within_a_day_of_the_last_request_nobody_is_silent(now):
    assert health.silence(statuses(("a", 200, 1, 12 * 60)), now) is None


def test_a_function_that_has_had_no_request_for_a_day_is_a_repair():
    silent = health.silence(statuses(("a", 200, 1, 12 * 60)), "2026-03-05T00:00Z")
    said = health.verdict(
        judged=None, false_share=None, answered=0, most_false=0.5, losses=QUIET, failures=SOUND, silent=silent
    )
    assert said["verdict"] == REPAIR
    assert said["why"][0].startswith("no request since 2026-03-02 12:00, 2.5 days before 2026-03-05 00:00: the ")


def test_the_moment_itself_is_what_a_log_is_to_reach_unless_another_is_given():
    assert health.silence(statuses(("a", 200, 1, 0)), "")[0] == pd.Timestamp("2026-03-02")
