"""VUS-PR: how well errors rank anomalous windows above normal ones, over all thresholds and with tolerance in time.

It is the volume under the surface of precision, recall and buffer, for buffers of 0 to `buffer_minutes`. Windows beside
an event count partly, so an alarm a little early or late is not all wrong. No window is adjusted.

Paparrizos et al. (2022), "Volume under the surface: a new accuracy evaluation measure for time-series anomaly
detection", PVLDB 15(11). The result equals aeon.benchmarking.metrics.anomaly_detection.range_pr_vus_score.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from lib.evaluation.events import NORMAL

BUFFER_MINUTES = 10
_THRESHOLDS = 250  # of a curve, as in aeon


class Buffer(NamedTuple):
    """What one buffer length adds to a Surface."""

    soft_labels: np.ndarray  # (n_rows,) 0..1, by falling rank
    peaks: np.ndarray  # (n_events,) the highest rank in an event and its buffer
    wearers: np.ndarray  # (n_events,)


def vus_pr(windows, errors, *, buffer_minutes=BUFFER_MINUTES):
    """VUS-PR of all wearers' windows, in 0..1.

    Parameters
    ----------
    windows : DataFrame
        Of `events.describe_windows`, at any step. A window is anomalous if its kind is not "normal".
    errors : array-like, shape (n_windows,)
        The larger, the more unusual. NaN, no score, ranks lowest.
    buffer_minutes : int
        The longest buffer; half of it lies before an event and half after.

    Returns
    -------
    float
        NaN if no window is anomalous or none has a score.

    Raises
    ------
    ValueError
        If `buffer_minutes` is negative or not a whole number.
    """
    return Surface(windows, errors, buffer_minutes).volume(np.ones(windows["user_id"].nunique()))


class Surface:
    """Windows sorted once, from which the VUS-PR of any resample of the wearers follows.

    aeon passes over all windows for each of 250 thresholds and each buffer. Here, running sums over windows by falling
    rank hold what lies above each threshold.
    """

    def __init__(self, windows, errors, buffer_minutes):
        if buffer_minutes < 0 or int(buffer_minutes) != buffer_minutes:
            raise ValueError(f"buffer_minutes: expected a whole number, 0 or more, got {buffer_minutes!r}")
        lengths = _windows_per_minute(windows) * np.arange(int(buffer_minutes) + 1)  # in windows
        wearer, labels, ranks = _in_one_row(windows, errors, edge=int(lengths[-1]) // 2 + 1)
        falling = np.argsort(-ranks, kind="stable")
        self.wearer, self.labels, self.ranks = wearer[falling], labels[falling], ranks[falling]
        self.last_alike = np.searchsorted(-self.ranks, -self.ranks, side="right") - 1
        self.buffers = []
        for length in lengths:
            soft = _soften(labels, int(length))
            first = np.flatnonzero(np.diff(soft > 0, prepend=False) & (soft > 0))  # of each event and its buffer
            peaks = np.maximum.reduceat(np.where(soft > 0, ranks, 0), first) if len(first) else first
            self.buffers.append(Buffer(soft[falling], peaks, wearer[first]))

    def volume(self, times):
        """VUS-PR of a resample that holds each wearer so many `times`, shape (n_wearers,)."""
        weights = times[self.wearer]
        if not (weights @ self.labels > 0 and weights @ self.ranks > 0):
            return np.nan
        flagged = np.cumsum(weights)
        places = np.linspace(0, flagged[-1] - 1, _THRESHOLDS, dtype=int)
        cuts = self.last_alike[np.searchsorted(flagged, places, side="right")]
        return float(np.mean([self._area(buffer, times, weights, flagged, cuts) for buffer in self.buffers]))

    def _area(self, buffer, times, weights, flagged, cuts):
        """The area under precision and recall for one buffer, at thresholds that flag windows up to `cuts`."""
        weighted = np.cumsum(weights * buffer.soft_labels)
        positives = (weights @ self.labels + weighted[-1]) / 2
        drawn = times[buffer.wearers]
        touched = drawn @ (buffer.peaks[:, None] >= self.ranks[cuts]) / drawn.sum()
        recall = np.append(0, np.minimum(weighted[cuts] / positives, 1) * touched)
        precision = np.append(1, weighted[cuts] / flagged[cuts])
        return np.sum(np.diff(recall) * (precision[1:] + precision[:-1]) / 2)


def _windows_per_minute(windows):
    """Windows per minute, by the most frequent step between a wearer's windows; 1 if no wearer has two."""
    ordered = windows[["user_id", "end"]].astype({"user_id": str}).sort_values(["user_id", "end"])
    steps = ordered["end"].diff().dt.total_seconds()[ordered["user_id"].eq(ordered["user_id"].shift())]
    return 60 / steps.mode().iloc[0] if len(steps) else 1.0


def _in_one_row(windows, errors, *, edge):
    """Place all wearers' windows in one row, by wearer and time.

    Before and after each wearer stand `edge` normal windows of rank 0, which hold the buffers of events at the ends.

    Returns
    -------
    wearer, label, rank : ndarray, shape (n_rows,)
        Ranks order windows as errors do, from 1; a window without a score has 0.
    """
    errors, ranks = np.asarray(errors, dtype=np.float64), np.zeros(len(windows))
    scored = ~np.isnan(errors)
    ranks[scored] = np.unique(errors[scored], return_inverse=True)[1] + 1
    anomalous = (windows["kind"] != NORMAL).to_numpy(bool)
    wearer, names = pd.factorize(windows["user_id"])
    order = np.lexsort((windows["end"].to_numpy(), wearer))
    count = np.bincount(wearer, minlength=len(names)) + 2 * edge
    row = np.arange(len(windows)) + edge * (2 * wearer[order] + 1)  # its place between the edges
    labels, ranked = np.zeros(count.sum(), dtype=bool), np.zeros(count.sum())
    labels[row], ranked[row] = anomalous[order], ranks[order]
    return np.repeat(np.arange(len(names)), count), labels, ranked


def _soften(labels, length):
    """Labels, shape (n_rows,) bool, as 0..1: a slope of length // 2 windows leads to and from each run of them.

    The slope is sqrt(1 - distance / length), as in Paparrizos et al. (2022) and aeon.
    """
    hard, reach = labels.astype(np.float64), length // 2 if length > 1 else 0
    if not reach or not labels.any():
        return hard
    slope = np.sqrt(1 - np.arange(reach + 1) / length)
    first, last = np.diff(hard, prepend=0) > 0, np.diff(hard, append=0) < 0
    after = np.convolve(last, slope[:-1])[: len(hard)]
    before = np.convolve(first[::-1], np.append(0, slope[1:]))[: len(hard)][::-1]
    return np.minimum(hard + after + before, 1)
