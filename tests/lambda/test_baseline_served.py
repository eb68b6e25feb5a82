"""The wearer's baseline, handed back from answer to answer: the handler's part in it."""

import numpy as np
import pytest
import small_model
from answer import answer_body
from http_event import Problem
from request import parse

from lib.detector import baseline, features
from lib.detector.baseline import Baseline
from lib.detector.descriptors import HEART_RATE
from lib.detector.detector import Detector

MIDNIGHT_MS = 1_772_409_600_000  # 2026-03-02T00:00:00Z


@pytest.fixture(scope="module")
def detector(export):
    return Detector.load(export)


def still(count, *, heart_rate=70):
    """`count` readings at rest, five seconds apart, with a heart rate that moves."""
    readings = small_model.metrics(count, steps=0, distance=0)
    return [metric | {"heartRate": heart_rate + place % 3} for place, metric in enumerate(readings)]


def answer(detector, metrics, **options):
    request = {"metrics": metrics, "counters": "interval", **options}
    body, _ = answer_body(parse(request, interval_s=detector.interval_s), detector)
    return body


def timed(count, *, start=0, heart_rate=70):
    """Still readings with timestamps, from `start` on: a place in the wearer's day, five seconds each."""
    sent = still(start + count, heart_rate=heart_rate)
    return [metric | {"timestamp": MIDNIGHT_MS + 5000 * place} for place, metric in enumerate(sent)][start:]


def total(body):
    return Baseline.from_json(body["baseline"]).total


def test_each_answer_hands_on_the_still_minutes_that_it_saw(detector):
    first = answer(detector, timed(100))
    assert total(first) == 5  # windows end in minutes 4 to 8
    assert total(answer(detector, timed(100, start=100), baseline=first["baseline"])) == 9  # and in 13 to 16


def test_walking_a_short_batch_and_a_watch_without_steps_teach_nothing(detector):
    for metrics in (small_model.moving(100), still(59), [{**m, "steps": None} for m in still(100)]):
        sent = [{name: value for name, value in metric.items() if value is not None} for metric in metrics]
        assert total(answer(detector, sent)) == 0


def test_the_same_request_gets_the_same_answer(detector):
    baseline_sent = answer(detector, still(100))["baseline"]
    one, same = (answer(detector, still(100), baseline=baseline_sent) for _ in range(2))
    assert one == same


def test_a_request_sent_again_with_the_new_baseline_teaches_nothing_twice(detector):
    first = answer(detector, timed(200))
    assert first["baseline"]["asOf"] == MIDNIGHT_MS + 5000 * 199
    assert total(first) == 13  # windows end in minutes 4 to 16
    again = answer(detector, timed(200), baseline=first["baseline"])
    assert again["baseline"] == first["baseline"]
    earlier = answer(detector, timed(100), baseline=first["baseline"])
    assert earlier["baseline"] == first["baseline"]


@pytest.mark.parametrize("step", [1, 12, 41])
def test_overlapping_requests_teach_each_minute_once(detector, step):
    whole = answer(detector, timed(60 + 3 * 41))
    baseline_sent = {}
    for start in range(0, 3 * 41 + 1, step):
        count = min(60 + step - 1, 60 + 3 * 41 - start)
        body = answer(detector, timed(count, start=start), baseline=baseline_sent)
        baseline_sent = body["baseline"]
    assert total(body) <= total(whole)
    assert total(body) >= total(whole) - 1


def test_a_slow_heart_is_less_unusual_in_a_wearer_who_is_known_to_have_one(detector):
    slow = still(60, heart_rate=36)
    residual = detector.score(*_samples(slow)).descriptors[:, HEART_RATE]
    usual_heart, slow_heart = Baseline(), Baseline()
    usual_heart.add(np.zeros(10 * baseline.SHRUNK))
    slow_heart.add(np.repeat(residual, 10 * baseline.SHRUNK))
    usual, own = (answer(detector, slow, baseline=one.to_json())["anomalyScore"] for one in (usual_heart, slow_heart))
    assert own < usual


def _samples(metrics):
    (readings,) = parse({"metrics": metrics, "counters": "interval"}, interval_s=5)
    when = features.calendar(readings.seconds + readings.clock_offset)
    return np.column_stack([readings.heart_rate, readings.counters, when]), np.zeros(len(metrics))


def test_an_envelope_gets_no_baseline(detector):
    body, _ = answer_body(parse(small_model.envelope(still(60)), interval_s=5), detector)
    assert body["baseline"] == {}


def test_without_a_usable_reading_the_baseline_stays(detector):
    baseline_sent = answer(detector, still(100))["baseline"]
    assert answer(detector, [{"heartRate": None}] * 3, baseline=baseline_sent)["baseline"] == baseline_sent


def test_a_malformed_baseline_is_refused_by_its_name(detector):
    with pytest.raises(Problem) as caught:
        answer(detector, still(3), baseline={"version": 2, "stillMinutes": [1]})
    assert (caught.value.status, caught.value.body["code"]) == (400, "bad_baseline")
    assert caught.value.body["field"] == "baseline"
