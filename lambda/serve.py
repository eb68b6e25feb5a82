"""The built bundle over HTTP, for the app's developers: POST http://localhost:PORT/health-data/sync

    python lambda/serve.py --run default --port 8080

A run's lambda_deployment.zip under AWS' own runtime client, behind what an HTTP API of API Gateway does: each request
becomes an event of payload format 2.0, and the function's answer a response. Not in the bundle.
"""

import argparse
import base64
import errno
import json
import signal
import sys
import time
import uuid
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl
from zipfile import BadZipFile

from execution_environment import ExecutionEnvironment
from runtime_api import LARGEST_PAYLOAD, Ended, FunctionError

from lib import bundle
from lib.runs import Run

PATH = "/health-data/sync"
_TEXT = ("text/", "application/json", "application/problem+json", "application/javascript", "application/xml")
_DISCARDED = 8 * LARGEST_PAYLOAD  # bytes that are read of a body that is too large, so that its sender hears of it


def event_of(method, target, headers, body):
    """The HTTP API event (payload format 2.0) of a request: its target with the query, {name: value}, bytes.

    A body is base64 unless its Content-Type says that it is text, and it is UTF-8.
    """
    path, _, query = target.partition("?")
    lower = {name.lower(): value for name, value in headers.items()}
    text = _text(body, lower.get("content-type", _TEXT[0]))
    now = time.time()
    http = {
        "method": method,
        "path": path,
        "protocol": "HTTP/1.1",
        "sourceIp": "127.0.0.1",
        "userAgent": lower.get("user-agent", ""),
    }
    event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "queryStringParameters": dict(parse_qsl(query)),
        "headers": lower,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "domainName": lower.get("host", "localhost"),
            "http": http,
            "requestId": str(uuid.uuid4()),
            "routeKey": "$default",
            "stage": "$default",
            "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
            "timeEpoch": int(1000 * now),
        },
        "body": base64.b64encode(body).decode() if text is None else text,
        "isBase64Encoded": text is None,
    }
    return event if body else {name: value for name, value in event.items() if name != "body"}


def _text(body, content_type):
    if content_type.lower().startswith(_TEXT):
        with suppress(UnicodeDecodeError):
            return body.decode("utf-8")
    return None


def response_of(answer):
    """(status, {name: value}, body bytes) of what the function answered, as an HTTP API reads it.

    Anything that is not an object with a statusCode is itself the body. Raises ValueError where the answer is neither.
    """
    answer = json.loads(answer)
    if not isinstance(answer, dict) or "statusCode" not in answer:
        return 200, {"Content-Type": "application/json"}, json.dumps(answer).encode()
    body = answer.get("body") or ""
    if not isinstance(body, str):
        raise ValueError("the function's body is not text")
    data = base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode()
    headers = {name: str(value) for name, value in (answer.get("headers") or {}).items()}
    return int(answer["statusCode"]), {"Content-Type": "text/plain", **headers}, data


class Gateway(ThreadingHTTPServer):
    """The HTTP front of an ExecutionEnvironment; port 0 picks a free one (see `server_port`)."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, environment, *, host="localhost", port=0, timeout_s=30.0):
        self.environment, self.timeout_s = environment, timeout_s
        super().__init__((host, port), _Requests)


class _Requests(BaseHTTPRequestHandler):
    """The apps' HTTP requests. Which path and method there are is for the function to say."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body go out together

    def handle(self):
        with suppress(ConnectionError):  # the app went away
            super().handle()

    def _serve(self):
        try:
            length = int(self.headers.get("Content-Length") or 0)
        except ValueError:
            length = -1
        if length < 0 or "Transfer-Encoding" in self.headers:
            self.close_connection = True
            self._refuse(411, "Length Required")
        elif length > LARGEST_PAYLOAD:
            self._discard(length)
            self._refuse(413, "Request Entity Too Large")
        else:
            self._invoke(self.rfile.read(length))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve  # as http.server names them

    def _invoke(self, body):
        headers = {name: ",".join(self.headers.get_all(name)) for name in self.headers}
        event = event_of(self.command, self.path, headers, body)
        try:
            done = self.server.environment.invoke(json.dumps(event).encode(), timeout_s=self.server.timeout_s)
            self._reply(*response_of(done.answer.result()))
        except TimeoutError:
            self._refuse(504, "Endpoint request timed out")
        except (FunctionError, Ended, ValueError):
            self._refuse(502, "Bad Gateway")

    def _discard(self, length):
        self.close_connection = True
        left = min(length, _DISCARDED)
        while left and (read := self.rfile.read(min(left, 1 << 16))):
            left -= len(read)

    def _refuse(self, status, message):
        self._reply(status, {"Content-Type": "application/json"}, json.dumps({"message": message}).encode())

    def _reply(self, status, headers, body):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_):
        """Nothing: the function's log has a line a request, and a path may say who asks."""


def serve(run, *, host, port, timeout_s):
    """Serve a run's bundle until KeyboardInterrupt.

    Raises FileNotFoundError where the run has none, ValueError for a name that can not be a run's, OSError where the
    port is taken, and what `ExecutionEnvironment.start` does.
    """
    archive = Run.at(run).models / "lambda_export" / bundle.ZIP
    if not archive.is_file():
        raise FileNotFoundError(f"run {run!r} has no bundle: run notebooks/05_export first, or ./run_all.sh run={run}")
    with (
        bundle.unpacked(archive) as folder,
        ExecutionEnvironment(folder) as environment,
        Gateway(environment, host=host, port=port, timeout_s=timeout_s) as gateway,
    ):
        environment.start()
        url = f"http://{host}:{gateway.server_port}{PATH}"
        example = json.dumps({"metrics": [bundle.EXAMPLE_READING]})
        print(f"{url}   curl {url} -H 'Content-Type: application/json' -d '{example}'", flush=True)
        gateway.serve_forever(poll_interval=0.1)


def main(words=None):
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="serve.py", description=__doc__.splitlines()[0])
    parser.add_argument("--run", default="default", help="whose lambda_deployment.zip is served")
    parser.add_argument("--host", default="localhost", help="0.0.0.0 lets a watch or phone in the same network call")
    parser.add_argument("--port", type=int, default=8080, help="0 picks a free one")
    parser.add_argument("--timeout", type=float, default=30.0, metavar="S", help="seconds for an answer, then 504")
    given = parser.parse_args(words)
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.default_int_handler)  # in a job that a shell runs in the background, too
    try:
        serve(given.run, host=given.host, port=given.port, timeout_s=given.timeout)
    except KeyboardInterrupt:
        return 0
    except TimeoutError:
        problem = "the handler does not start"
    except (Ended, FunctionError, BadZipFile, ValueError, RuntimeError, OverflowError, OSError) as error:
        taken = getattr(error, "errno", None) == errno.EADDRINUSE
        problem = f"port {given.port} is in use" if taken else error
    print(f"serve.py: {problem}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
