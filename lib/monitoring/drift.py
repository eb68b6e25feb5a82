"""Has what comes in changed? Each day's counts by bin against those of normal days.

Two statistics a name: the shift, Cliff's delta (Cliff 1993, "Dominance statistics", Psychological Bulletin 114), in
−1..1: how much likelier a value of this day lies above one of the normal days than below it, the effect size of the
Mann-Whitney test; and the population stability index, the symmetric Kullback-Leibler divergence of two histograms,
which also sees a change of shape. What is unusual is not read from a table of thresholds but from the normal days.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lib.detector.histograms import NAMES
from lib.monitoring.normal_days import FEWEST

INPUTS = tuple(name for name in NAMES if name != "Errors")
MONTH = 30  # days
_RESAMPLES = 2_000
_QUIET = 0.98  # share of normal months in which no day is called
_ENOUGH = 0.5  # of the usual day's counts, from which a day is judged
_WHOLE = 0.9  # of the time that a day's lines usually span, from which a day is whole


def by_day(lines, population):
    """The whole days of a log's table, and their counts: (days (D,) datetime64[D], {name: (D, bins)}).

    The first and the last day are left out where the log's begin or end cuts them off, such as the one that is not over
    yet: a morning is not like a day. population: the bins of `population.fit`; a list in the log that has another
    number of bins counts as absent.
    """
    lines = lines[_of_whole_days(lines["Time"])]
    day = lines["Time"].to_numpy("datetime64[D]")
    days, place = np.unique(day, return_inverse=True)
    counts = {}
    for name, bins in population.items():
        width = len(bins["edges"]) + 1
        there = np.array([of is not None and len(of) == width for of in lines[name]], dtype=bool)
        counts[name] = np.zeros((len(days), width))
        if there.any():
            np.add.at(counts[name], place[there], np.stack(lines[name].to_numpy()[there]))
    return days, counts


def _of_whole_days(times):
    """Which of these times (N,) are of no first or last day that falls short of what the median day spans."""
    day = times.dt.floor("D")
    of_day = times.groupby(day)
    span = of_day.max() - of_day.min()
    short = span[span < _WHOLE * span.median()].index.intersection([day.min(), day.max()])
    return ~day.isin(short)


def told(days, counts, normal, *, seed):
    """(Usual, frame): what the normal days make usual, and the judgement of the log's days after them.

    normal: of `normal_days.of`; (None, None) where that is None.
    """
    if normal is None:
        return None, None
    usual, after = Usual.of(normal[1], seed=seed), days > normal[0][-1]
    return usual, usual.judge(days[after], {name: of[after] for name, of in counts.items()})


def shift(counts, usual):
    """Cliff's delta (D,) of counts (D, bins) against usual counts (bins,) or (D, bins); NaN where either is empty."""
    share, of_usual = _shares(counts), _shares(usual)
    up_to = np.cumsum(of_usual, axis=-1)
    return (share * (2 * up_to - of_usual - 1)).sum(axis=-1)


def stability(counts, usual):
    """The population stability index (D,) of counts (D, bins) against usual ones, half a count added to each bin."""
    share, of_usual = _shares(np.asarray(counts) + 0.5), _shares(np.asarray(usual) + 0.5)
    return ((share - of_usual) * np.log(share / of_usual)).sum(axis=-1)


def _shares(counts):
    counts = np.asarray(counts, dtype=np.float64)
    total = counts.sum(axis=-1, keepdims=True)
    return np.divide(counts, total, out=np.full_like(counts, np.nan), where=total > 0)


@dataclass(frozen=True)
class Usual:
    """What normal days look like, and how far a day must lie from them to be called."""

    counts: dict  # {name: (bins,)} of all of them together
    mean: np.ndarray  # (S,) of the statistics, two a name
    spread: np.ndarray  # their standard deviations
    limit: float  # standard deviations from the mean
    least: dict  # {name: counts} below which a day is not judged

    @classmethod
    def of(cls, counts, *, seed, resamples=_RESAMPLES):
        """Of the counts {name: (D, bins)} of normal days. Raises ValueError where they are too few.

        Each day is compared with the others. The limit is drawn by a smoothed bootstrap (Silverman and Young 1987, "The
        bootstrap: to smooth or not to smooth?", Biometrika 74): normal days, drawn anew, give mean and spread, a month
        of others is held against them, and its furthest statistic is noted; 98 % of these are within the limit. So
        months of such days are quiet, whatever the number of statistics, and few normal days make for a wide limit.
        How quiet the months of wearers who live on are is measured by benchmarks/drift.py.
        """
        known = {name: of for name, of in counts.items() if len(of) and (of.sum(axis=1) > 0).all()}
        number = len(next(iter(known.values()), ()))
        if number < FEWEST:
            raise ValueError(f"{number} normal days: at least {FEWEST} are wanted to tell what is usual")
        total = {name: of.sum(axis=0) for name, of in known.items()}
        found = _statistics(known, {name: total[name] - of for name, of in known.items()})
        spread = np.maximum(found.std(axis=0, ddof=1), 1e-6)
        limit = _limit(found, np.random.default_rng(seed), resamples)
        least = {name: _ENOUGH * np.median(of.sum(axis=1)) for name, of in known.items()}
        return cls(total, found.mean(axis=0), spread, limit, least)

    def judge(self, days, counts):
        """Each day's statistics: a frame of day, name, counted, shift, psi, surprise, judged, called.

        One row a day and name; surprise in standard deviations. A day with fewer than half the usual counts is not
        judged.
        """
        named = {name: counts[name] for name in self.counts}
        surprise = self._surprise(_statistics(named, self.counts))
        parts = []
        for place, (name, of) in enumerate(named.items()):
            counted = of.sum(axis=1)
            judged = counted >= self.least[name]
            part = {"day": days, "name": name, "counted": counted, "shift": shift(of, self.counts[name])}
            part["psi"] = stability(of, self.counts[name])
            part["surprise"] = np.where(judged, surprise[:, 2 * place : 2 * place + 2].max(axis=1), np.nan)
            parts.append(pd.DataFrame(part).assign(judged=judged))
        table = pd.concat(parts, ignore_index=True).sort_values(["day", "name"], kind="stable", ignore_index=True)
        return table.assign(called=table["surprise"] > self.limit)

    def _surprise(self, statistics):
        return _distances(statistics, self.mean, self.spread)


def _statistics(counts, usual):
    """Shift and root of the stability index of each name, (D, S)."""
    columns = []
    for name, of in counts.items():
        columns += [shift(of, usual[name]), np.sqrt(stability(of, usual[name]))]
    return np.column_stack(columns)


def _distances(statistics, mean, spread):
    """How many standard deviations (…, S) from the mean: a shift either way, an index only upward."""
    found = (statistics - mean) / spread
    found[..., 0::2] = np.abs(found[..., 0::2])
    return found


def _limit(found, rng, resamples):
    number, width = found.shape
    blur = 1.06 * number**-0.2 * found.std(axis=0, ddof=1)  # Silverman's rule
    furthest = np.empty(resamples)
    for draw in range(resamples):
        normal, month = (
            found[rng.integers(number, size=size)] + blur * rng.standard_normal((size, width))
            for size in (number, MONTH)
        )
        spread = np.maximum(normal.std(axis=0, ddof=1), 1e-6)
        furthest[draw] = _distances(month, normal.mean(axis=0), spread).max()
    return float(np.quantile(furthest, _QUIET))
