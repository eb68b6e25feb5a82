"""Raw tables that a watch reports of simulated wearers.

A raw table has one row per reading: user_id, timestamp (ISO 8601, the wearer's wall clock), heartRate (bpm, 0 = off the
wrist), and the running counters steps, calories (kcal) and distance (m), which start at 0 at midnight.
"""

import numpy as np
import pandas as pd

from lib.detector.grid import totals
from lib.simulation import watch_kinds
from lib.simulation.life import simulate_life
from lib.simulation.watch_kinds import AS_MEASURED, draw_watch_kind
from lib.simulation.wearers import draw_wearer

_MONDAY = np.datetime64("2026-03-02T00:00:00", "s")
_WEEK_S = 7 * 86_400
_STRETCH_READINGS = 500
_DECIMALS = {"steps": 0, "calories": 2, "distance": 1}


def report(life, *, user_id, interval_s, rng, kind=AS_MEASURED):
    """The raw table that a watch reports of a life.

    Most readings are `interval_s` apart, some two or three times that. There are a few gaps. Off the wrist, heart rate
    is 0 or readings stop, and counters do not grow. After a restart the counters start at 0. About one row in 1,000 is
    a duplicate, and one is late.

    Parameters
    ----------
    life : DataFrame
        As returned by `simulate_life`, on a grid of `interval_s` seconds.
    user_id : str
    interval_s : int
        Seconds between readings.
    rng : numpy.random.Generator
    kind : WatchKind

    Returns
    -------
    DataFrame
    """
    hours = len(life) * interval_s / 3600
    off_wrist = _random_periods(len(life), rate=0.6 * hours / 24, minutes=(8, 60), interval_s=interval_s, rng=rng)
    silent = _random_periods(len(life), rate=2 * hours / 24, minutes=(0.5, 8), interval_s=interval_s, rng=rng)
    if rng.random() < 0.5:  # this watch sends nothing while it is off the wrist
        silent |= off_wrist
    restart = rng.random(len(life)) < 0.05 * interval_s / 86_400
    table = pd.DataFrame({"user_id": user_id, "timestamp": life["timestamp"].to_numpy()})
    shown = watch_kinds.shown_heart_rate(kind, _sensed(life, rng), interval_s=interval_s, rng=rng)
    table["heartRate"] = np.where(off_wrist, 0, shown)
    for name, amounts in watch_kinds.counted_amounts(kind, life, ~off_wrist, interval_s=interval_s, rng=rng).items():
        table[name] = watch_kinds.rounded_counter(kind, name, _counter(amounts, life["timestamp"], restart))
    has_reading = watch_kinds.takes_reading(kind, _reading_times(len(life), rng), interval_s=interval_s, rng=rng)
    table = table[has_reading & ~silent]
    text = np.datetime_as_string(table["timestamp"].to_numpy(), unit="s")
    return _delivered(table.assign(timestamp=text), rng)


def record_stretches(*, samples, wearers, interval_s, seed, first_id=0):
    """Simulate stretches of about 500 readings, spread evenly over the hours of the week.

    Each stretch of a wearer is in a different week. Counters include the day's count before the stretch.

    Parameters
    ----------
    samples, wearers : int
        Total number of readings, and of wearers.
    interval_s : int
        Seconds between readings.
    seed : int
    first_id : int
        Number of the first wearer.

    Returns
    -------
    DataFrame
        A raw table of exactly `samples` rows.

    Raises
    ------
    ValueError
        If there are fewer samples than wearers.
    """
    if not 1 <= wearers <= samples:
        raise ValueError(f"expected 1 to samples={samples!r} wearers, got wearers={wearers!r}; raise samples")
    per_wearer = max(1, round(samples / wearers / _STRETCH_READINGS))
    stretches = wearers * per_wearer
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(first_id, wearers)))
    strata = np.stack([rng.permutation(wearers) + number * wearers for number in range(per_wearer)], axis=1)
    start_s = (strata + rng.random(strata.shape)) / stretches * _WEEK_S  # (wearers, per_wearer)
    counts = np.diff(np.arange(stretches + 1) * samples // stretches).reshape(strata.shape)
    tables = []
    for number in range(wearers):
        wearer, kind, wearer_rng = _wearer(seed, first_id + number)
        for week, (start, count) in enumerate(zip(start_s[number], counts[number], strict=True)):
            begin = _MONDAY + np.timedelta64(week * _WEEK_S + int(start), "s")
            tables.append(_stretch(wearer, kind, begin, count, interval_s, wearer_rng))
    return pd.concat(tables, ignore_index=True)


def record_days(*, wearers, days, interval_s, seed, first_id, progress=iter):
    """Simulate whole days, with the wearers' first days spread over the week.

    Parameters
    ----------
    wearers, days : int
        Number of wearers, and of days for each.
    interval_s : int
        Seconds between readings.
    seed : int
    first_id : int
        Number of the first wearer. A wearer's life depends on the number and the seed only.
    progress : callable
        Wraps the loop over wearers, as tqdm does.

    Returns
    -------
    DataFrame
        A raw table.
    """
    tables = []
    for number in progress(range(first_id, first_id + wearers)):
        wearer, kind, rng = _wearer(seed, number)
        start = _MONDAY + np.timedelta64(number % 7, "D") + _phase(interval_s, rng)
        life = simulate_life(wearer, start=start, hours=24 * days, interval_s=interval_s, rng=rng)
        tables.append(report(life, user_id=wearer.user_id, interval_s=interval_s, rng=rng, kind=kind))
    return pd.concat(tables, ignore_index=True)


def to_interval_counters(table):
    """Convert running counters to amounts since the wearer's previous reading.

    Parameters
    ----------
    table : DataFrame
        A raw table as returned by `readings.parse`.

    Returns
    -------
    DataFrame
        The same rows. Duplicate readings have the same amounts; a wearer's first reading has 0.
    """
    converted = table.copy()
    for rows in table.groupby("user_id", sort=False).indices.values():
        _, first, place = np.unique(table["instant"].to_numpy()[rows], return_index=True, return_inverse=True)
        day = table["timestamp"].to_numpy().astype("datetime64[D]").astype(np.int64)[rows[first]]
        for name, decimals in _DECIMALS.items():
            total = totals(table[name].to_numpy(float)[rows[first]], day)
            converted.loc[rows, name] = np.diff(total, prepend=total[:1]).round(decimals)[place]
    return converted


def _wearer(seed, number):
    """Wearer `number` of this seed, their kind of watch, and the generator for all that is random in their life."""
    rng, kind_rng = (
        np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key)) for key in ((number,), (number, 1))
    )
    return draw_wearer(rng, f"sim-{number:04d}"), draw_watch_kind(kind_rng), rng


def _stretch(wearer, kind, begin, count, interval_s, rng):
    """The first `count` readings from `begin` on. Life is simulated from midnight, for the day's counters."""
    midnight = begin.astype("datetime64[D]").astype("datetime64[s]")
    hours = (begin - midnight).astype(float) / 3600 + 1.2 * count * interval_s / 3600 + 2
    start = midnight + _phase(interval_s, rng)
    while True:
        life = simulate_life(wearer, start=start, hours=hours, interval_s=interval_s, rng=rng)
        table = report(life, user_id=wearer.user_id, interval_s=interval_s, rng=rng, kind=kind)
        table = table[table["timestamp"] >= str(begin)]
        if len(table) >= count:
            return table.head(count)
        hours += 6  # the watch was off the wrist for too long


def _phase(interval_s, rng):
    """A random offset of the watch's clock ticks from midnight."""
    return np.timedelta64(int(rng.integers(interval_s)), "s")


def _sensed(life, rng):
    """The optical sensor's heart rate: whole bpm, with an error that grows with motion."""
    moving = life["steps"].to_numpy() > 0
    return np.rint(life["heartRate"] + rng.laplace(0, 0.3 + 0.7 * moving)).clip(30, 220).astype(int)


def _random_periods(count, *, rate, minutes, interval_s, rng):
    """Booleans (count,), true in a Poisson number of periods (mean `rate`) with a length in `minutes`."""
    inside = np.zeros(count, dtype=bool)
    for _ in range(rng.poisson(rate)):
        begin = rng.integers(count)
        inside[begin : begin + round(rng.uniform(*minutes) * 60 / interval_s)] = True
    return inside


def _counter(amounts, timestamp, restart):
    """Amounts (N,) as a running counter that starts at 0 at each midnight and each restart."""
    total = np.cumsum(amounts)
    day = timestamp.to_numpy().astype("datetime64[D]")
    begin = restart | np.concatenate([[False], day[1:] != day[:-1]])
    before = np.where(begin, total - amounts, 0.0)
    return np.maximum(total - np.maximum.accumulate(before), 0.0)


def _reading_times(count, rng):
    """Booleans (count,): the grid points at which the watch takes a reading, one to three apart."""
    two, three = rng.uniform(0.02, 0.09), rng.uniform(0.005, 0.03)
    steps = rng.choice([1, 2, 3], size=count, p=[1 - two - three, two, three])
    points = np.cumsum(steps) - steps[0]
    has_reading = np.zeros(count, dtype=bool)
    has_reading[points[points < count]] = True
    return has_reading


def _delivered(table, rng):
    """The readings as they arrive: a few are duplicates, a few change places with the previous one."""
    order = np.sort(np.concatenate([np.arange(len(table)), np.flatnonzero(rng.random(len(table)) < 0.0007)]))
    for late in np.flatnonzero(rng.random(len(order) - 1) < 0.0007) if len(order) > 1 else ():
        order[[late, late + 1]] = order[[late + 1, late]]
    return table.iloc[order].reset_index(drop=True)
