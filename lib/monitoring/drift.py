"""Have the inputs changed? Each day's counts by bin are compared with those of normal days.

Each histogram has two statistics. The shift is Cliff's delta (Cliff 1993, "Dominance statistics", Psychological
Bulletin 114), from −1 to 1: how much likelier a value of this day lies above one of the normal days than below it. It
is the effect size of the Mann-Whitney test. The population stability index is the symmetric Kullback-Leibler
divergence of two histograms; it also responds to a change of shape. The normal days say what is unusual, not a table
of thresholds.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lib.detector.histograms import NAMES
from lib.monitoring.normal_days import FEWEST

INPUTS = tuple(name for name in NAMES if name != "Errors")
MONTH = 30  # days
_RESAMPLES = 2_000
_QUIET = 0.98  # share of normal months without a call
_LEAST_TRAFFIC = 0.5  # of the usual day's counts, from which a day is judged
_COMPLETE = 0.9  # of the median day's time span, from which a day is complete


def daily_counts(lines, population):
    """Sum a log's histograms by day. The log's first and last day are left out unless they are complete.

    Parameters
    ----------
    lines : DataFrame
        A log's table.
    population : dict
        Bins of `histograms.fit`. A list with another number of bins counts as absent.

    Returns
    -------
    days : ndarray of datetime64[D], shape (n_days,)
    counts : dict of str to ndarray, shape (n_days, n_bins)
    """
    lines = lines[_in_complete_days(lines["Time"])]
    days, place = np.unique(lines["Time"].to_numpy("datetime64[D]"), return_inverse=True)
    counts = {}
    for name, bins in population.items():
        width = len(bins["edges"]) + 1
        usable = np.array([row is not None and len(row) == width for row in lines[name]], dtype=bool)
        counts[name] = np.zeros((len(days), width))
        if usable.any():
            np.add.at(counts[name], place[usable], np.stack(lines[name].to_numpy()[usable]))
    return days, counts


def _in_complete_days(times):
    """Whether each time (n_lines,) lies outside a first or last day that is cut off."""
    day = times.dt.floor("D")
    by_day = times.groupby(day)
    span = by_day.max() - by_day.min()
    short = span[span < _COMPLETE * span.median()].index.intersection([day.min(), day.max()])
    return ~day.isin(short)


def judge_later_days(days, counts, normal, *, seed):
    """Judge the days after the normal ones.

    Parameters
    ----------
    days, counts
        As `daily_counts` returns them.
    normal : tuple or None
        As `normal_days.select` returns it.

    Returns
    -------
    usual : Usual or None
    judged : DataFrame or None
        As `Usual.judge` returns it. Both are None without normal days.
    """
    if normal is None:
        return None, None
    usual, is_later = Usual.fit(normal[1], seed=seed), days > normal[0][-1]
    return usual, usual.judge(days[is_later], {name: daily[is_later] for name, daily in counts.items()})


def shift(counts, reference):
    """Return Cliff's delta (n_days,) of counts (n_days, n_bins) against reference counts; NaN where either is empty."""
    share, reference_share = _shares(counts), _shares(reference)
    up_to = np.cumsum(reference_share, axis=-1)
    return (share * (2 * up_to - reference_share - 1)).sum(axis=-1)


def stability_index(counts, reference):
    """Return the population stability index (n_days,) of counts (n_days, n_bins); half a count is added to each bin."""
    share, reference_share = _shares(np.asarray(counts) + 0.5), _shares(np.asarray(reference) + 0.5)
    return ((share - reference_share) * np.log(share / reference_share)).sum(axis=-1)


def _shares(counts):
    counts = np.asarray(counts, dtype=np.float64)
    total = counts.sum(axis=-1, keepdims=True)
    return np.divide(counts, total, out=np.full_like(counts, np.nan), where=total > 0)


@dataclass(frozen=True)
class Usual:
    """What normal days look like, and how far a day must lie from them to be called.

    Attributes
    ----------
    counts : dict of str to ndarray, shape (n_bins,)
        Sum of the normal days.
    mean, spread : ndarray, shape (n_statistics,)
        Mean and standard deviation of the statistics, two per histogram.
    limit : float
        Standard deviations from the mean.
    least : dict of str to float
        Counts below which a day is not judged.
    """

    counts: dict
    mean: np.ndarray
    spread: np.ndarray
    limit: float
    least: dict

    @classmethod
    def fit(cls, counts, *, seed, resamples=_RESAMPLES):
        """Fit to the counts {name: (n_days, n_bins)} of normal days.

        Each day is compared with the others. The limit comes from a smoothed bootstrap (Silverman and Young 1987, "The
        bootstrap: to smooth or not to smooth?", Biometrika 74). Resampled normal days give mean and spread, and the
        largest statistic of a resampled month is noted; 98 % of these lie within the limit. So months of such days are
        quiet, however many statistics there are, and few normal days give a wide limit.

        Raises
        ------
        ValueError
            If there are fewer than FEWEST days.
        """
        known = {name: daily for name, daily in counts.items() if len(daily) and (daily.sum(axis=1) > 0).all()}
        number = len(next(iter(known.values()), ()))
        if number < FEWEST:
            raise ValueError(f"expected {FEWEST} or more normal days, got {number}")
        total = {name: daily.sum(axis=0) for name, daily in known.items()}
        statistics = _statistics(known, {name: total[name] - daily for name, daily in known.items()})
        spread = np.maximum(statistics.std(axis=0, ddof=1), 1e-6)
        limit = _limit(statistics, np.random.default_rng(seed), resamples)
        least = {name: _LEAST_TRAFFIC * np.median(daily.sum(axis=1)) for name, daily in known.items()}
        return cls(total, statistics.mean(axis=0), spread, limit, least)

    def judge(self, days, counts):
        """Judge days (n_days,) by their counts {name: (n_days, n_bins)}.

        Returns
        -------
        DataFrame
            `day, name, counted, shift, psi, surprise, judged, called`, one row per day and name. `surprise` is in
            standard deviations. A day with less than half the usual counts is not judged.
        """
        known = {name: counts[name] for name in self.counts}
        surprise = _distances(_statistics(known, self.counts), self.mean, self.spread)
        tables = []
        for place, (name, daily) in enumerate(known.items()):
            counted = daily.sum(axis=1)
            judged = counted >= self.least[name]
            columns = {"day": days, "name": name, "counted": counted, "shift": shift(daily, self.counts[name])}
            columns["psi"] = stability_index(daily, self.counts[name])
            columns["surprise"] = np.where(judged, surprise[:, 2 * place : 2 * place + 2].max(axis=1), np.nan)
            tables.append(pd.DataFrame(columns).assign(judged=judged))
        table = pd.concat(tables, ignore_index=True).sort_values(["day", "name"], kind="stable", ignore_index=True)
        return table.assign(called=table["surprise"] > self.limit)


def _statistics(counts, reference):
    """Return the shift and the root of the stability index of each name, (n_days, n_statistics)."""
    columns = []
    for name, daily in counts.items():
        columns += [shift(daily, reference[name]), np.sqrt(stability_index(daily, reference[name]))]
    return np.column_stack(columns)


def _distances(statistics, mean, spread):
    """Return the standard deviations (…, n_statistics) from the mean: of a shift both ways, of an index upward."""
    distances = (statistics - mean) / spread
    distances[..., 0::2] = np.abs(distances[..., 0::2])
    return distances


def _limit(statistics, rng, resamples):
    number, width = statistics.shape
    blur = 1.06 * number**-0.2 * statistics.std(axis=0, ddof=1)  # Silverman's rule
    largest = np.empty(resamples)
    for draw in range(resamples):
        normal, month = (
            statistics[rng.integers(number, size=size)] + blur * rng.standard_normal((size, width))
            for size in (number, MONTH)
        )
        spread = np.maximum(normal.std(axis=0, ddof=1), 1e-6)
        largest[draw] = _distances(month, normal.mean(axis=0), spread).max()
    return float(np.quantile(largest, _QUIET))
