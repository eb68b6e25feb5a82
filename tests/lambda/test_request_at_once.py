import math
from datetime import UTC

import numpy as np
import request
from hypothesis import given, settings
from hypothesis import strategies as st
from sent_readings import CALENDAR, READING, START, at
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
    clock = request._Clock(Zones(), UTC)
    at_once, one_by_one = request._all_good(metrics, clock), request._one_by_one(metrics, clock)
    names = set(metrics[0])
    alike = all(set(metric) == names for metric in metrics) and names & set(CALENDAR) in (set(), set(CALENDAR))
    numbers = all(type(value) in (int, float) for metric in metrics for value in metric.values())
    _, _, errors, _ = one_by_one
    if at_once is None:
        assert any(errors) or not (alike and numbers)
        return
    assert not any(errors)
    for fast, slow in zip(at_once, one_by_one, strict=True):
        np.testing.assert_array_equal(fast, slow)


def test_usual_readings_are_checked_at_once():
    clock = request._Clock(Zones(), UTC)
    for usual in (at(START * 1000), READING | CALENDAR):
        _, numbers, errors, counts = request._all_good([usual] * 6, clock)
        assert (len(numbers), errors, counts.all()) == (6, [None] * 6, True)
