"""Events that no app sends, as hypothesis strategies, and a check of every answer to them.

The runtime parses an event before the function gets it, so each is a JSON value. Python's JSON accepts NaN, Infinity
and text with lone surrogates.
"""

import base64
import copy
import json
import math

import small_model
import yaml
from hypothesis import strategies as st

from lib.files import ROOT

NESTED = json.loads("[" * 100 + "]" * 100)
ODD_NUMBERS = [0, -0.0, -1, 0.5, 2**31, 2**63, 10**400, -(10**400), 1e308, 5e-324, math.nan, math.inf, -math.inf]
ODD_TEXTS = ["", "NaN", "75", "1e999", "\ud800", "\x00", "🫀" * 50, "x" * 50_000, "__proto__", "a" + "/a" * 500]
ODD = [None, True, False, *ODD_NUMBERS, *ODD_TEXTS, [], {}, [[]], {"": {}}, NESTED, [75.0] * 2000]
ODD_JSON = [
    "1e999",
    "-1e999",
    "NaN",
    "-Infinity",
    "9" * 400,
    "9" * 5000,
    "[" * 3000,
    '{"a":' * 3000,
    '"\\ud800"',
    "",
    "'",
]

numbers = st.sampled_from(ODD_NUMBERS) | st.integers() | st.floats() | st.integers(20, 250)
texts = st.sampled_from(ODD_TEXTS) | st.text(st.characters(codec=None), max_size=12)
NAMES = "metrics heartRate steps timestamp userId counters timezone baseline stillMinutes body headers path httpMethod"
names = st.sampled_from(NAMES.split())
json_values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names | texts, inner, max_size=4),
    max_leaves=12,
)


def _untimed(count):
    return [
        {name: value for name, value in metric.items() if name != "timestamp"}
        | {"hour_sin": 0.5, "hour_cos": 0.866, "is_weekend": 0}
        for metric in small_model.moving(count)
    ]


REQUESTS = [
    {"metrics": _untimed(5)},
    {"metrics": small_model.moving(6), "counters": "interval", "timezone": "Asia/Tokyo", "userId": "ada"},
    {"metrics": [metric | {"timestamp": "2026-03-02T07:00:05+01:00"} for metric in small_model.moving(3)]},
    {"metrics": small_model.running(small_model.moving(70)), "baseline": {"version": 1, "stillMinutes": [4] * 51}},
    small_model.envelope(small_model.moving(3)) + small_model.envelope(small_model.moving(4), user="bea"),
]
LARGE = [  # requests as large as allowed, or larger
    {"metrics": _untimed(1440)},
    {"metrics": small_model.moving(1440, spacing=15)},
    {"metrics": [metric | {"timestamp": "x" * 4000} for metric in small_model.moving(1440)]},
    {"metrics": [{**one, "timezone": f"{n}" + "/a" * 28} for n, one in enumerate(small_model.moving(1440))]},
    {"metrics": [{**one, "timezone": f"Mars/{n}"} for n, one in enumerate(small_model.moving(1440))]},
    {"metrics": [{}] * 1441},
    {"metrics": [NESTED] * 100},
    [item for place in range(100) for item in small_model.envelope(small_model.moving(1), user=str(place))],
    small_model.envelope(small_model.moving(101)),
    {"metrics": [[]] * 1440},
]
LARGE_BODIES = [
    " " * 6_000_000,
    "[" * 6_000_000,
    '{"metrics": [' + "{}," * 300_000 + "{}]}",
    '{"metrics": [' + '{"heartRate": 7e1},' * 50_000 + "{}]}",
    '{"metrics": [{"heartRate": ' + "9" * 900_000 + "}]}",
    '{"' + "a" * 1_000_000 + '": 1}',
    json.dumps({"metrics": [{"x" * 20 + str(place): 1 for place in range(30_000)}]}),
]


def _places(node, path=()):
    """Yield the path of every value in a JSON value, beginning with the whole."""
    yield path
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in inner:
        yield from _places(value, (*path, key))


@st.composite
def mutated(draw):
    """A valid request with some values replaced, left out, doubled or renamed."""
    request = copy.deepcopy(draw(st.sampled_from(REQUESTS)))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(list(_places(request))))
        if not path:
            if draw(st.booleans()):
                return draw(st.sampled_from(ODD))
            continue
        holder, key = request, path[-1]
        for step in path[:-1]:
            holder = holder[step]
        match draw(st.sampled_from(["replace", "replace", "replace", "drop", "double", "rename"])):
            case "replace":
                holder[key] = copy.deepcopy(draw(st.sampled_from(ODD) | json_values))
            case "drop":
                del holder[key]
            case "double" if isinstance(holder, list):
                holder.insert(0, copy.deepcopy(holder[key]))
            case _ if isinstance(holder, dict):
                holder[draw(names | texts)] = holder.pop(key)
    return request


@st.composite
def body_texts(draw):
    """The text of a body: a request's JSON, the same damaged, or not JSON at all."""
    text = json.dumps(draw(mutated() | mutated() | json_values))
    match draw(st.sampled_from([*["unchanged"] * 6, "cut", "doubled", "odd", "text", "large"])):
        case "cut":
            return text[: draw(st.integers(0, len(text)))]
        case "doubled":  # every key twice: the last one counts
            return text.replace("{", '{"heartRate": 300, "metrics": 7, "metrics": [], ', draw(st.integers(1, 3)))
        case "odd":
            return text.replace(draw(st.sampled_from(["70", "5", "10.0", "1", "["])), draw(st.sampled_from(ODD_JSON)))
        case "text":
            return draw(texts | st.sampled_from(ODD_JSON))
        case "large" if draw(st.integers(0, 9)) == 0:
            return draw(st.sampled_from(LARGE_BODIES))
    return text


HEADERS = [
    {"Content-Type": "application/json"},
    {"content-type": "application/json; charset=utf-16"},
    {"CONTENT-TYPE": 'text/plain; charset="punycode"'},
    {"Content-Type": "charset=" + "x" * 100_000},
    {"Content-Type": "charset" + " " * 100_000},
    {"Content-Type": ["application/json"]},
    {"": None, "\ud800": "\x00"},
]
CONTEXTS = [{"http": {"method": "POST", "path": "/health-data/sync"}}, {"stage": "prod"}, {"http": {"path": "/"}}]


@st.composite
def http_events(draw):
    """An HTTP event in one of its forms, or in none of them."""
    text = draw(body_texts())
    event = {"body": text, "headers": draw(st.just(HEADERS[0]) | st.sampled_from(HEADERS) | json_values)}
    if draw(st.booleans()):
        encoded = base64.b64encode(text.encode("utf-8", "replace")).decode()
        event["body"] = draw(st.sampled_from([encoded] * 5 + [text]))
        event["isBase64Encoded"] = draw(st.sampled_from([True] * 5 + [False, "true"]))
    odd = st.sampled_from(ODD) | json_values
    forms = {
        "httpMethod": st.sampled_from(["POST", "POST", "POST", "post"]),
        "path": st.sampled_from(["/health-data/sync", "/prod/health-data/sync/"]),
        "rawPath": st.sampled_from(["/health-data/sync"]),
        "requestContext": st.sampled_from(CONTEXTS),
        "body": st.just(event["body"]),
    }
    for name, usual in forms.items():
        match draw(st.sampled_from(["usual"] * 10 + ["none"] * 8 + ["odd"])):
            case "odd":
                event[name] = draw(odd)
            case "usual":
                event[name] = draw(usual)
    return event


direct_events = mutated() | mutated() | json_values
large_events = st.sampled_from(LARGE) | st.builds(lambda request: {"body": json.dumps(request)}, st.sampled_from(LARGE))


PROBLEM = {"type", "title", "status", "detail", "code"}
DOCUMENT = yaml.safe_load((ROOT / "lambda/openapi.yaml").read_text(encoding="utf-8"))
ANSWER = set(DOCUMENT["components"]["schemas"]["Answer"]["required"])
LEVELS = ("normal", "borderline", "anomaly")


def check(answer, log):
    """Assert that an answer matches lambda/openapi.yaml, and that the log is one line of JSON. Returns the status."""
    json.dumps(answer, allow_nan=False).encode("ascii")
    (line,) = log.splitlines()
    status, body = answer["statusCode"], answer["body"]
    assert json.loads(line)["Status"] == status
    assert 200 <= status < 500, f"a defect: {line}"
    if isinstance(body, str):
        body = json.loads(body)
        kind = "application/json" if status == 200 else "application/problem+json"
        assert answer["headers"]["Content-Type"] == kind
    if status != 200:
        assert PROBLEM <= body.keys() <= PROBLEM | {"index", "field"}
        assert body["status"] == status
    elif body != {"message": "warm"}:
        _check_scores(body)
    return status


def _check_scores(body):
    assert body.keys() == ANSWER
    assert body["success"] is True
    results = body["results"]
    assert [item["index"] for item in results] == list(range(len(results)))
    for item in results:
        score = item["anomalyScore"]
        if score is None:
            assert item["level"] == "unknown"
            assert ("error" in item) != ("reason" in item)
            assert len(item.get("error", "")) < 130
        else:
            assert 0 <= score <= 1
            assert item["level"] == LEVELS[(score >= 0.3) + (score >= 0.7)]
    rejected = sum("error" in item for item in results)
    assert (body["accepted"], body["rejected"]) == (len(results) - rejected, rejected)
    assert body["anomalyScore"] == max((s for item in results if (s := item["anomalyScore"]) is not None), default=None)
    assert body["anomalyDetected"] == bool(body["reasons"]) == (body["level"] == "anomaly")
