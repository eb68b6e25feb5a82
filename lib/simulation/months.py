"""Simulated months of normal life: what moves resting heart rate for hours or days, without any illness.

`simulate_life` gives days that differ little. Months hold evenings with alcohol, late nights, hard training, the
menstrual cycle, journeys to other time zones, and nights without the watch.
"""

import numpy as np

from lib.detector.rest import Heartbeats
from lib.simulation.life import simulate_life

DRINKS_BPM = (1.4, 4.0, 8.7)  # after little, some and much alcohol: Pietilä et al. 2018, JMIR Ment Health 5: e23
LUTEAL_BPM = 3.8  # above menstruation: Shilaih et al. 2017, Sci Rep 7: 1294
TRAINED_BPM = (3.0, 8.0)  # after a hard day, falling over some ten hours
LATE_BPM = (4.0, 9.0)  # up until two or three o'clock
BPM_A_DEGREE = 8.5  # of fever: Karjalainen and Viitasalo 1986, Arch Intern Med 146: 1169
FEVER_DEGREES = (0.8, 2.0)
RESETS_H = 1.0  # by which the body's clock follows another time zone each day


def simulate_months(wearer, *, start, days, interval_s=60, rng):
    """The Heartbeats of `days` of a Wearer's normal life.

    Parameters
    ----------
    wearer : lib.simulation.wearers.Wearer
    start : datetime64 or str
        First midnight.
    days, interval_s : int
        Length in days; seconds between readings.
    rng : numpy.random.Generator

    Returns
    -------
    Heartbeats
        Heart rate in whole bpm; NaN, and 0 steps, where the watch was off.
    """
    life = simulate_life(wearer, start=start, hours=24 * days, interval_s=interval_s, rng=rng)
    times = life["timestamp"].to_numpy("datetime64[s]").astype(np.int64)
    hours = (times - times[0]) / 3600
    raised = _evenings(hours, days, rng) + _training(hours, days, rng)
    if wearer.sex == "female" and wearer.age < 50:
        raised += LUTEAL_BPM / 2 * np.sign(np.sin(2 * np.pi * (hours / 24 / 28 + rng.random())))
    off = _off_wrist(hours, days, rng)
    heart = np.where(off, np.nan, np.round(life["heartRate"].to_numpy() + raised))
    steps = np.where(off, 0.0, life["steps"].to_numpy())
    return Heartbeats(wearer.user_id, times, heart, steps, _journey(hours, days, rng))


def add_fever(beats, *, begin, rng):
    """Add a fever to a wearer's readings: heart rate rises over half a day, stays up for days, and falls over a day.

    Parameters
    ----------
    beats : Heartbeats
    begin : float
        Hours after the first reading at which heart rate begins to rise.
    rng : numpy.random.Generator

    Returns
    -------
    Heartbeats
    """
    since = (beats.times - beats.times[0]) / 3600 - begin
    peak, length = BPM_A_DEGREE * rng.uniform(*FEVER_DEGREES), rng.uniform(48, 96)
    raised = np.interp(since, (0, 12, 12 + length, 36 + length), (0, peak, peak, 0))
    return beats._replace(heart_rate=np.round(beats.heart_rate + raised))


def _evenings(hours, days, rng):
    """bpm (n,) that alcohol and late nights add."""
    raised, drinks, late = np.zeros(len(hours)), rng.uniform(0, 0.35), rng.uniform(0, 0.2)
    for day in range(days):
        if rng.random() < drinks:
            begin = 24 * day + rng.uniform(18, 22)
            bpm = rng.choice(DRINKS_BPM) * rng.uniform(0.7, 1.3)
            raised += bpm * ((hours >= begin) & (hours < begin + rng.uniform(6, 12)))
        if rng.random() < late:
            begin = 24 * day + 22
            raised += rng.uniform(*LATE_BPM) * ((hours >= begin) & (hours < begin + rng.uniform(3, 5)))
    return raised


def _training(hours, days, rng):
    """bpm (n,) that hard training leaves behind."""
    raised, often = np.zeros(len(hours)), rng.uniform(0, 0.5)
    for day in np.flatnonzero(rng.random(days) < often):
        since = hours - (24 * day + rng.uniform(8, 20))
        raised += rng.uniform(*TRAINED_BPM) * np.exp(-np.maximum(since, 0) / rng.uniform(5, 12)) * (since >= 0)
    return raised


def _off_wrist(hours, days, rng):
    """Whether (n,) the watch is off: some nights, every night for one wearer in five, and a while on some days."""
    off, nights = np.zeros(len(hours), dtype=bool), 1.0 if rng.random() < 0.2 else rng.uniform(0, 0.3)
    for day in range(days):
        if rng.random() < nights:
            off |= (hours >= 24 * day + 22) & (hours < 24 * day + 22 + rng.uniform(8, 10))
        if rng.random() < 0.3:
            begin = 24 * day + rng.uniform(7, 20)
            off |= (hours >= begin) & (hours < begin + rng.uniform(0.5, 4))
    return off


def _journey(hours, days, rng):
    """Seconds (n,) that the wall clock is ahead of the body's: one journey in two months, followed day by day."""
    away, shift = rng.uniform(15, 60), 3600 * int(rng.integers(3, 10)) * rng.choice([-1, 1])
    since = np.floor(hours / 24 - away)
    lag = np.maximum(abs(shift) - 3600 * RESETS_H * np.maximum(since, 0), 0) * (since >= 0)
    return (np.sign(shift) * lag).astype(np.int64)
