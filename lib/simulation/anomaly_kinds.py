"""Kinds of anomaly: each a function of one span of readings, and where and for how long it may happen.

Every function takes a `Span`, a `severity` in (0, 1] and a generator, and returns the changed Span; heart
rate may come back as fractions and out of range: whoever writes it into a table rounds and clips it
(`quantised`).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.signal import lfilter

WATCH_BPM = (30, 230)  # bpm that a watch will report, besides 0


@dataclass(frozen=True)
class Span:
    """Consecutive readings of one wearer: (N,) arrays, amounts since the previous reading."""

    seconds: np.ndarray  # since the span's first reading
    heart_rate: np.ndarray  # bpm
    steps: np.ndarray
    calories: np.ndarray  # kcal
    distance: np.ndarray  # m
    resting: float  # bpm, the wearer's at no steps (20th percentile)
    elsewhere: "Span | None" = None  # as many readings of the same wearer, many hours away


@dataclass(frozen=True)
class Kind:
    """An anomaly: `apply` on spans of so many minutes, at a `place` that holds for most of the span."""

    apply: Callable
    place: str  # rest, activity, cadence (its own differs from the heart rate), night or any
    minutes: tuple[float, float]
    needs: tuple[str, ...] = ()  # columns without which it can not happen
    away_h: tuple[float, float] | None = None  # how far away `elsewhere` lies, at severity 0 and 1


def tachycardia(span, *, severity, rng):
    """A racing heart with no work to explain it: 25 to 70 bpm up in half a minute, and steadier."""
    raised = 25 + 45 * severity
    calm = np.median(span.heart_rate) + 0.6 * (span.heart_rate - np.median(span.heart_rate))
    return replace(span, heart_rate=calm + raised * _onset(span.seconds, 30 * rng.uniform(0.3, 1)))


def bradycardia(span, *, severity, rng):
    """A heart 10 to 25 bpm too slow, never below 30; less in one already slow, or it would lie flat at 30."""
    room = max(np.median(span.heart_rate) - WATCH_BPM[0] - 4, 0)
    lowered = min(10 + 15 * severity, room) * _onset(span.seconds, 60 * rng.uniform(0.3, 1))
    return replace(span, heart_rate=np.maximum(span.heart_rate - lowered, WATCH_BPM[0]))


def irregular_rhythm(span, *, severity, rng):
    """Beat intervals without order, as in atrial fibrillation: readings scatter, and run a little fast.

    Beat intervals there vary by 20 % and more, uncorrelated (Tateno and Glass 2001, Med Biol Eng Comput 39:
    664); the mean of the few beats behind a reading varies by 6 to 16 %.
    """
    scatter = (0.06 + 0.1 * severity) * rng.standard_normal(len(span.heart_rate))
    return replace(span, heart_rate=(span.heart_rate + 10 * severity) * (1 + scatter))


def spikes(span, *, severity, rng):
    """Isolated jumps, about one a minute and four in five of them upward, by 25 to 60 bpm."""
    spacing_s = np.diff(span.seconds, prepend=0.0)
    hit = rng.random(len(span.seconds)) < (0.5 + severity) / 60 * spacing_s
    hit[rng.integers(len(hit))] = True
    jump = (25 + 35 * severity) * rng.uniform(0.9, 1.1, len(hit))
    upward = rng.choice([1, -1], len(hit), p=[0.8, 0.2])
    return replace(span, heart_rate=span.heart_rate + hit * upward * jump)


def stuck_sensor(span, *, severity, rng):
    """Heart rate stays at its first value, but for a few live readings at low severity."""
    stuck = _mostly(len(span.heart_rate), 0.85 + 0.15 * severity, rng)
    return replace(span, heart_rate=np.where(stuck, span.heart_rate[0], span.heart_rate))


def dropout(span, *, severity, rng):
    """Heart rate falls to zero, but for some live readings at low severity, as under a loose strap."""
    lost = _mostly(len(span.heart_rate), 0.6 + 0.4 * severity, rng)
    return replace(span, heart_rate=np.where(lost, 0.0, span.heart_rate))


def ignores_activity(span, *, severity, rng):
    """Heart rate stays near rest while the wearer is active: at severity 1 no response is left."""
    left = 0.5 * (1 - severity)
    level = span.resting + left * (span.heart_rate - span.resting)
    return replace(span, heart_rate=level + 1.5 * rng.standard_normal(len(level)))


def cadence_lock(span, *, severity, rng):
    """The optical sensor takes the arm's swing for the pulse: heart rate equals steps per minute."""
    cadence = steps_per_minute(span.steps, span.seconds, window_s=20)
    locked = _mostly(len(cadence), 0.5 + 0.5 * severity, rng) & (cadence >= 50)
    return replace(span, heart_rate=np.where(locked, cadence, span.heart_rate))


def distance_mismatch(span, *, severity, rng):
    """Distance 2 to 5 times too long or too short for the steps."""
    return replace(span, distance=span.distance * _factor(severity, rng))


def calories_mismatch(span, *, severity, rng):
    """Energy 2 to 5 times too high or too low for what the wearer does."""
    return replace(span, calories=span.calories * _factor(severity, rng))


def activity_in_sleep(span, *, severity, rng):
    """Walking in the middle of the night, with the heart rate, energy and distance that go with it."""
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
    """Heart rate 8 to 14 bpm up for hours, as in a fever of a degree or more.

    Fever raises heart rate by 8.5 bpm per degree Celsius (Karjalainen and Viitasalo 1986, Arch Intern Med
    146: 1169).
    """
    raised = (8 + 6 * severity) * _onset(span.seconds, 600 * rng.uniform(0.3, 1))
    return replace(span, heart_rate=span.heart_rate + raised)


def clock_shift(span, *, severity, rng):
    """Readings filed 8 to 12 hours off, as by a watch whose clock is wrong."""
    other = span.elsewhere
    return replace(
        span, heart_rate=other.heart_rate, steps=other.steps, calories=other.calories, distance=other.distance
    )


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
    """Heart rate as watches report it: whole bpm within WATCH_BPM; 0 and NaN stay what they are."""
    return np.where(heart_rate == 0, 0.0, np.rint(np.clip(heart_rate, *WATCH_BPM)))


def steps_per_minute(steps, seconds, *, window_s):
    """(N,) cadence over `window_s` seconds centred at each reading, from (N,) steps since the one before."""
    total = np.concatenate([[0.0], np.cumsum(steps)])
    begin = np.searchsorted(seconds, seconds - window_s / 2, side="right")
    end = np.searchsorted(seconds, seconds + window_s / 2, side="right")
    before = np.where(begin > 0, seconds[begin - 1], seconds[0] - window_s / 2)
    covered = np.maximum(seconds[end - 1] - before, 1.0)
    return (total[end] - total[begin]) / covered * 60


def _onset(seconds, time_constant_s):
    """(N,) rise from 0 toward 1."""
    return -np.expm1(-(seconds + 1) / time_constant_s)


def _factor(severity, rng):
    """exp(0.7) = 2 at severity 0 to exp(1.6) = 5 at severity 1, or its inverse."""
    return np.exp(rng.choice([-1, 1]) * (0.7 + 0.9 * severity))


def _mostly(count, share, rng):
    """(count,) booleans, true for about `share` of the readings (all at 1); the others come in clumps."""
    clumps = lfilter(np.ones(4), [1.0], rng.random(count) < (1 - share) / 4) > 0
    clumps[0] = False
    return ~clumps
