import numpy as np
import pytest

from lib.reasons import reasons, stretch


def window(count=12):
    observed, expected = np.zeros((count, 7)), np.zeros((count, 7))
    observed[:, 0] = expected[:, 0] = 70
    return observed, expected, np.zeros((count, 7))


def test_the_stretch_is_the_shortest_that_holds_half_of_the_error():
    assert stretch(np.array([1.0, 0, 4, 5, 4, 0, 1])) == (2, 3)
    assert stretch(np.array([0.0, 9, 0])) == (1, 1)


def test_a_stretch_lies_within_the_window_whatever_the_errors():
    for squares in (np.zeros(5), np.ones(5), np.array([7.0])):
        begin, end = stretch(squares)
        assert 0 <= begin <= end < len(squares)


def test_the_channel_with_the_error_is_named_with_what_was_expected_there():
    observed, expected, squares = window()
    observed[4:8, 0], expected[4:8, 0], squares[4:8, 0] = 150, 80, 9
    (why,) = reasons(observed, expected, squares, interval_s=5)
    assert why["feature"] == "heartRate"
    assert (why["unit"], why["observed"], why["expected"], why["share"]) == ("bpm", 150, 80, 1)
    assert 4 <= why["begin"] <= why["end"] <= 7


def test_amounts_are_told_a_minute_and_never_expected_below_zero():
    observed, expected, squares = window()
    observed[:, 1], expected[:, 1], squares[:, 1] = 8, -1, 4
    (why,) = reasons(observed, expected, squares, interval_s=5)
    assert (why["unit"], why["observed"], why["expected"]) == ("steps/min", pytest.approx(96), 0)


def test_the_largest_share_comes_first_and_small_ones_are_left_out():
    observed, expected, squares = window()
    squares[:, 0], squares[:, 3], squares[:, 1] = 3, 6, 1
    found = reasons(observed, expected, squares, interval_s=5)
    assert [why["feature"] for why in found] == ["distance", "heartRate"]
    assert [why["share"] for why in found] == [pytest.approx(0.6), pytest.approx(0.3)]


def test_one_channel_is_named_even_when_the_calendar_has_most_of_the_error():
    observed, expected, squares = window()
    squares[:, 4], squares[:, 2] = 99, 1
    assert [why["feature"] for why in reasons(observed, expected, squares, interval_s=5)] == ["calories"]
