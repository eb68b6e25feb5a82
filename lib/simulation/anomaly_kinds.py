"""Kinds of anomaly: how each changes a span of readings, where it can happen, and how long it lasts.

Each function takes a `Span`, a `severity` in (0, 1] and a generator, and returns the changed Span. The heart rate may
be fractional and out of range; `quantised` rounds and clips it before it is written to a table.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.signal import lfilter

WATCH_BPM = (30, 230)  # range of heart rates that a watch reports, besides 0


@dataclass(frozen=True)
class Span:
    """Consecutive readings of one wearer: (N,) arrays. Counters are amounts since the previous reading."""

    seconds: np.ndarray  # since the span's first reading
    heart_rate: np.ndarray  # bpm
    steps: np.ndarray
    calories: np.ndarray  # kcal
    distance: np.ndarray  # m
    resting: float  # bpm: the wearer's 20th percentile without steps
    elsewhere: "Span | None" = None  # the same number of readings of this wearer, hours away


@dataclass(frozen=True)
class Kind:
    """An anomaly: the function that applies it, and the spans that it can be applied to."""

    apply: Callable
    place: str  # rest, activity, cadence (differs from heart rate), night or any; true for most of the span
    minutes: tuple[float, float]  # shortest and longest span
    needs: tuple[str, ...] = ()  # columns that the watch must report
    shift_h: tuple[float, float] | None = None  # hours to `elsewhere`, at severity 0 and 1


def tachycardia(span, *, severity, rng):
    """A racing heart without exertion: a steadier rate, 25 to 70 bpm higher within half a minute."""
    raised = 25 + 45 * severity
    steadier = np.median(span.heart_rate) + 0.6 * (span.heart_rate - np.median(span.heart_rate))
    return replace(span, heart_rate=steadier + raised * _onset(span.seconds, 30 * rng.uniform(0.3, 1)))


def bradycardia(span, *, severity, rng):
    """A heart rate 10 to 25 bpm too low, never below 30. A slow heart is lowered less, so it is not flat at 30."""
    room = max(np.median(span.heart_rate) - WATCH_BPM[0] - 4, 0)
    lowered = min(10 + 15 * severity, room) * _onset(span.seconds, 60 * rng.uniform(0.3, 1))
    return replace(span, heart_rate=np.maximum(span.heart_rate - lowered, WATCH_BPM[0]))


def irregular_rhythm(span, *, severity, rng):
    """Irregular beat intervals, as in atrial fibrillation: readings scatter and are slightly high.

    Beat intervals then vary by 20 % or more, without correlation (Tateno and Glass 2001, Med Biol Eng Comput 39: 664).
    A reading averages a few beats, so it varies by 6 to 16 %.
    """
    scatter = (0.06 + 0.1 * severity) * rng.standard_normal(len(span.heart_rate))
    return replace(span, heart_rate=(span.heart_rate + 10 * severity) * (1 + scatter))


def spikes(span, *, severity, rng):
    """Isolated jumps of 25 to 60 bpm, about one a minute; four in five go up."""
    spacing_s = np.diff(span.seconds, prepend=0.0)
    hit = rng.random(len(span.seconds)) < (0.5 + severity) / 60 * spacing_s
    hit[rng.integers(len(hit))] = True
    jump = (25 + 35 * severity) * rng.uniform(0.9, 1.1, len(hit))
    upward = rng.choice([1, -1], len(hit), p=[0.8, 0.2])
    return replace(span, heart_rate=span.heart_rate + hit * upward * jump)


def stuck_sensor(span, *, severity, rng):
    """Heart rate repeats its first value. At low severity some true readings remain."""
    stuck = _mostly(len(span.heart_rate), 0.85 + 0.15 * severity, rng)
    return replace(span, heart_rate=np.where(stuck, span.heart_rate[0], span.heart_rate))


def dropout(span, *, severity, rng):
    """Heart rate falls to zero, as under a loose strap. At low severity some true readings remain."""
    lost = _mostly(len(span.heart_rate), 0.6 + 0.4 * severity, rng)
    return replace(span, heart_rate=np.where(lost, 0.0, span.heart_rate))


def ignores_activity(span, *, severity, rng):
    """Heart rate stays near rest while the wearer is active. At severity 1 it does not respond at all."""
    response = 0.5 * (1 - severity)
    level = span.resting + response * (span.heart_rate - span.resting)
    return replace(span, heart_rate=level + 1.5 * rng.standard_normal(len(level)))


def cadence_lock(span, *, severity, rng):
    """The optical sensor mistakes the arm's swing for the pulse: heart rate equals steps per minute."""
    cadence = steps_per_minute(span.steps, span.seconds, window_s=20)
    locked = _mostly(len(cadence), 0.5 + 0.5 * severity, rng) & (cadence >= 50)
    return replace(span, heart_rate=np.where(locked, cadence, span.heart_rate))


def distance_mismatch(span, *, severity, rng):
    """Distance 2 to 5 times too long or too short for the steps."""
    return replace(span, distance=span.distance * _factor(severity, rng))


def calories_mismatch(span, *, severity, rng):
    """Energy 2 to 5 times too high or too low for the activity."""
    return replace(span, calories=span.calories * _factor(severity, rng))


def activity_in_sleep(span, *, severity, rng):
    """Walking in the middle of the night, with matching heart rate, energy and distance."""
    cadence = (60 + 50 * severity) * (1 + 0.05 * rng.standard_normal(len(span.seconds)))
    spacing_s = np.diff(span.seconds, prepend=0.0)
    total = np.cumsum(cadence * spacing_s / 60)
    steps = np.diff(np.floor(total), prepend=0)
    return replace(
        span,
        heart_rate=span.heart_rate + (15 + 25 * severity) * _onset(span.seconds, 58),
        steps=span.steps + steps,
        calories=span.calories * (1.5 + 2 * severity),
        distance=span.distance + steps * rng.uniform(0.6, 0.75),
    )


def ill_raised(span, *, severity, rng):
    """Heart rate 8 to 14 bpm higher for hours, as in a fever of a degree or more.

    Fever raises heart rate by 8.5 bpm per degree Celsius (Karjalainen and Viitasalo 1986, Arch Intern Med 146: 1169).
    """
    raised = (8 + 6 * severity) * _onset(span.seconds, 600 * rng.uniform(0.3, 1))
    return replace(span, heart_rate=span.heart_rate + raised)


def clock_shift(span, *, severity, rng):
    """Readings of 8 to 12 hours earlier or later, as from a watch whose clock is wrong."""
    other = span.elsewhere
    return replace(other, seconds=span.seconds, resting=span.resting, elsewhere=span.elsewhere)


KINDS = {
    "tachycardia": Kind(tachycardia, "rest", (5, 30)),
    "bradycardia": Kind(bradycardia, "rest", (5, 30)),
    "irregular_rhythm": Kind(irregular_rhythm, "rest", (5, 15)),
    "spikes": Kind(spikes, "any", (5, 15)),
    "stuck_sensor": Kind(stuck_sensor, "any", (5, 30)),
    "dropout": Kind(dropout, "any", (5, 30)),
    "ignores_activity": Kind(ignores_activity, "activity", (5, 20), ("steps",)),
    "cadence_lock": Kind(cadence_lock, "cadence", (5, 20), ("steps",)),
    "distance_mismatch": Kind(distance_mismatch, "activity", (5, 20), ("steps", "distance")),
    "calories_mismatch": Kind(calories_mismatch, "any", (5, 30), ("calories",)),
    "activity_in_sleep": Kind(activity_in_sleep, "night", (5, 30), ("steps",)),
    "ill_raised": Kind(ill_raised, "any", (120, 240)),
    "clock_shift": Kind(clock_shift, "any", (10, 30), (), (8, 12)),
}


def quantised(heart_rate):
    """Heart rate as watches report it: whole bpm within WATCH_BPM. 0 and NaN do not change."""
    return np.where(heart_rate == 0, 0.0, np.rint(np.clip(heart_rate, *WATCH_BPM)))


def steps_per_minute(steps, seconds, *, window_s):
    """Cadence over a window centred at each reading.

    Parameters
    ----------
    steps : ndarray, shape (N,)
        Steps since the previous reading.
    seconds : ndarray, shape (N,)
        Ascending times of the readings.
    window_s : float
        Length of the window in seconds.

    Returns
    -------
    ndarray, shape (N,)
        Steps per minute.
    """
    total = np.concatenate([[0.0], np.cumsum(steps)])
    begin = np.searchsorted(seconds, seconds - window_s / 2, side="right")
    end = np.searchsorted(seconds, seconds + window_s / 2, side="right")
    before = np.where(begin > 0, seconds[begin - 1], seconds[0] - window_s / 2)
    covered = np.maximum(seconds[end - 1] - before, 1.0)
    return (total[end] - total[begin]) / covered * 60


def _onset(seconds, time_constant_s):
    """Exponential rise from 0 towards 1, (N,)."""
    return -np.expm1(-(seconds + 1) / time_constant_s)


def _factor(severity, rng):
    """A factor from exp(0.7) = 2 at severity 0 to exp(1.6) = 5 at severity 1, or its inverse."""
    return np.exp(rng.choice([-1, 1]) * (0.7 + 0.9 * severity))


def _mostly(count, share, rng):
    """Booleans (count,), true for about `share` of the readings. The others come in clumps."""
    clumps = lfilter(np.ones(4), [1.0], rng.random(count) < (1 - share) / 4) > 0
    clumps[0] = False
    return ~clumps
