"""Simulated months: normal life seldom reaches the trend's levels."""

import numpy as np

from lib.evaluation import illness
from lib.evaluation.illness_rules import trend
from lib.simulation.months import BPM_A_DEGREE, FEVER_DEGREES, add_fever, simulate_months
from lib.simulation.wearers import draw_wearer


def wearer_months(seed, *, days=50):
    rng = np.random.default_rng(seed)
    return simulate_months(draw_wearer(rng, f"s{seed}"), start="2026-03-02", days=days, interval_s=300, rng=rng)


def test_months_are_the_same_for_the_same_seed_and_hold_unworn_hours_and_a_journey():
    beats, again = wearer_months(3), wearer_months(3)
    np.testing.assert_array_equal(beats.heart_rate, again.heart_rate)
    assert len(beats.times) == 50 * 288
    unworn = np.isnan(beats.heart_rate)
    assert 0.01 < unworn.mean() < 0.5
    assert (beats.steps[unworn] == 0).all()
    assert set(np.unique(np.abs(beats.offset))) <= {3600 * hours for hours in range(10)}


def test_a_fever_raises_heart_rate_for_days_by_as_much_as_its_degrees():
    beats = wearer_months(3)
    ill = add_fever(beats, begin=480, rng=np.random.default_rng(0))
    raised, hours = ill.heart_rate - beats.heart_rate, (beats.times - beats.times[0]) / 3600
    assert not np.nanmax(raised[hours <= 480])
    assert not np.nanmax(raised[hours >= 480 + 36 + 96])
    low, high = (BPM_A_DEGREE * degrees for degrees in FEVER_DEGREES)
    assert low <= np.nanmax(raised[(hours > 492) & (hours < 540)]) <= round(high)
    assert np.nanmin(raised) == 0
    np.testing.assert_array_equal(np.isnan(ill.heart_rate), np.isnan(beats.heart_rate))


def test_normal_months_reach_the_levels_no_more_often_than_promised():
    lives = [illness.life(wearer_months(seed)) for seed in range(10)]
    scores = [trend(life) for life in lives]
    weekly, monthly = (illness.evaluate(lives, scores, [], level) for level in (0.3, 0.7))
    assert weekly.wearer_days > 200
    assert weekly.false_alarms <= 1.3 * weekly.wearer_days / 7
    assert monthly.false_alarms <= 1.5 * monthly.wearer_days / 30
    assert weekly.false_alarms > 0  # else the score could not tell
