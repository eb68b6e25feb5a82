import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.detector import grid

NONE = np.nan


def resampled(seconds, heart_rate, steps=None, **options):
    running = np.full((len(seconds), 3), np.nan)
    if steps is not None:
        running[:, 0] = steps
    return grid.resample(np.asarray(seconds, float), np.asarray(heart_rate, float), running, interval_s=5, **options)


def test_a_counter_that_falls_to_near_zero_began_anew():
    np.testing.assert_array_equal(grid.totals(np.array([10.0, 15, 3, 5]), np.zeros(4)), [0, 5, 8, 10])


def test_a_counter_that_falls_a_little_was_corrected():
    np.testing.assert_array_equal(grid.totals(np.array([100.0, 110, 108, 120]), np.zeros(4)), [0, 10, 10, 22])


def test_a_counter_that_falls_since_yesterday_began_anew_however_little():
    counter, day = np.array([1640.0, 1647, 842, 850]), np.array([4.0, 4, 5, 5])
    np.testing.assert_array_equal(grid.totals(counter, day), [0, 7, 849, 857])
    np.testing.assert_array_equal(grid.resets(counter, day), [False, False, True, False])


def test_a_new_day_alone_is_no_reset():
    np.testing.assert_array_equal(grid.totals(np.array([10.0, 15, 18]), np.array([1.0, 2, 3])), [0, 5, 8])


def test_a_missing_counter_stays_missing():
    np.testing.assert_array_equal(grid.totals(np.array([1.0, NONE, 4]), np.zeros(3)), [0, NONE, 3])


def test_heart_rate_is_the_last_one_since_the_sample_before():
    samples = resampled([0, 1, 4, 5, 7, 10], [60, 61, 62, 63, 64, 65])
    np.testing.assert_array_equal(samples.seconds, [0, 5, 10])
    np.testing.assert_array_equal(samples.heart_rate, [60, 63, 65])


def test_a_hole_of_three_samples_is_filled():
    samples = resampled([0, 20], [60, 70])
    np.testing.assert_array_equal(samples.heart_rate, [60, 60, 60, 60, 70])
    np.testing.assert_array_equal(samples.quality, [grid.OK] + [grid.FILLED] * 3 + [grid.OK])
    assert (samples.segment == 0).all()


def test_a_hole_of_four_samples_ends_the_segment():
    samples = resampled([0, 25], [60, 70])
    np.testing.assert_array_equal(samples.seconds, [0, 25])
    np.testing.assert_array_equal(samples.segment, [0, 1])


def test_short_spells_without_heart_rate_are_bridged():
    samples = resampled([0, 5, 10, 15], [60, NONE, NONE, 70])
    np.testing.assert_array_equal(samples.heart_rate, [60, 60, 60, 70])
    assert (samples.segment == 0).all()


def test_a_longer_spell_off_the_wrist_is_a_segment_of_its_own():
    samples = resampled([0, 5, 10, 15, 20, 25, 30], [60, NONE, NONE, NONE, NONE, 70, 71])
    np.testing.assert_array_equal(samples.segment, [0, 1, 1, 1, 1, 2, 2])
    np.testing.assert_array_equal(samples.quality, [grid.OK] + [grid.NOT_WORN] * 4 + [grid.OK] * 2)


def test_a_steps_amount_is_what_the_counter_grew_by_in_it():
    samples = resampled([0, 4, 10], [60, 61, 62], steps=[0.0, 4, 16])
    np.testing.assert_allclose(samples.amounts[:, 0], [6, 6, 10])  # the first goes on as the second does
    assert np.isnan(samples.amounts[:, 1:]).all()


def test_the_first_amount_is_used_where_it_is_known():
    samples = resampled([0, 5], [60, 61], steps=[7.0, 9], before=np.zeros(3))
    np.testing.assert_allclose(samples.amounts[:, 0], [7, 2])


def test_the_last_sample_has_its_whole_amount_though_the_readings_end_within_it():
    samples = resampled([3, 8, 13], [60, 61, 62], steps=[0.0, 5, 15])
    np.testing.assert_array_equal(samples.seconds, [5, 10, 15])
    np.testing.assert_allclose(samples.amounts[:, 0], [7, 7, 10])  # 3 of the first 5 s and 4 of 10; then 2 a second


@pytest.mark.parametrize(("count", "quality"), [(59, grid.OK), (60, grid.STUCK)])
def test_a_heart_rate_held_for_five_minutes_is_stuck(count, quality):
    heart_rate = [70, *[80] * count, 70]
    samples = resampled(5 * np.arange(len(heart_rate)), heart_rate)
    np.testing.assert_array_equal(samples.quality[1:-1], quality)
    assert samples.quality[0] == samples.quality[-1] == grid.OK


def test_more_than_a_body_can_do_is_implausible():
    samples = resampled([0, 5, 10, 15], [60, 61, 62, 63], steps=[0.0, 25, 51, 60])
    assert samples.quality.tolist() == [grid.OK, grid.OK, grid.IMPLAUSIBLE, grid.OK]


gaps = st.lists(st.integers(1, 15), min_size=2, max_size=40)


@settings(deadline=None, max_examples=100)
@given(gaps=gaps, seed=st.integers(0, 1000))
def test_amounts_sum_to_what_the_counter_grew_by_and_at_most_a_reading_more(gaps, seed):
    seconds = np.cumsum(gaps).astype(float)
    rng = np.random.default_rng(seed)
    total = np.cumsum(rng.integers(0, 9, len(gaps))).astype(float)
    running = np.column_stack([total, total, total])
    heart_rate = rng.integers(60, 90, len(gaps)).astype(float)
    samples = grid.resample(seconds, heart_rate, running, interval_s=5, before=running[0])
    more = samples.amounts[:, 0].sum() - (total[-1] - total[0])
    assert -1e-9 <= more <= 4 / 5 * (total[-1] - total[-2]) * 5 / gaps[-1] + 1e-9


@settings(deadline=None, max_examples=60)
@given(gaps=gaps, seed=st.integers(0, 1000), count=st.integers(1, 39))
def test_what_comes_later_does_not_change_earlier_samples(gaps, seed, count):
    seconds = 5.0 * np.cumsum(gaps)
    heart_rate = np.random.default_rng(seed).integers(60, 90, len(gaps)).astype(float)
    whole, part = resampled(seconds, heart_rate), resampled(seconds[:count], heart_rate[:count])
    np.testing.assert_array_equal(part.heart_rate, whole.heart_rate[: len(part.heart_rate)])
    np.testing.assert_array_equal(part.segment, whole.segment[: len(part.segment)])
