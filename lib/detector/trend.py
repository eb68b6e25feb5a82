"""The trend: how far resting heart rate has risen above the wearer's own usual, over hours and days. NumPy alone.

Each hour at rest is compared with what is usual for this wearer at this clock hour, in units of the usual spread. A
one-sided CUSUM adds up what exceeds one unit (Page 1954, Biometrika 41: 100). A single hour adds at most one unit, so
it takes hours to alert. The sum is read against the wearer's own: who often has restless days needs a larger rise. The
baseline learns by small, bounded steps, stands still while the trend is raised, and starts to learn again from a
change that lasts.
"""

from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np

from lib.detector.rest import LATEST_HOUR, RestingHours
from lib.detector.usual import WINDOW, Usual, checked

VERSION = 1
BORDERLINE, ALERT = 0.3, 0.7  # scores: what normal life reaches once a wearer-week, and once a wearer-month
SUMS = (2.6, 5.6)  # of the CUSUM at these scores, set on real wearers and simulated months (benchmarks/illness.py)
RESTARTED = "the trend starts again: its baseline is of an earlier version"

REFERENCE = 1.0  # units of spread that an hour may lie above the usual without adding to the sum
BOUND = 2.0  # units that an hour counts at most, upward and downward
WILD_BPM = 30.0  # above the usual: exertion without steps, not a fever. The hour is left out
HOUR_S = 300  # seconds at rest that an hour needs
KNOWN_HOURS = 24  # hours at rest before there is a score
STALE_H = 48  # hours without rest after which the sum starts again
LASTING_DAYS = 7  # raised or lowered for so long, the wearer has a new usual
SCALES = (0.5, 2.0)  # limits of the wearer's own scale of sums
_DAYS_KNOWN = 7.0  # days that weigh as much as the population in the wearer's own scale
_MOST = 2.5 * SUMS[1]  # of the sum, so that it falls in time


class TrendAnswer(NamedTuple):
    """The trend after some hours; score is None while too little is known."""

    score: float | None
    level: str
    resting_heart_rate: float | None
    usual: float | None
    since: str | None
    alert: bool
    reason: str | None

    def to_json(self):
        """As the answer to a request holds it, or None while unknown."""
        if self.score is None:
            return None
        names = ("score", "level", "restingHeartRate", "usual", "since", "alert", "reason")
        return dict(zip(names, self, strict=True))


class Sum:
    """A one-sided CUSUM with hysteresis: raised `at` an hour's number until it has nearly fallen to nothing."""

    def __init__(self):
        self.total, self.at = 0.0, None

    def add(self, units, scale, number, *, armed=True):
        """Add an hour's units; the limits are in units of `scale`. Returns whether the sum becomes raised by it."""
        self.total = round(min(max(self.total + units - REFERENCE, 0.0), _MOST * scale), 3)
        if self.at is None and armed and self.total >= SUMS[1] * scale:
            self.at = number
            return True
        if self.at is not None and self.total < SUMS[0] / 2 * scale:
            self.at = None
        return False


class Trend:
    """One wearer's trend. `add` readings as they come, in requests of any size.

    restarted : bool
        Whether it was read from a baseline of an earlier version, and so starts again.
    """

    def __init__(self):
        self.restarted, self.rest, self.usual = False, RestingHours(), Usual()
        self.rise, self.fall = Sum(), Sum()
        self.last, self.ahead = None, 0  # number of the last hour taken in; hours that the wall clock was ahead
        self.since = [None, 0, 0.0, 0.0]  # the rise's first wall hour, its hours, sums of heart rate and of the usual
        self.day, self.peak, self.peaks, self.days = None, 0.0, 0.0, 0  # of the sum: today's largest, their mean

    @property
    def started(self):
        """Whether it has learned from any reading."""
        return self.rest.started

    @property
    def score(self):
        """0..1, or None while fewer than KNOWN_HOURS hours at rest are known."""
        return None if self.usual.hours < KNOWN_HOURS else round(_score(self.rise.total / self._scale), 4)

    def add(self, times, heart_rate, steps, **form):
        """Learn from readings, and return the TrendAnswer after them; arguments: of `RestingHours.add`.

        Readings up to the last one added are ignored, so a request may be sent again.
        """
        alerts = [self.take(hour) for hour in self.rest.add(times, heart_rate, steps, **form)]
        return self._answer(any(alerts))

    def follow(self, times, heart_rate, steps, **form):
        """Learn from readings, and return the score (n,) that each of them would have been answered with.

        Parameters are those of `RestingHours.add`. NaN where there is no score. Reading by reading, `add` gives the
        same.
        """
        known_at, ends, scores = [], [self._end], [self.score]
        for hour in self.rest.add(times, heart_rate, steps, **form):
            self.take(hour)
            known_at.append(hour.known_at)
            ends.append(self._end)
            scores.append(self.score)
        times = np.floor(np.asarray(times, dtype=float))
        place = np.searchsorted(known_at, times, side="right")
        stale = times - np.array(ends)[place] > STALE_H * 3600
        return np.where(stale, np.nan, np.array(scores, dtype=float)[place])

    def take(self, hour):
        """Learn from an Hour. Returns whether the trend alerts: it reaches ALERT, and was not raised before."""
        clock = hour.wall % 24
        usual, spread = self.usual.at(clock), self.usual.spread(clock)
        residual = hour.bpm - usual
        if hour.seconds < HOUR_S or (self.usual.hours > 2 * KNOWN_HOURS and residual > WILD_BPM):
            return False
        if self.last is not None and hour.number - self.last > STALE_H:
            self.rise, self.fall = Sum(), Sum()
        self.last, self.ahead = hour.number, hour.wall - hour.number
        alert = self._accumulate(hour, min(max(residual / spread, -BOUND), BOUND), usual)
        if self.rise.at is None or self._lasts:
            self.usual.learn(clock, hour.bpm)
        return alert

    @property
    def _end(self):
        """Unix seconds at which the last hour taken in ended."""
        return -np.inf if self.last is None else 3600 * (self.last + 1)

    def _accumulate(self, hour, units, usual):
        """Add an hour's units to the sums. Returns whether the trend alerts."""
        self._close_day(hour.number // 24)
        before, scale = self.rise.total, self._scale
        self.fall.add(-units, 1.0, hour.number)
        alert = self.rise.add(units, scale, hour.number, armed=self.usual.hours >= KNOWN_HOURS)
        self.peak = max(self.peak, self.rise.total)
        if not before or not self.rise.total:
            self.since = [hour.wall, 0, 0.0, 0.0]
        wall, count, heart, of_usual = self.since
        self.since = [wall, count + 1, round(heart + hour.bpm, 2), round(of_usual + usual, 2)]
        if self._lasts:  # what lasts is no illness: the usual is learned again, in a few days
            self.usual.forget()
        return alert

    @property
    def _lasts(self):
        """Whether the wearer has been raised, or lowered, for LASTING_DAYS."""
        starts = [total.at for total in (self.rise, self.fall) if total.at is not None]
        return bool(starts) and self.last - min(starts) > 24 * LASTING_DAYS

    def _close_day(self, day):
        """Learn how large the sum grows on a usual day; raised days are not usual."""
        if day == self.day:
            return
        if self.day is not None and self.rise.at is None and self.usual.hours > KNOWN_HOURS:
            self.days = min(self.days + 1, WINDOW)
            self.peaks = round(self.peaks + (min(self.peak, 4.0) - self.peaks) / self.days, 4)
        self.day, self.peak = day, self.rise.total

    @property
    def _scale(self):
        """The wearer's own scale of sums: the mean of a day's largest, shrunk toward the population's, which is 1."""
        own = (_DAYS_KNOWN + self.peaks * self.days) / (_DAYS_KNOWN + self.days)
        return min(max(own, SCALES[0]), SCALES[1])

    def _answer(self, alert):
        score = None if self.rest.as_of - self._end > 3600 * STALE_H else self.score
        wall, count, heart, usual = self.since
        means = (round(heart / count, 1), round(usual / count, 1)) if count else (None, None)
        since = reason = None
        if score is not None and score >= BORDERLINE:
            since = datetime.fromtimestamp(3600 * wall, UTC).strftime("%Y-%m-%dT%H:%M")
            reason = sentence(means[0] - means[1], wall, self.last + self.ahead)
        return TrendAnswer(score, level_of(score), *means, since, alert, reason)

    def to_json(self):
        """The state as JSON can hold it, about 900 bytes."""
        values = {name: getattr(self, name) for name in _LIMITS}
        sums = {name: [getattr(self, name).total, getattr(self, name).at] for name in ("rise", "fall")}
        parts = {"rest": self.rest.to_json(), "usual": self.usual.to_json(), "since": list(self.since)}
        return {"version": VERSION} | parts | sums | values

    @classmethod
    def from_json(cls, value):
        """Restore what `to_json` returned; {} or None starts, another version starts again and sets `restarted`.

        Raises
        ------
        ValueError
            If it is neither, or holds a value that `to_json` cannot have written.
        """
        trend = cls()
        if not value:
            return trend
        if not isinstance(value, dict):
            raise ValueError(f"expected an object, got {type(value).__name__}")
        if value.get("version") != VERSION:
            trend.restarted = True
            return trend
        for name, (low, high) in _LIMITS.items():
            setattr(trend, name, checked(value.get(name), name, low, high, optional=name in ("last", "day")))
        for name in ("rise", "fall"):
            total, at = checked(value.get(name), name, 0, _HOURS, length=2, optional=True)
            getattr(trend, name).total, getattr(trend, name).at = min(total or 0.0, 2 * _MOST), at
        wall, count, *sums = trend.since = checked(value.get("since"), "since", 0, _HOURS, length=4, optional=True)
        if None in (count, *sums) or (wall is None) != (count == 0) or (wall or 0) > LATEST_HOUR:
            raise ValueError("since: expected an hour and sums")
        trend.since[0] = wall and int(wall)
        for name, part in (("rest", RestingHours), ("usual", Usual)):
            if not isinstance(value.get(name), dict):
                raise ValueError(f"{name}: expected an object")
            setattr(trend, name, part.from_json(value[name]))
        return trend


def level_of(score):
    """The level's name of a score, "unknown" for None."""
    if score is None:
        return "unknown"
    return "normal" if score < BORDERLINE else "borderline" if score < ALERT else "anomaly"


def sentence(bpm, since, now):
    """Say a rise to its wearer; `since` and `now` are wall-clock hours since 1970.

    >>> sentence(6.2, 450_018, 450_030)
    'Your resting heart rate has been 6 bpm above your usual since yesterday evening.'
    """
    part = ("night", "morning", "afternoon", "evening")[since % 24 // 6]
    days = now // 24 - since // 24
    day = datetime.fromtimestamp(3600 * since, UTC)
    earlier = f"yesterday {part}" if days == 1 else f"the {part} of {day.day} {day:%B}"
    earlier = "the night before last" if (days, part) == (1, "night") else earlier
    when = earlier if days else {"night": "last night"}.get(part, f"this {part}")
    return f"Your resting heart rate has been {round(bpm)} bpm above your usual since {when}."


def _score(total):
    """Map a sum in the wearer's own scale to 0..1: straight to 0.3 and 0.7, then ever slower toward 1."""
    if total < SUMS[1]:
        return float(np.interp(total, (0, *SUMS), (0, BORDERLINE, ALERT)))
    return float(1 - (1 - ALERT) * np.exp(1 - total / SUMS[1]))


_HOURS = 10**8  # hour numbers and sums that a state may hold: far beyond the year 2100
_LIMITS = {  # attribute: smallest, largest
    "last": (0, _HOURS),
    "ahead": (-48, 48),
    "day": (0, _HOURS),
    "peak": (0, 2 * _MOST),
    "peaks": (0, 4),
    "days": (0, WINDOW),
}
