"""An HTTP server in front of the function, like an HTTP API of API Gateway. Not in the bundle.

The gateway itself answers 400 for a request that is not HTTP, 413 for a body above Lambda's limit, 502 for a function
that failed and 504 for one that takes too long. Pages from this machine may call it (CORS), others may not.
"""

import json
import re
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from emulator.http_api import event_of, response_of
from emulator.received import RECEIVE_S, Connections, Head, Refused, read_body
from emulator.runtime_api import Ended, FunctionError

_AT_ONCE = 4  # requests that are turned into events at the same time: the function answers one after another anyway
_LOCAL_PAGE = re.compile(r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?")
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": "content-type, content-encoding, authorization",
    "Access-Control-Max-Age": "600",
}


class Gateway(ThreadingHTTPServer):
    """Serves an ExecutionEnvironment over HTTP; port 0 picks a free port (see `server_port`)."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self, environment, *, host="localhost", port=0, timeout_s=30.0):
        self.environment, self.timeout_s = environment, timeout_s
        self.connections, self.at_once = Connections(), threading.BoundedSemaphore(_AT_ONCE)
        super().__init__((host, port), _Requests)

    def service_actions(self):
        """Cut connections that are late. `serve_forever` calls this again and again."""
        self.connections.cut_late()

    def shutdown_request(self, request):
        """Close a connection."""
        self.connections.end(request)
        super().shutdown_request(request)


class _Requests(BaseHTTPRequestHandler):
    """Handles the apps' HTTP requests. The function itself refuses unknown paths and methods."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body go out together
    timeout = RECEIVE_S  # of each read and write

    def setup(self):
        super().setup()
        self._stream, self.rfile = self.rfile, Head(self.rfile)

    def handle(self):
        with suppress(ConnectionError):  # the app went away
            super().handle()

    def finish(self):
        with suppress(OSError):  # what is left to send cannot be sent
            super().finish()

    def handle_one_request(self):
        self.server.connections.wait(self.connection)
        self.rfile.renew()
        self.command, self.requestline, self.request_version = "", "", self.protocol_version
        self.headers = {}
        try:
            super().handle_one_request()
        except Refused as refused:
            self._close_with(refused)

    def handle_expect_100(self):
        """Ask for the body at once: the client waits for that."""
        continues = super().handle_expect_100()
        self.wfile.flush()
        return continues

    def _serve(self):
        try:
            body = read_body(self._stream, self.headers, self._buffer)
        except Refused as refused:
            self._close_with(refused)
            return
        self.server.connections.received(self.connection)
        if self.command == "OPTIONS" and "Access-Control-Request-Method" in self.headers and self._is_local_page():
            self._reply(204, _PREFLIGHT, b"")
        else:
            self._invoke(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve  # as http.server names them

    def _buffer(self, size):
        self.server.connections.buffer(self.connection, size)

    def _close_with(self, refused):
        self.close_connection = True
        self._refuse(refused.status, refused.message)

    def _invoke(self, body):
        headers = {name: ",".join(self.headers.get_all(name)) for name in self.headers}
        try:
            with self.server.at_once:
                event = json.dumps(event_of(self.command, self.path, headers, body)).encode()
                invocation = self.server.environment.invoke(event, timeout_s=self.server.timeout_s)
            self._reply(*response_of(invocation.answer.result()))
        except TimeoutError:
            self._refuse(504, "Endpoint request timed out")
        except (FunctionError, Ended, ValueError):
            self._refuse(502, "Bad Gateway")

    def _refuse(self, status, message):
        self._reply(status, {"Content-Type": "application/json"}, json.dumps({"message": message}).encode())

    def _reply(self, status, headers, body):
        self.send_response(status)
        if self._is_local_page():
            headers = headers | {"Access-Control-Allow-Origin": self.headers["Origin"], "Vary": "Origin"}
        if self.close_connection:
            headers = headers | {"Connection": "close"}
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _is_local_page(self):
        """Whether a page from this machine sends the request."""
        return _LOCAL_PAGE.fullmatch(self.headers.get("Origin", "")) is not None

    def log_message(self, *_):
        """Log nothing: the function logs each request, and a path may tell who asks."""
