import base64
import importlib
import json

import numpy as np
import pytest
from conftest import life

from lib.bundle import request_of
from lib.runs import ROOT

EVENTS = ROOT / "lambda" / "events"


@pytest.fixture(scope="module")
def lambda_function(export):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODEL_DIR", str(export))
        import lambda_function

        yield importlib.reload(lambda_function)


@pytest.fixture
def ask(lambda_function):
    return lambda request: lambda_function.handler(request, None)


def timed(count, *, start=1_772_434_800_000, spacing=5, **changes):
    """A request of `count` readings with Unix ms timestamps and running counters."""
    samples = life(count)
    running = np.cumsum(samples[:, 1:4], axis=0)
    metrics = [
        {"timestamp": start + 1000 * spacing * i, "heartRate": samples[i, 0], "steps": running[i, 0]}
        | {"calories": running[i, 1], "distance": running[i, 2]}
        for i in range(count)
    ]
    return {"metrics": metrics, **changes}


def scores(answer):
    return [item["anomalyScore"] for item in answer["body"]["results"]]


def test_the_scores_are_those_of_the_detector(ask, lambda_function):
    samples = life(100)
    expected = lambda_function.DETECTOR.score(samples, np.zeros(100, dtype=int))
    answer = ask(request_of(samples))
    assert answer["statusCode"] == 200
    np.testing.assert_allclose(scores(answer), expected, rtol=1e-9)
    assert answer["body"]["anomalyScore"] == pytest.approx(expected.max())
    assert [item["index"] for item in answer["body"]["results"]] == list(range(100))


def test_the_answer_holds_all_that_the_app_reads(ask):
    body = ask(json.loads((EVENTS / "direct.json").read_text()))["body"]
    names = "anomalyDetected anomalyScore message level accepted rejected results reasons success anomalyReasons"
    assert list(body) == [*names.split(), "baseline", "model"]
    assert (body["accepted"], body["rejected"], body["success"]) == (60, 0, True)
    assert body["message"] == "Anomaly detection completed"
    assert body["anomalyDetected"] == (body["anomalyScore"] >= 0.7)


@pytest.mark.parametrize("name", ["rest", "http_api"])
@pytest.mark.parametrize("encoded", [False, True])
def test_http_events_get_the_direct_answer_as_text(ask, name, encoded):
    event = json.loads((EVENTS / f"{name}.json").read_text())
    if encoded:
        event |= {"body": base64.b64encode(event["body"].encode()).decode(), "isBase64Encoded": True}
    answer = ask(event)
    assert answer["headers"] == {"Content-Type": "application/json"}
    assert json.loads(answer["body"]) == ask(json.loads((EVENTS / "direct.json").read_text()))["body"]


def test_cumulative_counters_over_midnight_score_as_their_amounts(ask):
    whole = timed(100)
    fallen = timed(100)
    for metric in fallen["metrics"][50:]:
        for name in ("steps", "calories", "distance"):
            metric[name] -= whole["metrics"][49][name]
    np.testing.assert_allclose(scores(ask(fallen)), scores(ask(whole)), rtol=1e-6)


def test_disorder_and_doubles_are_mended(ask):
    request = timed(80)
    expected = scores(ask(request))
    mixed = np.random.default_rng(5).permutation(80)
    metrics = [request["metrics"][i] for i in mixed]
    answer = ask({"metrics": [*metrics, metrics[0]]})
    np.testing.assert_allclose(scores(answer)[:80], np.array(expected)[mixed], rtol=1e-9)
    assert scores(answer)[80] == scores(answer)[0]


def test_a_hole_in_time_splits_the_batch(ask):
    request = timed(120)
    for metric in request["metrics"][60:]:
        metric["timestamp"] += 60_000
    halves = [{"metrics": request["metrics"][:60]}, {"metrics": request["metrics"][60:]}]
    expected = [scores(ask(half))[-1] for half in halves]
    assert scores(ask(request))[59] == pytest.approx(expected[0], rel=1e-9)
    assert len(set(scores(ask(request))[60:])) == 1  # the second half is one window of its own


def test_too_few_readings_are_unknown_and_say_so(ask):
    body = ask(timed(12))["body"]
    assert (body["anomalyScore"], body["level"], body["anomalyDetected"]) == (None, "unknown", False)
    assert "12 readings" in body["message"]
    assert "60" in body["message"]


def test_a_stuck_sensor_is_unknown_with_the_reason(ask):
    request = timed(60)
    for metric in request["metrics"]:
        metric["heartRate"] = 71
    body = ask(request)["body"]
    assert body["level"] == "unknown"
    assert "stuck" in body["results"][0]["reason"]


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("heartRate", 0, "outside 20..250"),
        ("heartRate", 251, "outside 20..250"),
        ("heartRate", None, "not a number"),
        ("heartRate", True, "not a number"),
        ("heartRate", "70", "not a number"),
        ("steps", float("nan"), "not a finite number"),
        ("steps", 10**400, "not a finite number"),
        ("calories", float("inf"), "not a finite number"),
        ("distance", -1, "negative"),
        ("timestamp", "yesterday", "neither ISO 8601"),
        ("timestamp", 12, "neither ISO 8601"),
    ],
)
def test_a_bad_reading_is_named_and_the_rest_scored(ask, field, value, problem):
    request = timed(70)
    request["metrics"][30][field] = value
    body = ask(request)["body"]
    item = body["results"][30]
    assert item["anomalyScore"] is None
    assert item["error"].startswith(field)
    assert problem in item["error"]
    assert (body["accepted"], body["rejected"]) == (69, 1)
    assert all(result["anomalyScore"] is not None for i, result in enumerate(body["results"]) if i != 30)
    json.dumps(body, allow_nan=False)


@pytest.mark.parametrize("field", ["heartRate", "steps", "timestamp"])
def test_what_one_reading_lacks_and_others_have_is_missing(ask, field):
    request = timed(70)
    del request["metrics"][3][field]
    assert field in ask(request)["body"]["results"][3]["error"]


def test_a_batch_without_a_usable_reading_is_answered_not_refused(ask):
    answer = ask({"metrics": [7, {}, []]})
    assert answer["statusCode"] == 200
    assert answer["body"]["rejected"] == 3


def test_an_absent_channel_is_unknown_and_named(ask):
    request = timed(70)
    for metric in request["metrics"]:
        del metric["distance"]
    body = ask(request)["body"]
    assert body["level"] == "unknown"
    assert "distance absent" in body["message"]


def test_the_hour_is_the_wearers(ask):
    utc = timed(60, start=1_772_434_800_000, timezone="Asia/Tokyo")
    local = timed(60)
    for i, metric in enumerate(local["metrics"]):
        metric["timestamp"] = f"2026-03-02T16:{i // 12:02d}:{i % 12 * 5:02d}+09:00"
    np.testing.assert_allclose(scores(ask(utc)), scores(ask(local)), rtol=1e-9)


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        ({}, 400, "no_readings"),
        ([], 400, "no_readings"),
        (None, 400, "no_readings"),
        ({"metrics": []}, 400, "no_readings"),
        ({"metrics": {}}, 400, "no_readings"),
        ({"metrics": [{}], "counters": "both"}, 400, "bad_counters"),
        ({"metrics": [{}], "counters": []}, 400, "bad_counters"),
        ({"metrics": [{}], "timezone": "Mars/Olympus"}, 400, "bad_timezone"),
        ({"metrics": [{}], "timezone": 5}, 400, "bad_timezone"),
        ({"metrics": [{}] * 1441}, 413, "too_many_readings"),
        ({"body": "{", "httpMethod": "POST"}, 400, "not_json"),
        ({"body": "[" * 100_000, "httpMethod": "POST"}, 400, "not_json"),
        ({"body": None, "httpMethod": "POST"}, 400, "not_json"),
        ({"body": "%%%", "isBase64Encoded": True}, 400, "not_json"),
        ({"body": " " * 2_000_000}, 413, "too_large"),
    ],
)
def test_what_can_not_be_answered_is_a_problem(ask, request_, status, code):
    answer = ask(request_)
    assert answer["statusCode"] == status
    body = answer["body"]
    if isinstance(body, str):
        assert answer["headers"] == {"Content-Type": "application/problem+json"}
        body = json.loads(body)
    assert (body["status"], body["code"]) == (status, code)


def test_without_a_model_every_request_gets_503(lambda_function, monkeypatch):
    monkeypatch.setattr(lambda_function, "DETECTOR", None)
    assert lambda_function.handler(timed(60), None)["body"]["code"] == "no_model"
    assert lambda_function.handler({}, None)["statusCode"] == 503


def test_the_log_holds_nothing_of_a_reading_or_a_wearer(ask, capsys):
    request = timed(60, userId="canary-wearer")
    request["metrics"][0]["heartRate"] = 4242.4242
    request["metrics"][1]["steps"] = "canary-steps"
    ask(request)
    ask({"metrics": [{}], "timezone": "canary-zone"})
    said = "".join(capsys.readouterr())
    assert said.count("\n") == 2
    assert "canary" not in said
    assert "4242" not in said
