"""Read one HTTP request within limits of size and time. Not in the bundle.

A connection that stays silent, sends byte by byte, or never ends its body must not cost memory or keep others waiting.
"""

import re
import socket
import threading
import time
from contextlib import suppress

from emulator.runtime_api import LARGEST_PAYLOAD

RECEIVE_S = 20.0  # for a whole request, headers and body; also the longest idle time of a connection
MOST_CONNECTIONS = 128
MOST_BUFFERED = 64 << 20  # bytes of all bodies together
LARGEST_HEAD = 64 << 10  # bytes of request line and headers
MOST_CHUNKS = 10_000
_SKIPPED = 8 << 20  # bytes of a body that is too large: read and dropped, so that its sender gets the answer
_PIECE = 64 << 10


class Refused(Exception):
    """A request that the gateway itself refuses; the connection is closed after the answer."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status, self.message = status, message


class Connections:
    """The open connections of a server: which of them wait for a request, since when, and what they have buffered."""

    def __init__(self):
        self._lock = threading.Lock()
        self._waiting = {}  # connection: when it began to wait (time.monotonic())
        self._buffered = {}  # connection: bytes of its body

    def wait(self, connection):
        """Note that a connection waits for its next request. Beyond MOST_CONNECTIONS the longest waiting is cut."""
        with self._lock:
            self._waiting[connection] = time.monotonic()
            self._buffered.pop(connection, None)
            surplus = sorted(self._waiting, key=self._waiting.get)[:-MOST_CONNECTIONS]
        self._cut(surplus)

    def received(self, connection):
        """Note that a connection's request is complete."""
        with self._lock:
            self._waiting.pop(connection, None)

    def buffer(self, connection, size):
        """Note `size` more bytes of a body. Beyond MOST_BUFFERED the connection with the largest unfinished is cut."""
        with self._lock:
            self._buffered[connection] = self._buffered.get(connection, 0) + size
            if sum(self._buffered.values()) <= MOST_BUFFERED:
                return
            largest = max(self._waiting, key=lambda one: self._buffered.get(one, 0), default=connection)
        self._cut([largest])

    def end(self, connection):
        """Forget a connection that is closed."""
        with self._lock:
            self._waiting.pop(connection, None)
            self._buffered.pop(connection, None)

    def cut_late(self):
        """Cut the connections whose request takes longer than RECEIVE_S."""
        earliest = time.monotonic() - RECEIVE_S
        with self._lock:
            late = [connection for connection, since in self._waiting.items() if since < earliest]
        self._cut(late)

    def _cut(self, connections):
        for connection in connections:
            self.end(connection)
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)  # whoever reads from it gets the end of the stream


class Head:
    """The lines of a request's head from a stream, LARGEST_HEAD bytes at most; then its body."""

    def __init__(self, stream):
        self._stream, self._left = stream, LARGEST_HEAD

    def readline(self, limit=-1):
        """One line, as http.server reads it."""
        line = self._stream.readline(min(limit, self._left + 1) if limit >= 0 else self._left + 1)
        self._left -= len(line)
        if self._left < 0:
            raise Refused(431, "Request Header Fields Too Large")
        return line

    def renew(self):
        """Begin with the next request."""
        self._left = LARGEST_HEAD

    def close(self):
        self._stream.close()


def read_body(stream, headers, buffer):
    """Read the body of a request.

    Parameters
    ----------
    stream : file
    headers : email.message.Message
    buffer : callable
        Is called with the size of each piece, before the piece is kept.

    Raises
    ------
    Refused
        400 for a length that is ambiguous or malformed or for a body that is cut off, 413 for one above Lambda's
        limit, 501 for another transfer coding.
    """
    codings, lengths = headers.get_all("Transfer-Encoding", []), set(headers.get_all("Content-Length", []))
    if (codings and lengths) or len(lengths) > 1:
        raise Refused(400, "Bad Request: expected one Content-Length or Transfer-Encoding: chunked, got several")
    if not codings:
        return _plain(stream, lengths.pop() if lengths else "0", buffer)
    if [coding.strip().lower() for coding in codings] != ["chunked"]:
        raise Refused(501, "Not Implemented: expected Transfer-Encoding: chunked")
    return _chunked(stream, buffer)


def _plain(stream, length, buffer):
    if not re.fullmatch(r"[0-9]{1,18}", length.strip()):
        raise Refused(400, "Bad Request: expected a Content-Length in digits")
    size = int(length)
    if size > LARGEST_PAYLOAD:
        _skip(stream, size)
        raise _too_large()
    body = bytearray()
    _append(body, stream, size, buffer)
    return bytes(body)


def _chunked(stream, buffer):
    body = bytearray()
    for _ in range(MOST_CHUNKS):
        line = stream.readline(256)
        match = re.fullmatch(rb"([0-9A-Fa-f]{1,16})[ \t]*(;[^\r\n]*)?\r?\n", line)
        if not match:
            raise Refused(400, "Bad Request: expected a chunk's size in hexadecimal digits")
        if not (size := int(match[1], 16)):
            return _without_trailers(stream, body)
        if len(body) + size > LARGEST_PAYLOAD:
            raise _too_large()
        _append(body, stream, size, buffer)
        if stream.readline(3) not in (b"\r\n", b"\n"):
            raise Refused(400, "Bad Request: expected a line break after a chunk")
    raise Refused(413, f"Request Entity Too Large: expected at most {MOST_CHUNKS:,} chunks")


def _without_trailers(stream, body):
    for _ in range(100):
        line = stream.readline(1024)
        if line in (b"\r\n", b"\n"):
            return bytes(body)
        if not line.endswith(b"\n"):
            break
    raise Refused(400, "Bad Request: expected the end of the chunks")


def _append(body, stream, size, buffer):
    """Read `size` bytes onto `body`, piece by piece as they come."""
    end = len(body) + size
    while len(body) < end:
        piece = stream.read1(min(_PIECE, end - len(body)))
        if not piece:
            raise Refused(400, "Bad Request: the body is cut off")
        buffer(len(piece))
        body += piece


def _skip(stream, size):
    left = min(size, _SKIPPED)
    while left and (piece := stream.read1(min(_PIECE, left))):
        left -= len(piece)


def _too_large():
    return Refused(413, f"Request Entity Too Large: expected at most {LARGEST_PAYLOAD:,} bytes")
