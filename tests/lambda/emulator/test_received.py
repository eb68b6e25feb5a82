"""Clients that stay silent, send byte by byte or ambiguously: the gateway refuses them and serves the others."""

import json
import socket
import time
from contextlib import ExitStack

import pytest
from emulator import received
from emulator.environment import ExecutionEnvironment
from http_client import Client, serving

HANDLER = """
def handler(event, context):
    return {"body": event.get("body", "")}
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    folder = tmp_path_factory.mktemp("function")
    (folder / "echo.py").write_text(HANDLER)
    log = (folder / "log").open("w")
    with (
        log,
        ExecutionEnvironment(folder, handler="echo.handler", log=log) as environment,
        serving(environment, timeout_s=10.0) as gateway,
    ):
        environment.start()
        yield gateway
        gateway.shutdown()


@pytest.fixture
def client(gateway):
    return Client(gateway.server_port)


def connected(gateway, data=b""):
    connection = socket.create_connection(("localhost", gateway.server_port), timeout=10)
    connection.sendall(data)
    return connection


def exchanged(gateway, data):
    """The status and the whole response to raw bytes, after which the gateway closes the connection."""
    with connected(gateway, data) as connection:
        response = b"".join(iter(lambda: connection.recv(65536), b""))
    return int(response.split(b" ", 2)[1]), response


def is_served(client):
    began = time.monotonic()
    status, _, body = client.send("POST", "/", '{"a": 1}')
    assert (status, json.loads(body)["body"]) == (200, '{"a": 1}')
    return time.monotonic() - began < 8  # silent connections are cut after 20 s


def until(condition, seconds=10):
    ends = time.monotonic() + seconds
    while not (reached := condition()) and time.monotonic() < ends:
        time.sleep(0.05)
    return reached


def test_400_silent_connections_keep_nobody_waiting(gateway, client):
    with ExitStack() as stack:
        for place in range(400):
            stack.enter_context(connected(gateway, b"" if place % 2 else b"POST / HTTP/1.1\r\nHost: x\r\n"))
        assert is_served(client)
        assert until(lambda: len(gateway.connections._waiting) <= received.MOST_CONNECTIONS)
        assert is_served(client)


def test_unfinished_bodies_are_buffered_within_a_limit(gateway, client, monkeypatch):
    monkeypatch.setattr(received, "MOST_BUFFERED", 2 << 20)
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6000000\r\n\r\n"
    with ExitStack() as stack:
        for _ in range(20):
            connection = stack.enter_context(connected(gateway, head))
            connection.settimeout(0.2)
            try:
                connection.sendall(bytes(500_000))
            except OSError:  # the largest are cut
                continue
        buffered = gateway.connections._buffered
        assert until(lambda: sum(list(buffered.values())) <= 2 << 20)
        assert is_served(client)


@pytest.mark.parametrize("drips", [False, True])
def test_a_request_that_takes_too_long_is_cut(gateway, client, monkeypatch, drips):
    monkeypatch.setattr(received, "RECEIVE_S", 0.5)
    with connected(gateway, b"POST / HTTP/1.1\r\n") as connection:
        began = time.monotonic()
        connection.settimeout(0.1)
        while time.monotonic() - began < 5:
            try:
                if drips:
                    connection.sendall(b"X")
                if not connection.recv(1):
                    break
            except TimeoutError:
                continue
            except ConnectionError:
                break
        assert 0.4 < time.monotonic() - began < 3
    assert is_served(client)


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (["Content-Length: 5", "Transfer-Encoding: chunked"], 400),
        (["Transfer-Encoding: chunked", "Content-Length: 0"], 400),
        (["Content-Length: 5", "Content-Length: 6"], 400),
        (["Content-Length: +5"], 400),
        (["Content-Length: 1_0"], 400),
        (["Content-Length: 0x5"], 400),
        (["Content-Length: "], 400),
        (["Transfer-Encoding: gzip, chunked"], 501),
        (["Transfer-Encoding: xchunked"], 501),
        (["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], 501),
        (["X-Large: " + "x" * 70_000], 431),
        ([f"X-{place}: {'x' * 1000}" for place in range(70)], 431),
    ],
)
def test_an_ambiguous_or_oversized_head_is_refused(gateway, lines, status):
    head = "\r\n".join(["POST / HTTP/1.1", "Host: x", *lines, "", ""]).encode()
    assert exchanged(gateway, head + b"5\r\nhello\r\n0\r\n\r\n")[0] == status


def chunked(body):
    return b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + body


@pytest.mark.parametrize(
    "body", [b"0x5\r\nhello\r\n0\r\n\r\n", b"-1\r\n\r\n", b"5_0\r\n", b"\r\n", b"5\r\nhelloX\r\n0\r\n\r\n", b"5" * 300]
)
def test_a_malformed_chunk_is_refused(gateway, body):
    assert exchanged(gateway, chunked(body))[0] == 400


def test_chunks_may_have_extensions_and_trailers(gateway):
    status, response = exchanged(gateway, chunked(b"5;a=b\r\nhello\r\n1 \r\n!\r\n0\r\nX-Trailer: 1\r\n\r\n"))
    assert status == 200
    assert b"hello!" in response


def test_a_body_in_very_many_chunks_is_refused(gateway):
    status, _ = exchanged(gateway, chunked(b"1\r\nx\r\n" * 5000 + b"0\r\n\r\n"))
    assert status == 200
    began = time.process_time()
    assert exchanged(gateway, chunked(b"1\r\nx\r\n" * (received.MOST_CHUNKS + 1)))[0] == 413
    assert time.process_time() - began < 2


@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://127.0.0.1", "https://[::1]:8443"])
def test_a_page_from_this_machine_may_call(client, origin):
    headers = {"Origin": origin, "Content-Type": "application/json"}
    status, answered, _ = client.send("POST", "/", "{}", headers)
    assert (status, answered["Access-Control-Allow-Origin"], answered["Vary"]) == (200, origin, "Origin")
    status, answered, body = client.send("OPTIONS", "/", None, headers | {"Access-Control-Request-Method": "POST"})
    assert (status, body) == (204, b"")
    assert answered["Access-Control-Allow-Methods"] == "POST"
    assert "content-type" in answered["Access-Control-Allow-Headers"]


@pytest.mark.parametrize(
    "origin", ["http://example.com", "http://localhost.example.com", "null", "http://localhost:1:2"]
)
def test_a_page_from_elsewhere_may_not_read_an_answer(client, origin):
    for method, more in (("POST", {}), ("OPTIONS", {"Access-Control-Request-Method": "POST"})):
        _, answered, _ = client.send(method, "/", None, {"Origin": origin, **more})
        assert not [name for name in answered if name.startswith("Access-Control")]
