import numpy as np
import pytest
from http_event import Problem
from request import parse
from sent_readings import CALENDAR, READING, START, at, hour, read


def item(user="ada", device="watch", **changes):
    metrics = {"heartRate": 70, "steps": 4, "calories": 1.0, "battery": 80}
    return {"userId": user, "deviceId": device, "timestamp": START * 1000, "metrics": metrics, "edge": [1], **changes}


def test_envelopes_are_separated_by_wearer_and_watch():
    sent = [item("ada"), item("bea"), item("ada"), item("ada", "other"), item("bea"), item(7), item(None)]
    readings = parse(sent, interval_s=5)
    assert [wearer.index.tolist() for wearer in readings] == [[0, 2], [1, 4], [3], [5], [6]]
    assert [wearer.errors for wearer in readings] == [[None] * len(wearer.index) for wearer in readings]
    assert readings[0].seconds.tolist() == [START, START]


def test_ids_of_any_json_type_are_distinct():
    names = [{"id": 1}, {"id": 2}, ["b"], [], 1, True, "1", None, 1.5]
    assert len(parse([item(name) for name in names], interval_s=5)) == len(names)
    assert len(parse([item({"a": 1, "b": 2}), item({"b": 2, "a": 1})], interval_s=5)) == 1


def test_an_absent_channel_is_each_wearers_own():
    with_distance = item("bea", metrics={**item()["metrics"], "distance": 5.0})
    first, second = parse([item(), with_distance], interval_s=5)
    assert np.isnan(first.counters[0, 2])
    assert second.counters[0, 2] == 5.0
    assert first.errors + second.errors == [None, None]


@pytest.mark.parametrize("bad", [None, 7, "x", [], {}, {"metrics": None}, {"userId": {}}])
def test_a_malformed_envelope_is_a_bad_reading_in_its_place(bad):
    wearers = parse([item(), bad, item()], interval_s=5)
    errors = {place: text for one in wearers for place, text in zip(one.index.tolist(), one.errors, strict=True)}
    assert errors == {0: None, 1: "a reading is an object", 2: None}


def test_an_envelopes_null_is_absent_too():
    inner = {**item()["metrics"], "timestamp": START * 1000, "distance": None}
    (readings,) = parse([item(metrics=inner, timestamp=None, timezone=None)], interval_s=5)
    assert readings.errors == [None]
    assert np.isnan(readings.counters[0]).tolist() == [False, False, True]


def misplaced(*readings):
    """Another form: readings inside an envelope."""
    return [item(), item(metrics=list(readings))]


@pytest.mark.parametrize(
    ("sent", "problem", "index"),
    [
        (item(), "metrics is an object", None),
        ({"metrics": READING}, "metrics is an object", None),
        (misplaced(READING, READING), "several readings inside an envelope", 1),
        ({"metrics": [READING, item()]}, "an envelope inside metrics", 1),
        ({"metrics": misplaced(READING)}, "an envelope inside metrics", 0),
        ([READING, READING], "a reading without an envelope", 0),
        ([item(), READING], "a reading without an envelope", 1),
        ([None, 7, {"metrics": 7}], "a list without an envelope", 0),
        ({"metrics": [READING | {"userId": user} for user in "aab"]}, "several userIds in one metrics", 2),
        ({"metrics": [READING, READING | {"userId": 7}], "userId": "7"}, "several userIds in one metrics", 1),
    ],
)
def test_another_form_is_a_problem_that_names_those_expected(sent, problem, index):
    with pytest.raises(Problem) as caught:
        parse(sent, interval_s=5)
    body = caught.value.body
    assert (body["status"], body["code"], body["field"], body.get("index")) == (400, "unknown_form", "metrics", index)
    assert body["detail"].startswith('expected {"metrics": [{"heartRate"')
    assert "or a list of envelopes" in body["detail"]
    assert body["detail"].endswith(f"; got {problem}")


@pytest.mark.parametrize("user", ["ada", 7, {"id": [1]}, None])
def test_one_user_id_may_be_in_each_reading(user):
    sent = {"metrics": [READING | CALENDAR | {"userId": user}] * 3, "userId": user}
    assert [readings.errors for readings in parse(sent, interval_s=5)] == [[None] * 3]


@pytest.mark.parametrize(("sent", "most"), [({"metrics": [{}] * 1441}, "1,440"), ([{}] * 101, "100")])
def test_too_many_readings_are_a_problem(sent, most):
    with pytest.raises(Problem, match=f"at most {most} ") as caught:
        parse(sent, interval_s=5)
    assert caught.value.status == 413
    assert caught.value.body["index"] == len(sent["metrics"] if isinstance(sent, dict) else sent) - 1


@pytest.mark.parametrize("sent", [{"metrics": [at(START * 1000)] * 1440}, [item()] * 100])
def test_as_many_readings_as_are_allowed_are_taken(sent):
    (readings,) = parse(sent, interval_s=5)
    assert readings.errors == [None] * len(readings.index)


@pytest.mark.parametrize("sent", [None, 7, "metrics", [], {}, {"metrics": []}, {"metrics": None}, {"metrics": "[]"}])
def test_a_request_without_a_list_of_readings_is_a_problem(sent):
    with pytest.raises(Problem) as caught:
        parse(sent, interval_s=5)
    assert (caught.value.status, caught.value.body["code"]) == (400, "no_readings")


@pytest.mark.parametrize(("sent", "expected"), [({"metrics": []}, "1 to 1,440 readings"), ([], "1 to 100 envelopes")])
def test_a_missing_list_is_refused_with_the_length_allowed(sent, expected):
    with pytest.raises(Problem, match=f"expected a list of {expected}; expected .*envelopes"):
        parse(sent, interval_s=5)


def test_an_option_that_is_null_is_absent():
    plain, null = read(at(START * 1000)), read(at(START * 1000), counters=None, timezone=None)
    assert (null.cumulative, hour(null)) == (plain.cumulative, hour(plain))


@pytest.mark.parametrize("counters", ["both", "", [], {}, 1, True, "Cumulative"])
def test_unknown_counters_are_a_problem_that_names_the_field(counters):
    with pytest.raises(Problem) as caught:
        read(READING, counters=counters)
    assert (caught.value.body["code"], caught.value.body["field"]) == ("bad_counters", "counters")


def test_interval_counters_are_recognised():
    assert not read(READING, counters="interval").cumulative
