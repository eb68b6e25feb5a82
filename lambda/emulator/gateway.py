"""An HTTP server in front of the function, like an HTTP API of API Gateway: requests become events.

Events have payload format 2.0: Amazon API Gateway Developer Guide, "Lambda proxy integrations for HTTP APIs".
The gateway itself answers 413 for a body above Lambda's limit, 400 for a request that is not HTTP, 502 for a function
that failed and 504 for one that takes too long. This module is not in the bundle.
"""

import base64
import json
import time
import uuid
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

from emulator.runtime_api import LARGEST_PAYLOAD, Ended, FunctionError

_TEXT = ("text/", "application/json", "application/problem+json", "application/javascript", "application/xml")
_MOST_READ = 8 * LARGEST_PAYLOAD  # bytes of a body that are read before refusing it, so that the sender gets the answer


def event_of(method, target, headers, body):
    """Turn a request into an HTTP API event (payload format 2.0).

    Parameters
    ----------
    method : str
    target : str
        The path, with the query.
    headers : dict
    body : bytes
        Becomes base64 unless its Content-Type says that it is text and it is UTF-8.
    """
    path, _, query = target.partition("?")
    lower = {name.lower(): value for name, value in headers.items()}
    text = _text(body, lower.get("content-type", _TEXT[0]))
    event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "queryStringParameters": dict(parse_qsl(query)),
        "headers": lower,
        "requestContext": _context(method, path, lower),
        "body": base64.b64encode(body).decode() if text is None else text,
        "isBase64Encoded": text is None,
    }
    return event if body else {name: value for name, value in event.items() if name != "body"}


def _context(method, path, headers):
    now = time.time()
    return {
        "accountId": "000000000000",
        "apiId": "local",
        "domainName": headers.get("host", "localhost"),
        "http": {
            "method": method,
            "path": path,
            "protocol": "HTTP/1.1",
            "sourceIp": "127.0.0.1",
            "userAgent": headers.get("user-agent", ""),
        },
        "requestId": str(uuid.uuid4()),
        "routeKey": "$default",
        "stage": "$default",
        "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
        "timeEpoch": int(1000 * now),
    }


def _text(body, content_type):
    if content_type.lower().startswith(_TEXT):
        with suppress(UnicodeDecodeError):
            return body.decode("utf-8")
    return None


def response_of(answer):
    """Read the function's answer as an HTTP API does: (status, headers, body bytes).

    Anything but an object with a statusCode is itself the body. Raises ValueError for a body that is not text.
    """
    answer = json.loads(answer)
    if not isinstance(answer, dict) or "statusCode" not in answer:
        return 200, {"Content-Type": "application/json"}, json.dumps(answer).encode()
    body = answer.get("body") or ""
    if not isinstance(body, str):
        raise ValueError(f"expected a body of text, got {type(body).__name__}")
    data = base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode()
    headers = {name: str(value) for name, value in (answer.get("headers") or {}).items()}
    return int(answer["statusCode"]), {"Content-Type": "text/plain", **headers}, data


class Gateway(ThreadingHTTPServer):
    """Serves an ExecutionEnvironment over HTTP; port 0 picks a free port (see `server_port`)."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, environment, *, host="localhost", port=0, timeout_s=30.0):
        self.environment, self.timeout_s = environment, timeout_s
        super().__init__((host, port), _Requests)


class _Requests(BaseHTTPRequestHandler):
    """Handles the apps' HTTP requests. The function itself refuses unknown paths and methods."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body go out together

    def handle(self):
        with suppress(ConnectionError):  # the app went away
            super().handle()

    def _serve(self):
        try:
            body = self._body()
        except ValueError:
            self.close_connection = True
            self._refuse(400, "Bad Request")
            return
        if len(body) > LARGEST_PAYLOAD:
            self._refuse(413, "Request Entity Too Large")
        else:
            self._invoke(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve  # as http.server names them

    def _body(self):
        """Read the body; of one that is too large, just enough to know that. Raises ValueError."""
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self._read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline(100), 16):
            body = (body + self._read(size))[: LARGEST_PAYLOAD + 1]
            self.rfile.readline(100)
        self.rfile.readline(100)
        return body

    def _read(self, size):
        if not 0 <= size <= _MOST_READ:
            raise ValueError(f"expected at most {_MOST_READ} bytes, got {size}")
        return self.rfile.read(size)

    def _invoke(self, body):
        headers = {name: ",".join(self.headers.get_all(name)) for name in self.headers}
        event = event_of(self.command, self.path, headers, body)
        try:
            invocation = self.server.environment.invoke(json.dumps(event).encode(), timeout_s=self.server.timeout_s)
            self._reply(*response_of(invocation.answer.result()))
        except TimeoutError:
            self._refuse(504, "Endpoint request timed out")
        except (FunctionError, Ended, ValueError):
            self._refuse(502, "Bad Gateway")

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
        """Log nothing: the function logs each request, and a path may tell who asks."""
