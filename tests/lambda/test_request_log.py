import json
import time

import numpy as np
import pytest
import request_log
from request_log import METRICS

BODY = {
    "anomalyDetected": True,
    "anomalyScore": 0.812345,
    "level": "anomaly",
    "rejected": 2,
    "results": [{"index": place} for place in range(7)],
    "trend": {"score": 0.71, "alert": True},
}
COUNTS = {"HeartRate": np.array([0, 3, 1]), "HeartRateMoving": np.array([0, 0]), "Errors": np.array([4, 1])}
FACTS = {
    "wearers": 2,
    "unknown": 1,
    "seconds": 25.0,
    "error_ratio": np.array([0.5, 1.0, 1.5, 2.0, 9.0]),
    "sustained": np.array([1.23456, 0.4, 0.2, 0.0, 0.0]),
    "counts": COUNTS,
}
UNITS = {"Count", "None", "Milliseconds"}  # of those that CloudWatch knows


def line(status=200, body=None, facts=FACTS, *, model=("march", "0123456789abcdef"), cold=False):
    """The line, parsed from JSON."""
    call = request_log.Call("4f3a", 12.3456, cold)
    text = request_log.line(call, status=status, body=BODY | (body or {}), facts=facts, model=model)
    assert "\n" not in text
    return json.loads(text)


def test_a_scored_request_has_all_fields():
    fields = line()
    del fields["_aws"]
    assert fields == {
        "Model": "march",
        "ModelSha256": "0123456789ab",
        "RequestId": "4f3a",
        "Status": 200,
        "Level": "anomaly",
        "DurationMs": 12.35,
        "ColdStart": 0,
        "Readings": 7,
        "Rejected": 2,
        "Unknown": 1,
        "Wearers": 2,
        "Windows": 5,
        "Alerts": 1,
        "LargestScore": 0.8123,
        "TrendAlerts": 1,
        "TrendScore": 0.71,
        "ErrorP50": 1.5,
        "ErrorP90": 6.2,
        "ErrorMax": 9.0,
        "Seconds": 25.0,
        "HeartRate": [0, 3, 1],
        "Errors": [4, 1],
        "Held": [1.2346, 0.4, 0.2, 0.0, 0.0],
    }


def test_the_metrics_are_declared_as_cloudwatch_expects():
    fields = line()
    assert fields["_aws"].keys() == {"Timestamp", "CloudWatchMetrics"}
    assert abs(fields["_aws"]["Timestamp"] - 1000 * time.time()) < 60_000
    (directive,) = fields["_aws"]["CloudWatchMetrics"]
    assert directive.keys() == {"Namespace", "Dimensions", "Metrics"}
    assert {metric["Name"]: metric["Unit"] for metric in directive["Metrics"]} == METRICS
    assert set(METRICS.values()) <= UNITS
    assert [len(directive["Metrics"]), len(directive["Dimensions"])] == [len(METRICS), 1]


@pytest.mark.parametrize("facts", [FACTS, {}, {**FACTS, "error_ratio": np.empty(0)}])
@pytest.mark.parametrize("body", [{}, {"anomalyScore": None, "anomalyDetected": False, "trend": None}])
def test_each_declared_metric_is_a_number_and_each_dimension_a_text(facts, body):
    fields = line(body=body, facts=facts)
    (directive,) = fields["_aws"]["CloudWatchMetrics"]
    for metric in directive["Metrics"]:
        assert isinstance(fields[metric["Name"]], (int, float))
        assert not isinstance(fields[metric["Name"]], bool)
    for (dimension,) in directive["Dimensions"]:
        assert isinstance(fields[dimension], str)
    undeclared = METRICS.keys() - {metric["Name"] for metric in directive["Metrics"]}
    assert not undeclared & fields.keys()


def test_without_a_window_the_lists_are_left_out():
    fields = line(facts={**FACTS, "error_ratio": np.empty(0), "counts": {"HeartRate": 0}, "sustained": np.zeros(5)})
    assert not {"Held", "HeartRate", "Errors"} & fields.keys()


def test_a_problem_has_its_code_and_no_figures_of_readings():
    fields = line(status=413, body={"code": "too_large", "level": None}, facts={})
    assert (fields["Status"], fields["Code"]) == (413, "too_large")
    figures = {"DurationMs", "ColdStart"}
    assert fields.keys() - {"_aws"} == {"Model", "ModelSha256", "RequestId", "Status", "Code"} | figures


def test_a_defect_has_type_and_place():
    assert line(status=500, facts={"defect": "KeyError at grid.py:12"})["Defect"] == "KeyError at grid.py:12"
    assert "Defect" not in line()


def test_without_a_model_it_is_named_none():
    fields = line(status=503, facts={}, model=None, cold=True)
    assert (fields["Model"], fields["ModelSha256"], fields["ColdStart"]) == ("none", "none", 1)


def test_every_field_is_documented():
    documented = METRICS.keys() | set(request_log.__doc__.replace(",", " ").replace(":", " ").split())
    fields = line(body={"code": "x"}, facts={**FACTS, "defect": "y"})
    assert fields.keys() - {"_aws"} <= documented
