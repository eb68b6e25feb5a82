"""When an alert lasts, on windows few enough to count by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.detector.persistence import Persistence

ONE = np.zeros(200)  # one segment


def lasting(evidence, *, k, n, apart_s=60, group=None, step_s=60):
    count = len(evidence)
    ended = apart_s * np.arange(count)
    return Persistence(k, n, step_s).lasting(evidence, ended, ONE[:count] if group is None else group).tolist()


def test_one_of_one_is_the_evidence_itself():
    assert lasting([3, 1, 2], k=1, n=1) == [3, 1, 2]
    assert Persistence() == Persistence.of({}) == Persistence(1, 1)


def test_two_of_two_is_the_lower_of_a_window_and_the_one_before():
    assert lasting([3, 1, 2, 2, 5], k=2, n=2) == [0, 1, 1, 2, 2]


def test_two_of_three_forgives_one_window_between():
    assert lasting([3, 1, 2, 1, 1], k=2, n=3) == [0, 1, 2, 1, 1]
    assert lasting([3, 0, 0, 3], k=2, n=3) == [0, 0, 0, 0]


def test_the_present_window_must_reach_the_level_itself():
    assert lasting([9, 9, 1], k=2, n=3) == [0, 9, 1]


def test_fewer_windows_than_n_must_still_hold_k():
    assert lasting([5, 5], k=2, n=10) == [0, 5]
    assert lasting([5], k=2, n=2) == [0]
    assert lasting([], k=2, n=2) == []


def test_no_window_looks_back_over_a_hole():
    assert lasting([5, 5, 5, 5], k=2, n=2, group=np.array([0, 0, 1, 1])) == [0, 5, 0, 5]


def test_a_stuck_window_stays_without_and_reaches_nothing():
    assert str(lasting([5, np.nan, 5, 5], k=2, n=2)) == "[0.0, nan, 0.0, 5.0]"
    assert str(lasting([5, np.nan, 5, 5], k=2, n=3)) == "[0.0, nan, 5.0, 5.0]"


def test_windows_a_sample_apart_say_what_those_a_minute_apart_say():
    minutes = np.array([1, 4, 2, 6, 6, 3, 0, 8, 9], dtype=float)
    samples = np.repeat(minutes, 12)
    for k, n in ((2, 2), (2, 3), (3, 3), (3, 5)):
        assert lasting(samples, k=k, n=n, apart_s=5)[::12] == lasting(minutes, k=k, n=n)


def test_windows_further_apart_than_a_step_are_taken_as_they_come():
    assert lasting([5, 5, 1, 5], k=2, n=2, apart_s=180) == lasting([5, 5, 1, 5], k=2, n=2)


def test_a_hole_of_more_than_three_steps_is_not_looked_over():
    assert lasting([5, 5, 1, 5], k=2, n=2, apart_s=181) == [0, 0, 0, 0]
    evidence, ended = [5, 5, 5, 5], [0, 60, 3600, 3660]
    assert Persistence(2, 2, 60.0).lasting(evidence, ended, ONE[:4]).tolist() == [0, 5, 0, 5]


def test_it_is_spaced_as_the_windows_are_where_these_are_further_apart():
    assert Persistence(2, 3, 60.0).spaced(240) == Persistence(2, 3, 240.0)
    assert Persistence(2, 3, 60.0).spaced(5) == Persistence(2, 3, 60.0)


def test_windows_that_do_not_fall_on_the_step_are_at_least_so_far_apart():
    # 45 s apart: 60 s before the last lies no window; the latest before that is 90 s back
    assert lasting([5, 1, 5], k=2, n=2, apart_s=45) == [0, 0, 5]


def test_it_is_read_from_what_was_written():
    made = Persistence(2, 3, 30.0)
    assert made.to_json() == {"persistence": {"k": 2, "n": 3, "step_s": 30.0}}
    assert Persistence.of({"threshold": 1.0, **made.to_json()}) == made
    assert str(made) == "2 of 3"


@pytest.mark.parametrize(("k", "n"), [(0, 1), (2, 1), (1, 61), (1.5, 2), (True, 2), ("1", 1)])
def test_what_is_no_k_of_n_is_refused(k, n):
    with pytest.raises(ValueError, match=f"an alert at {k} of the last {n} windows"):
        Persistence(k, n)


@pytest.mark.parametrize("step_s", [0, -5, np.inf, np.nan])
def test_a_step_is_a_time(step_s):
    with pytest.raises(ValueError, match="expected windows more than 0 s apart"):
        Persistence(1, 1, step_s)


@given(
    st.lists(st.floats(0, 10), max_size=40),
    st.integers(1, 6),
    st.integers(0, 5),
    st.sampled_from([5, 30, 60, 77]),
)
def test_it_is_never_more_sensitive_than_without_and_less_so_the_more_it_asks(evidence, k, more, apart_s):
    n = k + more
    found = np.array(lasting(evidence, k=k, n=n, apart_s=apart_s))
    assert (found <= np.array(evidence)).all()
    assert (np.array(lasting(evidence, k=k + 1, n=n + 1, apart_s=apart_s)) <= found).all()
    assert (np.array(lasting(evidence, k=k, n=n + 1, apart_s=apart_s)) >= found).all()
