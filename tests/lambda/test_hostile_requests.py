import contextlib
import importlib
import io
import json
import os
import subprocess
import sys
import time

import hostile
import pytest
import request
import small_model
from emulator.environment import ExecutionEnvironment
from http_event import Problem, is_http, is_ping
from hypothesis import HealthCheck, given, settings

from lib.export import bundle
from lib.files import ROOT

repeatable = settings(deadline=None, derandomize=True, max_examples=400, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def handler(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODEL_DIR", str(small_model.write(tmp_path_factory.mktemp("model"))))
        import answering

        return importlib.reload(answering).handler


def answered(handler, event):
    """The answer to an event and the output; nothing may go to stderr."""
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        answer = handler(event, None)
    assert err.getvalue() == ""
    return answer, out.getvalue()


@repeatable
@given(event=hostile.json_values)
def test_any_json_as_an_event_is_answered(handler, event):
    hostile.check(*answered(handler, event))


@repeatable
@given(value=hostile.json_values)
def test_any_json_as_a_body_is_answered(handler, value):
    hostile.check(*answered(handler, {"body": json.dumps(value)}))


@repeatable
@given(request_=hostile.mutated())
def test_a_request_with_odd_values_anywhere_is_answered_the_same_by_every_way_in(handler, request_):
    direct, log = answered(handler, request_)
    status = hostile.check(direct, log)
    answer, log = answered(handler, {"body": json.dumps(request_)})
    hostile.check(answer, log)
    if not is_http(request_) and not is_ping(request_):
        assert answer["statusCode"] == status
        assert json.loads(answer["body"]) == direct["body"]


@repeatable
@given(event=hostile.http_events())
def test_any_event_of_http_is_answered(handler, event):
    hostile.check(*answered(handler, event))


@pytest.mark.parametrize("place", range(len(hostile.LARGE)))
def test_the_largest_requests_are_answered(handler, place):
    hostile.check(*answered(handler, hostile.LARGE[place]))


@pytest.mark.parametrize("place", range(len(hostile.LARGE)))
def test_the_largest_requests_are_read_in_a_fraction_of_a_second(place):
    began = time.process_time()
    with contextlib.suppress(Problem):
        request.parse(hostile.LARGE[place], interval_s=5)
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize("place", range(len(hostile.LARGE_BODIES)))
def test_the_largest_bodies_are_answered(handler, place):
    hostile.check(*answered(handler, {"body": hostile.LARGE_BODIES[place]}))


def test_the_built_bundle_survives_them_in_its_own_process(export, tmp_path):
    (tmp_path / "models/tried").mkdir(parents=True)
    (tmp_path / "models/tried/lambda_export").symlink_to(export)
    command = [sys.executable, ROOT / "benchmarks/fuzz.py", "--run", "tried", "--requests", "100"]
    done = subprocess.run(command, env={**os.environ, "RUNS_HOME": str(tmp_path)}, capture_output=True, text=True)
    rows = [line.split(" | ") for line in done.stdout.splitlines() if line.startswith("| ") and "requests" not in line]
    assert [(row[0], row[1], *row[4:6]) for row in rows] == [
        ("| direct", "49", "0", "0"),
        ("| by HTTP", "50", "0", "0"),
        ("| as large as may be", "1", "0", "0"),
    ]
    assert "wrote 0 characters to stderr" in done.stdout, done.stderr


WEARER = {"userId": "canary-ada", "deviceId": "canary-watch"}
VALUES = {"heartRate": 77.123456, "steps": 987654321, "calories": 31337.4242, "distance": 271828.1828}
SECRETS = ["canary", *map(str, VALUES.values())]
GOOD = [{"timestamp": 1000 * (small_model.MONDAY_7H + 5 * place), **VALUES, "note": "canary"} for place in range(30)]
SENT = {"metrics": GOOD, **WEARER}


def changed(**changes):
    return {**SENT, "metrics": [*GOOD[:-1], GOOD[-1] | changes]}


def enveloped(readings):
    return [{**WEARER, "timestamp": one["timestamp"], "metrics": one} for one in readings]


PATHS = {  # a request, and which parts of it the answer may repeat
    "scored": (SENT, []),
    "a single reading": ({**SENT, "metrics": GOOD[:1]}, []),
    "an envelope": (enveloped(GOOD), []),
    "too sparse": ({**SENT, "metrics": [one | {"timestamp": 5 * one["timestamp"] // 4} for one in GOOD[:2]]}, []),
    "a bad text": (changed(calories="canary-calories"), ["'canary-calories'"]),
    "a bad time": (changed(timestamp="canary-time"), ["'canary-time'"]),
    "a bad number": (changed(heartRate=987654321), ["987654321"]),
    "a bad object": (changed(steps={"canary": VALUES}), []),
    "nothing usable": ({**SENT, "metrics": ["canary", [VALUES], {"canary": VALUES}]}, []),
    "a bad envelope": (enveloped(GOOD[:3]) + [{**WEARER, "metrics": ["canary"]}], []),
    "bad counters": ({**SENT, "counters": "canary"}, []),
    "a bad baseline": ({**SENT, "baseline": {"version": 2, "stillMinutes": ["canary"] * 51}}, []),
    "a bad time zone": ({**SENT, "timezone": "canary/canary"}, []),
    "too many": ({**SENT, "metrics": GOOD * 50}, []),
    "no readings": ({**WEARER, **VALUES}, []),
    "a body": ({"body": json.dumps(SENT), "headers": {"X-User": "canary"}}, []),
    "no JSON": ({"body": json.dumps(SENT)[:-1]}, []),
    "no base64": ({"body": json.dumps(SENT), "isBase64Encoded": True}, []),
    "another path": ({"body": json.dumps(SENT), "path": "/canary/77.123456"}, []),
    "another method": ({"body": json.dumps(SENT), "httpMethod": "canary"}, []),
    "a bad charset": ({"body": json.dumps(SENT), "headers": {"content-type": "x; charset=canary"}}, []),
    "a ping": ({**SENT, "warmup": True}, []),
}


@pytest.mark.parametrize("name", PATHS)
def test_nothing_of_a_request_is_printed_and_only_a_bad_field_is_answered(handler, name):
    request_, answerable = PATHS[name]
    answer, log = answered(handler, request_)
    hostile.check(answer, log)
    body = json.loads(answer["body"]) if isinstance(answer["body"], str) else answer["body"]
    body.get("baseline", {}).pop("trend", None)  # the sender's own state, with the last counter
    text = json.dumps({**answer, "body": body}, ensure_ascii=False)
    for value in answerable:
        assert text.count(value) == 1
        text = text.replace(value, "")
    assert [secret for secret in SECRETS if secret in text] == []
    assert [secret for secret in SECRETS if secret in log] == []


@pytest.mark.parametrize("name", ["scored", "an envelope", "a body"])
@pytest.mark.parametrize("function", ["payload", "parse", "answer_body"])
def test_a_defect_reveals_nothing_of_a_request(handler, monkeypatch, name, function):
    request_, _ = PATHS[name]

    def broken(*_, **__):
        canary = json.dumps(request_)
        try:
            raise ValueError(canary)
        except ValueError as error:
            raise KeyError(canary, request_) from error

    monkeypatch.setitem(handler.__globals__, function, broken)
    answer, log = answered(handler, request_)
    assert answer["statusCode"] == 500
    (line,) = log.splitlines()
    assert json.loads(line)["Defect"].startswith("KeyError at ")
    assert [secret for secret in SECRETS if secret in line + json.dumps(answer)] == []


def test_nothing_of_a_request_is_written_by_the_real_runtime_either(export, tmp_path):
    with (
        (tmp_path / "log").open("w") as log,
        bundle.unpacked(export / bundle.ZIP) as folder,
        ExecutionEnvironment(folder, log=log) as environment,
    ):
        for request_, _ in PATHS.values():
            environment.invoke(json.dumps(request_).encode())
    written = (tmp_path / "log").read_text()
    assert written.count('"RequestId"') == len(PATHS)
    assert [secret for secret in SECRETS if secret in written] == []
