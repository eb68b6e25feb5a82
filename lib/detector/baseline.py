"""A wearer's own baseline: their resting heart rate, and their habits (`lib.detector.habits`). NumPy alone.

It is small enough to travel with each request. The resting heart rate is a histogram of still minutes, by how much
they lie above what is usual at that hour. Its median is little moved by the anomalies that pass through it. While
minutes are few it is shrunk toward the population, which is 0:

    offset = median * n / (n + SHRUNK),     n: still minutes
"""

import numpy as np

from lib.detector.descriptors import HEART_RATE, still
from lib.detector.grid import UNIX_MS_RANGE, per_minute
from lib.detector.habits import Habits, once_a_minute

BELOW, STEP, BINS = -40.0, 2.0, 51  # bpm: bins from −40 to 62, the outermost ones open
SHRUNK = 120  # still minutes that weigh as much as the population
KNOWN = 120  # still minutes from which the baseline counts as known
FORGETS = 20_160  # still minutes past which all counts are halved: about a month of life
_VERSION = 2


class Baseline:
    """One wearer's still minutes and habits.

    Attributes
    ----------
    minutes : ndarray of int, shape (BINS,)
        Still minutes, by how far they lie from what is usual.
    habits : Habits
    as_of : float or None
        Unix seconds of the last sample seen. Earlier ones are not learned from again. None without timestamps.
    """

    def __init__(self, minutes=None, habits=None, as_of=None):
        self.minutes = np.zeros(BINS, dtype=np.int64) if minutes is None else minutes
        self.habits, self.as_of = habits or Habits(), as_of

    def __repr__(self):
        return f"<Baseline of {self.total} still minutes>"

    @property
    def total(self):
        """How many still minutes it rests on."""
        return int(self.minutes.sum())

    @property
    def offset(self):
        """bpm above what is usual: the median minute's, shrunk."""
        total = self.total
        if not total:
            return 0.0
        cumulative = np.cumsum(self.minutes)
        place = int(np.searchsorted(cumulative, total / 2))
        within = (total / 2 - (cumulative[place] - self.minutes[place])) / self.minutes[place]
        return float((BELOW + STEP * (place + within)) * total / (total + SHRUNK))

    def add(self, residuals):
        """Count still minutes by how far (N,) bpm they lie above what is usual, oldest first."""
        for place in bins(residuals):
            self.minutes[place] += 1
            if self.minutes.sum() > FORGETS:
                self.minutes //= 2

    def updated(self, first, residuals, *, interval_s, end_s=None, learn_habits=None):
        """A copy that has learned from windows, from at most one in each minute.

        With `end_s`, minutes are those of the clock, and only minutes after that of `as_of` are learned from. So a
        request may be sent again, and requests may overlap.

        Parameters
        ----------
        first : ndarray, shape (n_windows,)
            The rows that the windows begin at.
        residuals : ndarray, shape (n_windows,)
            bpm above what is usual; NaN for a window that is not to be learned from.
        interval_s : float
        end_s : ndarray, shape (n_windows,), optional
            Unix seconds of the windows' last samples; None without timestamps.
        learn_habits : callable, optional
            From Habits, the windows' minutes, and which of them are new, to the Habits that learned from those.
        """
        minute = np.asarray(first) // per_minute(interval_s)
        new, updated = np.full(len(minute), True), Baseline(self.minutes.copy(), self.habits, self.as_of)
        if end_s is not None:
            minute, seen = end_s // 60, -np.inf if self.as_of is None else self.as_of // 60
            new = minute > seen
            updated.as_of = max(self.as_of or 0.0, float(end_s.max()))
        usable = np.flatnonzero(new & ~np.isnan(residuals))
        updated.add(residuals[usable[once_a_minute(minute[usable])]])
        if learn_habits:
            updated.habits = learn_habits(self.habits, minute, new)
        return updated

    def to_json(self):
        """A dict that JSON can hold, below 2 KB. `asOf` is in Unix ms, and absent without timestamps."""
        as_of = {} if self.as_of is None else {"asOf": min(round(1000 * self.as_of), UNIX_MS_RANGE[1])}
        return {
            "version": _VERSION,
            "stillMinutes": self.minutes.tolist(),
            "habits": self.habits.to_json(),
        } | as_of

    @classmethod
    def from_json(cls, value):
        """The Baseline that `to_json` wrote. One of another version starts again. Raises ValueError otherwise."""
        if not isinstance(value, dict):
            raise ValueError("is not an object")
        if not value or value.get("version") != _VERSION:
            return cls()
        minutes = value.get("stillMinutes")
        if not isinstance(minutes, list) or len(minutes) != BINS:
            raise ValueError(f"stillMinutes is not a list of {BINS} counts")
        if not all(_is_whole(count) and 0 <= count <= FORGETS for count in minutes):
            raise ValueError(f"a count of stillMinutes is not a whole number from 0 to {FORGETS}")
        return cls(
            np.array(minutes, dtype=np.int64), Habits.from_json(value.get("habits")), _instant(value.get("asOf"))
        )


def _instant(unix_ms):
    """Unix seconds of `asOf`, or None for None. Raises ValueError."""
    if unix_ms is None:
        return None
    if not _is_whole(unix_ms) or not UNIX_MS_RANGE[0] <= unix_ms <= UNIX_MS_RANGE[1]:
        raise ValueError("asOf is not a whole number of Unix milliseconds")
    return unix_ms / 1000


def _is_whole(number):
    """Whether it is a whole number; 124.0 is one, too, because some JSON libraries write 124 so."""
    return type(number) is int or (type(number) is float and number.is_integer())


def bins(residuals):
    """The bin (N,) of residuals (N,) in bpm."""
    return ((np.asarray(residuals) - BELOW) // STEP).clip(0, BINS - 1).astype(int)


def follow(wearer, descriptors, usable, first, *, interval_s):
    """What each wearer's baseline was before each window, learned on the way as by `Baseline.updated`.

    Parameters
    ----------
    wearer : ndarray, shape (n_windows,)
    descriptors : ndarray, shape (n_windows, 23)
        Of windows in time order.
    usable : ndarray of bool, shape (n_windows,)
        The windows that a baseline may learn from.
    first : ndarray, shape (n_windows,)
        The rows that the windows begin at.
    interval_s : float

    Returns
    -------
    offset : ndarray, shape (n_windows,)
        bpm.
    minutes : ndarray, shape (n_windows,)
        Still minutes that the baseline rested on.
    """
    offset, minutes = np.zeros((2, len(descriptors)))
    learns, minute = usable & still(descriptors), np.asarray(first) // per_minute(interval_s)
    for name in np.unique(wearer):
        baseline, total, current, last = Baseline(), 0, 0.0, None
        for row in np.flatnonzero(wearer == name):
            offset[row], minutes[row] = current, total
            if learns[row] and minute[row] != last:
                last = minute[row]
                baseline.add(descriptors[row, HEART_RATE : HEART_RATE + 1])
                total, current = baseline.total, baseline.offset
    return offset, minutes
