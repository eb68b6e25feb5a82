"""Are people who fall ill noticed, how early, and at what price?

A *life* is one wearer's hours: which were worn, and the resting heart rate of those at rest. A *rule* scores each hour
of a life from what is known by its end. Normal hours lie after the wearer's first two weeks, and outside two weeks
before to three weeks after an illness. False alarms are episodes of normal hours at a level, a day apart.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from lib.detector.rest import RestingHours
from lib.detector.trend import HOUR_S

DAY = 24  # hours
LEARNING = 14 * DAY  # before which no hour is judged
BEFORE, AFTER = 14 * DAY, 21 * DAY  # of an onset: hours that are not normal
SEARCHED = 7 * DAY  # before and after an onset: where an alarm finds the illness
LINGERS = 6  # hours after an injected rise in which an alarm still counts


class Life(NamedTuple):
    """One wearer's hours, (n,) each, from hour number `first` since 1970 on the wearer's clock.

    bpm : resting heart rate, NaN where the wearer was not at rest. seconds : at rest. worn : whether there is any
    heart rate.
    """

    user_id: str
    first: int
    bpm: np.ndarray
    seconds: np.ndarray
    worn: np.ndarray


class Illness(NamedTuple):
    """When a wearer fell ill: the first and last hour (numbers since 1970) of the onset's day, moment or window."""

    user_id: str
    onset: int
    end: int


class Finding(NamedTuple):
    """How a rule did at a level; `delays` are days from onset to the first alarm, None where there was none."""

    level: float
    delays: dict
    false_alarms: int
    wearer_days: float

    @property
    def found(self):
        """Number of illnesses with an alarm."""
        return sum(delay is not None for delay in self.delays.values())


def life(beats):
    """The Life of a wearer's Heartbeats."""
    wall = beats.times + beats.offset
    first = int(wall.min() // 3600)
    size = int(wall.max() // 3600) - first + 1
    bpm, seconds, worn = np.full(size, np.nan), np.zeros(size, dtype=int), np.zeros(size, dtype=bool)
    worn[(wall // 3600 - first)[beats.heart_rate > 0]] = True
    for hour in RestingHours().add(beats.times, beats.heart_rate, beats.steps, offset=beats.offset):
        if hour.seconds >= HOUR_S:
            bpm[hour.wall - first], seconds[hour.wall - first] = hour.bpm, hour.seconds
    return Life(beats.user_id, first, bpm, seconds, worn)


def read_events(path):
    """Read a table of illnesses: columns user_id and date, moment or onset; or start and end of a window.

    Where an `event` column tells onsets from diagnoses, a wearer's onset counts. Times are the wearer's clock.

    Returns
    -------
    list of Illness

    Raises
    ------
    ValueError
        If a column is missing, or a time is none.
    """
    table = pd.read_csv(path, dtype="str")
    start = next((name for name in ("start", "onset", "moment", "date") if name in table), None)
    if start is None or "user_id" not in table:
        raise ValueError(f"{path}: expected columns user_id and date, moment, onset or start; got {', '.join(table)}")
    try:
        begin = pd.to_datetime(table[start], format="ISO8601")
        end = pd.to_datetime(table["end"], format="ISO8601") if "end" in table else begin
    except ValueError as error:
        raise ValueError(f"{path}: expected ISO 8601 days or moments: {error}") from None
    if begin.isna().any() or end.isna().any() or (end < begin).any():
        raise ValueError(f"{path}: expected a start, and an end not before it, in each row")
    onset = table["event"].str.contains("onset") if "event" in table else pd.Series(True, index=table.index)
    hours = pd.DataFrame(
        {"user_id": table["user_id"].str.strip(), "onset": _hour(begin), "end": _hour(end), "is": onset}
    )
    if "event" in table:  # one illness a wearer: its onset, or else the first thing known of it
        hours = hours.sort_values(["is", "onset"], ascending=[False, True]).drop_duplicates("user_id")
    return [Illness(row.user_id, row.onset, row.end) for row in hours.sort_values("user_id").itertuples()]


def _hour(times):
    return times.to_numpy("datetime64[h]").astype(np.int64)


def normal_hours(life, illnesses):
    """(n,) whether an hour is worn, after the wearer's first two weeks, and not about an illness."""
    number, begin = life.first + np.arange(len(life.worn)), np.flatnonzero(life.worn)[:1].sum()
    normal = life.worn & (number >= life.first + begin + LEARNING)
    for illness in illnesses:
        if illness.user_id == life.user_id:
            normal &= (number < illness.onset - BEFORE) | (number >= illness.end + AFTER)
    return normal


def episodes(at_level, *, apart=DAY):
    """How many episodes the true hours of `at_level` (n,) make, of which two lie more than `apart` hours apart."""
    hours = np.flatnonzero(at_level)
    return int(len(hours) > 0) + int((np.diff(hours) > apart).sum())


def evaluate(lives, scores, illnesses, level):
    """The Finding of `scores`, a list of (n,) per Life, at a level."""
    normal = [normal_hours(each, illnesses) for each in lives]
    alarms = [score >= level for score in scores]  # NaN is none
    false_alarms = sum(episodes(alarm & usual) for alarm, usual in zip(alarms, normal, strict=True))
    days = sum((usual & ~np.isnan(score)).sum() for usual, score in zip(normal, scores, strict=True)) / DAY
    by_wearer = dict(zip((each.user_id for each in lives), zip(lives, alarms, strict=True), strict=True))
    delays = {i.user_id: _delay(*by_wearer[i.user_id], i) for i in illnesses if i.user_id in by_wearer}
    return Finding(level, delays, false_alarms, float(days))


def _delay(life, alarm, illness):
    """Days from the onset to the first alarm in the hours searched."""
    begin = illness.onset - SEARCHED - life.first
    hours = np.flatnonzero(alarm[max(begin, 0) : max(illness.end + SEARCHED - life.first, 0)])
    return round(float(hours[0] + max(begin, 0) - begin - SEARCHED) / DAY, 1) if len(hours) else None


def level_for(lives, scores, illnesses, *, days):
    """The lowest level that gives at most one false alarm in `days` wearer-days of normal hours.

    Raises
    ------
    ValueError
        If no score is above 0.
    """
    normal = [normal_hours(each, illnesses) for each in lives]
    reached = [score[usual & (score > 0)] for score, usual in zip(scores, normal, strict=True)]
    levels = np.unique(np.concatenate(reached))
    if not len(levels):
        raise ValueError("no score of a normal hour is above 0")
    allowed = sum((usual & ~np.isnan(s)).sum() for usual, s in zip(normal, scores, strict=True)) / DAY / days
    low, high = 0, len(levels)
    while low < high:  # episodes fall with the level, but for a few that part in two
        middle = (low + high) // 2
        alarms = sum(episodes((s >= levels[middle]) & usual) for s, usual in zip(scores, normal, strict=True))
        low, high = (low, middle) if alarms <= allowed else (middle + 1, high)
    return float(levels[low] if low < len(levels) else np.nextafter(levels[-1], np.inf))


def injected(life, *, start, hours, bpm):
    """A Life whose resting heart rate is `bpm` higher for `hours` from hour `start` (its place), cut off soon after."""
    stop = min(start + hours + LINGERS, len(life.bpm))
    raised = life.bpm[:stop].copy()
    raised[start : start + hours] += bpm
    return life._replace(bpm=raised, seconds=life.seconds[:stop], worn=life.worn[:stop])


def places(life, illnesses, *, count, rng, least=4):
    """Up to `count` places of normal hours to inject at, of which the first eight hold `least` hours at rest."""
    rest = np.concatenate([[0], np.cumsum(~np.isnan(life.bpm))])
    at = np.flatnonzero(normal_hours(life, illnesses))
    at = at[at + 8 + LINGERS < len(life.bpm)]
    at = at[rest[at + 8] - rest[at] >= least]
    return np.sort(rng.permutation(at)[:count])


def injections(lives, rule, illnesses, level, *, hours, bpm, count, seed):
    """Hours until a rise injected into normal hours is found at a level, an array for each Life; NaN where it is not.

    rule : callable, Life to (n,) scores. Places where the score is at the level already are left out.
    """
    delays = []
    for life in lives:
        delays.append([])
        for start in places(life, illnesses, count=count, rng=np.random.default_rng(seed)):
            scores = rule(injected(life, start=start, hours=hours, bpm=bpm))
            if scores[start - 1] >= level:
                continue
            reached = np.flatnonzero(scores[start:] >= level)
            delays[-1].append(reached[0] + 1 if len(reached) else np.nan)
    return [np.array(each, dtype=float) for each in delays]
