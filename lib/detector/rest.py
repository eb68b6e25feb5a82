"""Hours at rest: a watch's readings become one resting heart rate an hour. NumPy alone.

A reading is at rest when the wearer has taken no step for ten minutes and the watch was worn throughout. Steps are
known only when the watch reports them: readings wait until the next report confirms that nobody walked. Any spacing
up to ten minutes serves. Each reading weighs the seconds since the one before, and sums are whole numbers, so readings
give the same hours however they are cut into requests.
"""

from typing import NamedTuple

import numpy as np

from lib.detector.grid import totals

SETTLED_S = 600  # without steps, before a reading is at rest
GAP_S = 660  # between heart rates: ten minutes and some jitter; more is a watch taken off
REPORT_S = 14_400  # between reports of steps; some watches send none through the night
BPM = (30, 220)  # heart rates that a resting wearer may have, and artefacts do not
LATEST_HOUR = 10**7  # number that a state may hold: an hour of the year 3110
_HOUR = 3600
_DAY_S = 86_400
_NEVER = -(10**12)
_KEYS = ("asOf", "heartAt", "stillFrom", "stepsAt")


class Heartbeats(NamedTuple):
    """One wearer's readings in order of time, (n,) each.

    times : Unix seconds. heart_rate : bpm, NaN where missing. steps : since the reading before that reports any, NaN
    where not reported. offset : seconds by which the wall clock is ahead of `times`.
    """

    user_id: str
    times: np.ndarray
    heart_rate: np.ndarray
    steps: np.ndarray
    offset: np.ndarray


class Hour(NamedTuple):
    """One wearer's clock hour: its number since 1970 (UTC and on the wall), seconds at rest, mean, and when known."""

    number: int
    wall: int
    seconds: int
    bpm: float
    known_at: int


class RestingHours:
    """Readings of one wearer, added in time order; hours come out when they are complete.

    as_of : int
        Unix seconds of the last reading added. Earlier readings are ignored.
    """

    def __init__(self):
        self.as_of, self._heart_at, self._still_from, self._steps_at = (_NEVER,) * 4
        self._counter = None  # steps counted up to the last report, and its day since 1970
        self._open, self._waiting = {}, {}  # hour number: [wall hour, seconds, sum of bpm/10 * seconds]

    @property
    def started(self):
        """Whether any reading was added."""
        return self.as_of != _NEVER

    def add(self, times, heart_rate, steps, *, offset=0, cumulative=False):
        """Add readings in any order, and return the hours that they complete.

        Parameters
        ----------
        times : array_like, shape (n,)
            Unix seconds. A fraction is cut off; of readings in the same second one counts.
        heart_rate, steps : array_like, shape (n,)
            bpm, NaN where missing; steps since the previous reading that reports any, NaN where not reported.
        offset : int or array_like, shape (n,)
            Seconds by which the wearer's wall clock is ahead of `times`.
        cumulative : bool
            Whether steps count up through the day, instead of from reading to reading.

        Returns
        -------
        list of Hour
            In time order.
        """
        times, heart, steps, wall = self._new(times, heart_rate, steps, offset)
        if not len(times):
            return []
        steps = self._since_report(steps, wall // _DAY_S) if cumulative else steps
        worn = (heart >= BPM[0]) & (heart <= BPM[1])
        gap = times - _latest(worn, times, self._heart_at, before=True)
        reports = np.flatnonzero(~np.isnan(steps))
        since = np.diff(times[reports], prepend=self._steps_at)
        slow = (since > SETTLED_S) & (60 * steps[reports] <= since)  # below a step a minute
        still = (since <= REPORT_S) & ((steps[reports] == 0) | slow)
        moved = np.zeros(len(times), dtype=bool)
        moved[reports] = ~still
        still_from = _latest(moved | (gap > GAP_S), times, self._still_from)
        seconds = np.where(worn & (gap <= GAP_S) & (times - still_from >= SETTLED_S), gap, 0)
        tenths = np.round(10 * np.where(seconds > 0, heart, 0)).astype(np.int64)
        self._count(times, wall, seconds, seconds * tenths, reports, still)
        self.as_of, self._still_from = int(times[-1]), int(still_from[-1])
        self._heart_at = int(_latest(worn, times, self._heart_at)[-1])
        return self._complete(times[reports])

    def _new(self, times, heart_rate, steps, offset):
        """Readings later than `as_of`, in time order, one a second."""
        times = np.floor(np.asarray(times, dtype=float)).astype(np.int64)
        heart_rate, steps = np.asarray(heart_rate, dtype=float), np.asarray(steps, dtype=float)
        wall = times + np.broadcast_to(np.asarray(offset, dtype=np.int64), times.shape)
        if (np.diff(times) <= 0).any():
            order = np.lexsort((steps, heart_rate, times))
            order = order[np.diff(times[order], prepend=_NEVER) > 0]
            times, heart_rate, steps, wall = times[order], heart_rate[order], steps[order], wall[order]
        first = np.searchsorted(times, self.as_of, side="right")
        return times[first:], heart_rate[first:], steps[first:], wall[first:]

    def _since_report(self, counter, day):
        """Steps (n,) since the report before, of a counter (n,) and the day of each reading; keeps the last report."""
        known = np.flatnonzero(~np.isnan(counter))
        steps = np.full(len(counter), np.nan)
        if len(known):
            values, days = counter[known], day[known]
            first, first_day = self._counter or (np.nan, days[0])
            total = totals(np.append(first, values), np.append(first_day, days))
            steps[known] = np.diff(total)
            self._counter = float(values[-1]), int(days[-1])
        return steps

    def _count(self, times, wall, seconds, sums, reports, still):
        """Add readings to their hours, or keep them waiting for the next report of steps."""
        last = reports[-1] + 1 if len(reports) else 0
        if len(reports):
            if still[0]:
                _merge(self._open, self._waiting)
            self._waiting, self._steps_at = {}, int(times[reports[-1]])
            confirmed = still[np.searchsorted(reports, np.arange(last))]
            _merge(self._open, _by_hour(times[:last], wall[:last], seconds[:last] * confirmed, sums[:last]))
        timely = times[last:] - self._steps_at <= REPORT_S
        _merge(self._waiting, _by_hour(times[last:], wall[last:], seconds[last:] * timely, sums[last:]))

    def _complete(self, reports):
        """Take out the hours that a report of steps after their end completes."""
        numbers = sorted(number for number in self._open if number < self._steps_at // _HOUR)
        known = reports[np.searchsorted(reports, [(number + 1) * _HOUR for number in numbers])] if numbers else []
        hours = []
        for number, known_at in zip(numbers, known, strict=True):
            wall, seconds, total = self._open.pop(number)
            hours.append(Hour(number, wall, seconds, total / seconds / 10, int(known_at)))
        return hours

    def to_json(self):
        """The state as JSON can hold it."""
        marks = dict(zip(_KEYS, (self.as_of, self._heart_at, self._still_from, self._steps_at), strict=True))
        bins = {"open": self._open, "waiting": self._waiting}
        lists = {name: [[number, *values] for number, values in hours.items()] for name, hours in bins.items()}
        marks = {name: None if at == _NEVER else at for name, at in marks.items()}
        return marks | {"counter": self._counter and list(self._counter)} | lists

    @classmethod
    def from_json(cls, value):
        """Restore what `to_json` returned. Raises ValueError for anything else."""
        state = cls()
        marks = [_NEVER if value.get(name) is None else _whole(value[name], name) for name in _KEYS]
        state.as_of, state._heart_at, state._still_from, state._steps_at = marks
        state._counter = _counter(value.get("counter"))
        state._open, state._waiting = (_hours(value.get(name), name) for name in ("open", "waiting"))
        return state


def _latest(here, times, start, *, before=False):
    """(n,) last of `times` at which `here` is true, up to each reading or `before` it; `start` where there is none."""
    marks = np.maximum.accumulate(np.concatenate([[start], np.where(here, times, _NEVER)]))
    return marks[:-1] if before else marks[1:]


def _by_hour(times, wall, seconds, sums):
    """{hour number: [wall hour, seconds, sum]} of readings in time order that weigh any seconds."""
    rows = np.flatnonzero(seconds)
    if not len(rows):
        return {}
    numbers = times[rows] // _HOUR
    first = np.flatnonzero(np.diff(numbers, prepend=numbers[0] - 1))
    columns = numbers[first], wall[rows[first]] // _HOUR
    totals = (np.add.reduceat(values[rows], first) for values in (seconds, sums))
    table = np.column_stack([*columns, *totals]).tolist()
    return {number: values for number, *values in table}


def _merge(hours, later):
    """Add the sums of `later` hours to those of `hours`."""
    for number, (wall, seconds, total) in later.items():
        if number in hours:
            hours[number][1] += seconds
            hours[number][2] += total
        else:
            hours[number] = [wall, seconds, total]


def _hours(rows, name):
    """Hours as `to_json` lists them. Raises ValueError."""
    if not isinstance(rows, list) or len(rows) > 1 + REPORT_S // _HOUR * 2:
        raise ValueError(f"{name}: expected a short list of hours")
    if not all(isinstance(row, list) and len(row) == 4 for row in rows):
        raise ValueError(f"{name}: expected four numbers an hour")
    hours = {number: values for number, *values in ([_whole(value, name) for value in row] for row in rows)}
    if not all(abs(number) <= LATEST_HOUR and _plausible(*values) for number, values in hours.items()):
        raise ValueError(f"{name}: seconds or heart rates outside an hour's")
    return hours


def _counter(written):
    """A counter and its day, or None. Raises ValueError."""
    if written is None:
        return None
    if not isinstance(written, list) or len(written) != 2:
        raise ValueError("counter: expected a count and a day")
    count, day = written
    if isinstance(count, bool) or not isinstance(count, int | float) or not 0 <= count <= 1e9:
        raise ValueError("counter: expected a count from 0 to 1e9")
    return float(count), _whole(day, "counter")


def _plausible(wall, seconds, total):
    """Whether an hour's wall clock, its seconds, and the sum of its heart rates are such as readings make."""
    return abs(wall) <= LATEST_HOUR and 0 < seconds <= _HOUR + GAP_S and BPM[0] <= total / seconds / 10 <= BPM[1]


def _whole(value, name):
    """A whole number that a clock may have, as int. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1 or abs(value) > 2**53:
        raise ValueError(f"{name}: expected a whole number")
    return int(value)
