import numpy as np
import pytest

from lib.data.clock import DAY_MS, HOUR_MS
from lib.data.counter import DayCounter

MINUTE = 60_000


def counter(*intervals, offset=0, sparse=False):
    start, end, amount = (np.array(side, dtype=float) for side in zip(*intervals, strict=True))
    start, end = start.astype(np.int64), end.astype(np.int64)
    return DayCounter.of(start, end, np.full(len(start), offset), amount, sparse=sparse)


def shown(day_counter, *times, offset=0):
    at = np.array(times, dtype=np.int64)
    return day_counter.at(at, (at + offset) // DAY_MS).tolist()


def test_an_amount_is_spread_over_its_own_interval_and_nowhere_else():
    steps = counter((0, MINUTE, 60), (10 * MINUTE, 11 * MINUTE, 30))
    assert shown(steps, 0, 30_000, MINUTE, 5 * MINUTE, 10.5 * MINUTE, 11 * MINUTE) == [0, 30, 60, 60, 75, 90]


def test_what_is_before_and_after_is_unknown_or_zero_where_zeros_are_left_out():
    interval = (HOUR_MS, HOUR_MS + MINUTE, 60)
    assert np.isnan(shown(counter(interval), 0, 2 * HOUR_MS)).all()
    assert shown(counter(interval, sparse=True), 0, 2 * HOUR_MS) == [0, 60]


def test_a_day_without_any_amount_is_unknown():
    assert np.isnan(shown(counter((0, MINUTE, 60), sparse=True), DAY_MS + HOUR_MS)).all()


def test_it_is_back_at_zero_at_local_midnight():
    ten_hours = 10 * HOUR_MS
    midnight = DAY_MS - ten_hours
    steps = counter((midnight - MINUTE, midnight, 60), (midnight, midnight + MINUTE, 5), offset=ten_hours)
    times = (midnight - 1, midnight, midnight + MINUTE)
    assert shown(steps, *times, offset=ten_hours) == [60, 0, 5]


def test_an_interval_over_midnight_is_shared_out_by_time():
    steps = counter((DAY_MS - 3 * MINUTE, DAY_MS + MINUTE, 80))
    assert shown(steps, DAY_MS - 1, DAY_MS, DAY_MS + MINUTE) == pytest.approx([60, 0, 20])


def test_an_interval_of_days_is_shared_out_too():
    steps = counter((0, 3 * DAY_MS, 300))
    assert shown(steps, DAY_MS - 1, 2 * DAY_MS - 1, 3 * DAY_MS - 1) == pytest.approx([100, 100, 100])


def test_only_the_points_where_the_pace_changes_are_kept():
    steps = counter(*((i * MINUTE, (i + 1) * MINUTE, amount) for i, amount in enumerate((0, 0, 0, 7, 7, 9))))
    at, _, edge = steps.bends()
    assert (at / MINUTE).tolist() == [0, 3, 5, 6]
    assert edge.tolist() == [True, False, False, True]
