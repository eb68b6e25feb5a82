"""What a watch reports of its wearer's life, and recordings of simulated wearers: raw tables.

A raw table has one row a reading: user_id, timestamp (ISO 8601, the wearer's wall clock), heartRate (bpm, 0 =
off the wrist), and the running counters steps, calories (kcal) and distance (m), back to 0 at midnight.
"""

import numpy as np
import pandas as pd

from lib.detector.grid import totals
from lib.simulation.life import live
from lib.simulation.wearers import draw_wearer

_MONDAY = np.datetime64("2026-03-02T00:00:00", "s")
_WEEK_S = 7 * 86_400
_STRETCH_READINGS = 500
_DECIMALS = {"steps": 0, "calories": 2, "distance": 1}


def report(life, *, user_id, interval_s, rng):
    """The raw table that a watch makes of `life` (as `live` returns it, on a grid of `interval_s`).

    Most readings are `interval_s` apart, some twice or three times that. Now and then there is a gap, the
    watch is off the wrist (heart rate 0, or no readings; the counters stand still), it restarts (the counters
    begin at 0 again), and about one row in 1,000 comes twice and one comes late.
    """
    hours = len(life) * interval_s / 3600
    off_wrist = _spells(len(life), rate=0.6 * hours / 24, minutes=(8, 60), interval_s=interval_s, rng=rng)
    silent = _spells(len(life), rate=2 * hours / 24, minutes=(0.5, 8), interval_s=interval_s, rng=rng)
    if rng.random() < 0.5:  # this watch sleeps when it is taken off
        silent |= off_wrist
    restart = rng.random(len(life)) < 0.05 * interval_s / 86_400
    table = pd.DataFrame({"user_id": user_id, "timestamp": life["timestamp"].to_numpy()})
    table["heartRate"] = np.where(off_wrist, 0, _sensed(life, rng))
    for name, decimals in _DECIMALS.items():
        amounts = np.where(off_wrist, 0.0, life[name])
        table[name] = _counter(amounts, life["timestamp"], restart).round(decimals)
    table["steps"] = table["steps"].astype(int)
    table = table[_taken(len(life), rng) & ~silent]
    text = np.datetime_as_string(table["timestamp"].to_numpy(), unit="s")
    return _delivered(table.assign(timestamp=text), rng)


def record_stretches(*, samples, wearers, interval_s, seed, first_id=0):
    """Raw table of exactly `samples` readings of `wearers` wearers, in stretches of about 500 readings.

    The starts of all stretches spread evenly over the 168 hours of a week, each stretch of a wearer in a week
    of its own; counters carry the day's count so far. Raises ValueError when there are fewer samples than
    wearers.
    """
    if not 1 <= wearers <= samples:
        raise ValueError(f"wearers={wearers!r} must be at least 1 and at most samples={samples!r}")
    per_wearer = max(1, round(samples / wearers / _STRETCH_READINGS))
    stretches = wearers * per_wearer
    dice = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(first_id, wearers)))
    strata = np.stack([dice.permutation(wearers) + number * wearers for number in range(per_wearer)], axis=1)
    start_s = (strata + dice.random(strata.shape)) / stretches * _WEEK_S  # (wearers, per_wearer)
    share = np.diff(np.arange(stretches + 1) * samples // stretches).reshape(strata.shape)
    tables = []
    for number in range(wearers):
        wearer, rng = _wearer(seed, first_id + number)
        for week, (start, count) in enumerate(zip(start_s[number], share[number], strict=True)):
            moment = _MONDAY + np.timedelta64(week * _WEEK_S + int(start), "s")
            tables.append(_stretch(wearer, moment, count, interval_s, rng))
    return pd.concat(tables, ignore_index=True)


def record_days(*, wearers, days, interval_s, seed, first_id, progress=iter):
    """Raw table of `days` whole days of `wearers` wearers, their first days spread over the week.

    Wearer number k, from `first_id` on, is the same however many there are. `progress` wraps the loop over
    them.
    """
    tables = []
    for number in progress(range(first_id, first_id + wearers)):
        wearer, rng = _wearer(seed, number)
        start = _MONDAY + np.timedelta64(number % 7, "D") + _phase(interval_s, rng)
        life = live(wearer, start=start, hours=24 * days, interval_s=interval_s, rng=rng)
        tables.append(report(life, user_id=wearer.user_id, interval_s=interval_s, rng=rng))
    return pd.concat(tables, ignore_index=True)


def since_the_last(table):
    """A raw table (of `readings.parse`) whose counters are the amounts since each wearer's last reading before.

    A reading that came twice has the same amounts twice; a wearer's first one has none to tell, and shows 0.
    """
    changed = table.copy()
    for rows in table.groupby("user_id", sort=False).indices.values():
        moments, first, place = np.unique(table["instant"].to_numpy()[rows], return_index=True, return_inverse=True)
        day = table["timestamp"].to_numpy().astype("datetime64[D]").astype(np.int64)[rows[first]]
        for name, decimals in _DECIMALS.items():
            total = totals(table[name].to_numpy(float)[rows[first]], day)
            changed.loc[rows, name] = np.diff(total, prepend=total[:1]).round(decimals)[place]
    return changed


def _wearer(seed, number):
    """Wearer `number` of this seed, and the generator from which all that happens to them is drawn."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number,)))
    return draw_wearer(rng, f"sim-{number:04d}"), rng


def _stretch(wearer, moment, count, interval_s, rng):
    """The first `count` readings from `moment` on; the day up to there is lived for the counters' sake."""
    midnight = moment.astype("datetime64[D]").astype("datetime64[s]")
    hours = (moment - midnight).astype(float) / 3600 + 1.2 * count * interval_s / 3600 + 2
    start = midnight + _phase(interval_s, rng)
    while True:
        life = live(wearer, start=start, hours=hours, interval_s=interval_s, rng=rng)
        table = report(life, user_id=wearer.user_id, interval_s=interval_s, rng=rng)
        table = table[table["timestamp"] >= str(moment)]
        if len(table) >= count:
            return table.head(count)
        hours += 6  # off the wrist for too long


def _phase(interval_s, rng):
    """The watch's ticks do not begin at midnight sharp."""
    return np.timedelta64(int(rng.integers(interval_s)), "s")


def _sensed(life, rng):
    """The optical sensor's heart rate: whole bpm, with an error that grows with motion."""
    moving = life["steps"].to_numpy() > 0
    return np.rint(life["heartRate"] + rng.laplace(0, 0.3 + 0.7 * moving)).clip(30, 220).astype(int)


def _spells(count, *, rate, minutes, interval_s, rng):
    """(count,) booleans, true in a Poisson number of spells (`rate` expected) of so many `minutes`."""
    inside = np.zeros(count, dtype=bool)
    for _ in range(rng.poisson(rate)):
        begin = rng.integers(count)
        inside[begin : begin + round(rng.uniform(*minutes) * 60 / interval_s)] = True
    return inside


def _counter(amounts, timestamp, restart):
    """(N,) amounts as a running counter that begins anew at each midnight and at each restart."""
    total = np.cumsum(amounts)
    day = timestamp.to_numpy().astype("datetime64[D]")
    begin = restart | np.concatenate([[False], day[1:] != day[:-1]])
    before = np.where(begin, total - amounts, 0.0)
    return np.maximum(total - np.maximum.accumulate(before), 0.0)


def _taken(count, rng):
    """(count,) booleans: the grid points at which the watch takes a reading, one to three apart."""
    two, three = rng.uniform(0.02, 0.09), rng.uniform(0.005, 0.03)
    steps = rng.choice([1, 2, 3], size=count, p=[1 - two - three, two, three])
    at = np.cumsum(steps) - steps[0]
    taken = np.zeros(count, dtype=bool)
    taken[at[at < count]] = True
    return taken


def _delivered(table, rng):
    """The readings as they arrive: a few come twice, a few change places with the one before."""
    order = np.sort(np.concatenate([np.arange(len(table)), np.flatnonzero(rng.random(len(table)) < 0.0007)]))
    for late in np.flatnonzero(rng.random(len(order) - 1) < 0.0007) if len(order) > 1 else ():
        order[[late, late + 1]] = order[[late + 1, late]]
    return table.iloc[order].reset_index(drop=True)
