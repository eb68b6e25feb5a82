"""VUS-PR: how well errors tell anomalous windows from normal ones, over all thresholds and with room for timing.

The volume under the surface of precision, recall and buffer. The buffers run from 0 to buffer_minutes: beside each
event windows count in part, so that an alarm a little early or late is not all wrong; no window is adjusted.

Paparrizos et al. (2022), "Volume under the surface: a new accuracy evaluation measure for time-series anomaly
detection", PVLDB 15(11); computed as aeon.benchmarking.metrics.anomaly_detection.range_pr_vus_score does.
"""

import numpy as np
import pandas as pd

from lib.evaluation import events

BUFFER_MINUTES = 10
_THRESHOLDS = 250  # of a curve: as many as aeon takes


def vus_pr(windows, errors, *, buffer_minutes=BUFFER_MINUTES):
    """VUS-PR, 0..1, of all wearers' windows (of `evaluation.describe_windows`), a minute or any other step apart.

    errors (N,): the larger the stranger; NaN, no score, is the least evidence there is. A window counts as anomalous
    where its kind is not normal. NaN where no window is, or none has a score. Raises ValueError when
    buffer_minutes is negative or no whole number.
    """
    return Surface(windows, errors, buffer_minutes).volume(np.ones(windows["user_id"].nunique()))


class Surface:
    """Windows sorted once, of which VUS-PR then follows for any number of times that each wearer is drawn.

    What aeon's range_pr_vus_score gives, to rounding. That passes over all windows for each of 250 thresholds and
    each buffer; here, what lies above a threshold are running sums over windows by falling rank.
    """

    def __init__(self, windows, errors, buffer_minutes):
        if buffer_minutes < 0 or int(buffer_minutes) != buffer_minutes:
            raise ValueError(f"buffer_minutes={buffer_minutes!r}: a whole number, 0 or more, is wanted")
        reach = _windows_a_minute(windows) * np.arange(int(buffer_minutes) + 1)
        wearer, labels, ranks = _laid_out(windows, errors, edge=int(reach[-1]) // 2 + 1)
        falling = np.argsort(-ranks, kind="stable")
        self.wearer, self.labels, self.ranks = wearer[falling], labels[falling], ranks[falling]
        self.last_alike = np.searchsorted(-self.ranks, -self.ranks, side="right") - 1
        self.buffers = []
        for buffer in reach:
            soft = _soften(labels, int(buffer))
            first = np.flatnonzero(np.diff(soft > 0, prepend=False) & (soft > 0))  # of each event and its buffer
            peaks = np.maximum.reduceat(np.where(soft > 0, ranks, 0), first) if len(first) else first
            self.buffers.append((soft[falling], peaks, wearer[first]))

    def volume(self, times):
        """VUS-PR of a resample that holds each wearer so many `times` (W,)."""
        weights = times[self.wearer]
        if not (weights @ self.labels > 0 and weights @ self.ranks > 0):
            return np.nan
        flagged = np.cumsum(weights)
        places = np.linspace(0, flagged[-1] - 1, _THRESHOLDS, dtype=int)
        cuts = self.last_alike[np.searchsorted(flagged, places, side="right")]
        areas = [self._area(weights, flagged, cuts, times, *buffer) for buffer in self.buffers]
        return float(np.mean(areas))

    def _area(self, weights, flagged, cuts, times, soft, peaks, member):
        """The area under precision and recall for one buffer, at thresholds that flag windows up to `cuts`."""
        weighted = np.cumsum(weights * soft)
        positives = (weights @ self.labels + weighted[-1]) / 2
        touched = times[member] @ (peaks[:, None] >= self.ranks[cuts]) / times[member].sum()
        recall = np.append(0, np.minimum(weighted[cuts] / positives, 1) * touched)
        precision = np.append(1, weighted[cuts] / flagged[cuts])
        return np.sum(np.diff(recall) * (precision[1:] + precision[:-1]) / 2)


def _windows_a_minute(windows):
    """How many windows begin in a minute, by the commonest step from one of a wearer's to the next; 1 of a lone one."""
    ordered = windows[["user_id", "end"]].astype({"user_id": str}).sort_values(["user_id", "end"])
    steps = ordered["end"].diff().dt.total_seconds()[ordered["user_id"].eq(ordered["user_id"].shift())]
    return 60 / steps.mode().iloc[0] if len(steps) else 1.0


def _laid_out(windows, errors, *, edge):
    """All wearers' windows in one row, by wearer and time: each one's wearer (a number), label and rank, (M,) each.

    Ranks order windows as errors do, from 1; a window without a score has 0. Before and after each wearer's stand
    `edge` normal windows of rank 0, to hold the buffers of events there.
    """
    errors, ranks = np.asarray(errors, dtype=np.float64), np.zeros(len(windows))
    scored = ~np.isnan(errors)
    ranks[scored] = np.unique(errors[scored], return_inverse=True)[1] + 1
    anomalous = (windows["kind"] != events.NORMAL).to_numpy(bool)
    wearer, names = pd.factorize(windows["user_id"])
    order = np.lexsort((windows["end"].to_numpy(), wearer))
    count = np.bincount(wearer, minlength=len(names)) + 2 * edge
    row = np.arange(len(windows)) + edge * (2 * wearer[order] + 1)  # its place between the edges
    labels, ranked = np.zeros(count.sum(), dtype=bool), np.zeros(count.sum())
    labels[row], ranked[row] = anomalous[order], ranks[order]
    return np.repeat(np.arange(len(names)), count), labels, ranked


def _soften(labels, buffer):
    """Labels (M,) booleans as 0..1, with a slope of buffer // 2 windows before and after each run of them.

    As in Paparrizos et al. (2022) and aeon: sqrt(1 - distance / buffer).
    """
    hard, reach = labels.astype(np.float64), buffer // 2 if buffer > 1 else 0
    if not reach or not labels.any():
        return hard
    slope = np.sqrt(1 - np.arange(reach + 1) / buffer)
    first, last = np.diff(hard, prepend=0) > 0, np.diff(hard, append=0) < 0
    after = np.convolve(last, slope[:-1])[: len(hard)]
    before = np.convolve(first[::-1], np.append(0, slope[1:]))[: len(hard)][::-1]
    return np.minimum(hard + after + before, 1)
