"""The simulated life: a day's bouts, and the physiology that follows from them."""

from dataclasses import replace

import numpy as np
import pytest

from lib.simulation.bouts import ACTIVITIES, is_weekend, plan_days
from lib.simulation.life import _noise, _respond, simulate_life
from lib.simulation.wearers import draw_wearer

TUESDAY = np.datetime64("2026-03-03T00:00:00")


def wearer_and_life(seed, *, start=TUESDAY, hours=24, interval_s=5, **traits):
    rng = np.random.default_rng(seed)
    wearer = replace(draw_wearer(rng, f"w{seed}"), **traits)
    return wearer, simulate_life(wearer, start=start, hours=hours, interval_s=interval_s, rng=rng)


@pytest.fixture(scope="module")
def lives():
    return [wearer_and_life(seed) for seed in range(12)]


def test_the_same_seed_gives_the_same_wearer_and_life():
    first, again, other = wearer_and_life(7, hours=2), wearer_and_life(7, hours=2), wearer_and_life(8, hours=2)
    assert first[0] == again[0] != other[0]
    assert first[1].equals(again[1])


def test_wearers_differ_as_people_do():
    wearers = [draw_wearer(np.random.default_rng(seed), "w") for seed in range(300)]
    resting = np.array([wearer.resting_hr for wearer in wearers])
    assert 63 < resting.mean() < 67
    assert resting.min() < 50
    assert resting.max() > 80
    assert all(wearer.max_hr - wearer.resting_hr > 50 for wearer in wearers)


def test_maximal_heart_rate_falls_by_0_7_bpm_a_year():
    wearers = [draw_wearer(np.random.default_rng(seed), "w") for seed in range(2000)]
    slope = np.polyfit([wearer.age for wearer in wearers], [wearer.max_hr for wearer in wearers], 1)[0]
    assert slope == pytest.approx(-0.7, abs=0.05)


def test_rows_are_on_the_requested_grid():
    _, life = wearer_and_life(1, start="2026-03-07T21:30:10", hours=5, interval_s=30)
    assert len(life) == 600
    assert str(life["timestamp"].iloc[0]) == "2026-03-07 21:30:10"
    assert (np.diff(life["timestamp"]) == np.timedelta64(30, "s")).all()


def test_a_life_of_no_hours_is_refused():
    with pytest.raises(ValueError, match="hours=0"):
        wearer_and_life(1, hours=0)


def test_heart_rate_rises_63_percent_of_the_way_in_one_time_constant():
    heart = _respond(np.array([60.0] + [160.0] * 12), rise_s=50, fall_s=100, interval_s=5)
    assert heart[10] == pytest.approx(60 + 100 * (1 - np.exp(-1)))


def test_heart_rate_falls_more_slowly_than_it_rises():
    heart = _respond(np.array([160.0] + [60.0] * 20), rise_s=50, fall_s=100, interval_s=5)
    assert heart[20] == pytest.approx(60 + 100 * np.exp(-1))


def test_noise_has_unit_spread_and_the_requested_memory():
    noise = _noise(200_000, 10, np.random.default_rng(0))
    assert noise.std() == pytest.approx(1, abs=0.05)
    assert np.corrcoef(noise[:-10], noise[10:])[0, 1] == pytest.approx(np.exp(-1), abs=0.03)


def test_walking_costs_follow_the_acsm_equations():
    _, life = wearer_and_life(
        3, weight_kg=70.0, oxygen_cost=1.0, walking_cadence=110.0, step_m=0.7, commutes=True, vo2max=45.0
    )
    walk = life[(life["activity"] == "walk") & (life["steps"] >= 8)]
    grade = 0.01 * np.array([-1, 10])
    speed = walk["distance"].sum() / len(walk) * 12  # m/min
    least, most = (3.5 + (0.1 + 1.8 * grade) * speed) * 70 / 200
    assert least < walk["calories"].mean() * 12 < most


def test_a_sleeper_burns_0_95_met():
    wearer, life = wearer_and_life(4)
    asleep = life[(life["activity"] == "sleep") & (life["steps"] == 0)]
    assert asleep["calories"].mean() * 12 == pytest.approx(3.5 * wearer.weight_kg / 200, rel=0.06)


def test_sleepers_take_no_steps_and_amounts_are_not_negative(lives):
    for _, life in lives:
        assert life.loc[life["activity"] == "sleep", "steps"].sum() <= 1  # the last step of a walk
        assert (life[["steps", "calories", "distance"]] >= 0).all(axis=None)
        assert (life["steps"] % 1 == 0).all()


def test_walks_have_walking_cadences_and_step_lengths(lives):
    for wearer, life in lives:
        walk = life[(life["activity"] == "walk") & (life["steps"] > 0)]
        assert 65 < walk["steps"].mean() * 12 < 132
        assert 0.3 * wearer.height_m < walk["distance"].sum() / walk["steps"].sum() < 0.55 * wearer.height_m


def test_runs_have_running_cadences_and_drive_the_heart_up():
    wearer, life = wearer_and_life(5, hours=24 * 7, runs_per_day=1.0)
    run = life[life["activity"] == "run"]
    assert 145 < run["steps"].mean() * 12 < 185
    reserve = (run["heartRate"].median() - wearer.resting_hr) / (wearer.max_hr - wearer.resting_hr)
    assert 0.5 < reserve < 0.95


def test_the_heart_is_slowest_asleep_and_faster_walking_than_sitting(lives):
    medians = [life.groupby("activity", observed=True)["heartRate"].median() for _, life in lives]
    assert all(median["sleep"] < median["rest"] for median in medians)
    assert np.median([median["walk"] - median["rest"] for median in medians]) > 10


def test_heart_rate_stays_between_35_and_the_maximum(lives):
    for wearer, life in lives:
        assert life["heartRate"].between(35, wearer.max_hr + 3).all()


def test_stress_raises_the_heart_without_steps():
    rises = []
    for seed in range(4):
        _, life = wearer_and_life(seed, hours=72, stress_share=0.3)
        awake = life[life["timestamp"].dt.hour.between(10, 20) & (life["steps"] == 0)]
        median = awake.groupby("activity", observed=True)["heartRate"].median()
        rises.append(median["stress"] - median["rest"])
    assert 4 < np.median(rises) < 25


def test_the_heart_is_slowest_in_the_second_half_of_the_night(lives):
    hourly = np.median([life.groupby(life["timestamp"].dt.hour)["heartRate"].median() for _, life in lives], axis=0)
    assert np.argmin(hourly) in range(1, 8)


def test_people_sleep_longer_into_weekend_mornings():
    def awake_at_nine(start):
        share = [
            (wearer_and_life(seed, start=start, hours=10, weekend_lag_h=2.0, wake_h=7.5)[1]["activity"] != "sleep")[
                -720:
            ]
            for seed in range(6)
        ]
        return np.mean(share)

    assert awake_at_nine("2026-03-07") < awake_at_nine("2026-03-04")


def test_saturday_and_sunday_are_the_weekend():
    days = np.datetime64("2026-03-02") + np.arange(7)  # a Monday
    assert [is_weekend(day) for day in days] == [False] * 5 + [True] * 2


def test_a_plan_has_a_bout_at_every_moment():
    rng = np.random.default_rng(0)
    bouts = plan_days(draw_wearer(rng, "w"), first_day=np.datetime64("2026-03-02"), days=3, rng=rng)
    covered = np.zeros(3 * 1440, dtype=bool)
    for bout in bouts:
        covered[max(int(np.ceil(bout.start_s / 60)), 0) : max(int(bout.stop_s / 60) + 1, 0)] = True
    assert covered.all()
    assert {bout.activity for bout in bouts} <= set(ACTIVITIES)
