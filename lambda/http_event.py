"""The forms of requests and answers: direct, API Gateway REST, HTTP API, Function URL."""

import base64
import json
import re
import zlib

METHOD, PATH = "POST", "/health-data/sync"
LARGEST_BODY = 1 << 20  # bytes; 1,440 readings take about 300,000
_TITLES = {
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
_CHARSETS = ("utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "latin1", "utf-16", "utf-16le", "utf-16be")
_ENCODINGS = ("", "identity", "gzip", "x-gzip")
_GZIP = 16 + zlib.MAX_WBITS  # of zlib: a gzip header, and the largest window
_PING_SOURCES = ("aws.events", "aws.scheduler", "serverless-plugin-warmup")


class Problem(Exception):
    """A request that cannot be answered, as RFC 9457 describes it.

    Parameters
    ----------
    status : int
        Of HTTP.
    code : str
        For programs.
    detail : str
        For people.
    index, field : int, str, optional
        The place in the request.
    """

    def __init__(self, status, code, detail, *, index=None, field=None):
        super().__init__(detail)
        self.status = status
        place = {"index": index, "field": field}
        self.body = {
            "type": "about:blank",
            "title": _TITLES[status],
            "status": status,
            "detail": detail,
            "code": code,
            **{name: value for name, value in place.items() if value is not None},
        }


def is_ping(event):
    """Whether an event or a body only keeps the function warm: from a schedule, or {"warmup": true}.

    Anything with `metrics` is a request: its readings must not be lost unread.
    """
    if not isinstance(event, dict) or "metrics" in event:
        return False
    return event.get("source") in _PING_SOURCES or event.get("warmup") is True


def is_http(event):
    """Whether the event comes from HTTP: its answer needs headers and a text body."""
    return isinstance(event, dict) and any(name in event for name in ("requestContext", "httpMethod", "body"))


def payload(event):
    """Return the request: the event itself for a direct invocation, else the JSON of its body.

    Raises
    ------
    Problem
        404 and 405 for another path or method, 413 for a body above LARGEST_BODY, 415 for an unknown charset or
        Content-Encoding, 400 for a body that is not JSON.
    """
    if not is_http(event):
        return event
    _check_route(event)
    body = event.get("body")
    if isinstance(body, (dict, list)):  # parsed already, as in a console's test event
        return body
    if not isinstance(body, str) or not body:
        raise Problem(400, "not_json", "expected a body of JSON, got none")
    is_encoded = event.get("isBase64Encoded") is True
    if _size(body, is_encoded) > LARGEST_BODY:
        raise _too_large()
    charset, encoding = _charset(event), _encoding(event, is_encoded)
    try:
        if is_encoded:
            content = base64.b64decode(body, validate=True)
            body = (_unzipped(content) if encoding.endswith("gzip") else content).decode(charset)
        return json.loads(body.lstrip("\ufeff"))  # a byte-order mark, in any charset
    except (ValueError, RecursionError, zlib.error):  # bad base64, UTF-8 and JSON are all ValueErrors
        raise Problem(400, "not_json", "the body is not JSON") from None


def _too_large():
    return Problem(413, "too_large", f"expected a body of {LARGEST_BODY:,} bytes or fewer: send fewer readings")


def _unzipped(content):
    """The content of gzip bytes, which may not be above LARGEST_BODY either."""
    decompressor = zlib.decompressobj(_GZIP)
    unzipped = decompressor.decompress(content, LARGEST_BODY + 1)
    if len(unzipped) > LARGEST_BODY:
        raise _too_large()
    if not decompressor.eof:
        raise Problem(400, "not_json", "the gzip body is cut off")
    return unzipped


def _size(body, is_encoded):
    """The size of a body in bytes. A body of too many characters is not encoded just to count them."""
    if is_encoded:
        return len(body) * 3 // 4 - body[-2:].count("=")
    return len(body) if body.isascii() or len(body) > LARGEST_BODY else len(body.encode("utf-8", "surrogatepass"))


def _check_route(event):
    """Check method and path, each only if the event has it. A stage's name may precede the path."""
    context = event.get("requestContext")
    http = context.get("http") if isinstance(context, dict) else None
    http = http if isinstance(http, dict) else {}
    method = event.get("httpMethod") or http.get("method") or METHOD
    path = event.get("path") or event.get("rawPath") or http.get("path") or PATH
    if not isinstance(path, str) or not path.rstrip("/").endswith(PATH):
        raise Problem(404, "no_such_path", f"only {METHOD} {PATH} is served")
    if method != METHOD:
        raise Problem(405, "wrong_method", f"only {METHOD} {PATH} is served")


def _charset(event):
    """The charset of the Content-Type. Only a few are allowed: some of Python's take minutes to decode a body."""
    match = re.search(r"charset\s*=\s*\"?([^\s;\"]+)", _header(event, "content-type"), re.IGNORECASE)
    charset = match[1].lower() if match else "utf-8"
    if charset not in _CHARSETS:
        raise Problem(415, "unknown_charset", "Content-Type: expected the charset utf-8, got an unknown one")
    return charset


def _encoding(event, is_encoded):
    """The Content-Encoding, one of _ENCODINGS. A compressed body can only come in base64."""
    encoding = _header(event, "content-encoding").strip().lower()
    if encoding not in _ENCODINGS:
        raise Problem(415, "unknown_encoding", "Content-Encoding: expected gzip or none, got another")
    if encoding.endswith("gzip") and not is_encoded:
        detail = "Content-Encoding: gzip needs a body in base64, as gateways make of binary media types; send it plain"
        raise Problem(415, "unknown_encoding", detail)
    return encoding


def _header(event, name):
    """A header's value, "" without one."""
    headers = event.get("headers")
    headers = headers if isinstance(headers, dict) else {}
    value = next((value for key, value in headers.items() if str(key).lower() == name), "")
    return value if isinstance(value, str) else ""


def answer(event, status, body):
    """Write the answer to `event`: `body` as an object, or for HTTP as text with headers."""
    if not is_http(event):
        return {"statusCode": status, "body": body}
    headers = {"Content-Type": "application/json" if status == 200 else "application/problem+json"}
    if status == 405:
        headers["Allow"] = METHOD
    text = json.dumps(body, allow_nan=False)
    return {"statusCode": status, "headers": headers, "body": text, "isBase64Encoded": False}
