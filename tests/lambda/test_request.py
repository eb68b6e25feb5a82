import math

import numpy as np
import pytest
from http_event import Problem
from request import parse
from sent_readings import CALENDAR, HUGE, READING, START, at, hour, read


def test_readings_without_timestamps_stand_one_interval_apart():
    (readings,) = parse({"metrics": [READING | CALENDAR] * 3}, interval_s=30)
    assert readings.seconds.tolist() == [0, 30, 60]
    assert readings.index.tolist() == [0, 1, 2]
    assert readings.heart_rate.tolist() == [75.0] * 3
    assert readings.counters.tolist() == [[120, 45.5, 96]] * 3
    assert readings.calendar.tolist() == [[0.5, 0.866, 0]] * 3
    assert readings.errors == [None] * 3
    assert readings.cumulative


@pytest.mark.parametrize(
    ("timestamp", "instant", "of_day"),
    [
        (START * 1000, START, 7),
        (START * 1000 + 250.0, START + 0.25, 7 + 0.25 / 3600),
        ("2026-03-02T07:00:00Z", START, 7),
        ("2026-03-02T07:00:00+00:00", START, 7),
        ("2026-03-02 07:00:00", START, 7),
        ("20260302T070000", START, 7),
        ("2026-03-02T09:30:00+02:30", START, 9.5),
        ("2026-03-01T21:00:00-10:00", START, 21),
        ("2026-03-02", START - 7 * 3600, 0),
    ],
)
def test_a_timestamp_tells_the_instant_and_the_hour_of_the_wearers_day(timestamp, instant, of_day):
    readings = read(at(timestamp))
    assert readings.errors == [None]
    assert readings.seconds[0] == pytest.approx(instant, abs=1e-6)
    assert hour(readings) == pytest.approx(of_day, abs=1e-6)


def test_a_calendar_that_is_given_goes_before_the_timestamp():
    assert read(at(START * 1000, **CALENDAR)).calendar.tolist() == [[0.5, 0.866, 0]]


def test_part_of_a_calendar_is_filled_in_by_the_timestamp():
    assert hour(read(at(START * 1000, hour_sin=0.1))) == pytest.approx(7)


@pytest.mark.parametrize("missing", CALENDAR)
def test_without_a_timestamp_each_calendar_field_is_needed(missing):
    metric = {name: value for name, value in (READING | CALENDAR).items() if name != missing}
    assert read(metric).errors == [f"{missing} is missing, and there is no timestamp to tell it by"]


def test_a_channel_absent_throughout_is_nan_and_no_error():
    readings = read(*[{name: value for name, value in at(START * 1000).items() if name != "distance"}] * 2)
    assert readings.errors == [None, None]
    np.testing.assert_array_equal(readings.counters, [[120, 45.5, np.nan]] * 2)


@pytest.mark.parametrize("name", ["steps", "calories", "distance", "timezone", *CALENDAR])
def test_a_field_that_is_null_throughout_is_absent(name):
    without = read(*[{key: value for key, value in at(START * 1000).items() if key != name}] * 2)
    readings = read(*[at(START * 1000, **{name: None})] * 2)
    assert readings.errors == without.errors == [None, None]
    np.testing.assert_array_equal(readings.counters, without.counters)
    np.testing.assert_array_equal(readings.calendar, without.calendar)


def test_a_timestamp_that_is_null_throughout_is_absent():
    assert read(*[READING | CALENDAR | {"timestamp": None}] * 2).seconds.tolist() == [0, 5]


@pytest.mark.parametrize("name", ["heartRate", "steps", "calories", "distance", "timestamp"])
def test_what_one_reading_lacks_and_others_have_is_missing(name):
    lacking = {key: value for key, value in at(START * 1000).items() if key != name}
    assert read(at(START * 1000), lacking, at(START * 1000)).errors == [None, f"{name} is missing", None]


@pytest.mark.parametrize("value", [5.0, "n/a", None])
def test_a_channel_that_one_reading_has_and_all_others_lack_is_absent(value):
    usual = {name: at(START * 1000)[name] for name in ("timestamp", "heartRate", "steps", "calories")}
    readings = read(*[usual] * 30, {**usual, "distance": value}, {"heartRate": "x", "distance": value}, *[usual] * 29)
    bad = [place for place, error in enumerate(readings.errors) if error]
    assert bad == ([30, 31] if value == "n/a" else [31])
    assert np.isnan(readings.counters[:, 2]).all()
    assert not np.isnan(np.delete(readings.counters[:, :2], bad, axis=0)).any()


@pytest.mark.parametrize("stray", [{"timestamp": "junk"}, at(START * 1000, **CALENDAR)])
def test_a_timestamp_that_one_reading_has_and_all_others_lack_is_absent(stray):
    readings = read(*[READING | CALENDAR] * 30, stray, *[READING | CALENDAR] * 29)
    assert [place for place, error in enumerate(readings.errors) if error] == ([] if "heartRate" in stray else [30])
    assert readings.seconds.tolist() == [5.0 * place for place in range(60)]


def test_a_channel_that_half_of_the_readings_lack_is_missing_in_those():
    lacking = {key: value for key, value in at(START * 1000).items() if key != "distance"}
    assert read(at(START * 1000), lacking).errors == [None, "distance is missing"]


def test_of_a_reading_whose_heart_rate_alone_is_bad_time_and_counters_count():
    zero, twice = at(START * 1000, heartRate=0), at(START * 1000, heartRate="x", steps=-1)
    readings = read(at(START * 1000), zero, twice)
    assert readings.errors == [None, "heartRate 0 is outside 20..250", "steps -1 is outside 0..1e+09"]
    assert readings.counts.tolist() == [True, True, False]
    assert (readings.seconds[1], readings.counters[1].tolist()) == (START, [120, 45.5, 96])


@pytest.mark.parametrize("weekend", [True, False])
def test_a_weekend_may_be_told_by_a_boolean(weekend):
    assert read(READING | CALENDAR | {"is_weekend": weekend}).calendar.tolist() == [[0.5, 0.866, weekend]]
    assert read(READING | CALENDAR | {"hour_sin": weekend}).errors == [f"hour_sin {weekend} is not a number"]


def test_a_reading_that_is_no_object_is_told_so():
    assert read(None, [], 7, "x", at(START * 1000)).errors == ["a reading is an object"] * 4 + [None]


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("heartRate", None, "heartRate is missing"),
        ("heartRate", True, "heartRate True is not a number"),
        ("heartRate", "70", "heartRate '70' is not a number"),
        ("heartRate", "x" * 100, "heartRate '" + "x" * 32 + "'… is not a number"),
        ("heartRate", [75, 76], "heartRate (a list) is not a number"),
        ("heartRate", {"bpm": 75}, "heartRate (an object) is not a number"),
        ("heartRate", math.nan, "heartRate nan is not a finite number"),
        ("heartRate", 19.99, "heartRate 19.99 is outside 20..250"),
        ("heartRate", 0, "heartRate 0 is outside 20..250"),
        ("heartRate", 250.5, "heartRate 250.5 is outside 20..250"),
        ("steps", int(HUGE), "steps (a huge integer) is outside 0..1e+09"),
        ("steps", -int(HUGE), "steps (a huge integer) is outside 0..1e+09"),
        ("steps", 1_000_000_001, "steps 1000000001 is outside 0..1e+09"),
        ("calories", math.inf, "calories inf is not a finite number"),
        ("calories", -math.inf, "calories -inf is not a finite number"),
        ("distance", -0.01, "distance -0.01 is outside 0..1e+09"),
        ("timestamp", None, "timestamp is missing"),
        ("timestamp", "yesterday", "timestamp 'yesterday' is neither ISO 8601 nor Unix milliseconds"),
        ("timestamp", START, f"timestamp {START} is neither ISO 8601 nor Unix milliseconds"),
        ("timestamp", int(HUGE), "timestamp (a huge integer) is neither ISO 8601 nor Unix milliseconds"),
        ("timestamp", math.nan, "timestamp nan is neither ISO 8601 nor Unix milliseconds"),
        ("timestamp", True, "timestamp True is neither ISO 8601 nor Unix milliseconds"),
    ],
)
def test_a_bad_field_is_named_with_its_value_and_the_others_stay(name, value, error):
    good = at(START * 1000)
    readings = read(good, good | {name: value}, good)
    assert readings.errors == [None, error, None]
    assert np.isnan(readings.heart_rate).tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("timestamp", "zone"), [("0001-01-01T00:00:00Z", "America/New_York"), ("9999-12-31T23:59:59Z", "Asia/Tokyo")]
)
def test_a_wall_clock_beyond_the_calendar_is_a_bad_reading(timestamp, zone):
    assert read(at(timestamp)).errors == [None]
    assert "neither ISO 8601" in read(at(timestamp), timezone=zone).errors[0]


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("hour_sin", 1.01, "is outside -1..1"),
        ("hour_cos", -2, "is outside -1..1"),
        ("is_weekend", "no", "is not a number"),
        ("is_weekend", -0.5, "is outside 0..1"),
        ("is_weekend", 2, "is outside 0..1"),
    ],
)
def test_a_calendar_out_of_range_is_bad(name, value, error):
    assert read(READING | CALENDAR | {name: value}).errors == [f"{name} {value!r} {error}"]


@pytest.mark.parametrize(("sine", "cosine"), [(0, 0.0), (1, 1), (-0.6, 0.6), (0.0, -0.85)])
def test_numbers_that_are_no_hours_sine_and_cosine_are_bad(sine, cosine):
    readings = read(READING | CALENDAR, READING | CALENDAR | {"hour_sin": sine, "hour_cos": cosine})
    error = f"hour_sin {sine} and hour_cos {cosine} are not the sine and cosine of an hour"
    assert readings.errors == [None, error]


@pytest.mark.parametrize(("sine", "cosine"), [(0.5, 0.866), (0.5, 0.9), (0.7, 0.7), (-1, 0), (0.0, -0.95)])
def test_an_hours_sine_and_cosine_may_be_rounded(sine, cosine):
    assert read(READING | CALENDAR | {"hour_sin": sine, "hour_cos": cosine}).errors == [None]


@pytest.mark.parametrize(("name", "values"), [("heartRate", [20, 250.0]), ("steps", [0, 0.0, 10**9])])
def test_the_limits_themselves_are_good(name, values):
    assert read(*[at(START * 1000, **{name: value}) for value in values]).errors == [None] * len(values)


@pytest.mark.parametrize("value", ["\ud800" * 100, "\x00\x1b[31m" * 20, "🫀" * 50, "\u202e" * 50])
def test_an_error_shows_at_most_40_characters_of_a_value_all_of_them_printable(value):
    (error,) = read(at(value)).errors
    said = error.removeprefix("timestamp ").removesuffix(" is neither ISO 8601 nor Unix milliseconds")
    assert len(said) <= 40
    assert said.isprintable()


def item(user="ada", device="watch", **changes):
    metrics = {"heartRate": 70, "steps": 4, "calories": 1.0, "battery": 80}
    return {"userId": user, "deviceId": device, "timestamp": START * 1000, "metrics": metrics, "edge": [1], **changes}


def test_an_envelope_is_told_apart_by_wearer_and_watch():
    sent = [item("ada"), item("bea"), item("ada"), item("ada", "other"), item("bea"), item(7), item(None)]
    readings = parse(sent, interval_s=5)
    assert [wearer.index.tolist() for wearer in readings] == [[0, 2], [1, 4], [3], [5], [6]]
    assert [wearer.errors for wearer in readings] == [[None] * len(wearer.index) for wearer in readings]
    assert readings[0].seconds.tolist() == [START, START]


def test_ids_of_any_form_are_told_apart():
    names = [{"id": 1}, {"id": 2}, ["b"], [], 1, True, "1", None, 1.5]
    assert len(parse([item(name) for name in names], interval_s=5)) == len(names)
    assert len(parse([item({"a": 1, "b": 2}), item({"b": 2, "a": 1})], interval_s=5)) == 1


def test_an_absent_channel_is_each_wearers_own():
    with_distance = item("bea", metrics={**item()["metrics"], "distance": 5.0})
    first, second = parse([item(), with_distance], interval_s=5)
    assert np.isnan(first.counters[0, 2])
    assert second.counters[0, 2] == 5.0
    assert first.errors + second.errors == [None, None]


@pytest.mark.parametrize("bad", [None, 7, "x", [], {}, {"metrics": None}, {"metrics": [READING]}, {"userId": {}}])
def test_what_is_no_envelope_is_a_bad_reading_in_its_place(bad):
    wearers = parse([item(), bad, item()], interval_s=5)
    errors = {place: said for one in wearers for place, said in zip(one.index.tolist(), one.errors, strict=True)}
    assert errors == {0: None, 1: "a reading is an object", 2: None}


def test_an_envelopes_null_is_absent_too():
    inner = {**item()["metrics"], "timestamp": START * 1000, "distance": None}
    (readings,) = parse([item(metrics=inner, timestamp=None, timezone=None)], interval_s=5)
    assert readings.errors == [None]
    assert np.isnan(readings.counters[0]).tolist() == [False, False, True]


def test_one_envelope_may_come_without_a_list():
    (readings,) = parse(item(), interval_s=5)
    assert readings.errors == [None]


@pytest.mark.parametrize(("sent", "most"), [({"metrics": [{}] * 1441}, "1,440"), ([{}] * 101, "100")])
def test_too_many_readings_are_a_problem(sent, most):
    with pytest.raises(Problem, match=f"more than {most}") as caught:
        parse(sent, interval_s=5)
    assert caught.value.status == 413
    assert caught.value.body["index"] == len(sent["metrics"] if isinstance(sent, dict) else sent) - 1


@pytest.mark.parametrize("sent", [{"metrics": [at(START * 1000)] * 1440}, [item()] * 100])
def test_as_many_readings_as_are_allowed_are_taken(sent):
    (readings,) = parse(sent, interval_s=5)
    assert readings.errors == [None] * len(readings.index)


@pytest.mark.parametrize("sent", [None, 7, "metrics", [], {}, {"metrics": []}, {"metrics": None}, {"metrics": "[]"}])
def test_no_list_of_readings_is_a_problem(sent):
    with pytest.raises(Problem) as caught:
        parse(sent, interval_s=5)
    assert (caught.value.status, caught.value.body["code"]) == (400, "no_readings")


@pytest.mark.parametrize(("sent", "wanted"), [({"metrics": []}, "1 to 1,440 readings"), ([], "1 to 100 envelopes")])
def test_no_list_of_readings_is_told_how_long_one_may_be(sent, wanted):
    with pytest.raises(Problem, match=f"a list of {wanted} is wanted"):
        parse(sent, interval_s=5)


def test_an_option_that_is_null_is_absent():
    plain, null = read(at(START * 1000)), read(at(START * 1000), counters=None, timezone=None)
    assert (null.cumulative, hour(null)) == (plain.cumulative, hour(plain))


@pytest.mark.parametrize("counters", ["both", "", [], {}, 1, True, "Cumulative"])
def test_unknown_counters_are_a_problem_that_names_the_field(counters):
    with pytest.raises(Problem) as caught:
        read(READING, counters=counters)
    assert (caught.value.body["code"], caught.value.body["field"]) == ("bad_counters", "counters")


def test_interval_counters_are_told():
    assert not read(READING, counters="interval").cumulative
