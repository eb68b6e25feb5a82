"""A request's readings, checked one by one and turned into arrays. A bad reading does not sink the others."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
from http_event import Problem

from lib.baseline import Baseline
from lib.features import CALENDAR, COUNTERS, FEATURES, calendar
from lib.grid import HEART_RATE_RANGE

MOST_READINGS = 1440
MOST_ENVELOPES = 100
_CALENDAR = set(CALENDAR)
COUNTER_FORMS = ("cumulative", "interval")
LARGEST_COUNT = 1e9  # steps, kcal or m: no watch has ever counted so far
_LONGEST_ZONE = 64  # characters, of 32 in the longest name there is: Python looks a name up part by part, by recursion
_DAY_S = 86_400
_LOW = np.array([HEART_RATE_RANGE[0], 0, 0, 0, -1, -1, -1])  # of the seven numbers
_HIGH = np.array([HEART_RATE_RANGE[1], *[LARGEST_COUNT] * 3, 1, 1, 1])
_UNIX_MS = (946_684_800_000, 4_102_444_800_000)  # the years 2000 to 2100


@dataclass(frozen=True)
class Readings:
    """One wearer's N readings in the order sent; a row that `errors` names is not to be used."""

    index: np.ndarray  # (N,) each reading's place in the request
    seconds: np.ndarray  # (N,) when, in an order that holds across time zones
    day: np.ndarray  # (N,) the wearer's date, as a number; 0 where no timestamp tells it
    heart_rate: np.ndarray  # (N,) bpm
    counters: np.ndarray  # (N, 3) steps, kcal, m as sent; NaN for a channel absent throughout
    calendar: np.ndarray  # (N, 3) hour_sin, hour_cos, is_weekend
    errors: list  # (N,) None, or what is wrong with the reading
    cumulative: bool
    own: Baseline = None  # the wearer's baseline; None for an envelope, which has no place to hand it back


def parse(request, *, interval_s):
    """The Readings of each wearer in a request; without timestamps they stand `interval_s` seconds apart.

    A request is an object whose `metrics` is a list of readings, or the app's envelope: a list of objects with
    `metrics`, one reading each. A reading's own `timezone`, or its envelope's, goes before the request's. Raises
    Problem: 400 for no list of readings or a bad `counters`, `timezone` or `baseline`, 413 for too many.
    """
    metrics, wearers = _sent(request)
    options = request if isinstance(request, dict) else {}
    counters = options.get("counters", "cumulative")
    if counters not in COUNTER_FORMS:
        raise Problem(400, "bad_counters", "counters: cumulative or interval is wanted", field="counters")
    try:
        zone = _zone(options.get("timezone", "UTC"))
    except _Bad:
        raise Problem(400, "bad_timezone", "timezone: an IANA name is wanted", field="timezone") from None
    of_wearer = {}
    for index, wearer in enumerate(wearers):
        of_wearer.setdefault(wearer, []).append(index)
    form = {"interval_s": interval_s, "cumulative": counters == "cumulative", "own": _baseline(request)}
    return [_readings([metrics[i] for i in places], places, zone, **form) for places in of_wearer.values()]


def _baseline(request):
    """The Baseline in a request, an empty one where there is none; None for an envelope."""
    if not isinstance(request, dict) or isinstance(request["metrics"], dict):
        return None
    try:
        return Baseline.read(request.get("baseline") or {})
    except ValueError as error:
        raise Problem(400, "bad_baseline", f"baseline: {error}", field="baseline") from None


def _sent(request):
    """The readings as they were sent, and for each whose it is."""
    if isinstance(request, dict) and isinstance(request.get("metrics"), dict):
        request = [request]
    enveloped = isinstance(request, list)
    metrics = request if enveloped else request.get("metrics") if isinstance(request, dict) else None
    if not isinstance(metrics, list) or not metrics:
        raise Problem(400, "no_readings", "metrics: a list of 1 to 1,440 readings is wanted", field="metrics")
    most = MOST_ENVELOPES if enveloped else MOST_READINGS
    if len(metrics) > most:
        detail = f"{len(metrics):,} readings are more than {most:,}"
        raise Problem(413, "too_many_readings", detail, field="metrics")
    if not enveloped:
        return metrics, [None] * len(metrics)
    return [_opened(item) for item in metrics], [_wearer(item) for item in metrics]


def _opened(item):
    """The reading in an envelope, or None."""
    if not isinstance(item, dict) or not isinstance(item.get("metrics"), dict):
        return None
    of_item = {name: item[name] for name in ("timestamp", "timezone") if item.get(name) is not None}
    return {**item["metrics"], **of_item}


def _wearer(item):
    """What tells one watch's counters from another's."""
    names = (item.get("userId"), item.get("deviceId")) if isinstance(item, dict) else ()
    return tuple(name if isinstance(name, (str, int)) else None for name in names)


class _Bad(Exception):
    """What is wrong with one reading."""


def _zone(name):
    if name == "UTC":  # the default is to need no time zone data
        return UTC
    try:
        if len(name) <= _LONGEST_ZONE:
            return ZoneInfo(name)
    except (LookupError, ValueError, TypeError, OSError):
        pass
    raise _Bad(f"timezone {_short(name)} is not an IANA name")


def _told(metric):
    """A reading without its fields that are null: so some JSON libraries write what is absent."""
    if isinstance(metric, dict) and None in metric.values():
        return {name: value for name, value in metric.items() if value is not None}
    return metric


def _readings(metrics, places, zone, *, interval_s, cumulative, own):
    metrics = [_told(metric) for metric in metrics]
    given = {name for metric in metrics if isinstance(metric, dict) for name in metric}
    seconds, wall, numbers, errors = _all_good(metrics, given, zone) or _one_by_one(metrics, given, zone)
    told = np.isnan(numbers[:, 4])  # by the timestamp; reckoned at once, for NumPy takes as long for one as for all
    numbers[told, 4:] = calendar(wall[told])
    return Readings(
        index=np.array(places),
        seconds=seconds if "timestamp" in given else np.arange(len(metrics)) * float(interval_s),
        day=np.nan_to_num(wall // _DAY_S),
        heart_rate=numbers[:, 0],
        counters=numbers[:, 1:4],
        calendar=numbers[:, 4:],
        errors=errors,
        cumulative=cumulative,
        own=own,
    )


def _all_good(metrics, given, zone):
    """What `_one_by_one` returns, in half the time, where no reading is bad and all give the same; None elsewhere."""
    timed, places = "timestamp" in given, [place for place, name in enumerate(FEATURES) if name in given]
    if not (given >= _CALENDAR or (timed and not _CALENDAR & given)):
        return None
    try:
        values = [[metric[FEATURES[place]] for place in places] for metric in metrics]
        if "heartRate" not in given or {type(value) for row in values for value in row} - {float, int}:
            return None
        values = np.array(values, dtype=np.float64)
        clocks = [_clock(metric, zone) if timed else (math.nan, math.nan) for metric in metrics]
    except (KeyError, TypeError, OverflowError, _Bad):
        return None
    if not ((values >= _LOW[places]) & (values <= _HIGH[places])).all():
        return None
    numbers = np.full((len(metrics), len(FEATURES)), np.nan)
    numbers[:, places] = values
    seconds, wall = np.array(clocks).T
    return seconds, wall, numbers, [None] * len(metrics)


def _one_by_one(metrics, given, zone):
    """Seconds (N,) and wall clock (N,), the seven numbers (N, 7), and each reading's error or None.

    NaN for what is bad, for a channel absent throughout, and for a calendar that the wall clock is to tell.
    """
    rows = [_reading(metric, given, zone) for metric in metrics]
    clocks, numbers, errors = map(list, zip(*rows, strict=True))
    seconds, wall = np.array(clocks).T
    return seconds, wall, np.array(numbers), errors


def _reading(metric, given, zone):
    """((instant, wall clock), the seven numbers, None) of one reading, or NaN for each and the error."""
    try:
        if not isinstance(metric, dict):
            raise _Bad("a reading is an object")
        heart_rate = _number(metric, "heartRate", *HEART_RATE_RANGE)
        counters = [_number(metric, name, 0.0, LARGEST_COUNT) if name in given else math.nan for name in COUNTERS]
        instant, wall = _clock(metric, zone) if "timestamp" in given else (math.nan, math.nan)
        return (instant, wall), [heart_rate, *counters, *_calendar(metric, wall)], None
    except _Bad as error:
        return (math.nan, math.nan), [math.nan] * len(FEATURES), str(error)


def _number(metric, name, low, high):
    value = metric.get(name)
    kind = type(value)
    if (kind is float or kind is int) and low <= value <= high:
        return float(value)
    raise _Bad(f"{name} is missing" if name not in metric else f"{name} {_short(value)} {_wrong(value, low, high)}")


def _wrong(value, low, high):
    """Why a value is no number in low..high."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return "is not a number"
    return f"is outside {low:g}..{high:g}" if abs(value) < math.inf else "is not a finite number"


def _short(value):
    """A value as an error shows it: at most 40 characters, and nothing of what a list or an object holds."""
    match value:
        case str():
            said = repr(value[:32])
            return said if len(value) <= 32 and len(said) <= 40 else said[:39] + "…"
        case bool() | None | float():
            return str(value)
        case int():
            return str(value) if abs(value) < 10**15 else "(a huge integer)"
        case _:
            return "(a list)" if isinstance(value, list) else "(an object)"


def _clock(metric, zone):
    """Seconds since 1970 by which readings are put in order, and of the wearer's wall clock."""
    if "timestamp" not in metric:
        raise _Bad("timestamp is missing")
    value, zone = metric["timestamp"], _zone(metric["timezone"]) if "timezone" in metric else zone
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            if not _UNIX_MS[0] <= value <= _UNIX_MS[1]:
                raise ValueError
            moment = datetime.fromtimestamp(value / 1000, UTC)
        else:
            raise ValueError
        offset = moment.utcoffset()
        if offset is None:
            wall = moment.replace(tzinfo=UTC).timestamp()
            return wall, wall
        instant = moment.timestamp()
        return instant, instant + (offset or moment.astimezone(zone).utcoffset()).total_seconds()
    except (ValueError, OverflowError):
        raise _Bad(f"timestamp {_short(value)} is neither ISO 8601 nor Unix milliseconds") from None


def _calendar(metric, wall):
    if metric.keys() >= _CALENDAR:
        return [_number(metric, name, -1.0, 1.0) for name in CALENDAR]
    if math.isnan(wall):
        missing = next(name for name in CALENDAR if name not in metric)
        raise _Bad(f"{missing} is missing, and there is no timestamp to tell it by")
    return [math.nan] * 3
