"""Kinds of watch: how often a watch reports, and how it smooths, holds, counts and rounds what it reports.

No two makers agree on these. Fitbit's intraday exports hold a heart rate every 5 to 15 s, steps by the minute, and
calories with the body's resting energy (Furberg et al. 2016, Zenodo 53894). Garmin's monitoring files count active
calories in whole kcal. Optical heart rates are averaged over seconds to half a minute, and many watches write a new
value only when it has changed (Bent et al. 2020, "Investigating sources of inaccuracy in wearable optical heart rate
sensors", npj Digital Medicine 3: 18). The shares of each trait are chosen wide, not fitted.
"""

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

_LONGEST_SPACING_S = 15  # of readings: a longer one would end a segment
_RESTING_PERCENTILE = 10  # of a wearer's energy a second, taken to be what the body burns at rest
_SHORTEST_STRIDE_M, _LONGEST_STRIDE_M = 0.62, 0.82  # of a profile's step length
_LONGEST_HOLD = 18  # readings after which a held heart rate is written again


@dataclass(frozen=True)
class WatchKind:
    """One make of watch. The defaults report everything as it is measured.

    Attributes
    ----------
    spacing : int
        Intervals between readings: 1 to 3.
    irregular : bool
        Whether the spacing varies from 1 to `spacing`.
    smoothing_s : float
        Time constant of the heart rate's average.
    dead_band_bpm : float
        A heart rate is held until it has changed by more than this; 0 = never held.
    steps_by : str
        "reading", "minute" (spread evenly within it) or "lump" (all at the minute's first reading).
    fixed_stride : bool
        Distance is steps times a step length of the wearer's profile.
    active_calories : bool
        Calories leave out what the body burns at rest.
    calories_by_s : int
        Calories are spread evenly over so many seconds; 0 = as measured.
    calorie_resolution : float
        kcal.
    """

    spacing: int = 1
    irregular: bool = False
    smoothing_s: float = 0.0
    dead_band_bpm: float = 0.0
    steps_by: str = "reading"
    fixed_stride: bool = False
    active_calories: bool = False
    calories_by_s: int = 0
    calorie_resolution: float = 0.01


AS_MEASURED = WatchKind()


def draw_watch_kind(rng):
    """A random WatchKind; one in four reports everything as it is measured."""
    if rng.random() < 0.25:
        return AS_MEASURED
    return WatchKind(
        spacing=int(rng.choice([1, 1, 2, 3])),
        irregular=bool(rng.random() < 0.6),
        smoothing_s=float(rng.choice([0, 0, 10, 20, 40])),
        dead_band_bpm=float(rng.choice([0, 0, 0.5, 1, 1.5])),
        steps_by=str(rng.choice(["reading", "minute", "minute", "lump"])),
        fixed_stride=bool(rng.random() < 0.5),
        active_calories=bool(rng.random() < 0.5),
        calories_by_s=int(rng.choice([0, 60, 3600])),
        calorie_resolution=float(rng.choice([0.01, 0.1, 1.0])),
    )


def shown_heart_rate(kind, heart_rate, *, interval_s, rng):
    """The heart rate (N,) that a watch of this kind shows, of what its sensor measures, in whole bpm."""
    if kind.smoothing_s:
        fresh = -np.expm1(-interval_s / kind.smoothing_s)
        start = [(1 - fresh) * heart_rate[0]]
        heart_rate = np.rint(lfilter([fresh], [1, fresh - 1], heart_rate, zi=start)[0])
    if kind.dead_band_bpm:
        heart_rate = _held(heart_rate, kind.dead_band_bpm, rng.integers(6, _LONGEST_HOLD, len(heart_rate)))
    return heart_rate.astype(int)


def _held(heart_rate, dead_band, longest):
    """A heart rate (N,) that changes only when it has moved by more than `dead_band`, or after `longest` readings."""
    shown, value, age = heart_rate.copy(), heart_rate[0], 0
    for place, measured in enumerate(heart_rate.tolist()):
        age += 1
        if abs(measured - value) > dead_band or age > longest[place]:
            value, age = measured, 0
        shown[place] = value
    return shown


def counted_amounts(kind, life, worn, *, interval_s, rng):
    """The steps, calories and distance that a watch of this kind counts: {name: amounts (N,)}.

    Parameters
    ----------
    kind : WatchKind
    life : DataFrame
        Of `simulate_life`, on a grid of `interval_s` seconds.
    worn : ndarray of bool, shape (N,)
        Nothing is counted while the watch is off the wrist.
    interval_s : int
    rng : numpy.random.Generator

    Returns
    -------
    dict of ndarray
    """
    seconds = life["timestamp"].to_numpy("datetime64[s]").astype(np.int64)
    amounts = {name: np.where(worn, life[name], 0.0) for name in ("steps", "calories", "distance")}
    if kind.fixed_stride:
        amounts["distance"] = amounts["steps"] * rng.uniform(_SHORTEST_STRIDE_M, _LONGEST_STRIDE_M)
    if kind.steps_by != "reading":
        for name in ("steps", "distance"):
            amounts[name] = _by_period(amounts[name], seconds // 60, lump=kind.steps_by == "lump")
    if kind.active_calories:
        resting = np.percentile(amounts["calories"][worn], _RESTING_PERCENTILE) if worn.any() else 0.0
        amounts["calories"] = np.maximum(amounts["calories"] - resting, 0.0)
    if kind.calories_by_s:
        amounts["calories"] = _by_period(amounts["calories"], seconds // kind.calories_by_s, lump=False)
    return amounts


def _by_period(amounts, period, *, lump):
    """Amounts (N,) spread evenly within each period (N,), or all at its first sample."""
    _, place, count = np.unique(period, return_inverse=True, return_counts=True)
    total = np.bincount(place, amounts)
    if not lump:
        return (total / count)[place]
    lumps = np.zeros(len(amounts))
    lumps[np.cumsum(count) - count] = total
    return lumps


def takes_reading(kind, has_reading, *, interval_s, rng):
    """Which of the grid points with a reading (N,) a watch of this kind reports: readings stay 15 s apart at most."""
    if kind.spacing == 1:
        return has_reading
    points = np.flatnonzero(has_reading)
    apart = rng.integers(1, kind.spacing + 1, len(points)) if kind.irregular else np.full(len(points), kind.spacing)
    most = max(1, round(_LONGEST_SPACING_S / interval_s))
    reported, last = np.zeros(len(has_reading), dtype=bool), -most
    for place, point in enumerate(points.tolist()):
        following = points[place + 1] if place + 1 < len(points) else point
        if point - last >= apart[place] or following - last > most:
            reported[point], last = True, point
    return reported


def rounded_counter(kind, name, counter):
    """A running counter (N,) as the watch writes it: whole steps, calories in its resolution, decimetres."""
    if name == "steps":
        return np.floor(counter + 1e-6).astype(int)
    if name == "calories":
        return (np.floor(counter / kind.calorie_resolution + 1e-6) * kind.calorie_resolution).round(2)
    return counter.round(1)
