import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.detector import baseline
from lib.detector.baseline import Baseline
from lib.detector.descriptors import HEART_RATE, NAMES, STEPS
from lib.detector.habits import Habits


def after(residuals):
    own = Baseline()
    own.add(np.asarray(residuals, dtype=float))
    return own


def test_without_a_minute_the_wearer_is_the_population():
    assert (Baseline().offset, Baseline().total) == (0.0, 0)


def test_the_offset_is_the_median_shrunk_by_how_few_minutes_there_are():
    own = after([10.5] * baseline.SHRUNK)
    assert own.offset == pytest.approx(11 / 2)  # the middle of the bin from 10 to 12, half believed


@given(st.lists(st.floats(-60, 80), min_size=1, max_size=50))
def test_the_offset_lies_between_the_population_and_the_wearers_own_minutes(residuals):
    own = after(residuals)
    low, high = np.clip([min(residuals), max(residuals)], baseline.BELOW, 60)
    assert min(low, 0) - baseline.STEP <= own.offset <= max(high, 0) + baseline.STEP


def test_an_anomaly_of_an_hour_hardly_moves_a_day_of_minutes():
    rng = np.random.default_rng(0)
    calm = rng.normal(5, 3, 700)
    raised = np.concatenate([calm, np.full(60, 55.0)])
    assert abs(after(raised).offset - after(calm).offset) < 0.5


def test_what_was_long_ago_is_forgotten():
    own = after(np.full(baseline.FORGETS, -10.0))
    own.add(np.full(baseline.FORGETS, 20.0))
    assert own.total <= baseline.FORGETS
    assert own.offset > 15


@given(st.lists(st.floats(-1e9, 1e9), max_size=100))
def test_it_comes_back_as_it_was_written_and_fits_in_a_kilobyte(residuals):
    own = after(residuals)
    text = json.dumps(own.to_json())
    assert len(text) < 1024
    assert Baseline.from_json(json.loads(text)).minutes.tolist() == own.minutes.tolist()


def test_the_largest_fits_in_a_kilobyte():
    assert len(json.dumps(Baseline(np.full(baseline.BINS, baseline.FORGETS)).to_json())) < 1024


@pytest.mark.parametrize(
    "written",
    [
        [],
        "x",
        3,
        {"version": 2},
        {"version": 2, "stillMinutes": [0] * 50},
        {"version": 2, "stillMinutes": [0] * 50 + [-1]},
        {"version": 2, "stillMinutes": [0] * 50 + [True]},
        {"version": 2, "stillMinutes": [0] * 50 + [0.5]},
        {"version": 2, "stillMinutes": [0] * 50 + [float("nan")]},
        {"version": 2, "stillMinutes": [0] * 50 + [[1]]},
        {"version": 2, "stillMinutes": [0] * 50 + [10**9]},
        {"version": 2, "stillMinutes": [0] * 51, "habits": Habits().to_json(), "asOf": "2026-03-02"},
        {"version": 2, "stillMinutes": [0] * 51, "habits": Habits().to_json(), "asOf": -1},
        {"version": 2, "stillMinutes": [0] * 51, "habits": Habits().to_json(), "asOf": 10**15},
    ],
)
def test_what_is_no_baseline_is_refused(written):
    with pytest.raises(ValueError, match=r"is not an? |is not a whole number"):
        Baseline.from_json(written)


def test_whole_numbers_may_come_back_as_floats():
    read = Baseline.from_json({**Baseline().to_json(), "version": 2.0, "stillMinutes": [3.0] + [0] * 50})
    assert (read.total, read.minutes.dtype) == (3, np.int64)


def test_one_of_another_version_begins_anew():
    assert Baseline.from_json({"version": 99, "stillMinutes": "?"}).total == 0


def test_one_window_a_minute_is_learnt_from_and_the_old_one_is_left_as_it_was():
    own, first = Baseline(), np.arange(41)
    later = own.updated(first, np.where(first < 5, np.nan, 4.0), interval_s=5)
    assert (own.total, later.total) == (0, 4)  # of the minutes that begin at 0 (its later part), 12, 24 and 36


def test_with_times_only_minutes_of_the_clock_after_the_last_sample_seen_are_learned_from():
    own, first = Baseline(), np.arange(25)
    end_s = 1_772_409_630.0 + 5 * first  # from half past to half past
    later = own.updated(first, np.full(25, 4.0), interval_s=5, end_s=end_s)
    assert (later.total, later.as_of) == (3, end_s[-1])
    again = later.updated(first, np.full(25, 4.0), interval_s=5, end_s=end_s)
    assert (again.total, again.as_of) == (3, end_s[-1])
    overlapping = later.updated(first, np.full(25, 4.0), interval_s=5, end_s=end_s + 30)
    assert overlapping.total == 4
    unusable = own.updated(first, np.full(25, np.nan), interval_s=5, end_s=end_s)
    assert (unusable.total, unusable.as_of) == (0, end_s[-1])


def test_the_last_sample_seen_comes_back_as_it_was_written():
    read = Baseline.from_json(Baseline(as_of=1_772_409_630.25).to_json())
    assert read.as_of == 1_772_409_630.25
    assert "asOf" not in Baseline().to_json()


def columns(residuals, walks=()):
    made = np.zeros((len(residuals), len(NAMES)))
    made[:, HEART_RATE] = residuals
    made[list(walks), STEPS] = 1
    return made


def test_a_window_knows_only_what_was_before_it_and_only_of_its_own_wearer():
    wearer = np.array([0, 1, 0, 1, 0])
    made = columns([10.5, -20, 10.5, -20, 10.5])
    offset, minutes = baseline.follow(wearer, made, np.full(5, True), 12 * np.arange(5), interval_s=5)
    assert minutes.tolist() == [0, 0, 1, 1, 2]
    assert offset[:2].tolist() == [0, 0]
    assert offset[2] == after([10.5]).offset
    assert offset[4] == after([10.5, 10.5]).offset
    assert offset[3] == after([-20]).offset


def test_a_walk_or_a_stuck_sensor_teaches_nothing():
    usable = np.array([True, True, False, True])
    made = columns([1, 2, 3, 4], walks=[1])
    _, minutes = baseline.follow(np.zeros(4), made, usable, 12 * np.arange(4), interval_s=5)
    assert minutes.tolist() == [0, 1, 1, 1]


@pytest.mark.parametrize("stride", [1, 4, 12, 24])
def test_a_minute_is_learnt_from_once_however_close_its_windows_lie(stride):
    first = np.arange(0, 96, stride)
    usable, zeros = np.full(len(first), True), np.zeros(len(first))
    _, minutes = baseline.follow(zeros, columns(zeros), usable, first, interval_s=5)
    assert minutes[-1] == len(np.unique(first[:-1] // 12))
