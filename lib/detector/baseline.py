"""A wearer's own baseline: by how much their heart rate at rest lies above what is usual at that hour. NumPy alone.

It is a histogram of still minutes, small enough to travel with each request: its median is little moved by the
anomalies it passes through. While minutes are few it is shrunk toward the population, which is 0.
"""

import numpy as np

from lib.detector.grid import per_minute
from lib.detector.neighbours import HEART_RATE, STEPS

BELOW, STEP, BINS = -40.0, 2.0, 51  # bpm: bins from −40 to 62, the outermost ones open
SHRUNK = 120  # still minutes that weigh as much as the population
KNOWN = 120  # still minutes from which the baseline counts as known
FORGETS = 20_160  # still minutes past which all counts are halved: about a month of life
_VERSION = 1


class Baseline:
    """One wearer's still minutes: `minutes` (BINS,) integers, by how far they lie from what is usual."""

    def __init__(self, minutes=None):
        self.minutes = np.zeros(BINS, dtype=np.int64) if minutes is None else minutes

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
        up_to = np.cumsum(self.minutes)
        place = int(np.searchsorted(up_to, total / 2))
        within = (total / 2 - (up_to[place] - self.minutes[place])) / self.minutes[place]
        return float((BELOW + STEP * (place + within)) * total / (total + SHRUNK))

    def add(self, residuals):
        """Count still minutes by how far (N,) bpm they lie above what is usual, oldest first."""
        for place in bins(residuals):
            self.minutes[place] += 1
            if self.minutes.sum() > FORGETS:
                self.minutes //= 2

    def after(self, first, rest, *, interval_s):
        """This one and the minutes of windows that begin at rows `first` (N,), of one in each minute.

        rest (N,): bpm above what is usual, NaN for a window that is none to learn from.
        """
        later = Baseline(self.minutes.copy())
        known = np.flatnonzero(~np.isnan(rest))
        if not len(known):
            return later
        minute = first[known] // per_minute(interval_s)
        later.add(rest[known[np.unique(minute, return_index=True)[1]]])
        return later

    def written(self):
        """As JSON can hold it, below 1 KB."""
        return {"version": _VERSION, "stillMinutes": self.minutes.tolist()}

    @classmethod
    def read(cls, written):
        """Of what `written` returned; one of another version begins anew. Raises ValueError for anything else."""
        if not isinstance(written, dict):
            raise ValueError("is not an object")
        if not written or written.get("version") != _VERSION:
            return cls()
        minutes = written.get("stillMinutes")
        if not isinstance(minutes, list) or len(minutes) != BINS:
            raise ValueError(f"stillMinutes is not a list of {BINS} counts")
        if not all(_is_whole(count) and 0 <= count <= FORGETS for count in minutes):
            raise ValueError(f"a count of stillMinutes is not a whole number from 0 to {FORGETS}")
        return cls(np.array(minutes, dtype=np.int64))


def _is_whole(number):
    """Whether it is a whole number; 124.0 is one, too, as some JSON libraries write 124."""
    return type(number) is int or (type(number) is float and number.is_integer())


def bins(residuals):
    """The bin (N,) of residuals (N,) in bpm."""
    return ((np.asarray(residuals) - BELOW) // STEP).clip(0, BINS - 1).astype(int)


def still(columns):
    """Which windows, by their columns (N, 23), hold no step: at rest, as far as a watch can tell."""
    return columns[:, STEPS] == 0  # the logarithm of 1 + 0


def follow(wearer, columns, usable, first, *, interval_s):
    """Each window's offset and still minutes known before it, (N,) each, of windows in time order.

    wearer (N,): whose they are; columns (N, 23): of `evidence.describe`; usable (N,) booleans: those a baseline may
    learn from; first (N,): the rows they begin at. One in each minute is learnt from, as by `Baseline.after`.
    """
    offset, minutes = np.zeros((2, len(columns)))
    learns, minute = usable & still(columns), np.asarray(first) // per_minute(interval_s)
    for name in np.unique(wearer):
        own, known, learnt, last = Baseline(), 0, 0.0, None
        for row in np.flatnonzero(wearer == name):
            offset[row], minutes[row] = learnt, known
            if learns[row] and minute[row] != last:
                last = minute[row]
                own.add(columns[row, HEART_RATE : HEART_RATE + 1])
                known, learnt = own.total, own.offset
    return offset, minutes
