"""One wearer's readings on a regular grid. NumPy alone, shared by the notebooks and the handler.

Samples stand at multiples of `interval_s`. A sample's heart rate is the last one reported since the sample before, or
else the one carried forward, by at most MAX_CARRY samples. A longer hole ends the segment. Counters are interpolated
and then differenced: a sample's amount is what the counter grew by in it. Amounts are unknown before a counter's first
report and after its last.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

MAX_CARRY = 3
HEART_RATE_RANGE = (20.0, 250.0)  # bpm
UNIX_MS_RANGE = (946_684_800_000, 4_102_444_800_000)  # the years 2000 to 2100
LONGEST_SILENCE_S = 300.0  # an amount is spread over the time since the last report, if that is no longer
STUCK_S = 300.0  # watches of sleeping wearers show one heart rate for up to two minutes, rarely for five

# What a body can do in a second: sprinters reach 5 steps and 12.4 m; a 6 L/min oxygen uptake burns 0.5 kcal.
PLAUSIBLE_PER_S = np.array([5.0, 0.5, 12.5])  # steps, calories (kcal), distance (m)

OK, FILLED, STUCK, IMPLAUSIBLE, NOT_WORN = range(5)
QUALITIES = ("ok", "filled", "stuck", "implausible", "not_worn")


def per_minute(interval_s):
    """How many samples a minute holds, to the nearest; at least one."""
    return max(1, round(60 / interval_s))


@dataclass(frozen=True)
class Grid:
    """T samples of one wearer.

    Attributes
    ----------
    seconds : ndarray, shape (T,)
        Multiples of interval_s.
    segment : ndarray, shape (T,)
        0, 1, …: changes at a hole, and where the watch is taken off or put on.
    heart_rate : ndarray, shape (T,)
        bpm; NaN where the watch is not worn.
    amounts : ndarray, shape (T, 3)
        Steps, kcal and m in the sample; NaN where a channel is not reported.
    row : ndarray, shape (T,)
        The reading whose heart rate the sample holds.
    carried : ndarray, shape (T,)
        Samples since that reading's own sample.
    interval_s : float
    """

    seconds: np.ndarray
    segment: np.ndarray
    heart_rate: np.ndarray
    amounts: np.ndarray
    row: np.ndarray
    carried: np.ndarray
    interval_s: float

    @cached_property
    def quality(self):
        """Each sample's index into QUALITIES, (T,). Only cleaning asks for it."""
        return _quality(self.heart_rate, self.amounts, self.segment, self.carried, self.interval_s)


def resets(counter, day):
    """Where a counter restarted since the reading before.

    A counter restarts when it falls to less than half, or falls at all on another day. A smaller fall within a day is a
    correction.

    Parameters
    ----------
    counter : ndarray, shape (N,)
    day : ndarray, shape (N,)
        Each reading's date, as any number.

    Returns
    -------
    ndarray of bool, shape (N,)
        False where the counter is NaN.
    """
    restarted = np.zeros(len(counter), dtype=bool)
    known = np.flatnonzero(~np.isnan(counter))[1:]
    values = counter[~np.isnan(counter)]
    fell_far = values[1:] < 0.5 * values[:-1]
    restarted[known] = fell_far | ((values[1:] < values[:-1]) & (np.diff(day[~np.isnan(counter)]) != 0))
    return restarted


def totals(counter, day):
    """Running totals (N,) of a counter (N,) that falls toward 0 at midnight or a restart; NaN where it is NaN.

    After a restart (`resets`) all that the counter shows is new. A correction adds nothing.
    """
    known = ~np.isnan(counter)
    values = counter[known]
    total = np.full(len(counter), np.nan)
    if (values[1:] >= values[:-1]).all():
        total[known] = values - values[:1]
        return total
    growth = np.maximum(np.diff(values, prepend=values[:1]), 0.0)
    total[known] = np.cumsum(np.where(resets(counter, day)[known], values, growth))
    return total


def resample(seconds, heart_rate, running, *, interval_s, before=None):
    """Put readings in time order on the grid.

    Parameters
    ----------
    seconds : ndarray, shape (N,)
        Strictly increasing.
    heart_rate : ndarray, shape (N,)
        bpm; NaN where the watch is off the wrist.
    running : ndarray, shape (N, 3)
        Totals of steps, calories and distance; NaN where they were not reported.
    interval_s : float
    before : ndarray, shape (3,), optional
        The totals one interval before the first reports, where they are known: 0 for amounts since the last reading.

    Returns
    -------
    Grid
    """
    cell = np.ceil(seconds / interval_s).astype(np.int64)
    worn = ~np.isnan(heart_rate)
    rows = _one_per_cell(cell, worn)
    cells, on = cell[rows], worn[rows]
    gap = cells[1:] - cells[:-1]
    joined = (gap <= MAX_CARRY + 1) & (on[1:] == on[:-1])
    repeats = np.append(np.where(joined, gap, 1), 1)
    row = np.repeat(rows, repeats)
    carried = np.arange(len(row)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    grid_cell = cell[row] + carried
    segment = np.repeat(np.cumsum(np.append(0, ~joined)), repeats)
    heart = heart_rate[row]
    amounts = _amounts(grid_cell * float(interval_s), seconds, running, interval_s, before)
    return Grid(grid_cell * float(interval_s), segment, heart, amounts, row, carried, interval_s)


def _one_per_cell(cell, worn):
    """The row each cell is read from: its last with a heart rate, else its last. Short spells without are bridged."""
    if worn.all() and (cell[1:] > cell[:-1]).all():
        return np.arange(len(cell))
    order = np.lexsort((worn, cell))
    last = order[np.append(np.diff(cell[order]) > 0, True)]
    on = np.flatnonzero(worn[last])
    if not len(on):
        return last
    place = np.arange(len(last))
    before = on[np.clip(np.searchsorted(on, place, side="right") - 1, 0, None)]
    after = on[np.clip(np.searchsorted(on, place), None, len(on) - 1)]
    bridged = (before < place) & (after > place) & (cell[last[after]] - cell[last[before]] <= MAX_CARRY + 1)
    return last[~bridged]


def _amounts(grid_s, seconds, running, interval_s, before):
    amounts = np.full((len(grid_s), running.shape[1]), np.nan)
    for channel, total in enumerate(running.T):
        rows = np.flatnonzero(~np.isnan(total))
        if len(rows):
            since = None if before is None else before[channel]
            amounts[:, channel] = _amount(grid_s, seconds[rows], total[rows], interval_s, since)
            if before is not None:
                amounts[_silent(grid_s, seconds[rows], rows), channel] = np.nan
    return amounts


def _amount(grid_s, at, total, interval_s, before):
    """The growth, in each sample (T,), of a channel with these totals at these times.

    NaN in samples before its first report, and after its last.
    """
    first, last = np.searchsorted(grid_s, at[[0, -1]])
    if before is not None:
        at, total = np.append(at[0] - interval_s, at), np.append(before, total)
    at, total = _to_the_end(at, total, grid_s[last])
    amount = np.interp(grid_s, at, total) - np.interp(grid_s - interval_s, at, total)
    amount[:first] = amount[last + 1 :] = np.nan
    if before is None and first + 1 < len(grid_s):  # growth in the first sample is unknown: that of the next stands in
        amount[first] = amount[first + 1]
    return amount


def _silent(grid_s, at, rows):
    """Which samples (T,) lie in a long silence of a channel that is reported at these times, by these readings.

    What was counted in such a silence is not known. A silence of the whole watch is a hole instead.
    """
    lost = (at[1:] - at[:-1] > LONGEST_SILENCE_S) & (rows[1:] - rows[:-1] > 1)
    return np.concatenate([[False], lost, [False]])[np.searchsorted(at, grid_s)]


def _to_the_end(at, total, end):
    """Times and totals of a channel, continued at its last rate to the end of the sample of its last report."""
    if at[-1] >= end or len(at) < 2:
        return at, total
    a_second = (total[-1] - total[-2]) / (at[-1] - at[-2])
    return np.append(at, end), np.append(total, total[-1] + a_second * (end - at[-1]))


def _quality(heart_rate, amounts, segment, carried, interval_s):
    quality = np.where(carried > 0, FILLED, OK)
    quality[constant_for(heart_rate, segment) * interval_s >= STUCK_S] = STUCK
    with np.errstate(invalid="ignore"):
        quality[(amounts > PLAUSIBLE_PER_S * interval_s).any(axis=1)] = IMPLAUSIBLE
    quality[np.isnan(heart_rate)] = NOT_WORN
    return quality


def constant_for(heart_rate, segment):
    """How many consecutive samples of its segment share each sample's heart rate: (T,) counts."""
    change = (heart_rate[1:] != heart_rate[:-1]) | (segment[1:] != segment[:-1])
    starts = np.append(0, np.flatnonzero(change) + 1)
    lengths = np.diff(np.append(starts, len(heart_rate)))
    return np.repeat(lengths, lengths)
