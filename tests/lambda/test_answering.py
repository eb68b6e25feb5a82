import importlib
import json
import logging
from types import SimpleNamespace

import hostile
import numpy as np
import pytest
import small_model
from conftest import life

from lib.export.bundle import request_of
from lib.files import ROOT

MANY_ZONES = [{"timestamp": 1.7e12, "timezone": f"Mars/{place}", "heartRate": 70} for place in range(101)]
EVENTS = {path.stem: json.loads(path.read_text()) for path in sorted((ROOT / "lambda" / "events").glob("*.json"))}


def loaded(folder):
    """The handler's module, as in a process that starts with this model."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODEL_DIR", str(folder))
        import answering

        return importlib.reload(answering)


@pytest.fixture
def answering(tmp_path):
    return loaded(small_model.write(tmp_path))


@pytest.fixture
def ask(answering):
    return lambda event: answering.handler(event, None)


def lines(capsys):
    """The log's lines, each parsed from JSON; nothing else may be printed."""
    out, err = capsys.readouterr()
    assert err == ""
    return [json.loads(line) for line in out.splitlines()]


def scores(answer):
    return [item["anomalyScore"] for item in answer["body"]["results"]]


def body_of(answer):
    """The body of an answer, direct or of HTTP."""
    return json.loads(answer["body"]) if isinstance(answer["body"], str) else answer["body"]


def test_the_scores_are_those_of_the_detector(export):
    full = loaded(export)
    samples = life(100)
    expected = full.MODEL.get()[0].score(samples, np.zeros(100, dtype=int)).by_sample
    answer = full.handler(request_of(samples), None)
    assert answer["statusCode"] == 200
    np.testing.assert_allclose(scores(answer), expected, rtol=1e-9)
    assert answer["body"]["anomalyScore"] == pytest.approx(expected.max())


def test_requests_leave_nothing_behind_for_the_next(export):
    full = loaded(export)
    requests = [request_of(life(count, seed=count)) for count in (70, 1, 20, 60, 61)]
    first = [full.handler(request, None) for request in requests]
    order = np.random.default_rng(4).permutation(np.repeat(range(5), 4))
    assert all(full.handler(requests[place], None) == first[place] for place in order)


def test_every_length_is_answered_and_scores_only_what_came_before(tmp_path):
    short = loaded(small_model.write(tmp_path, length=6))
    readings = small_model.moving(1440)
    longest = scores(short.handler({"metrics": readings, "counters": "interval"}, None))
    for count in (*range(1, 100), *range(100, 1440, 61), 1440):
        values = np.array(scores(short.handler({"metrics": readings[:count], "counters": "interval"}, None)))
        assert len(values) == count
        assert ((values >= 0) & (values <= 1)).all()
        if count >= 6:
            np.testing.assert_allclose(values, longest[:count], rtol=1e-9)


def test_the_answer_has_the_fields_that_the_document_names(ask):
    body = ask(EVENTS["direct"])["body"]
    assert body.keys() == hostile.ANSWER
    assert (body["accepted"], body["rejected"], body["success"]) == (60, 0, True)
    assert body["message"] == "Anomaly detection completed"
    assert body["anomalyDetected"] == (body["anomalyScore"] >= 0.7)
    assert [item["index"] for item in body["results"]] == list(range(60))
    assert body["model"].keys() == {"run", "sha256"}


@pytest.mark.parametrize("name", ["rest", "http_api", "rest_charset", "http_api_base64", "function_url"])
def test_http_events_get_the_direct_answer_as_text(ask, name):
    count = 60 if name in ("rest", "http_api") else 3
    answer = ask(EVENTS[name])
    assert answer["headers"] == {"Content-Type": "application/json"}
    assert json.loads(answer["body"]) == ask({"metrics": EVENTS["direct"]["metrics"][:count]})["body"]


def test_the_apps_envelope_is_answered_item_by_item(ask):
    body = ask(EVENTS["envelope"])["body"]
    assert [item["index"] for item in body["results"]] == list(range(6))
    assert (body["accepted"], body["rejected"]) == (6, 0)
    assert body["message"] == "Anomaly detection completed, on 3 of the 20 readings of a window, without distance"


@pytest.mark.parametrize("event", [{"httpMethod": "POST", "body": '{"warmup": true}'}, {"body": {"warmup": True}}])
def test_a_ping_may_come_over_http(ask, event):
    answer = ask(event)
    assert (answer["statusCode"], json.loads(answer["body"])) == (200, {"message": "warm"})


def test_a_ping_with_readings_is_a_request(ask):
    assert len(ask({**EVENTS["direct"], "warmup": True})["body"]["results"]) == 60


@pytest.mark.parametrize("name", ["scheduled_ping", "warmup"])
def test_a_ping_is_answered_without_a_look_at_the_model(ask, answering, monkeypatch, name):
    monkeypatch.setattr(answering, "answer_body", None)
    assert ask(EVENTS[name]) == {"statusCode": 200, "body": {"message": "warm"}}


def test_each_event_is_one_line_of_the_log(ask, capsys):
    for event in EVENTS.values():
        ask(event)
    log = lines(capsys)
    assert [line["Status"] for line in log] == [200] * len(EVENTS)
    assert [line["ColdStart"] for line in log] == [1] + [0] * (len(EVENTS) - 1)
    assert {line["Model"] for line in log} == {"by hand"}


def test_the_line_agrees_with_the_answer(answering, capsys):
    request = {"metrics": small_model.metrics(25), "counters": "interval"}
    request["metrics"][3]["heartRate"] = -1
    body = answering.handler(request, SimpleNamespace(aws_request_id="4f3a-11"))["body"]
    (line,) = lines(capsys)
    assert (line["RequestId"], line["Level"], line["Status"]) == ("4f3a-11", body["level"], 200)
    assert (line["Readings"], line["Rejected"], line["Wearers"], line["Windows"]) == (25, 1, 1, 6)
    assert line["LargestScore"] == pytest.approx(body["anomalyScore"], abs=1e-4)
    assert 0 < line["DurationMs"] < 60_000


@pytest.mark.parametrize(
    ("event", "status", "code"),
    [
        ({}, 400, "no_readings"),
        (None, 400, "no_readings"),
        ({"metrics": [{}], "counters": "both"}, 400, "bad_counters"),
        ({"metrics": [{}], "timezone": "Mars/Olympus"}, 400, "bad_timezone"),
        ({"metrics": {}}, 400, "unknown_form"),
        ([{"heartRate": 70}], 400, "unknown_form"),
        (
            {"metrics": [{"timestamp": 1.7e12, "timezone": f"A/{n}", "heartRate": 70} for n in range(101)]},
            400,
            "too_many_timezones",
        ),
        ({"metrics": [{}] * 1441}, 413, "too_many_readings"),
        ([{}] * 101, 413, "too_many_readings"),
        ({"body": "{", "httpMethod": "POST"}, 400, "not_json"),
        ({"body": "{}", "httpMethod": "GET"}, 405, "wrong_method"),
        ({"body": "{}", "path": "/"}, 404, "no_such_path"),
        ({"body": "{}", "headers": {"content-type": "text/x; charset=klingon"}}, 415, "unknown_charset"),
        ({"body": "{}", "headers": {"content-encoding": "br"}}, 415, "unknown_encoding"),
        ({"body": " " * 2_000_000}, 413, "too_large"),
    ],
)
def test_a_request_that_cannot_be_answered_is_a_problem_with_its_code_in_the_log(ask, capsys, event, status, code):
    answer = ask(event)
    body = body_of(answer)
    assert (answer["statusCode"], body["status"], body["code"]) == (status, status, code)
    assert isinstance(answer["body"], dict) or answer["headers"]["Content-Type"] == "application/problem+json"
    (line,) = lines(capsys)
    assert (line["Status"], line["Code"]) == (status, code)


def test_a_defect_is_a_problem_for_the_app_and_a_place_in_the_log(ask, answering, monkeypatch, capsys):
    def broken(wearers, detector):
        raise KeyError(wearers[0].heart_rate[0])

    monkeypatch.setattr(answering, "answer_body", broken)
    answer = ask(EVENTS["rest"])
    assert (answer["statusCode"], body_of(answer)["code"]) == (500, "defect")
    (line,) = lines(capsys)
    assert line["Defect"].startswith("KeyError at test_answering.py:")


@pytest.mark.parametrize("name", ["rest", "direct"])
def test_a_failure_to_log_is_a_defect_and_still_answered(ask, answering, monkeypatch, capsys, name):
    def broken(*_, **__):
        raise KeyError

    monkeypatch.setattr(answering.request_log, "line", broken)
    answer = ask(EVENTS[name])
    assert (answer["statusCode"], body_of(answer)["code"]) == (500, "defect")
    assert lines(capsys) == []


def test_an_answer_that_json_cannot_hold_is_a_defect(ask, answering, monkeypatch, capsys):
    monkeypatch.setattr(answering, "answer_body", lambda *_: ({"anomalyScore": float("nan")}, {}))
    answer = ask(EVENTS["rest"])
    assert (answer["statusCode"], body_of(answer)["code"]) == (500, "defect")
    (line,) = lines(capsys)
    assert line["Defect"].startswith("ValueError at ")


def test_with_a_damaged_model_every_request_gets_503(tmp_path, capsys):
    folder = small_model.write(tmp_path)
    weights = bytearray((folder / "lstm_model.onnx").read_bytes())
    weights[len(weights) // 2] ^= 1
    (folder / "lstm_model.onnx").write_bytes(weights)
    damaged = loaded(folder)
    for event in (EVENTS["direct"], EVENTS["rest"], {}, None):
        answer = damaged.handler(event, None)
        assert (answer["statusCode"], body_of(answer)["code"]) == (503, "no_model")
    assert [line["Model"] for line in lines(capsys)] == ["none"] * 4


def test_the_handler_logs_through_its_line_alone(ask, caplog):
    with caplog.at_level(logging.DEBUG):
        ask(EVENTS["direct"])
    assert caplog.records == []
