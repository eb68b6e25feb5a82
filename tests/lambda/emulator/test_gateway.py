"""The gateway in front of a handler that returns its event, or does what the path says."""

import json

import pytest
from emulator.environment import ExecutionEnvironment
from emulator.http_api import event_of, response_of
from emulator.runtime_api import LARGEST_PAYLOAD
from http_client import Client, serving
from http_event import PATH

HANDLER = """
import os, time

def handler(event, context):
    match event["rawPath"]:
        case "/die":
            os._exit(3)
        case "/raise":
            raise LookupError
        case "/sleep":
            time.sleep(60)
        case "/odd":
            return {"statusCode": 200, "body": {"an": "object"}}
    return event
"""


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    folder = tmp_path_factory.mktemp("function")
    (folder / "obedient.py").write_text(HANDLER)
    log = (folder / "log").open("w")
    with (
        log,
        ExecutionEnvironment(folder, handler="obedient.handler", log=log) as environment,
        serving(environment, timeout_s=1.0) as gateway,
    ):
        environment.start()
        yield Client(gateway.server_port)
        gateway.shutdown()


def test_a_request_becomes_an_http_api_event(client):
    headers = {"Content-Type": "application/json; charset=utf-8", "X-Api-Key": "k"}
    status, _, body = client.send("PUT", "/a%20b?c=1&d=", '{"ü": 1}'.encode(), headers)
    event = json.loads(body)
    assert (status, event["version"], event["rawPath"], event["rawQueryString"]) == (200, "2.0", "/a%20b", "c=1&d=")
    assert event["headers"]["x-api-key"] == "k"
    assert (event["body"], event["isBase64Encoded"]) == ('{"ü": 1}', False)
    assert (event["requestContext"]["http"]["method"], event["requestContext"]["http"]["path"]) == ("PUT", "/a%20b")


@pytest.mark.parametrize(("kind", "body"), [("application/octet-stream", b"abc"), ("application/json", b"\xff")])
def test_a_body_that_is_not_text_becomes_base64(kind, body):
    event = event_of("POST", PATH, {"Content-Type": kind}, body)
    assert (event["isBase64Encoded"], event["body"]) == (True, {b"abc": "YWJj", b"\xff": "/w=="}[body])


def test_a_request_without_a_body_becomes_an_event_without_one():
    assert "body" not in event_of("GET", PATH, {}, b"")


def test_an_answer_in_base64_becomes_bytes():
    answer = {"statusCode": 201, "headers": {"X": 1}, "body": "/w==", "isBase64Encoded": True}
    assert response_of(json.dumps(answer)) == (201, {"Content-Type": "text/plain", "X": "1"}, b"\xff")


@pytest.mark.parametrize("path", ["/die", "/raise", "/odd"])
def test_a_handler_that_fails_is_a_502_and_the_next_request_is_answered(client, path):
    assert client.send("POST", path, "{}")[0] == 502
    assert client.send("POST", "/", "{}")[0] == 200


def test_a_handler_that_takes_too_long_is_a_504_and_the_next_request_is_answered(client):
    assert client.send("POST", "/sleep", "{}")[0] == 504
    assert client.send("POST", "/", "{}")[0] == 200


def test_a_body_above_lambdas_limit_is_refused_and_one_of_half_a_limit_is_not(client):
    assert client.send("POST", "/", "x" * (LARGEST_PAYLOAD + 1))[0] == 413
    assert client.send("POST", "/", "x" * (LARGEST_PAYLOAD // 2))[0] == 200


def test_a_body_may_come_in_chunks(client):
    status, _, body = client.send("POST", "/", iter([b'{"a": ', b"1}"]))
    assert (status, json.loads(body)["body"]) == (200, '{"a": 1}')
    assert client.send("POST", "/", iter([b"x" * LARGEST_PAYLOAD, b"x"]))[0] == 413


@pytest.mark.parametrize("length", ["-1", "many", str(1 << 60)])
def test_an_impossible_length_is_refused(client, length):
    assert client.send("POST", "/", b"", {"Content-Length": length})[0] == 400


def test_a_head_request_is_answered_without_a_body(client):
    status, headers, body = client.send("HEAD", "/")
    assert (status, body) == (200, b"")
    assert int(headers["Content-Length"]) > 0
