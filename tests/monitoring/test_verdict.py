"""The verdict: its order of severity, its reasons, and what is only mentioned."""

import pandas as pd
import pytest
from logged_requests import failures, losses, with_statuses

from lib.monitoring import health, verdict
from lib.monitoring.log import UNANSWERED
from lib.monitoring.promise import ALERTS, BORDERLINE, Comparison
from lib.monitoring.verdict import ADJUST, HEALTHY, REPAIR, RETRAIN, TOO_LITTLE, Findings

FEW = {"share": 0.02, "low": 0.01, "usual": 0.02}
QUIET = {"scored": 9000, "sent": 9500, "codes": {}, "rejected": FEW, "unknown": FEW, "refused": FEW}
SOUND = {"last_day": (0.0, 0.0, 0.01), "in_all": (0.0, 0.0, 0.001), "last": pd.NaT}
FEEDBACK = {"false_share": (0.0, 0.0, 0.1), "answered": 60}


def days(*rows):
    """What `drift.Reference.judge` returns, of (day, name, judged, called)."""
    table = pd.DataFrame(rows, columns=["day", "name", "judged", "called"])
    table["day"] = pd.to_datetime(table["day"])
    return table.assign(shift=0.25, psi=0.2, surprise=9.0)


NORMAL = days(("2026-03-02", "Steps", True, False))


def decide(**facts):
    known = {"judged": NORMAL, "false_share": None, "answered": 0, "losses": QUIET, "failures": SOUND, **facts}
    return verdict.decide(Findings(most_false=0.5, **known))


def test_nothing_out_of_the_ordinary_is_healthy():
    decision = decide(false_share=(0.3, 0.2, 0.42), answered=60)
    assert (decision["verdict"], decision["also"]) == (HEALTHY, [])
    assert decision["why"] == ["everything examined is in the ordinary range"]


@pytest.mark.parametrize("name", ["HeartRate", "HeartRateMoving", "Steps"])
def test_changed_inputs_ask_for_retraining(name):
    decision = decide(judged=days(("2026-03-02", name, True, True), ("2026-03-02", "Errors", True, True)))
    assert decision["verdict"] == RETRAIN
    assert decision["why"] == [
        f"the inputs have changed since 2026-03-02: {name}: shift +0.25 (higher), stability index 0.20, 9.0 standard "
        "deviations off"
    ]


def test_changed_errors_alone_ask_for_an_adjustment():
    decision = decide(judged=days(("2026-03-02", "Steps", True, False), ("2026-03-02", "Errors", True, True)))
    assert decision["verdict"] == ADJUST
    assert decision["why"][0].startswith("the errors have changed since 2026-03-02: Errors: shift")


def test_a_lasting_change_is_one_call_with_its_first_day():
    rows = [(f"2026-03-{day:02}", "Steps", day != 5, day in (3, 4, 6, 7)) for day in range(2, 8)]
    decision = decide(judged=days(*rows))
    assert decision["verdict"] == RETRAIN
    assert len(decision["why"]) == 1
    assert decision["why"][0].startswith("the inputs have changed since 2026-03-03: Steps")
    assert decision["also"] == decide()["also"]


KEPT = Comparison(BORDERLINE, 0.04, 0.05, low=0.02, high=0.06, wearers=20.0)
UNCLEAR = Comparison(ALERTS, 1.0, 0.43, low=0.2, high=3.0, wearers=2.0)
BROKEN = Comparison(ALERTS, 31.0, 0.43, low=5.0, high=33.0, wearers=20.0)
CALLED = Comparison(BORDERLINE, 0.12, 0.05, low=0.04, high=0.13, wearers=20.0, evidence=4000.0)


@pytest.mark.parametrize(
    ("promise", "expected"),
    [([KEPT], HEALTHY), ([UNCLEAR, KEPT], TOO_LITTLE), ([BROKEN, KEPT], ADJUST), ([KEPT, CALLED], ADJUST)],
)
def test_the_promise_of_calibration_counts_from_the_first_day(promise, expected):
    assert decide(judged=None, promise=promise)["verdict"] == expected


def test_a_broken_promise_is_reported_with_both_rates():
    assert decide(promise=[BROKEN])["why"] == [
        "31.00 alerts a wearer-day (5.00 to 33.00, 20 wearers); calibration promises 0.43"
    ]
    assert decide(promise=[KEPT])["why"] == [
        "4.0% of the windows reach the threshold (2.0% to 6.0%, 20 wearers); calibration promises 5.0%"
    ]


def test_surely_too_many_false_alarms_ask_for_an_adjustment():
    decision = decide(false_share=(0.7, 0.6, 0.8), answered=80)
    assert decision["verdict"] == ADJUST
    assert decision["why"] == ["70% of the alerts with feedback were false (60% to 80%), more than 50%"]


@pytest.mark.parametrize(("false_share", "answered"), [((0.7, 0.45, 0.9), 20), ((1.0, 0.83, 1.0), 19), (None, 0)])
def test_false_alarms_that_may_be_chance_do_not_count(false_share, answered):
    assert decide(false_share=false_share, answered=answered)["verdict"] == HEALTHY


def test_unmatched_feedback_is_mentioned_beside_the_verdict():
    decision = decide(**FEEDBACK, unmatched=3)
    assert (decision["verdict"], decision["also"]) == (HEALTHY, ["3 rows of the feedback match no request of the log"])


def test_an_unjudged_day_is_ignored_and_a_call_may_pass():
    rows = [("2026-03-02", "Steps", True, True), ("2026-03-03", "Steps", True, False)]
    decision = decide(judged=days(*rows, ("2026-03-04", "Steps", False, False)))
    assert decision["verdict"] == HEALTHY
    assert "a change of the inputs was called on 2026-03-02 and ended after 2026-03-02" in decision["also"]


def test_days_of_little_traffic_after_the_last_judged_one_are_mentioned():
    rows = [("2026-03-02", "Steps", True, False), ("2026-03-03", "Steps", False, False)]
    decision = decide(judged=days(*rows, ("2026-03-04", "Steps", False, False)), **FEEDBACK)
    assert decision["also"] == ["less than half the usual traffic since 2026-03-03: drift is known up to 2026-03-02"]
    decision = decide(judged=days(("2026-03-02", "Steps", False, False)), **FEEDBACK)
    assert decision["also"] == ["less than half the usual traffic since 2026-03-02: drift is unknown"]


def test_too_few_normal_days_and_too_little_feedback_are_mentioned():
    decision = decide(judged=None, answered=3)
    assert decision["verdict"] == TOO_LITTLE
    assert decision["why"] == ["neither drift nor the promise of calibration can be judged: too little data"]
    assert decision["also"] == [
        "drift cannot be judged yet: too few normal days",
        "wearers gave feedback on 3 alerts; the share of false ones needs 20",
    ]


def test_an_outage_is_more_severe_than_drift():
    drifted = days(("2026-03-02", "Steps", True, True))
    decision = decide(judged=drifted, failures=failures(("a", 200, 5000, 0), (UNANSWERED, 503, 60, 5000)))
    assert decision["verdict"] == REPAIR
    assert decision["why"][0].startswith("4.2% of the last day's requests failed (5xx), the last at 2026-03-05 12:19: ")
    assert "deploy.py --rollback" in decision["why"][0]
    assert decision["why"][1].startswith("the inputs have changed since 2026-03-02: Steps")


@pytest.mark.parametrize(("number", "expected"), [(14, HEALTHY), (30, REPAIR)])
def test_a_share_of_failures_that_may_be_one_in_a_hundred_is_not_an_outage(number, expected):
    assert decide(failures=failures(("a", 200, 1400, 0), ("a", 500, number, 1400)))["verdict"] == expected


def test_an_outage_that_has_passed_is_mentioned_beside_the_verdict():
    decision = decide(failures=failures((UNANSWERED, 503, 60, 0), ("a", 200, 1, -1), ("a", 200, 1940, 1500)))
    assert decision["verdict"] == HEALTHY
    assert decision["also"][0] == (
        "3.0% of all requests failed (5xx), the last at 2026-03-02 00:59: see Fault and Defect in the log"
    )


def test_an_app_release_whose_readings_are_all_rejected_asks_for_a_repair():
    decision = decide(losses=losses((0, 200, 50, 60, 60, 0)))
    assert decision["verdict"] == REPAIR
    assert decision["why"][0].startswith("no reading got a score on the last day: watches send what the model cannot")


@pytest.mark.parametrize(("requests", "expected"), [(4, HEALTHY), (5, REPAIR)])
def test_a_few_requests_without_a_score_are_not_an_outage(requests, expected):
    assert decide(losses=losses((0, 200, requests, 60, 0, 60), before=()))["verdict"] == expected


def test_refusing_every_request_of_the_last_day_asks_for_a_repair_and_names_the_codes():
    decision = decide(losses=losses((0, 400, 50, None, None, None)))
    assert decision["verdict"] == REPAIR
    assert decision["why"][0].endswith("look at the app first (answers: 50 not_json)")


@pytest.mark.parametrize(
    ("last_day", "why"),
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
def test_a_surge_of_losses_asks_for_a_repair(last_day, why):
    decision = decide(losses=losses(*last_day))
    assert (decision["verdict"], len(decision["why"])) == (REPAIR, 1)
    assert decision["why"][0].startswith(why)


@pytest.mark.parametrize(
    "last_day",
    [
        [(0, 200, 50, 60, 7, 10)],  # more, but not by much
        [(0, 200, 2, 60, 30, 5)],  # two requests, which may be chance
        [(0, 500, 50, None, None, None)],  # counted as failures
    ],
)
def test_a_little_more_loss_or_a_chance_loss_is_not_a_surge(last_day):
    assert decide(losses=losses(*last_day))["verdict"] == HEALTHY


def test_without_earlier_days_a_large_loss_is_mentioned_beside_the_verdict():
    decision = decide(losses=losses((0, 200, 50, 60, 30, 5), before=()), **FEEDBACK)
    assert (decision["verdict"], decision["also"]) == (HEALTHY, ["50% of the last day's readings are rejected"])


def test_a_day_without_a_request_asks_for_a_repair():
    silence = health.silence(with_statuses(("a", 200, 1, 12 * 60)), "2026-03-05T00:00Z")
    decision = decide(silence=silence)
    assert decision["verdict"] == REPAIR
    assert decision["why"][0].startswith("no request since 2026-03-02 12:00, 2.5 days before 2026-03-05 00:00: the ")
