"""A log's histograms summed by day, and how far two histograms differ.

The shift is Cliff's delta (Cliff 1993, "Dominance statistics", Psychological Bulletin 114), from −1 to 1: how much
likelier a value of one histogram lies above one of the other than below it. It is the effect size of the Mann-Whitney
test. The population stability index is the symmetric Kullback-Leibler divergence of two histograms; it also responds to
a change of shape.
"""

import numpy as np

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
