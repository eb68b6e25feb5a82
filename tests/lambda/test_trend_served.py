"""The trend in answers: handed back in the baseline, at any spacing, and the same when requests are sent again."""

import json

import numpy as np
import pytest
import small_model
from answer import answer_body
from http_event import Problem
from request import parse

from lib.detector import trend
from lib.detector.detector import Detector
from lib.detector.trend import Trend

START = 1_772_409_600  # 2026-03-02T00:00:00Z
FEVER = 9  # day on which it begins


@pytest.fixture(scope="module")
def detector(export):
    return Detector.load(export)


def readings(day, *, every=600, counter=True):
    """A day of readings at rest, by Unix ms; from FEVER on the heart beats 12 bpm faster."""
    seconds = START + 86_400 * day + every * np.arange(86_400 // every)
    heart = 60 + 12 * (day >= FEVER) + (seconds // 3600 * 7 % 5)
    steps = np.full(len(seconds), 900) if counter else np.zeros(len(seconds), dtype=int)
    rows = zip(seconds.tolist(), heart.tolist(), steps.tolist(), strict=True)
    return [{"timestamp": 1000 * second, "heartRate": bpm, "steps": count} for second, bpm, count in rows]


def answer(detector, metrics, baseline=None, **options):
    request = {"metrics": metrics, "baseline": baseline or {}, **options}
    body, _ = answer_body(parse(json.loads(json.dumps(request)), interval_s=detector.interval_s), detector)
    return body


def follow(detector, days, **options):
    """The answers to a request a day."""
    answers = [answer(detector, readings(0), **options)]
    for day in range(1, days):
        answers.append(answer(detector, readings(day), answers[-1]["baseline"], **options))
    return answers


def test_sparse_readings_get_no_score_but_a_trend_that_alerts_once(detector):
    answers = follow(detector, FEVER + 3)
    assert answers[0]["trend"] is None
    assert all(body["anomalyScore"] is None for body in answers)
    assert [body["trend"]["level"] for body in answers[2:FEVER]] == ["normal"] * (FEVER - 2)
    assert [body["trend"]["alert"] for body in answers[1:]].count(True) == 1
    rise = answers[FEVER]["trend"]
    assert (rise["level"], rise["alert"], rise["since"][:10]) == ("anomaly", True, "2026-03-11")
    assert rise["restingHeartRate"] - rise["usual"] == pytest.approx(12, abs=1.5)
    assert rise["reason"].startswith("Your resting heart rate has been 1")
    assert not any(body["anomalyDetected"] for body in answers)


def test_the_same_request_and_an_overlapping_one_give_the_same_trend(detector):
    *_, before = follow(detector, FEVER)
    day = readings(FEVER)
    once, twice = (answer(detector, day, before["baseline"]) for _ in range(2))
    assert once == twice
    halves = answer(detector, day[:70], before["baseline"])
    halves = answer(detector, readings(FEVER - 1)[-30:] + day, halves["baseline"])
    assert halves["baseline"]["trend"] == once["baseline"]["trend"]
    assert halves["trend"] | {"alert": True} == once["trend"]
    again = answer(detector, day, once["baseline"])
    assert again["trend"] == once["trend"] | {"alert": False}
    shuffled = [day[place] for place in np.random.default_rng(0).permutation(len(day))]
    assert answer(detector, shuffled, before["baseline"])["trend"] == once["trend"]


def test_the_clock_of_the_wearer_names_when_it_began(detector):
    answers = follow(detector, FEVER + 1, timezone="Asia/Tokyo")
    assert answers[FEVER]["trend"]["since"] >= "2026-03-11T09"


def test_without_timestamps_or_steps_and_in_envelopes_there_is_no_trend(detector):
    noon = {"hour_sin": 0.0, "hour_cos": -1.0, "is_weekend": 0}
    sent = [{name: value for name, value in metric.items() if name != "timestamp"} for metric in readings(0)]
    plain = answer(detector, [metric | noon for metric in sent])
    assert plain["trend"] is None
    assert "trend" not in plain["baseline"]
    body, _ = answer_body(parse(small_model.envelope(small_model.metrics(3)), interval_s=5), detector)
    assert (body["trend"], body["baseline"]) == (None, {})
    heart = [{name: row[name] for name in ("timestamp", "heartRate")} for row in readings(0) + readings(1)]
    assert answer(detector, heart)["trend"] is None


def test_a_baseline_with_a_trend_stays_below_2_kb(detector):
    baseline = follow(detector, FEVER + 3)[-1]["baseline"]
    baseline["stillMinutes"] = [20_160] * len(baseline["stillMinutes"])
    assert len(json.dumps(baseline)) <= 2048


def test_a_trend_of_an_earlier_version_starts_again_and_the_message_says_so(detector):
    (body,) = follow(detector, 1)
    body["baseline"]["trend"]["version"] = 0
    restarted = answer(detector, readings(1), body["baseline"])
    assert restarted["message"].endswith(f", {trend.RESTARTED}")
    assert restarted["trend"] is None
    assert Trend.from_json(restarted["baseline"]["trend"]).usual.hours <= 24


@pytest.mark.parametrize("value", [7, [1], {"version": trend.VERSION}, {"version": trend.VERSION, "rest": {}}])
def test_a_malformed_trend_is_refused(detector, value):
    with pytest.raises(Problem) as caught:
        answer(detector, readings(0), {"version": 1, "stillMinutes": [0] * 51, "trend": value})
    assert (caught.value.status, caught.value.body["code"]) == (400, "bad_baseline")
