"""A running counter of the day, made of amounts: what a watch's own step counter would display."""

from dataclasses import dataclass

import numpy as np

from lib.data.clock import DAY_MS


@dataclass(frozen=True)
class DayCounter:
    """Points (M,) between which the counter is a straight line; it is back at 0 after each local midnight.

    sparse: whether a time without a point, on a day that has some, means that nothing was counted.
    """

    at_ms: np.ndarray
    offset_ms: np.ndarray
    total: np.ndarray
    day: np.ndarray
    sparse: bool

    @classmethod
    def of(cls, start, end, offset, amount, *, sparse):
        """The counter of amounts (N,) in intervals [start, end), ms, that do not overlap and are sorted."""
        start, end, offset, amount = _cut_at_midnight(start, end, offset, amount)
        day = (start + offset) // DAY_MS
        after = _running(amount, day)
        midnight = (day + 1) * DAY_MS - offset
        end = np.where(end >= midnight, midnight - 1, end)  # at midnight itself it is 0 again
        at = np.column_stack([start, end]).ravel()
        total = np.column_stack([after - amount, after]).ravel()
        new = np.append(True, (np.diff(at) > 0) | (np.diff(np.repeat(day, 2)) != 0))
        return cls(at[new], np.repeat(offset, 2)[new], total[new], np.repeat(day, 2)[new], sparse)

    def bends(self):
        """The points at which its pace changes: others are on the line between these.

        Returns
        -------
        (ndarray, ndarray, ndarray)
            Their times and offsets (ms), and whether each is the first or last of its day.
        """
        new_day = np.diff(self.day) != 0
        edge = np.append(True, new_day) | np.append(new_day, True)
        pace = np.diff(self.total) / np.maximum(np.diff(self.at_ms), 1)
        straight = np.isclose(pace[1:], pace[:-1], rtol=1e-9, atol=1e-12)
        keep = edge | ~np.concatenate([[False], straight, [False]])[: len(edge)]
        return self.at_ms[keep], self.offset_ms[keep], edge[keep]

    def at(self, at_ms, day):
        """What it shows at times (N,) of local days (N,); NaN where that is unknown."""
        left = np.searchsorted(self.at_ms, at_ms, side="right") - 1
        right = left + 1
        before, after = left.clip(0), right.clip(0, len(self.at_ms) - 1)
        has_left = (left >= 0) & (self.day[before] == day)
        has_right = (right < len(self.at_ms)) & (self.day[after] == day)
        span = np.maximum(self.at_ms[after] - self.at_ms[before], 1)
        share = (at_ms - self.at_ms[before]) / span
        between = self.total[before] + share * (self.total[after] - self.total[before])
        exact = has_left & (self.at_ms[before] == at_ms)
        value = np.full(len(at_ms), np.nan)
        if self.sparse:
            value[has_right] = 0.0
            value[has_left] = self.total[before][has_left]
        value[exact] = self.total[before][exact]
        both = has_left & has_right
        value[both] = between[both]
        return value


def _running(amount, day):
    """Running sums (N,) that begin at each day (N,)."""
    total = np.cumsum(amount)
    first = np.flatnonzero(np.append(True, np.diff(day) != 0))
    before = (total - amount)[first]
    return np.maximum(total - np.repeat(before, np.diff(np.append(first, len(day)))), amount)


def _cut_at_midnight(start, end, offset, amount):
    """Cut intervals that cross a local midnight, and share their amounts out by time."""
    while True:
        midnight = ((start + offset) // DAY_MS + 1) * DAY_MS - offset
        crossing = end > midnight
        if not crossing.any():
            return start, end, offset, amount
        share = (midnight - start)[crossing] / (end - start)[crossing]
        rest = (midnight[crossing], end[crossing], offset[crossing], amount[crossing] * (1 - share))
        amount = amount.astype(float)
        amount[crossing] *= share
        end = np.where(crossing, midnight, end)
        joined = [np.concatenate(pair) for pair in zip((start, end, offset, amount), rest, strict=True)]
        order = np.argsort(joined[0], kind="stable")
        start, end, offset, amount = (values[order] for values in joined)
