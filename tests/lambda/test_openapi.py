"""lambda/openapi.yaml against the function: schemathesis sends requests to the built bundle over HTTP."""

import json
import os
import re

import numpy as np
import pytest
import readings
import request as sync_request
import schemathesis
import yaml
from conftest import life
from emulator.environment import ExecutionEnvironment
from http_client import Client, serving
from http_event import PATH
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from schemathesis import checks

from lib.detector import baseline, features, grid
from lib.export import bundle
from lib.files import ROOT

DOCUMENT = ROOT / "lambda/openapi.yaml"
SPECIFICATION = yaml.safe_load(DOCUMENT.read_text(encoding="utf-8"))
SCHEMAS = SPECIFICATION["components"]["schemas"]
EVERY_ANSWER = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]

schemathesis.openapi.format("iana-time-zone", st.sampled_from(["UTC", "Europe/Rome", "Asia/Kolkata"]))
schemathesis.openapi.format("iso-8601", st.datetimes().map(lambda moment: moment.isoformat()))


def requests(mode, examples):
    """A decorator: the test gets that many `case`s, valid by the document or (negative) invalid."""
    generation = {"mode": mode, "deterministic": True}
    phases = {"coverage": {"unexpected-methods": []}}  # those are not part of this operation
    config = schemathesis.Config.from_dict({"generation": generation, "phases": phases})
    schema = schemathesis.openapi.from_path(DOCUMENT, config=config)
    limits = {"max_examples": examples, "deadline": None, "suppress_health_check": list(HealthCheck)}
    return lambda test: schema.parametrize()(settings(derandomize=True, **limits)(test))


@pytest.fixture(scope="module")
def client(export):
    with (
        open(os.devnull, "w") as log,
        bundle.unpacked(export / bundle.ZIP) as folder,
        ExecutionEnvironment(folder, log=log) as environment,
        serving(environment) as gateway,
    ):
        yield Client(gateway.server_port)
        gateway.shutdown()


@pytest.fixture(scope="module")
def url(client):
    return f"http://localhost:{client.port}"


@requests("positive", 60)
def test_a_request_of_the_document_is_answered_with_scores(case, url):
    case.call_and_validate(base_url=url, checks=[*EVERY_ANSWER, checks.positive_data_acceptance])


@requests("negative", 60)
def test_any_other_request_gets_an_answer_that_the_document_names(case, url):
    case.call_and_validate(base_url=url, checks=EVERY_ANSWER)


def test_the_document_is_openapi():
    validate(SPECIFICATION)


@pytest.mark.parametrize(
    "sent", [{"metrics": {"heartRate": 70}}, [{"heartRate": 70}], [{"metrics": [{"heartRate": 70}]}]]
)
def test_another_form_is_not_a_request_of_the_document_and_gets_a_400_of_it(client, sent):
    assert not fits("Request", sent)
    status, body = client.sync(sent)
    assert (status, body["code"]) == (400, "unknown_form")
    assert fits("BadRequest", body)


def test_who_may_call_is_what_the_template_asks_for():
    """IAM signatures or a JWT, one of the two: the names of the template's parameter Authorizer."""
    schemes = SPECIFICATION["components"]["securitySchemes"]
    assert SPECIFICATION["paths"][PATH]["post"]["security"] == [{name: []} for name in schemes]
    assert schemes["signature"]["x-amazon-apigateway-authtype"] == "awsSigv4"
    assert (schemes["token"]["scheme"], schemes["token"]["bearerFormat"]) == ("bearer", "JWT")
    assert set(SPECIFICATION["paths"][PATH]["post"]["responses"]) >= {"401", "403"}


def fits(schema, value):
    """Whether a value matches one of the document's schemas."""
    return Draft202012Validator({"$ref": f"#/components/schemas/{schema}", **SPECIFICATION}).is_valid(value)


@pytest.mark.parametrize("name", ["direct", "envelope"])
def test_the_example_events_are_requests_of_the_document(name):
    assert fits("Request", json.loads((ROOT / f"lambda/events/{name}.json").read_text(encoding="utf-8")))


def test_the_documents_own_examples_are_scored_whole(client):
    examples = SPECIFICATION["paths"][PATH]["post"]["requestBody"]["content"]["application/json"]["examples"]
    for example in examples.values():
        assert fits("Request", example["value"])
        status, body = client.sync(example["value"])
        assert (status, body["accepted"], body["rejected"]) == (200, 2, 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"heartRate": 19},
        {"heartRate": 251},
        {"heartRate": "75"},
        {"heartRate": None},
        {"steps": -1},
        {"distance": 2e9},
        {"hour_sin": 1.5},
    ],
)
def test_a_reading_that_the_document_rules_out_is_rejected_and_the_others_are_scored(client, changes):
    request = bundle.request_of(life(5))
    request["metrics"][2] |= changes
    assert not fits("Request", request)
    status, body = client.sync(request)
    assert (status, body["success"]) == (200, True)
    assert [item["index"] for item in body["results"] if "error" in item] == [2]
    assert fits("Answer", body)


def test_an_answer_must_be_whole_and_a_result_of_one_kind(client):
    status, body = client.sync(bundle.request_of(life(3)))
    assert (status, fits("Answer", body)) == (200, True)
    for name in body:
        assert not fits("Answer", {key: value for key, value in body.items() if key != name})
    assert not fits("Answer", body | {"extra": 1})
    for result in ({"anomalyScore": None}, {"anomalyScore": 1.1}, {"level": "unknown"}, {"error": "why"}):
        assert not fits("Answer", body | {"results": [body["results"][0] | result]})


def test_the_limits_are_the_functions_own():
    assert SCHEMAS["Batch"]["properties"]["metrics"]["maxItems"] == sync_request.MOST_READINGS
    assert SCHEMAS["Envelopes"]["maxItems"] == sync_request.MOST_ENVELOPES
    assert SCHEMAS["Batch"]["properties"]["counters"]["enum"] == list(features.COUNTER_FORMS)
    milliseconds = SCHEMAS["Timestamp"]["anyOf"][0]
    assert (milliseconds["minimum"], milliseconds["maximum"]) == grid.UNIX_MS_RANGE
    amounts = SCHEMAS["Amounts"]["properties"]
    assert list(amounts) == list(features.CHANNELS)
    zero, bpm = amounts["heartRate"]["anyOf"]
    assert (zero["const"], (bpm["minimum"], bpm["maximum"])) == (0, grid.HEART_RATE_RANGE)
    assert {amounts[name]["maximum"] for name in features.COUNTERS} == {readings.LARGEST_COUNT}


def test_the_baseline_is_the_functions_own():
    fullest = np.full(baseline.BINS, baseline.FORGETS)
    for minutes, known in ((fullest, True), (fullest + 1, False), (fullest[1:], False), (np.append(fullest, 0), False)):
        assert fits("Baseline", baseline.Baseline(minutes).to_json()) == known
    assert fits("Baseline", {})


def test_every_code_that_the_function_can_say_is_in_the_document():
    raised = re.compile(r'Problem\((\d+), "(\w+)"')
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "lambda").glob("*.py")]
    raised_codes = {code for source in sources for code in raised.findall(source)}
    other_paths = {("404", "no_such_path"), ("405", "wrong_method")}
    documented = set()
    for schema in SCHEMAS.values():
        if "$ref" in schema:
            status, code = schema["properties"]["status"]["const"], schema["properties"]["code"]
            documented |= {(str(status), name) for name in code.get("enum", [code.get("const")])}
    assert raised_codes == documented | other_paths
