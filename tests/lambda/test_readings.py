import math
from datetime import UTC

import numpy as np
import pytest
import readings as reading_checks
from clock import Clock
from hypothesis import given, settings
from hypothesis import strategies as st
from request import parse
from sent_readings import CALENDAR, HUGE, READING, START, at, hour, read
from time_zones import Zones


@settings(deadline=None, max_examples=200)
@given(
    changes=st.lists(
        st.tuples(
            st.integers(0, 5),
            st.sampled_from(["timestamp", "heartRate", "steps", "distance", "hour_sin", "hour_cos", "is_weekend"]),
            st.sampled_from([None, True, -1, 0, 0.5, 1, 70, 1e10, 10**400, math.nan, math.inf, "70", []]),
        ),
        max_size=3,
    ),
    absent=st.sets(st.sampled_from(["timestamp", "steps", "calories", "hour_sin", "hour_cos", "is_weekend"])),
)
def test_readings_are_the_same_checked_at_once_or_one_by_one(changes, absent):
    usual = {"timestamp": START * 1000, "heartRate": 70, "steps": 1, "calories": 0.2, "distance": 2.5}
    usual |= CALENDAR
    metrics = [{name: value for name, value in usual.items() if name not in absent} for _ in range(6)]
    for place, name, value in changes:
        metrics[place][name] = value
    clock = Clock(Zones(), UTC)
    together, one_by_one = reading_checks._all_at_once(metrics, clock), reading_checks._one_by_one(metrics, clock)
    names = set(metrics[0])
    alike = all(set(metric) == names for metric in metrics) and names & set(CALENDAR) in (set(), set(CALENDAR))
    numbers = all(type(value) in (int, float) for metric in metrics for value in metric.values())
    off_wrist = any(metric.get("heartRate") == 0 for metric in metrics)
    _, _, errors, _ = one_by_one
    if together is None:
        assert any(errors) or off_wrist or not (alike and numbers)
        return
    assert not any(errors)
    for fast, slow in zip(together, one_by_one, strict=True):
        np.testing.assert_array_equal(fast, slow)


def test_usual_readings_are_checked_at_once():
    clock = Clock(Zones(), UTC)
    for usual in (at(START * 1000), READING | CALENDAR):
        _, numbers, errors, countable = reading_checks._all_at_once([usual] * 6, clock)
        assert (len(numbers), errors, countable.all()) == (6, [None] * 6, True)


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
    ("timestamp", "instant", "hour_of_day"),
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
def test_a_timestamp_gives_the_instant_and_the_hour_of_the_wearers_day(timestamp, instant, hour_of_day):
    readings = read(at(timestamp))
    assert readings.errors == [None]
    assert readings.seconds[0] == pytest.approx(instant, abs=1e-6)
    assert hour(readings) == pytest.approx(hour_of_day, abs=1e-6)


def test_a_sent_calendar_takes_precedence_over_the_timestamp():
    assert read(at(START * 1000, **CALENDAR)).calendar.tolist() == [[0.5, 0.866, 0]]


def test_part_of_a_calendar_is_filled_in_by_the_timestamp():
    assert hour(read(at(START * 1000, hour_sin=0.1))) == pytest.approx(7)


@pytest.mark.parametrize("missing", CALENDAR)
def test_without_a_timestamp_each_calendar_field_is_needed(missing):
    metric = {name: value for name, value in (READING | CALENDAR).items() if name != missing}
    assert read(metric).errors == [f"{missing} is missing, and there is no timestamp to derive it from"]


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


@pytest.mark.parametrize("weekend", [True, False])
def test_is_weekend_may_be_a_boolean(weekend):
    assert read(READING | CALENDAR | {"is_weekend": weekend}).calendar.tolist() == [[0.5, 0.866, weekend]]
    assert read(READING | CALENDAR | {"hour_sin": weekend}).errors == [f"hour_sin {weekend} is not a number"]


def test_a_reading_that_is_not_an_object_is_rejected():
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
        ("heartRate", 0.1, "heartRate 0.1 is outside 20..250"),
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


@pytest.mark.parametrize("timestamp", ["0001-01-01T00:00:00Z", "1999-12-31T23:59:59", "9999-12-31T23:59:59+09:00"])
@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo"])
def test_a_time_that_no_watch_can_have_is_a_bad_reading(timestamp, zone):
    error = f"timestamp {timestamp!r} lies outside the years 2000 to 2100"
    assert read(at(timestamp), timezone=zone).errors == [error]
    good = at(START * 1000)
    assert read(good, at(timestamp), good).errors == [None, error, None]


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
def test_numbers_off_the_unit_circle_are_bad(sine, cosine):
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
    text = error.removeprefix("timestamp ").removesuffix(" is neither ISO 8601 nor Unix milliseconds")
    assert len(text) <= 40
    assert text.isprintable()


@pytest.mark.parametrize("zero", [0, 0.0, -0.0])
def test_a_heart_rate_of_0_is_off_the_wrist_and_no_error(zero):
    readings = read(at(START * 1000), at(START * 1000, heartRate=zero))
    assert readings.errors == [None, None]
    assert np.isnan(readings.heart_rate).tolist() == [False, True]
    assert readings.countable.all()


def test_a_reading_with_a_bad_heart_rate_alone_still_counts_by_time_and_counters():
    low, twice = at(START * 1000, heartRate=9), at(START * 1000, heartRate="x", steps=-1)
    readings = read(at(START * 1000), low, twice)
    assert readings.errors == [None, "heartRate 9 is outside 20..250", "steps -1 is outside 0..1e+09"]
    assert readings.countable.tolist() == [True, True, False]
    assert (readings.seconds[1], readings.counters[1].tolist()) == (START, [120, 45.5, 96])
