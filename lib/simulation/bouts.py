"""A wearer's days as bouts of sleep, rest, chores, walking, stairs, running, riding and stress.

A plan is a list of bouts, in seconds since midnight of its first day. A later bout overrides an earlier one.
"""

from typing import NamedTuple

import numpy as np

ACTIVITIES = ("sleep", "rest", "walk", "run", "stairs", "stress", "chores", "ride")

_STAIR_GRADE = 0.17 / 0.3  # height over depth of a common stair
_HOUR_S = 3600.0
_SPELL_MINUTES = 6  # of one effort in a ride
_EVERYDAY = {"rest": 15, "chores": 8, "walk": 2, "stairs": 0.6, "stress": 12}  # median minutes of a bout


class Bout(NamedTuple):
    """A period of one activity."""

    start_s: float
    stop_s: float
    activity: str
    met: float  # multiple of resting oxygen uptake while not walking (Ainsworth et al. 2011, Compendium)
    cadence: float = 0.0  # steps per minute while moving
    step_m: float = 0.0
    grade: float = 0.0  # rise over distance, 0.05 = 5 % uphill
    stress_bpm: float = 0.0  # heart rate above what the exertion explains


def plan_days(wearer, *, first_day, days, rng):
    """Plan a wearer's days, including the night before the first one.

    Parameters
    ----------
    wearer : Wearer
    first_day : datetime64[D]
        The plan's times count from midnight of this day.
    days : int
    rng : numpy.random.Generator

    Returns
    -------
    list of Bout
    """
    awake = [_waking_hours(wearer, first_day + day, 24.0 * day, rng) for day in range(-1, days + 1)]
    bouts = []
    for (wake, bed), (next_wake, _), day in zip(awake[:-1], awake[1:], range(-1, days), strict=True):
        weekend = is_weekend(first_day + day)
        bouts += _everyday(wearer, wake, bed, rng)
        bouts += _outings(wearer, wake, bed, rng, weekend=weekend)
        bouts += _strolls(wearer, wake, bed, rng)
        bouts += _ride(wearer, wake, bed, rng)
        bouts += _nap(wearer, wake, bed, rng, weekend=weekend)
        bouts += _night(wearer, bed, next_wake, rng)
    return bouts


def is_weekend(day):
    """Whether a datetime64[D] is a Saturday or a Sunday."""
    return (int(day.astype("datetime64[D]").astype(int)) + 3) % 7 >= 5  # day 0 was a Thursday


def _waking_hours(wearer, day, origin_h, rng):
    """Hours of waking and of going to bed, later at weekends (social jet lag, Wittmann et al. 2006)."""
    wake = wearer.wake_h + wearer.weekend_lag_h * is_weekend(day) + rng.normal(0, 0.4)
    next_wake = wearer.wake_h + wearer.weekend_lag_h * is_weekend(day + 1)
    bed = max(24 + next_wake - wearer.sleep_h + rng.normal(0, 0.5), wake + 12)
    return origin_h + wake, origin_h + bed


def _everyday(wearer, wake, bed, rng):
    """Everyday bouts, one after the other, from waking to bed."""
    weights = np.array([1.0, 0.5 * wearer.bustle, 0.22 * wearer.bustle, 0.06 * wearer.bustle, 0.0])
    shares = weights / weights.sum() * (1 - wearer.stress_share)
    shares[-1] = wearer.stress_share
    names, medians = np.array(list(_EVERYDAY)), np.array(list(_EVERYDAY.values()))
    drawn = rng.choice(len(names), size=int(20 * (bed - wake)), p=shares)
    minutes = np.clip(medians[drawn] * np.exp(rng.normal(0, 0.7, len(drawn))), 0.3, 90)
    stops = np.minimum(wake + np.cumsum(minutes) / 60, bed)
    starts = np.concatenate([[wake], stops[:-1]])
    bouts = [_bout(wearer, wake, bed, "rest", rng)]
    for name, start, stop in zip(names[drawn], starts, stops, strict=True):
        if start >= bed:
            break
        bouts.append(_bout(wearer, start, stop, str(name), rng))
    return bouts


def _outings(wearer, wake, bed, rng, *, weekend):
    """Walks to work and back, other walks (longer at weekends), and runs."""
    outings = []
    if wearer.commutes and not weekend:
        minutes = rng.uniform(6, 22)
        outings += [
            ("walk", wake + rng.uniform(0.6, 1.3), minutes),
            ("walk", wake + rng.uniform(9, 11), minutes),
        ]
    if rng.random() < (0.6 if weekend else 0.3) * wearer.bustle:
        outings.append(("walk", rng.uniform(wake + 2, bed - 2), rng.uniform(15, 75 if weekend else 35)))
    if rng.random() < wearer.runs_per_day:
        start = rng.uniform(wake + 0.5, wake + 4) if weekend or rng.random() < 0.3 else bed - rng.uniform(3, 6)
        outings.append(("run", start, rng.uniform(18, 60)))
    return [_bout(wearer, start, start + minutes / 60, name, rng) for name, start, minutes in outings]


def _strolls(wearer, wake, bed, rng):
    """About one slow walk a day, as with a child or round a museum: 35 to 90 steps a minute."""
    starts = rng.uniform(wake + 0.5, bed - 1, size=rng.poisson(1.0))
    return [
        Bout(start * _HOUR_S, (start + rng.uniform(3, 25) / 60) * _HOUR_S, "walk", 1.5, rng.uniform(35, 90), step_m)
        for start, step_m in zip(starts, np.full(len(starts), 0.6 * wearer.step_m), strict=True)
    ]


def _ride(wearer, wake, bed, rng):
    """A ride on some days: effort without a step, at 45 to 85 % of the oxygen uptake, in spells of six minutes."""
    if rng.random() >= wearer.rides_per_day:
        return []
    start, minutes = rng.uniform(wake + 1, bed - 3), rng.uniform(15, 120)
    met = rng.uniform(0.45, 0.85) * wearer.vo2max / 3.5
    edges = start + np.linspace(0, minutes, max(1, int(minutes // _SPELL_MINUTES)) + 1) / 60
    efforts = met * rng.uniform(0.85, 1.1, len(edges) - 1) * np.where(rng.random(len(edges) - 1) < 0.2, 0.5, 1.0)
    return [
        Bout(begin * _HOUR_S, end * _HOUR_S, "ride", max(effort, 1.5))
        for begin, end, effort in zip(edges[:-1], edges[1:], efforts, strict=True)
    ]


def _nap(wearer, wake, bed, rng, *, weekend):
    """An occasional nap."""
    if rng.random() > (0.15 if weekend else 0.04):
        return []
    start = rng.uniform(wake + 5, bed - 5)
    return [_bout(wearer, start, start + rng.uniform(0.3, 1.2), "sleep", rng)]


def _night(wearer, bed, wake, rng):
    """Sleep, in some nights interrupted by a walk of about a minute."""
    bouts = [_bout(wearer, bed, wake, "sleep", rng)]
    if rng.random() < 0.3:
        up = rng.uniform(bed + 1, wake - 1)
        out, back = rng.uniform(8, 25, size=2) / _HOUR_S
        still = rng.uniform(60, 240) / _HOUR_S
        bouts.append(_bout(wearer, up, up + out + still + back, "rest", rng))
        bouts.append(_bout(wearer, up, up + out, "walk", rng))
        bouts.append(_bout(wearer, up + out + still, up + out + still + back, "walk", rng))
    return bouts


def _bout(wearer, start_h, stop_h, activity, rng):
    """A bout of `activity` with a random intensity. Cadences: Tudor-Locke et al. 2018, Br J Sports Med 52: 776.

    Step length is proportional to cadence: the walk ratio is constant (Sekiya and Nagasaki 1998, Gait and Posture 7:
    225). Runners choose an effort, a share of their oxygen reserve; the speed follows from its cost. Mental stress
    raises heart rate by 8 to 25 bpm (order of the response to the Trier test, Kudielka et al. 2004).
    """
    span = (start_h * _HOUR_S, stop_h * _HOUR_S, activity)
    shuffle_m = 0.75 * wearer.step_m
    if activity == "walk":
        cadence = np.clip(rng.normal(wearer.walking_cadence, 5), 92, 128)
        grade = max(rng.normal(0.01, 0.02), -0.01)  # downhill spares little
        return Bout(*span, 1.5, cadence, wearer.step_m * cadence / wearer.walking_cadence, grade)
    if activity == "run":
        speed = rng.uniform(0.6, 0.88) * (wearer.vo2max - 3.5) / (0.2 * wearer.oxygen_cost)  # m/min
        speed = np.clip(speed, 105, 260)
        cadence = np.clip(wearer.running_cadence + 0.08 * (speed - 150) + rng.normal(0, 2), 148, 182)
        return Bout(*span, 1.5, cadence, speed / cadence)
    if activity == "stairs":
        return Bout(*span, 1.5, rng.uniform(50, 85), 0.3, _STAIR_GRADE * (rng.random() < 0.6))  # else down
    if activity == "stress":
        return Bout(*span, 1.4, 0.0, shuffle_m, 0.0, rng.uniform(8, 25))
    if activity == "chores":
        return Bout(*span, rng.uniform(1.8, 3.2), rng.uniform(25, 85), shuffle_m)
    met = 0.95 if activity == "sleep" else rng.uniform(1.1, 1.5)
    return Bout(*span, met, rng.uniform(25, 80), shuffle_m)
