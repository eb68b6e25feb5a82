"""Requests as events and answers as responses, as an HTTP API of API Gateway makes them. Not in the bundle.

Events have payload format 2.0: Amazon API Gateway Developer Guide, "Lambda proxy integrations for HTTP APIs".
"""

import base64
import json
import time
import uuid
from contextlib import suppress
from urllib.parse import parse_qsl

_TEXT = ("text/", "application/json", "application/problem+json", "application/javascript", "application/xml")


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
