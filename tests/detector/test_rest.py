"""Hours at rest: hand-computed readings, and the same hours however readings are cut into requests."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.detector.rest import Hour, RestingHours

NAN = np.nan
NOON = 450_012 * 3600  # Unix seconds of a noon


def minutes(count, *, start=NOON, every=60):
    return start + every * np.arange(count)


def test_an_hour_without_steps_is_its_mean_heart_rate_after_ten_minutes_of_stillness():
    times = minutes(62)
    heart = np.where(np.arange(62) < 35, 60.0, 70.0)
    hours = RestingHours().add(times, heart, np.zeros(62))
    # still from minute 0: minutes 10..34 at 60 and 35..59 at 70 are at rest, the hour is known at minute 60
    assert hours == [Hour(450_012, 450_012, 50 * 60, 65.0, NOON + 3600)]


def test_steps_end_the_rest_for_ten_minutes():
    steps = np.zeros(62)
    steps[30] = 12
    (hour,) = RestingHours().add(minutes(62), np.full(62, 60.0), steps)
    assert hour.seconds == (20 + 20) * 60  # minutes 10..29 and 40..59


def test_no_steps_while_the_watch_was_off_is_no_rest():
    heart = np.full(62, 60.0)
    heart[15:45] = NAN  # the watch off: it reports 0 steps, and no heart rate
    (hour,) = RestingHours().add(minutes(62), heart, np.zeros(62))
    assert hour.seconds == (5 + 5) * 60  # minutes 10..14, and 55..59: ten minutes after it is worn again


def test_one_reading_in_ten_minutes_is_enough():
    (hour,) = RestingHours().add(minutes(8, every=600), np.full(8, 58.0), np.zeros(8))
    assert hour == Hour(450_012, 450_012, 3000, 58.0, NOON + 3600)


def test_readings_further_apart_than_ten_minutes_are_no_rest():
    assert RestingHours().add(minutes(40, every=900), np.full(40, 58.0), np.zeros(40)) == []


def test_readings_wait_until_a_report_of_steps_confirms_them():
    steps = np.full(62, NAN)
    rest = RestingHours()
    assert rest.add(minutes(61), np.full(61, 60.0), np.where(np.arange(61) == 0, 0.0, NAN)) == []
    (hour,) = rest.add(minutes(1, start=NOON + 3660), [60.0], [0.0])
    assert hour.seconds == 50 * 60
    steps[0], steps[61] = 0, 400
    assert RestingHours().add(minutes(62), np.full(62, 60.0), steps) == []  # somebody walked, at whatever minute


def test_a_few_steps_reported_after_hours_are_rest_all_the_same():
    steps = np.full(182, NAN)
    steps[[0, 181]] = 0, 20  # 20 steps in three hours of sleep
    hours = RestingHours().add(minutes(182), np.full(182, 50.0), steps)
    assert [hour.seconds for hour in hours] == [3000, 3600, 3600]


def test_without_any_report_of_steps_nothing_is_rest():
    assert RestingHours().add(minutes(600), np.full(600, 60.0), np.full(600, NAN)) == []


def test_the_wall_clock_names_the_hour():
    (hour,) = RestingHours().add(minutes(62), np.full(62, 60.0), np.zeros(62), offset=2 * 3600)
    assert (hour.number, hour.wall) == (450_012, 450_014)


@pytest.mark.parametrize("heart", [0, NAN, 251, np.inf, -np.inf])
def test_artefacts_do_not_count(heart):
    readings = np.full(62, 60.0)
    readings[20] = heart
    (hour,) = RestingHours().add(minutes(62), readings, np.zeros(62))
    assert (hour.bpm, hour.seconds) == (60.0, 3000)


def test_a_counter_gives_the_steps_since_the_last_report_also_across_requests_and_midnight():
    rest = RestingHours()
    counters = [[NAN, 900.0, NAN, 905.0], [905.0, NAN], [7.0, 7.0]]
    midnight = 450_000 * 3600
    times = midnight - 600 + 120 * np.arange(8)
    steps = [
        rest._since_report(np.array(counter), days)
        for counter, days in zip(counters, np.split(times // 86_400, [4, 6]), strict=True)
    ]
    np.testing.assert_array_equal(np.concatenate(steps), [NAN, NAN, NAN, 5, 0, NAN, 7, 0])


@pytest.mark.parametrize("counter", [[1], ["1", 2], [True, 2], [-1, 2], [1, 2.5]])
def test_a_counter_that_was_never_written_is_refused(counter):
    with pytest.raises(ValueError, match="counter"):
        RestingHours.from_json(RestingHours().to_json() | {"counter": counter})


@pytest.mark.parametrize("size", [1, 7, 600])
def test_a_counter_gives_the_same_hours_in_requests_of_any_size(size):
    rng = np.random.default_rng(5)
    times, steps = minutes(600), rng.choice([0, 0, 0, 0, 0, 0, 0, 0, 0, 30], 600) * (np.arange(600) % 60 < 30)
    heart, counter = 60 + rng.integers(0, 9, 600), np.cumsum(steps) % 1000
    expected = RestingHours().add(times, heart, counter, cumulative=True)
    rest, hours = RestingHours(), []
    for first in range(0, 600, size):
        rows = slice(first, first + size)
        hours += rest.add(times[rows], heart[rows], counter[rows], cumulative=True)
        rest = RestingHours.from_json(json.loads(json.dumps(rest.to_json())))
    assert hours == expected
    assert 5 < len(hours) < 600 / 60 + 1


@st.composite
def days(draw):
    """A wearer's readings at an odd spacing, with gaps, steps and missing values."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    count = draw(st.integers(1, 400))
    times = NOON + np.cumsum(rng.choice([5, 60, 61, 300, 600, 4000], count, p=[0.1, 0.3, 0.2, 0.3, 0.09, 0.01]))
    heart = np.where(rng.random(count) < 0.03, NAN, np.round(60 + 8 * rng.standard_normal(count), 1))
    steps = np.where(rng.random(count) < 0.1, NAN, rng.choice([0, 0, 0, 0, 0, 0, 0, 0, 7], count))
    return times, heart, steps


@settings(max_examples=60, deadline=None)
@given(days(), st.data())
def test_hours_are_the_same_however_readings_are_cut_repeated_and_ordered(day, data):
    times, heart, steps = day
    whole = RestingHours()
    expected = whole.add(times, heart, steps)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(times)), max_size=6)))
    rng, rest, hours = np.random.default_rng(data.draw(st.integers(0, 9))), RestingHours(), []
    for first, last in zip([0, *cuts], [*cuts, len(times)], strict=True):
        overlap = rng.permutation(np.arange(max(first - 20, 0), last))
        hours += rest.add(times[overlap], heart[overlap], steps[overlap])
        rest = RestingHours.from_json(json.loads(json.dumps(rest.to_json())))
    assert hours == expected
    assert rest.to_json() == whole.to_json()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("asOf", "now"),
        ("asOf", 1.5),
        ("asOf", True),
        ("heartAt", 1e300),
        ("open", {}),
        ("open", [[1, 2, 3]]),
        ("open", [[1, 1, 60, 60 * 9000]]),
        ("open", [[1, 10**12, 60, 36_000]]),
        ("open", [[10**12, 1, 60, 36_000]]),
        ("waiting", [[1, 1, 99_999, 1]]),
        ("waiting", [[1, 1, 60, 36_000]] * 40),
    ],
)
def test_a_state_that_was_never_written_is_refused(name, value):
    with pytest.raises(ValueError, match=name):
        RestingHours.from_json(RestingHours().to_json() | {name: value})
