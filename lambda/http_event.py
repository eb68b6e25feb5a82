"""The forms in which a request comes and an answer goes: direct, API Gateway REST, HTTP API, Function URL."""

import base64
import binascii
import json

LARGEST_BODY = 1 << 20  # bytes; 1,440 readings take about 300,000


class Problem(Exception):
    """A request that can not be answered, as RFC 9457 puts it: status, code, and where it lies."""

    def __init__(self, status, code, detail, *, index=None, field=None):
        super().__init__(detail)
        self.status = status
        place = {"index": index, "field": field}
        self.body = {
            "type": "about:blank",
            "title": {400: "Bad Request", 413: "Content Too Large", 503: "Service Unavailable"}[status],
            "status": status,
            "detail": detail,
            "code": code,
            **{name: value for name, value in place.items() if value is not None},
        }


def is_http(event):
    """Whether the event comes from HTTP: its answer needs headers, and a body of text."""
    return isinstance(event, dict) and ("requestContext" in event or "httpMethod" in event or "body" in event)


def payload(event):
    """What the request says: the event itself when it is invoked directly, else its body's JSON.

    Raises Problem 400 for what is not JSON, 413 for a body above LARGEST_BODY.
    """
    if not is_http(event):
        return event
    body = event.get("body")
    if not isinstance(body, str):
        raise Problem(400, "not_json", "the request has no body")
    if len(body) > LARGEST_BODY * 4 // 3:
        raise Problem(413, "too_large", f"the body is above {LARGEST_BODY:,} bytes")
    try:
        if event.get("isBase64Encoded"):
            body = base64.b64decode(body, validate=True).decode("utf-8")
        return json.loads(body)
    except (ValueError, binascii.Error, RecursionError):
        raise Problem(400, "not_json", "the body is not JSON") from None


def answer(event, status, body):
    """The answer to `event`: `body` as an object, or as text with headers where HTTP needs it."""
    if not is_http(event):
        return {"statusCode": status, "body": body}
    kind = "application/json" if status == 200 else "application/problem+json"
    text = json.dumps(body, allow_nan=False)
    return {"statusCode": status, "headers": {"Content-Type": kind}, "body": text, "isBase64Encoded": False}
