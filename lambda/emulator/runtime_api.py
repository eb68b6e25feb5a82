"""A Lambda runtime API on loopback, from which one process' runtime client fetches events and posts answers.

Version 2018-06-01, as the AWS Lambda Developer Guide describes it under "Using the Lambda runtime API for custom
runtimes". As on Lambda, the process gets one invocation at a time. Other users of this machine can reach loopback, too:
a call needs the API's secret, which the process alone gets, and which its client sends at the end of its User-Agent.
This module is not in the bundle.
"""

import hmac
import json
import queue
import secrets
import threading
import time
import uuid
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LARGEST_PAYLOAD = 6 << 20  # bytes of an event or of an answer
ARN = "arn:aws:lambda:eu-central-1:000000000000:function:{name}"
STRANGER_S = 5.0
_ROOT = "/2018-06-01/runtime/"


class FunctionError(Exception):
    """The handler raised or cannot be imported; `kind` names the exception."""

    def __init__(self, body):
        report = json.loads(body)
        self.kind = report.get("errorType")
        super().__init__(f"{self.kind}: {report.get('errorMessage')}")


class Ended(Exception):
    """The process ended before it answered."""


@dataclass
class Invocation:
    """One event on its way through the process."""

    event: bytes
    deadline_s: float  # Unix time of the deadline
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    answer: Future = field(default_factory=Future)  # bytes, FunctionError or Ended
    taken: float | None = None  # time.perf_counter() when the process got it
    answered: float | None = None  # and when its answer arrived


class RuntimeApi:
    """The API that serves one process at `address`, until `end`, for callers that know its `secret`."""

    def __init__(self, name):
        self.arn, self.secret = ARN.format(name=name), secrets.token_hex(16)
        self.first_next = Future()  # time.perf_counter() of the first request for an invocation, or an error
        self._waiting = queue.SimpleQueue()
        self._open = {}  # invocations without an answer, by id
        self._ended = None
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Calls)
        self._server.api = self
        self.address = f"127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def send(self, event, *, timeout_s):
        """Queue `event` (bytes of JSON) for the process, and return its Invocation."""
        invocation = Invocation(event, time.time() + timeout_s)
        with self._lock:
            self._open[invocation.id] = invocation
        if self._ended:
            self.settle(invocation.id, error=self._ended)
        self._waiting.put(invocation)
        return invocation

    def end(self, error):
        """Stop serving; who still waits for an answer gets `error`."""
        self._ended = self._ended or error
        with suppress(InvalidStateError):
            self.first_next.set_exception(self._ended)
        for name in list(self._open):
            self.settle(name, error=self._ended)
        self._waiting.put(None)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def next_invocation(self):
        """Wait for the next invocation; None once there will be no more."""
        with suppress(InvalidStateError):
            self.first_next.set_result(time.perf_counter())
        invocation = self._waiting.get()
        if invocation is not None:
            invocation.taken = time.perf_counter()
        return invocation

    def settle(self, name, *, answer=None, error=None):
        """Give the invocation of that id its answer. Return False if there is none or it has one already."""
        with self._lock:
            invocation = self._open.pop(name, None)
        if invocation is None:
            return False
        invocation.answered = time.perf_counter()
        if error is None:
            invocation.answer.set_result(answer)
        else:
            invocation.answer.set_exception(error)
        return True

    def failed_to_start(self, body):
        """Record why the handler cannot be imported; the process ends by itself."""
        self._ended = FunctionError(body)


class _Calls(BaseHTTPRequestHandler):
    """Handles the runtime client's HTTP requests."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body go out together
    timeout = STRANGER_S  # of a connection that has not shown the secret yet

    def handle(self):
        with suppress(ConnectionError):  # the process was killed
            super().handle()

    def _is_known(self):
        """Whether the caller knows the secret. If not, it is refused, and the connection closed."""
        _, _, secret = self.headers.get("User-Agent", "").rpartition("-")
        if hmac.compare_digest(secret.encode(), self.server.api.secret.encode()):
            self.connection.settimeout(None)  # it may wait for an invocation for long
            return True
        self.close_connection = True
        self._reply(403)
        return False

    def do_GET(self):
        if not self._is_known():
            return
        if self.path != f"{_ROOT}invocation/next":
            self._reply(404)
            return
        invocation = self.server.api.next_invocation()
        if invocation is None:
            self.close_connection = True
            return
        headers = {
            "Lambda-Runtime-Aws-Request-Id": invocation.id,
            "Lambda-Runtime-Deadline-Ms": str(int(1000 * invocation.deadline_s)),
            "Lambda-Runtime-Invoked-Function-Arn": self.server.api.arn,
            "Content-Type": "application/json",
        }
        self._reply(200, invocation.event, headers)

    def do_POST(self):
        if not self._is_known():
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        match self.path.removeprefix(_ROOT).split("/"):
            case ["init", "error"]:
                self.server.api.failed_to_start(body)
                self._reply(202)
            case ["invocation", name, "response"]:
                self._settle(name, answer=body)
            case ["invocation", name, "error"]:
                self._settle(name, error=FunctionError(body))
            case _:
                self._reply(404)

    def _settle(self, name, *, answer=b"", error=None):
        if len(answer) > LARGEST_PAYLOAD:
            self.server.api.settle(name, error=_too_large())
            self._reply(413)
        else:
            self._reply(202 if self.server.api.settle(name, answer=answer, error=error) else 400)

    def _reply(self, status, body=b"", headers=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Log nothing: the function has its own log."""


def _too_large():
    kind, message = "Function.ResponseSizeTooLarge", f"expected an answer of {LARGEST_PAYLOAD:,} bytes or fewer"
    return FunctionError(json.dumps({"errorType": kind, "errorMessage": message}))
