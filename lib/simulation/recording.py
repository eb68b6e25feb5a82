"""One wearer's readings in time order: where anomalies fit, and the counters after they are written."""

import numpy as np
import pandas as pd

from lib.detector import grid
from lib.detector.features import COUNTERS
from lib.simulation.anomaly_kinds import Span, steps_per_minute

_MAX_HOLE = 3  # intervals without a reading that a span may contain
_CANDIDATES = 4096  # starts examined for one anomaly
# Least share of a span that must lie at its place.
_MIN_SHARE = {"rest": 0.85, "activity": 0.7, "cadence": 0.7, "night": 0.95, "any": 1.0}
_ACTIVE_CADENCE = 50  # steps per minute, over a minute
_MIN_LOCK_BPM = 12  # between heart rate and cadence; below it a cadence lock would be invisible
_SHIFT_TOLERANCE_S = 60


class Recording:
    """The readings of one wearer, and the anomalies written into them.

    Parameters
    ----------
    rows : DataFrame
        One wearer's rows of a raw table.
    interval_s : float
        Nominal seconds between readings.
    cumulative : bool
        Whether counters are running totals, else amounts since the previous reading.

    Attributes
    ----------
    wall : ndarray of datetime64[s], shape (N,)
        Wall clock of the readings in time order, as in all arrays here.
    seconds : ndarray, shape (N,)
        Time since the first reading.
    heart_rate, label : ndarray, shape (N,)
    changed : ndarray of bool, shape (N,)
        Readings inside an injected anomaly.
    worn_days : float
        Days of worn, unlabelled life without holes.
    """

    def __init__(self, rows, *, interval_s, cumulative):
        wall, instant = rows["timestamp"].to_numpy("datetime64[s]"), rows["instant"].to_numpy()
        self._order = np.argsort(instant, kind="stable")
        self.wall, self.seconds = wall[self._order], instant[self._order] - instant.min()
        self._cumulative = cumulative
        self._raw = {name: rows[name].to_numpy(dtype=float)[self._order] for name in COUNTERS if name in rows}
        self._day = self.wall.astype("datetime64[D]").astype(np.int64)
        self._amounts = {name: np.zeros(len(rows)) for name in COUNTERS}
        for name, reported in self._raw.items():
            self._amounts[name] = amounts(reported, self._day) if cumulative else np.nan_to_num(reported)
        self.heart_rate = rows["heartRate"].to_numpy(dtype=float)[self._order]
        self._original = {name: values.copy() for name, values in self._amounts.items()}
        self._original["heart_rate"] = self.heart_rate.copy()
        label = rows["label"].to_numpy(dtype=object) if "label" in rows else np.full(len(rows), "", dtype=object)
        self.label = label[self._order]
        self.changed = np.zeros(len(rows), dtype=bool)
        self._occupied = []  # (start, stop) of each injected anomaly, s
        self._survey(interval_s)

    def _survey(self, interval_s):
        """Determine unbroken stretches, the wearer's resting level, and where each kind of place is."""
        worn = self.heart_rate > 0
        spacing_s = np.diff(self.seconds, prepend=-np.inf)
        self._max_hole_s = _MAX_HOLE * interval_s
        broken = ~worn | (spacing_s > self._max_hole_s) | (self.label != "")
        self.worn_days = spacing_s[~broken].sum() / 86_400
        self._broken = _running_count(broken)
        cadence = steps_per_minute(self._amounts["steps"], self.seconds, window_s=60)
        still = worn & (cadence < 5)
        at_rest = self.heart_rate[still if still.any() else worn]
        self._resting = np.percentile(at_rest, 20) if len(at_rest) else np.nan
        quiet = steps_per_minute(self._amounts["steps"], self.seconds, window_s=600) == 0
        lock_visible = np.abs(cadence - self.heart_rate) >= _MIN_LOCK_BPM
        self._places = {
            "rest": still,
            "activity": cadence >= _ACTIVE_CADENCE,
            "cadence": (cadence >= _ACTIVE_CADENCE) & lock_visible,
            "night": quiet & (self.wall.astype("datetime64[h]").astype(int) % 24 < 6),
            "any": worn,
        }

    def free_slice(self, *, place, length_s, min_distance_s, shift_s, rng):
        """Draw a place for an anomaly.

        Parameters
        ----------
        place : str
            Kind of place, as in `anomaly_kinds.Kind`.
        length_s, min_distance_s : float
            Length of the span, and distance to other anomalies, in seconds.
        shift_s : float or None
            If not None, the readings this many seconds later (negative: earlier) must be unbroken too.
        rng : numpy.random.Generator

        Returns
        -------
        slice or None
            None if the anomaly fits nowhere.
        """
        begin = np.flatnonzero(self._places[place])
        if len(begin) > _CANDIDATES:
            begin = rng.choice(begin, _CANDIDATES, replace=False)
        begin = np.searchsorted(self.seconds, self.seconds[begin])  # the first of duplicate readings
        end = np.searchsorted(self.seconds, self.seconds[begin] + length_s, side="right")
        duration_s = self.seconds[end - 1] - self.seconds[begin]
        fits = (duration_s >= length_s - self._max_hole_s) & self._unbroken(begin, end)
        at_place = _running_count(self._places[place])
        fits &= at_place[end] - at_place[begin] >= _MIN_SHARE[place] * (end - begin)
        for start_s, stop_s in self._occupied:
            after, before = (
                self.seconds[begin] > stop_s + min_distance_s,
                self.seconds[end - 1] < start_s - min_distance_s,
            )
            fits &= after | before
        if shift_s:
            fits &= self._unbroken_elsewhere(begin, end, shift_s)
        if not fits.any():
            return None
        choice = rng.choice(np.flatnonzero(fits))
        return slice(int(begin[choice]), int(end[choice]))

    def _unbroken(self, begin, end):
        return self._broken[end] == self._broken[begin]

    def _unbroken_elsewhere(self, begin, end, shift_s):
        """Whether the same number of unbroken readings exists `shift_s` later, for each candidate."""
        target_s = self.seconds[begin] + shift_s
        start = np.searchsorted(self.seconds, target_s)
        stop = start + end - begin
        inside = stop <= len(self.seconds)
        start, stop = np.where(inside, start, 0), np.where(inside, stop, 0)
        near = np.abs(self.seconds[start] - target_s) <= _SHIFT_TOLERANCE_S
        return inside & near & self._unbroken(start, stop)

    def span(self, rows, *, shift_s):
        """The original readings of a slice as a Span, with those `shift_s` seconds later as its `elsewhere`."""
        elsewhere = None
        if shift_s:
            start = int(np.searchsorted(self.seconds, self.seconds[rows.start] + shift_s))
            elsewhere = self.span(slice(start, start + rows.stop - rows.start), shift_s=None)
        arrays = {name: values[rows] for name, values in self._original.items()}
        seconds = self.seconds[rows] - self.seconds[rows.start]
        return Span(seconds=seconds, resting=self._resting, elsewhere=elsewhere, **arrays)

    def overwrite(self, rows, span, *, label):
        """Replace the readings of a slice by a changed Span, and label them."""
        self.heart_rate[rows] = span.heart_rate
        for name in COUNTERS:
            self._amounts[name][rows] = getattr(span, name)
        self.label[rows], self.changed[rows] = label, True
        self._occupied.append((self.seconds[rows.start], self.seconds[rows.stop - 1]))

    def counter(self, name, decimals):
        """The counter that the watch would have reported, (N,): a gain or loss lasts until the next reset."""
        if not self._cumulative:
            return np.where(self.changed, np.round(self._amounts[name], decimals), self._raw[name])
        gain = np.round(np.cumsum(self._amounts[name] - self._original[name]), decimals)
        resets = np.flatnonzero(grid.resets(self._raw[name], self._day))
        epoch = np.searchsorted(resets, np.arange(len(gain)), side="right")
        counter = self._raw[name] + gain - np.concatenate([[0.0], gain[resets - 1]])[epoch]
        return np.round(counter, decimals)

    def in_file_order(self, values):
        """Values (N,) in the order of the rows that the recording was made from."""
        unsorted = np.empty_like(values)
        unsorted[self._order] = values
        return unsorted


def amounts(counter, day):
    """Growth of a counter since its last known reading, (N,). `day` as in `grid.totals`."""
    total = pd.Series(grid.totals(counter, day)).ffill().fillna(0.0).to_numpy()
    return np.diff(total, prepend=total[:1])


def _running_count(flags):
    """Number of true flags among the first n, (N + 1,)."""
    return np.concatenate([[0], np.cumsum(flags)])
