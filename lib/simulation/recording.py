"""One wearer's readings in time order: where anomalies may be put, and the counters that come of it."""

import numpy as np
import pandas as pd

from lib.detector import grid
from lib.detector.features import COUNTERS
from lib.simulation.anomaly_kinds import Span, steps_per_minute

_HOLE = 3  # intervals without a reading that a span may not contain
_CANDIDATES = 4096  # places looked at for one anomaly
_MOST = {"rest": 0.85, "activity": 0.7, "cadence": 0.7, "night": 0.95, "any": 1.0}  # of a span, at its place
_UP_AND_ABOUT = 50  # steps per minute, over a minute
_LOCK_SHOWS = 12  # bpm between heart rate and cadence, or a lock would change nothing


class Recording:
    """The readings of one wearer as (N,) arrays in time order, and the anomalies written into them.

    `wall` (datetime64[s]), `seconds` since the first reading, `heart_rate`, `label`, `changed` (inside an
    anomaly put there) and `worn_days`. `overwrite` changes heart rate and amounts; `counter` gives the changed
    counters.
    """

    def __init__(self, rows, *, interval_s, cumulative):
        wall, instant = rows["timestamp"].to_numpy("datetime64[s]"), rows["instant"].to_numpy()
        self._order = np.argsort(instant, kind="stable")
        self.wall, self.seconds = wall[self._order], instant[self._order] - instant.min()
        self._cumulative = cumulative
        self._raw = {n: rows[n].to_numpy(dtype=float)[self._order] for n in COUNTERS if n in rows}
        self._day = self.wall.astype("datetime64[D]").astype(np.int64)
        self._amounts = {n: amounts(v, self._day) if cumulative else np.nan_to_num(v) for n, v in self._raw.items()}
        self._amounts |= {n: np.zeros(len(rows)) for n in COUNTERS if n not in rows}
        self.heart_rate = rows["heartRate"].to_numpy(dtype=float)[self._order]
        self._before = {n: v.copy() for n, v in self._amounts.items()} | {"heart_rate": self.heart_rate.copy()}
        known = rows["label"].to_numpy(dtype=object) if "label" in rows else np.full(len(rows), "", dtype=object)
        self.label = known[self._order]
        self.changed = np.zeros(len(rows), dtype=bool)
        self._taken = []  # (start, end) of each anomaly, s
        self._survey(interval_s)

    def _survey(self, interval_s):
        """Find what is worn and unbroken, the wearer's resting level, and each kind of place."""
        worn = self.heart_rate > 0
        spacing_s = np.diff(self.seconds, prepend=-np.inf)
        self._hole_s = _HOLE * interval_s
        broken = ~worn | (spacing_s > self._hole_s) | (self.label != "")
        self.worn_days = spacing_s[~broken].sum() / 86_400
        self._broken = _running(broken)
        cadence = steps_per_minute(self._amounts["steps"], self.seconds, window_s=60)
        still = worn & (cadence < 5)
        known = self.heart_rate[still if still.any() else worn]
        self._resting = np.percentile(known, 20) if len(known) else np.nan
        quiet = steps_per_minute(self._amounts["steps"], self.seconds, window_s=600) == 0
        away_from_pulse = np.abs(cadence - self.heart_rate) >= _LOCK_SHOWS
        self._places = {
            "rest": still,
            "activity": cadence >= _UP_AND_ABOUT,
            "cadence": (cadence >= _UP_AND_ABOUT) & away_from_pulse,
            "night": quiet & (self.wall.astype("datetime64[h]").astype(int) % 24 < 6),
            "any": worn,
        }

    def room(self, *, place, length_s, apart_s, away_s, rng):
        """A random slice of about `length_s` mostly at `place`, `apart_s` from other anomalies, or None.

        With `away_s`, the readings so many seconds later (earlier when negative) must be unbroken too.
        """
        begin = np.flatnonzero(self._places[place])
        if len(begin) > _CANDIDATES:
            begin = rng.choice(begin, _CANDIDATES, replace=False)
        begin = np.searchsorted(self.seconds, self.seconds[begin])  # with the first of readings that came twice
        end = np.searchsorted(self.seconds, self.seconds[begin] + length_s, side="right")
        lasts_s = self.seconds[end - 1] - self.seconds[begin]
        fits = (lasts_s >= length_s - self._hole_s) & self._unbroken(begin, end)
        at_place = _running(self._places[place])
        fits &= at_place[end] - at_place[begin] >= _MOST[place] * (end - begin)
        for start_s, stop_s in self._taken:
            fits &= (self.seconds[begin] > stop_s + apart_s) | (self.seconds[end - 1] < start_s - apart_s)
        if away_s:
            fits &= self._same_length_away(begin, end, away_s)
        if not fits.any():
            return None
        choice = rng.choice(np.flatnonzero(fits))
        return slice(int(begin[choice]), int(end[choice]))

    def _unbroken(self, begin, end):
        return self._broken[end] == self._broken[begin]

    def _same_length_away(self, begin, end, away_s):
        wanted = self.seconds[begin] + away_s
        there = np.searchsorted(self.seconds, wanted)
        stop = there + end - begin
        inside = stop <= len(self.seconds)
        there, stop = np.where(inside, there, 0), np.where(inside, stop, 0)
        return inside & (np.abs(self.seconds[there] - wanted) <= 60) & self._unbroken(there, stop)

    def span(self, where, *, away_s):
        """The readings of a slice as they were recorded, with those `away_s` off as its `elsewhere`."""
        elsewhere = None
        if away_s:
            there = int(np.searchsorted(self.seconds, self.seconds[where.start] + away_s))
            elsewhere = self.span(slice(there, there + where.stop - where.start), away_s=None)
        arrays = {name: values[where] for name, values in self._before.items()}
        seconds = self.seconds[where] - self.seconds[where.start]
        return Span(seconds=seconds, resting=self._resting, elsewhere=elsewhere, **arrays)

    def overwrite(self, where, span, *, label):
        """Put a changed span back at its slice, under its label."""
        self.heart_rate[where] = span.heart_rate
        for name in COUNTERS:
            self._amounts[name][where] = getattr(span, name)
        self.label[where], self.changed[where] = label, True
        self._taken.append((self.seconds[where.start], self.seconds[where.stop - 1]))

    def counter(self, name, decimals):
        """(N,) column as the watch would have reported it: gains and losses last until the next reset."""
        if not self._cumulative:
            return np.where(self.changed, np.round(self._amounts[name], decimals), self._raw[name])
        gained = np.round(np.cumsum(self._amounts[name] - self._before[name]), decimals)
        anew = np.flatnonzero(grid.resets(self._raw[name], self._day))
        epoch = np.searchsorted(anew, np.arange(len(gained)), side="right")
        counter = self._raw[name] + gained - np.concatenate([[0.0], gained[anew - 1]])[epoch]
        return np.round(counter, decimals)

    def in_file_order(self, values):
        """(N,) values in the order of the rows that the recording was made of."""
        unsorted = np.empty_like(values)
        unsorted[self._order] = values
        return unsorted


def amounts(counter, day):
    """(N,) growth of a counter since the last reading that tells it; `day` as in `grid.totals`."""
    total = pd.Series(grid.totals(counter, day)).ffill().fillna(0.0).to_numpy()
    return np.diff(total, prepend=total[:1])


def _running(flags):
    """(N + 1,) how many of the first n flags are set."""
    return np.concatenate([[0], np.cumsum(flags)])
