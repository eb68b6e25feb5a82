"""A wearer's true life on a regular grid: heart rate, steps, energy and distance.

Exertion drives the heart. Its oxygen uptake, as a share of the wearer's oxygen reserve, sets the share of the
heart-rate reserve. The heart rate approaches that target with a time constant of about a minute.
"""

from itertools import accumulate

import numpy as np
import pandas as pd
from scipy.signal import lfilter

from lib.simulation.bouts import ACTIVITIES, plan_days

_SLEEP, _REST, _WALK, _RUN, _STAIRS, _STRESS, _CHORES, _RIDE = range(len(ACTIVITIES))
# Noise by activity: motion adds noise, hard exertion reduces it.
_FAST_NOISE = np.array([0.75, 1.0, 1.4, 0.9, 1.3, 0.9, 1.3, 0.9])
_SLOW_NOISE = np.array([0.55, 1.0, 1.0, 0.7, 1.0, 1.0, 1.0, 0.8])
_NADIR_H = 4.5  # hour of the lowest heart rate for a wearer who wakes at 6.8


def simulate_life(wearer, *, start, hours, interval_s, rng):
    """Simulate a wearer's life.

    Parameters
    ----------
    wearer : Wearer
    start : datetime64 or str
        Local time of the first row.
    hours : float
    interval_s : int
        Seconds between rows.
    rng : numpy.random.Generator

    Returns
    -------
    DataFrame
        timestamp (datetime64, local), heartRate (bpm, not rounded), steps, calories (kcal), distance (m) and activity
        (one of ACTIVITIES). Steps, calories and distance are amounts since the previous row.

    Raises
    ------
    ValueError
        If `hours` is shorter than one interval.
    """
    start = np.datetime64(start, "s")
    count = round(hours * 3600 / interval_s)
    if count < 1:
        raise ValueError(f"expected hours for at least one step of interval_s={interval_s!r}, got hours={hours!r}")
    timestamp = start + (np.arange(count) * interval_s).astype("timedelta64[s]")
    bouts = _on_grid(wearer, timestamp, rng)
    activity = bouts["activity"]
    cadence = _cadence(wearer, activity, bouts["cadence"], interval_s, rng)
    steps = np.diff(np.floor(np.cumsum(cadence) * interval_s / 60 + rng.random()), prepend=0)
    oxygen = _oxygen(wearer, bouts, cadence)
    return pd.DataFrame(
        {
            "timestamp": timestamp,
            "heartRate": _heart_rate(wearer, timestamp, bouts, oxygen, interval_s, rng),
            "steps": steps,
            "calories": _kilocalories(oxygen, wearer.weight_kg, interval_s),
            "distance": steps * bouts["step_m"] * (1 + 0.03 * _noise(count, 30 / interval_s, rng)),
            "activity": pd.Categorical.from_codes(activity, list(ACTIVITIES)),
        }
    )


def _on_grid(wearer, timestamp, rng):
    """The fields of the bout at each grid point, as arrays (N,) by name."""
    first_day = timestamp[0].astype("datetime64[D]")
    days = int((timestamp[-1].astype("datetime64[D]") - first_day).astype(int)) + 1
    bouts = plan_days(wearer, first_day=first_day, days=days, rng=rng)
    seconds = (timestamp - first_day.astype("datetime64[s]")).astype(float)
    edges = np.searchsorted(seconds, [(bout.start_s, bout.stop_s) for bout in bouts])
    bout_number = np.zeros(len(seconds), dtype=int)
    for number, (begin, end) in enumerate(edges):
        bout_number[begin:end] = number
    names = bouts[0]._fields[3:]
    columns = {name: np.array([getattr(bout, name) for bout in bouts])[bout_number] for name in names}
    codes = np.array([ACTIVITIES.index(bout.activity) for bout in bouts], dtype=np.int8)
    return {"activity": codes[bout_number], **columns}


def _cadence(wearer, activity, cadence, interval_s, rng):
    """Steps per minute (N,): steady in walks and runs except for short stops, in bursts otherwise."""
    count = len(activity)
    steady = cadence * (1 + 0.03 * _noise(count, 40 / interval_s, rng))
    probability = np.zeros(len(ACTIVITIES))  # of moving, in a block of about 20 s
    probability[[_WALK, _RUN, _STAIRS]] = 0.97, 0.998, 1
    probability[_CHORES] = 0.35
    probability[_REST] = min(wearer.fidgets_per_h * 20 / 3600, 1)
    block = max(1, round(20 / interval_s))
    draw, vigour = np.repeat(rng.random((2, count // block + 1)), block, axis=1)[:, :count]
    burst = np.where((activity == _CHORES) | (activity == _REST), 0.3 + vigour, 1.0)
    return np.where(draw < probability[activity], steady * burst, 0.0)


def _oxygen(wearer, bouts, cadence):
    """Oxygen uptake in mL per kg and minute, by the metabolic equations of the ACSM's Guidelines.

    S is the speed in m/min, G the grade, f the steps per minute and H their height in m:

        walking   3.5 + 0.1 S + 1.8 S G
        running   3.5 + 0.2 S + 0.9 S G
        stairs    3.5 + 0.2 f + 1.33 * 1.8 H f
        others    3.5 MET
    """
    activity, speed, grade = bouts["activity"], cadence * bouts["step_m"], bouts["grade"]
    cost = np.where(activity == _RUN, (0.2 + 0.9 * grade) * speed, (0.1 + 1.8 * grade) * speed)
    cost = np.where(activity == _STAIRS, (0.2 + 1.33 * 1.8 * grade * bouts["step_m"]) * cadence, cost)
    return np.maximum(3.5 + wearer.oxygen_cost * cost, 3.5 * bouts["met"])


def _kilocalories(oxygen, weight_kg, interval_s):
    """Energy per row: kcal per minute = MET * 3.5 * kg / 200 (ACSM), with MET = oxygen / 3.5."""
    return oxygen * weight_kg / 200 * interval_s / 60


def _heart_rate(wearer, timestamp, bouts, oxygen, interval_s, rng):
    """Heart rate (N,): its level without exertion, its delayed response to exertion, and noise."""
    activity = bouts["activity"]
    level = _level(wearer, timestamp, activity, interval_s, rng)
    effort = np.clip((oxygen - 3.5) / (wearer.vo2max - 3.5), 0, 0.95)  # share of the oxygen reserve
    effort *= 1 + 0.06 * _noise(len(effort), 240 / interval_s, rng)
    target = level + (wearer.max_hr - level) * effort + bouts["stress_bpm"]  # Swain and Leutholtz 1997
    heart = _respond(target, rise_s=wearer.rise_s, fall_s=wearer.fall_s, interval_s=interval_s)
    slow = _SLOW_NOISE[activity] * _noise(len(heart), wearer.slow_noise_s / interval_s, rng)
    fast = _FAST_NOISE[activity] * _noise(len(heart), 12 / interval_s, rng)
    heart += wearer.slow_noise_bpm * _smooth(slow, 60 / interval_s) + wearer.fast_noise_bpm * fast
    return np.clip(heart, max(35.0, 0.75 * wearer.resting_hr), wearer.max_hr + 3)


def _level(wearer, timestamp, activity, interval_s, rng):
    """Heart rate without exertion: circadian rhythm, posture, sleep cycles and an offset per day.

    The circadian minimum is in the early morning (Vandewalle et al. 2007, J Sleep Res 16: 148). Resting heart rate
    varies by a few bpm from day to day (Quer et al. 2020).
    """
    day = timestamp.astype("datetime64[D]")
    seconds = (timestamp - day[0]).astype("timedelta64[s]").astype(float)
    phase = 2 * np.pi * (seconds / 3600 - _NADIR_H - 0.7 * (wearer.wake_h - 6.8)) / 24
    offsets = rng.normal(0, 2, size=int((day[-1] - day[0]).astype(int)) + 1)
    asleep = _smooth((activity == _SLEEP).astype(float), 600 / interval_s)
    cycle = rng.uniform(0.5, 3) * np.sin(2 * np.pi * (seconds / rng.uniform(5000, 6000) + rng.random()))
    level = wearer.resting_hr - wearer.circadian_bpm * np.cos(phase) + offsets[(day - day[0]).astype(int)]
    level += (1 - asleep) * wearer.sitting_bpm + asleep * (cycle - wearer.sleep_drop_bpm)
    return level + _arousals(activity, interval_s, rng)


def _arousals(activity, interval_s, rng):
    """Arousals in sleep: about three times an hour the heart rate rises for some 20 s."""
    starts = (rng.random(len(activity)) < 3 / 3600 * interval_s) & (activity == _SLEEP)
    impulse = starts * rng.uniform(10, 35, len(activity))
    return _smooth(impulse, 20 / interval_s) * 20 / interval_s


def _respond(target, *, rise_s, fall_s, interval_s):
    """First-order approach of targets (N,), with separate time constants for rising and falling."""
    rise, fall = -np.expm1(-interval_s / rise_s), -np.expm1(-interval_s / fall_s)

    def step(heart, goal):
        return heart + (goal - heart) * (rise if goal > heart else fall)

    return np.fromiter(accumulate(target.tolist(), step), dtype=float, count=len(target))


def _smooth(values, length):
    """Exponential smoothing with a time constant of `length` steps, starting at the first value."""
    keep = np.exp(-1 / length)
    return lfilter([1 - keep], [1, -keep], values, zi=[keep * values[0]])[0]


def _noise(count, length, rng):
    """Gaussian noise (count,) of unit variance, correlated over `length` steps (Ornstein-Uhlenbeck)."""
    keep, fresh = np.exp(-1 / length), rng.standard_normal(count)
    return lfilter([np.sqrt(1 - keep**2)], [1, -keep], fresh, zi=[keep * rng.normal()])[0]
