"""What each trait of a kind of watch does to a life of hand-made numbers."""

import numpy as np
import pandas as pd
import pytest

from lib.simulation import watch_kinds
from lib.simulation.watch_kinds import AS_MEASURED, WatchKind

SECONDS = 5
EVERY_MINUTE = 12  # samples


def generator():
    return np.random.default_rng(0)


def life(minutes=120, **amounts):
    count = minutes * EVERY_MINUTE
    moments = np.datetime64("2026-03-02T08:00:00", "s") + np.arange(count) * np.timedelta64(SECONDS, "s")
    columns = {"steps": 0.0, "calories": 0.1, "distance": 0.0} | amounts
    return pd.DataFrame({"timestamp": moments, **{name: np.broadcast_to(v, count) for name, v in columns.items()}})


def counted(kind, table, worn=None):
    worn = np.full(len(table), True) if worn is None else worn
    return watch_kinds.counted_amounts(kind, table, worn, interval_s=SECONDS, rng=generator())


def shown(kind, heart_rate):
    return watch_kinds.shown_heart_rate(kind, np.asarray(heart_rate), interval_s=SECONDS, rng=generator())


def test_a_watch_that_shows_everything_as_measured_changes_nothing():
    heart_rate = generator().integers(60, 90, 500)
    assert (shown(AS_MEASURED, heart_rate) == heart_rate).all()
    table = life(steps=generator().integers(0, 10, 1440))
    assert (counted(AS_MEASURED, table)["steps"] == table["steps"]).all()


def test_smoothing_moves_toward_a_jump_with_its_time_constant():
    smoothed = shown(WatchKind(smoothing_s=20), [60] * 10 + [100] * 40)
    assert smoothed[9] == 60
    assert smoothed[13] == pytest.approx(100 - 40 * np.exp(-20 / 20), abs=1)
    assert smoothed[-1] == 100


def test_a_held_heart_rate_changes_only_by_more_than_its_dead_band():
    held = shown(WatchKind(dead_band_bpm=1.5), [60, 61, 61, 63, 62])
    assert held.tolist() == [60, 60, 60, 63, 63]


@pytest.mark.parametrize("how", ["minute", "lump"])
def test_steps_by_the_minute_keep_each_minutes_sum(how):
    steps = generator().integers(0, 10, 1440)
    amounts = counted(WatchKind(steps_by=how), life(steps=steps))["steps"].reshape(-1, EVERY_MINUTE)
    np.testing.assert_allclose(amounts.sum(axis=1), steps.reshape(-1, EVERY_MINUTE).sum(axis=1))
    if how == "minute":
        assert np.ptp(amounts, axis=1).max() < 1e-9
    else:
        assert (amounts[:, 1:] == 0).all()


def test_active_calories_are_none_at_rest():
    calories = np.where(np.arange(1440) < 1200, 0.1, 0.8)
    active = counted(WatchKind(active_calories=True), life(calories=calories))["calories"]
    np.testing.assert_allclose(active, np.where(np.arange(1440) < 1200, 0.0, 0.7))


def test_calories_by_the_hour_are_even_within_it():
    calories = generator().random(1440)
    hourly = counted(WatchKind(calories_by_s=3600), life(calories=calories))["calories"]
    np.testing.assert_allclose(hourly[:720], calories[:720].mean())


def test_nothing_is_counted_off_the_wrist():
    worn = np.arange(1440) < 700
    amounts = counted(AS_MEASURED, life(steps=3.0), worn)
    assert amounts["steps"][~worn].sum() == amounts["calories"][~worn].sum() == 0


def test_readings_stay_fifteen_seconds_apart_at_most():
    taken = np.full(3000, True)
    reported = watch_kinds.takes_reading(WatchKind(spacing=3, irregular=True), taken, interval_s=5, rng=generator())
    assert np.diff(np.flatnonzero(reported)).max() <= 3
    assert reported.mean() < 0.7


def test_whole_calories_are_counted_once_they_are_full():
    counter = watch_kinds.rounded_counter(
        WatchKind(calorie_resolution=1.0), "calories", np.array([0.4, 0.99, 1.0, 2.7])
    )
    assert counter.tolist() == [0, 0, 1, 2]


def test_drawn_watches_differ():
    rng = generator()
    kinds = [watch_kinds.draw_watch_kind(rng) for _ in range(300)]
    assert 0.15 < np.mean([kind == AS_MEASURED for kind in kinds]) < 0.4
    for trait in ("spacing", "smoothing_s", "steps_by", "calorie_resolution", "calories_by_s"):
        assert len({getattr(kind, trait) for kind in kinds}) >= 3
