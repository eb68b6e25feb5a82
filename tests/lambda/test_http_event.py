import base64
import gzip
import json

import pytest
from http_event import LARGEST_BODY, METHOD, PATH, Problem, answer, is_ping, payload

from lib.files import ROOT

EVENTS = {path.stem: json.loads(path.read_text()) for path in sorted((ROOT / "lambda" / "events").glob("*.json"))}
PINGS = {"scheduled_ping", "warmup"}


def post(body="{}", **changes):
    return {"httpMethod": METHOD, "path": PATH, "headers": {}, "body": body, **changes}


def encoded(text, charset="utf-8"):
    return {"body": base64.b64encode(text.encode(charset)).decode(), "isBase64Encoded": True}


def refused(event):
    """The status and code of the problem that an event is."""
    with pytest.raises(Problem) as caught:
        payload(event)
    assert caught.value.body["status"] == caught.value.status
    return caught.value.status, caught.value.body["code"]


@pytest.mark.parametrize("name", sorted(EVENTS.keys() - PINGS))
def test_each_example_event_holds_a_request(name):
    request = payload(EVENTS[name])
    readings = request["metrics"] if isinstance(request, dict) else [item["metrics"] for item in request]
    assert {"heartRate", "steps", "calories"} <= readings[0].keys()
    assert not is_ping(EVENTS[name])


def test_every_way_in_holds_the_same_request():
    assert payload(EVENTS["rest"]) == payload(EVENTS["http_api"]) == payload(EVENTS["direct"]) == EVENTS["direct"]
    others = [payload(EVENTS[name]) for name in ("rest_charset", "http_api_base64", "function_url")]
    assert others == [{"metrics": EVENTS["direct"]["metrics"][:3]}] * 3


@pytest.mark.parametrize("event", [EVENTS[name] for name in sorted(PINGS)] + [{"source": "aws.scheduler"}])
def test_what_keeps_the_function_warm_is_a_ping(event):
    assert is_ping(event)


@pytest.mark.parametrize(
    "event",
    [{"warmup": True, "metrics": [{}]}, {"source": "aws.events", "metrics": []}, {"warmup": True, "metrics": 7}],
)
def test_a_request_with_readings_is_never_taken_for_a_ping(event):
    assert not is_ping(event)


@pytest.mark.parametrize(
    "event", [None, [], "aws.events", {"warmup": "true"}, {"warmup": 1}, {"source": ["aws.events"]}]
)
def test_anything_else_is_not_a_ping(event):
    assert not is_ping(event)


@pytest.mark.parametrize("path", [PATH, PATH + "/", "/prod" + PATH, "/v1/prod" + PATH, None, ""])
def test_the_path_may_follow_a_stages_name(path):
    assert payload(post(path=path)) == {}
    assert payload({"rawPath": path, "requestContext": {"http": {"method": METHOD, "path": path}}, "body": "{}"}) == {}


@pytest.mark.parametrize("path", ["/", "/health-data", PATH + "/x", "/health-data/sync.json", "x", 7, ["x"], {"a": 1}])
def test_another_path_is_404(path):
    assert refused(post(path=path)) == (404, "no_such_path")
    assert refused({"rawPath": path, "body": "{}"}) == (404, "no_such_path")
    assert refused({"requestContext": {"http": {"path": path}}, "body": "{}"}) == (404, "no_such_path")


@pytest.mark.parametrize("method", ["GET", "PUT", "post", "DELETE", 7, ["POST"]])
def test_another_method_is_405(method):
    assert refused(post(httpMethod=method)) == (405, "wrong_method")
    assert refused({"requestContext": {"http": {"method": method}}, "body": "{}"}) == (405, "wrong_method")


@pytest.mark.parametrize("context", [None, 7, [], {}, {"http": None}, {"http": "POST"}, {"http": {"method": None}}])
def test_a_context_of_another_form_is_passed_over(context):
    assert payload({"requestContext": context, "body": "{}"}) == {}


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", "utf-16", "utf-16le", "iso-8859-1"])
@pytest.mark.parametrize("header", ["application/json; charset={}", 'application/json;charset = "{}"; x=1'])
@pytest.mark.parametrize("name", ["Content-Type", "content-type", "CONTENT-TYPE"])
def test_a_body_is_read_in_the_charset_it_names(charset, header, name):
    event = post(headers={"Host": "x", name: header.format(charset)}, **encoded('"é"', charset))
    assert payload(event) == "é"


@pytest.mark.parametrize("charset", ["klingon", "punycode", "idna", "rot13", "base64", "utf_8\0", "\ud800", "x" * 9999])
def test_an_unknown_charset_is_415(charset):
    headers = {"Content-Type": f"application/json; charset={charset}"}
    assert refused(post(headers=headers, **encoded("{}"))) == (415, "unknown_charset")
    assert refused(post(headers=headers)) == (415, "unknown_charset")


@pytest.mark.parametrize("headers", [None, [], "x", 7, {}, {"content-type": None}, {"content-type": ["x"]}, {"x": 1}])
def test_headers_of_another_form_mean_utf_8(headers):
    assert payload(post(headers=headers, **encoded('"é"'))) == "é"


@pytest.mark.parametrize(
    "changes",
    [
        {"body": None},
        {"body": ""},
        {"body": 7},
        {"body": True},
        {"body": "{"},
        {"body": "{'metrics': 1}"},
        {"body": "[" * 100_000},
        {"body": '{"a":' * 100_000},
        {"body": "9" * 5000},
        {"body": "%%%", "isBase64Encoded": True},
        {"body": "e30", "isBase64Encoded": True},
        {"body": "é", "isBase64Encoded": True},
        {"body": "e3!0=", "isBase64Encoded": True},
        {"body": base64.b64encode(b"\xff\xfe{").decode(), "isBase64Encoded": True},
        encoded("{}", "utf-16"),
    ],
)
def test_a_body_that_is_not_json_is_400(changes):
    assert refused(post(**changes)) == (400, "not_json")


@pytest.mark.parametrize("body", [{"metrics": []}, [], [{"metrics": {}}], {}])
def test_a_body_that_is_parsed_already_is_the_request(body):
    assert payload(post(body=body)) == body


@pytest.mark.parametrize("text", ["\ufeff{}", "\ufeff\ufeff{}"])
def test_a_byte_order_mark_is_skipped_in_text_and_in_every_charset(text):
    assert payload(post(text)) == {}
    for charset in ("utf-8", "utf-16", "utf-16le", "utf-16be"):
        headers = {"Content-Type": f"application/json; charset={charset}"}
        assert payload(post(headers=headers, **encoded(text, charset))) == {}


def zipped(text, encoding="gzip", *, cut=None):
    body = base64.b64encode(gzip.compress(text.encode())[:cut]).decode()
    return post(body, headers={"content-encoding": encoding}, isBase64Encoded=True)


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "x-gzip", " gzip "])
def test_a_gzip_body_is_read(encoding):
    assert payload(zipped('{"a": "é"}', encoding)) == {"a": "é"}


def test_a_gzip_body_is_limited_by_its_content():
    assert payload(zipped("{}".ljust(LARGEST_BODY))) == {}
    assert refused(zipped("{}".ljust(LARGEST_BODY + 1))) == (413, "too_large")
    assert refused(zipped("{}".ljust(50 * LARGEST_BODY))) == (413, "too_large")


def test_a_damaged_gzip_body_is_400():
    assert refused(zipped("{}", cut=-4)) == (400, "not_json")
    assert refused(zipped("{}", cut=5)) == (400, "not_json")
    assert refused(post(**encoded("{}"), headers={"Content-Encoding": "gzip"})) == (400, "not_json")


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "\ud800"])
def test_another_content_encoding_is_415(encoding):
    assert refused(zipped("{}", encoding)) == (415, "unknown_encoding")


def test_a_gzip_body_as_text_is_415_because_it_is_damaged_already():
    assert refused(post("\x1f\ufffd", headers={"Content-Encoding": "gzip"})) == (415, "unknown_encoding")


@pytest.mark.parametrize("headers", [{"Content-Encoding": "identity"}, {"Content-Encoding": None}])
def test_no_content_encoding_is_identity(headers):
    assert payload(post(headers=headers)) == payload(post(headers=headers, **encoded("{}"))) == {}


def test_a_body_is_base64_only_if_the_event_has_true_as_a_boolean():
    assert payload(post(body="{}", isBase64Encoded="false")) == {}


def test_the_largest_body_is_taken_and_one_byte_more_is_413():
    text = "{}".ljust(LARGEST_BODY)
    assert payload(post(text)) == payload(post(**encoded(text))) == {}
    assert refused(post(text + " ")) == (413, "too_large")
    assert refused(post(**encoded(text + "   "))) == (413, "too_large")


def test_a_body_is_measured_in_bytes():
    text = json.dumps("🫀" * (LARGEST_BODY // 4 - 1), ensure_ascii=False).ljust(LARGEST_BODY // 4 + 3)
    assert len(text.encode()) == LARGEST_BODY
    assert payload(post(text))[0] == "🫀"
    assert refused(post(text + " ")) == (413, "too_large")
    assert refused(post('"\ud800"'.ljust(LARGEST_BODY))) == (413, "too_large")


def test_a_direct_answer_is_an_object():
    assert answer({"metrics": []}, 200, {"a": 1}) == {"statusCode": 200, "body": {"a": 1}}
    assert answer(None, 400, {"a": 1}) == {"statusCode": 400, "body": {"a": 1}}


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (200, {"Content-Type": "application/json"}),
        (400, {"Content-Type": "application/problem+json"}),
        (405, {"Content-Type": "application/problem+json", "Allow": "POST"}),
    ],
)
def test_an_http_answer_is_text_with_headers(status, headers):
    response = answer(post(), status, {"é": 0.5})
    assert response == {"statusCode": status, "headers": headers, "body": '{"\\u00e9": 0.5}', "isBase64Encoded": False}


def test_an_answer_that_json_cannot_hold_is_never_sent():
    with pytest.raises(ValueError, match="JSON"):
        answer(post(), 200, {"anomalyScore": float("nan")})


def test_a_problem_names_its_place_only_if_it_is_known():
    problem = Problem(413, "too_many_readings", "too many", index=0, field="metrics")
    assert (problem.body["title"], problem.body["type"]) == ("Content Too Large", "about:blank")
    assert (problem.body["index"], problem.body["field"], problem.body["detail"]) == (0, "metrics", "too many")
    assert not {"index", "field"} & Problem(400, "not_json", "no").body.keys()
