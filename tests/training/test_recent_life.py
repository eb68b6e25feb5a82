"""A window against the wearer's last hour, worked out by hand."""

import numpy as np
import pytest

from lib.training.recent_life import RecentLife

RESIDUAL = RecentLife(1800, in_spreads=False)
IN_SPREADS = RecentLife(1800, in_spreads=True)


def at(*minutes):
    return np.array(minutes, dtype="datetime64[m]")


def test_a_window_is_compared_with_the_mean_of_those_before_it():
    found = RESIDUAL.follow(np.array([1.0, 3, 2, 8]), np.zeros(4), at(0, 1, 2, 3))
    assert found.tolist() == [0, 0, 0, 6]  # 8 against 2; the first three have too few before them


def test_in_spreads_it_counts_how_much_they_varied():
    found = IN_SPREADS.follow(np.array([1.0, 3, 2, 8]), np.zeros(4), at(0, 1, 2, 3))
    assert found[-1] == pytest.approx(6 / (1 + 0.05))  # 1, 3 and 2 have a standard deviation of 1


def test_a_heart_rate_below_the_recent_one_is_as_strange_as_one_above():
    found = RESIDUAL.follow(np.array([1.0, 3, 2, -4]), np.zeros(4), at(0, 1, 2, 3))
    assert found[-1] == 6


def test_wearers_are_compared_with_themselves():
    means, wearer = np.array([1.0, 50, 3, 50, 2, 50, 8]), np.array(list("abababa"))
    assert RESIDUAL.follow(means, wearer, at(*range(7))).tolist() == [0, 0, 0, 0, 0, 0, 6]


def test_what_ended_longer_ago_is_forgotten():
    found = RESIDUAL.follow(np.array([100.0, 1, 1, 1, 1]), np.zeros(5), at(0, 28, 29, 30, 31))
    assert found.tolist() == [0, 0, 0, 33, 0]  # at minute 30, minute 0 is just remembered; at 31 it is not


def test_after_a_long_hole_nothing_is_strange_until_life_is_known_again():
    found = RESIDUAL.follow(np.array([1.0, 1, 1, 9, 9, 9, 7]), np.zeros(7), at(0, 1, 2, 60, 61, 62, 63))
    assert found.tolist() == [0, 0, 0, 0, 0, 0, 2]


def test_windows_further_apart_reach_no_further_back():
    every_ten = RESIDUAL.follow(np.array([40.0, 1, 2, 3, 4]), np.zeros(5), at(0, 10, 20, 30, 40))
    assert every_ten.tolist() == [0, 0, 0, pytest.approx(34 / 3), 2]  # 3 against 43/3, 4 against 2


def test_nothing_later_than_a_window_changes_its_error():
    means = np.random.default_rng(0).normal(size=60)
    whole = IN_SPREADS.follow(means, np.zeros(60), at(*range(60)))
    part = IN_SPREADS.follow(means[:40], np.zeros(40), at(*range(40)))
    assert part[3:].all()
    np.testing.assert_array_equal(whole[:40], part)


def test_a_still_heart_rate_before_leaves_the_spread_a_floor():
    found = IN_SPREADS.follow(np.array([2.0, 2, 2, 3]), np.zeros(4), at(0, 1, 2, 3))
    assert found[-1] == pytest.approx(1 / 0.05)


def test_windows_out_of_order_are_refused():
    with pytest.raises(ValueError, match="out of time order: sort them by wearer"):
        RESIDUAL.follow(np.ones(3), np.zeros(3), at(2, 1, 3))
