"""A request's readings, checked one by one and turned into arrays. A bad reading does not sink the others."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from http_event import Problem

from lib.features import CALENDAR, CHANNELS, calendar
from lib.grid import HEART_RATE_RANGE

MOST_READINGS = 1440
COUNTERS = CHANNELS[1:]
COUNTER_FORMS = ("cumulative", "interval")
_UNIX_MS = (946_684_800_000, 4_102_444_800_000)  # the years 2000 to 2100


@dataclass(frozen=True)
class Readings:
    """N readings in the order sent; a row that `errors` names is not to be used."""

    seconds: np.ndarray  # (N,) when, in an order that holds across time zones
    heart_rate: np.ndarray  # (N,) bpm
    counters: np.ndarray  # (N, 3) steps, kcal, m as sent; NaN for a channel absent throughout
    calendar: np.ndarray  # (N, 3) hour_sin, hour_cos, is_weekend
    errors: list  # (N,) None, or what is wrong with the reading
    cumulative: bool
    timed: bool  # whether the readings have timestamps


def parse(request, *, interval_s):
    """The Readings of a request; without timestamps they stand `interval_s` seconds apart.

    Raises Problem: 400 for no list of readings or a bad `counters` or `timezone`, 413 for too many.
    """
    metrics = request.get("metrics") if isinstance(request, dict) else None
    if not isinstance(metrics, list) or not metrics:
        raise Problem(400, "no_readings", "metrics: a list of 1 to 1,440 readings is wanted", field="metrics")
    if len(metrics) > MOST_READINGS:
        detail = f"metrics: {len(metrics):,} readings are more than {MOST_READINGS:,}"
        raise Problem(413, "too_many_readings", detail, field="metrics")
    counters = request.get("counters", "cumulative")
    if counters not in COUNTER_FORMS:
        raise Problem(400, "bad_counters", "counters: cumulative or interval is wanted", field="counters")
    zone = _zone(request.get("timezone", "UTC"))
    given = {name for metric in metrics if isinstance(metric, dict) for name in metric}
    rows = [_reading(metric, given, zone) for metric in metrics]
    return _arrays(rows, given, interval_s=interval_s, cumulative=counters == "cumulative")


def _zone(name):
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        raise Problem(400, "bad_timezone", "timezone: an IANA name is wanted", field="timezone") from None


class _Bad(Exception):
    """What is wrong with one reading."""


def _reading(metric, given, zone):
    """(instant, heart rate, counters, calendar, None) of one reading, or five times nothing but the error."""
    try:
        if not isinstance(metric, dict):
            raise _Bad("a reading is an object")
        low, high = HEART_RATE_RANGE
        heart_rate = _number(metric, "heartRate", low, high)
        counters = [_number(metric, name, 0.0, math.inf) if name in given else math.nan for name in COUNTERS]
        instant, wall = _clock(metric, zone) if "timestamp" in given else (math.nan, None)
        return instant, heart_rate, counters, _calendar(metric, wall), None
    except _Bad as error:
        return math.nan, math.nan, [math.nan] * 3, [math.nan] * 3, str(error)


def _number(metric, name, low, high):
    if name not in metric:
        raise _Bad(f"{name} is missing")
    value = metric[name]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _Bad(f"{name} {_short(value)} is not a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise _Bad(f"{name} {_short(value)} is not a finite number")
    if not low <= number <= high:
        reach = f"outside {low:g}..{high:g}" if math.isfinite(high) else "negative"
        raise _Bad(f"{name} {_short(value)} is {reach}")
    return number


def _short(value):
    if isinstance(value, int) and abs(value) > 10**15:
        return "(a huge integer)"
    text = repr(value)
    return text if len(text) <= 32 else text[:31] + "…"


def _clock(metric, zone):
    """Seconds since 1970 by which readings are put in order, and of the wearer's wall clock."""
    value = metric.get("timestamp")
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            if not _UNIX_MS[0] <= value <= _UNIX_MS[1]:
                raise ValueError
            moment = datetime.fromtimestamp(value / 1000, UTC)
        else:
            raise ValueError
        if moment.tzinfo is not None and not moment.utcoffset():
            moment = moment.astimezone(zone)
    except (ValueError, OverflowError):
        raise _Bad(f"timestamp {_short(value)} is neither ISO 8601 nor Unix milliseconds") from None
    wall = moment.replace(tzinfo=UTC).timestamp()
    return wall - (moment.utcoffset().total_seconds() if moment.tzinfo else 0.0), wall


def _calendar(metric, wall):
    if all(name in metric for name in CALENDAR):
        return [_number(metric, name, -1.0, 1.0) for name in CALENDAR]
    if wall is None:
        missing = next(name for name in CALENDAR if name not in metric)
        raise _Bad(f"{missing} is missing, and there is no timestamp to tell it by")
    return calendar([wall])[0].tolist()


def _arrays(rows, given, *, interval_s, cumulative):
    seconds, heart_rate, counters, when, errors = zip(*rows, strict=True)
    timed = "timestamp" in given
    return Readings(
        seconds=np.array(seconds) if timed else np.arange(len(rows)) * float(interval_s),
        heart_rate=np.array(heart_rate),
        counters=np.array(counters),
        calendar=np.array(when),
        errors=list(errors),
        cumulative=cumulative,
        timed=timed,
    )
