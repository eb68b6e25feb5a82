import numpy as np
import pytest

from lib.detector.reasons import reasons, sentence, stretch


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
    observed[:, 3] = 5
    expected[:, 0] = 80
    squares[:, 0], squares[:, 3], squares[:, 1] = 3, 6, 1
    found = reasons(observed, expected, squares, interval_s=5)
    assert [why["feature"] for why in found] == ["distance", "heartRate"]
    assert [why["share"] for why in found] == [pytest.approx(0.6), pytest.approx(0.3)]


def test_one_channel_is_named_even_when_the_calendar_has_most_of_the_error():
    observed, expected, squares = window()
    squares[:, 4], squares[:, 2] = 99, 1
    assert [why["feature"] for why in reasons(observed, expected, squares, interval_s=5)] == ["calories"]


def test_a_further_channel_is_not_named_for_what_reads_the_same():
    observed, expected, squares = window()
    squares[:, 1], squares[:, 3] = 5, 4
    observed[:, 3], expected[:, 3] = 1.004, 1.001  # 12 m a minute, both
    assert [why["feature"] for why in reasons(observed, expected, squares, interval_s=5)] == ["steps"]
    expected[:, 3] = 0.9
    assert [why["feature"] for why in reasons(observed, expected, squares, interval_s=5)] == ["steps", "distance"]


@pytest.mark.parametrize(
    ("feature", "unit", "observed", "expected", "said"),
    [
        ("heartRate", "bpm", 141.2, 82.4, "Heart rate 141 bpm, expected 82"),
        ("calories", "kcal/min", 1.42, 0.6, "Calories 1.4 kcal/min, expected 0.6"),
        ("steps", "steps/min", 0.0, 112.0, "Steps 0 steps/min, expected 112"),
        ("distance", "m/min", 9.96, 12_000_000_000.0, "Distance 10 m/min, expected 12000000000"),
        ("heartRate", "bpm", 81.4, 80.6, "Heart rate 81 bpm, unusual course"),
    ],
)
def test_a_sentence_is_short_and_says_no_number_twice(feature, unit, observed, expected, said):
    made = sentence({"feature": feature, "unit": unit, "observed": observed, "expected": expected})
    assert made == said
    assert len(made) < 45
