"""A request's readings, checked one by one and turned into arrays. A bad reading does not sink the others."""

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain

import numpy as np
from http_event import Problem
from time_zones import Zones

from lib.detector.baseline import Baseline
from lib.detector.features import CALENDAR, COUNTER_FORMS, COUNTERS, FEATURES
from lib.detector.grid import HEART_RATE_RANGE, UNIX_MS_RANGE

MOST_READINGS = 1440
MOST_ENVELOPES = 100
_CALENDAR = set(CALENDAR)
LARGEST_COUNT = 1e9  # steps, kcal or m: no watch has ever counted so far
_LOW = np.array([HEART_RATE_RANGE[0], 0, 0, 0, -1, -1, 0])  # of the seven numbers
_HIGH = np.array([HEART_RATE_RANGE[1], *[LARGEST_COUNT] * 3, 1, 1, 1])
_OFF_CIRCLE = 0.1  # how far sine and cosine of an hour may lie from the unit circle: apps round them


@dataclass(frozen=True)
class Readings:
    """One wearer's N readings in the order sent; one that `errors` names gets no score.

    Where nothing but its heart rate is bad, `counts` has it still: what the counters grew by up to it is known.
    """

    index: np.ndarray  # (N,) each reading's place in the request
    seconds: np.ndarray  # (N,) when, in an order that holds across time zones
    ahead: np.ndarray  # (N,) s by which the wearer's wall clock is ahead of that; NaN where no timestamp tells it
    heart_rate: np.ndarray  # (N,) bpm; NaN where it is bad
    counters: np.ndarray  # (N, 3) steps, kcal, m as sent; NaN for a channel that most readings lack
    calendar: np.ndarray  # (N, 3) hour_sin, hour_cos, is_weekend as sent; NaN where the wall clock is to tell them
    errors: list  # (N,) None, or what is wrong with the reading
    counts: np.ndarray  # (N,) booleans: whether time and counters are sound
    cumulative: bool
    own: Baseline | None = None  # the wearer's baseline; None for an envelope, which has no place to hand it back


def parse(request, *, interval_s):
    """The Readings of each wearer in a request; without timestamps they stand `interval_s` seconds apart.

    A request is an object whose `metrics` is a list of readings, or the app's envelope: a list of objects with
    `metrics`, one reading each. A reading's own `timezone`, or its envelope's, goes before the request's. Raises
    Problem: 400 for no list of readings or a bad `counters`, `timezone` or `baseline`, 413 for too many.
    """
    metrics, wearers = _sent(request)
    options = request if isinstance(request, dict) else {}
    options = {name: value for name, value in options.items() if value is not None}
    counters = options.get("counters", "cumulative")
    if counters not in COUNTER_FORMS:
        raise Problem(400, "bad_counters", "counters: cumulative or interval is wanted", field="counters")
    zones = Zones()
    zone = zones.get(options.get("timezone", "UTC"))
    if zone is None:
        raise Problem(400, "bad_timezone", "timezone: an IANA name is wanted", field="timezone")
    of_wearer = {}
    for index, wearer in enumerate(wearers):
        of_wearer.setdefault(wearer, []).append(index)
    form = {"interval_s": interval_s, "cumulative": counters == "cumulative", "own": _baseline(request)}
    clock = _Clock(zones, zone)
    return [_readings([metrics[i] for i in places], places, clock, **form) for places in of_wearer.values()]


def _baseline(request):
    """The Baseline in a request, an empty one where there is none; None for an envelope."""
    if not isinstance(request, dict) or isinstance(request["metrics"], dict):
        return None
    try:
        return Baseline.from_json(request.get("baseline") or {})
    except ValueError as error:
        raise Problem(400, "bad_baseline", f"baseline: {error}", field="baseline") from None


def _sent(request):
    """The readings as they were sent, and for each whose it is."""
    if isinstance(request, dict) and isinstance(request.get("metrics"), dict):
        request = [request]
    enveloped = isinstance(request, list)
    metrics = request if enveloped else request.get("metrics") if isinstance(request, dict) else None
    most, of_what = (MOST_ENVELOPES, "envelopes") if enveloped else (MOST_READINGS, "readings")
    if not isinstance(metrics, list) or not metrics:
        raise Problem(400, "no_readings", f"metrics: a list of 1 to {most:,} {of_what} is wanted", field="metrics")
    if len(metrics) > most:
        detail = f"{len(metrics):,} readings are more than {most:,}"
        raise Problem(413, "too_many_readings", detail, index=most, field="metrics")  # the first that is too many
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
    """What tells one watch's counters from another's: JSON, so that 7 is not "7"."""
    names = [item.get("userId"), item.get("deviceId")] if isinstance(item, dict) else []
    try:
        return json.dumps(names, sort_keys=True)
    except RecursionError:
        return None


class _Bad(Exception):
    """What is wrong with one reading."""


def _told(metric):
    """A reading without its fields that are null: so some JSON libraries write what is absent."""
    if isinstance(metric, dict) and None in metric.values():
        return {name: value for name, value in metric.items() if value is not None}
    return metric


def _readings(metrics, places, clock, *, interval_s, cumulative, own):
    clocks, numbers, errors, counts = _all_good(metrics, clock) or _one_by_one([*map(_told, metrics)], clock)
    seconds, wall = clocks
    timed = not np.isnan(seconds).all()
    return Readings(
        index=np.array(places),
        seconds=seconds if timed else np.arange(len(metrics)) * float(interval_s),
        ahead=wall - seconds,
        heart_rate=numbers[:, 0],
        counters=numbers[:, 1:4],
        calendar=numbers[:, 4:],
        errors=errors,
        counts=counts,
        cumulative=cumulative,
        own=own,
    )


def _all_good(metrics, clock):
    """What `_one_by_one` returns, in half the time, where no reading is bad and all give the same; None elsewhere."""
    try:
        given = set().union(*map(dict.keys, metrics))
        timed, places = "timestamp" in given, [place for place, name in enumerate(FEATURES) if name in given]
        if not (given >= _CALENDAR or (timed and not _CALENDAR & given)):
            return None
        if "heartRate" not in given:
            return None
        values = [[metric[FEATURES[place]] for metric in metrics] for place in places]
        if set(map(type, chain.from_iterable(values))) - {float, int}:
            return None
        values = np.array(values, dtype=np.float64).T
        clocks = np.array([clock.read(metric) for metric in metrics]) if timed else np.full((len(metrics), 2), np.nan)
    except (KeyError, TypeError, OverflowError, _Bad):
        return None
    if not ((values >= _LOW[places]) & (values <= _HIGH[places])).all():
        return None
    numbers = np.full((len(metrics), len(FEATURES)), np.nan)
    numbers[:, places] = values
    if _is_no_hour(*numbers[:, 4:6].T).any():
        return None
    return clocks.T, numbers, [None] * len(metrics), np.ones(len(metrics), dtype=bool)


def _one_by_one(metrics, clock):
    """Seconds and wall clock (2, N), the seven numbers (N, 7), each reading's error or None, and which count (N,).

    NaN for what is bad, for what most readings lack, and for a calendar that the wall clock is to tell.
    """
    given = _given(metrics, clock)
    rows = [_reading(metric, given, clock) for metric in metrics]
    clocks, numbers, errors, counts = map(list, zip(*rows, strict=True))
    return np.array(clocks).T, np.array(numbers), errors, np.array(counts)


def _given(metrics, clock):
    """Which of timestamp and counters these readings have: what as many give soundly as lack.

    One reading that goes on about what no other has is not to make all others bad.
    """
    told = [metric for metric in metrics if isinstance(metric, dict)]
    sound = {name: sum(_is_count(metric.get(name)) for metric in told) for name in COUNTERS}
    sound["timestamp"] = sum("timestamp" in metric and clock.is_sound(metric) for metric in told)
    return {name for name, number in sound.items() if number and number >= sum(name not in one for one in told)}


def _is_count(value):
    return type(value) in (int, float) and 0 <= value <= LARGEST_COUNT


def _reading(metric, given, clock):
    """((instant, wall clock), the seven numbers, None, True) of one reading; or with NaN, the error, whether it counts.

    A reading of which only the heart rate is bad counts; of any other bad one nothing is kept.
    """
    nothing = (math.nan, math.nan), [math.nan] * len(FEATURES)
    try:
        if not isinstance(metric, dict):
            raise _Bad("a reading is an object")
        heart_rate, error = _heart_rate(metric)
        counters = [_counter(metric, name, given) for name in COUNTERS]
        when = clock.read(metric) if "timestamp" in given or "timestamp" in metric else nothing[0]
        when = when if "timestamp" in given else nothing[0]
        return when, [heart_rate, *counters, *_calendar(metric, is_timed="timestamp" in given)], error, True
    except _Bad as bad:
        return *nothing, str(bad), False


def _heart_rate(metric):
    """(bpm, None), or (NaN, what is wrong with it)."""
    try:
        return _number(metric, "heartRate", *HEART_RATE_RANGE), None
    except _Bad as error:
        return math.nan, str(error)


def _counter(metric, name, given):
    """A counter's number; NaN for a channel that most readings lack. What is bad is bad all the same."""
    if name not in given and name not in metric:
        return math.nan
    number = _number(metric, name, 0.0, LARGEST_COUNT)
    return number if name in given else math.nan


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


class _Clock:
    """When readings were taken; `zone` is where the wearer of one is that names no time zone."""

    def __init__(self, zones, zone):
        self._zones, self._zone = zones, zone

    def read(self, metric):
        """Seconds since 1970 by which readings are put in order, and of the wearer's wall clock. Raises _Bad."""
        if "timestamp" not in metric:
            raise _Bad("timestamp is missing")
        value, zone = metric["timestamp"], self._own_zone(metric) if "timezone" in metric else self._zone
        try:
            if isinstance(value, str):
                moment = datetime.fromisoformat(value)
            elif isinstance(value, (int, float)) and not isinstance(value, bool):
                if not UNIX_MS_RANGE[0] <= value <= UNIX_MS_RANGE[1]:
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

    def is_sound(self, metric):
        """Whether `read` reads a reading's timestamp."""
        try:
            self.read(metric)
            return True
        except _Bad:
            return False

    def _own_zone(self, metric):
        zone = self._zones.get(metric["timezone"])
        if zone is None:
            raise _Bad(f"timezone {_short(metric['timezone'])} is not an IANA name")
        return zone


def _calendar(metric, *, is_timed):
    if metric.keys() >= _CALENDAR:
        metric = {**metric, "is_weekend": _as_number(metric["is_weekend"])}
        sine, cosine, weekend = (
            _number(metric, name, low, 1.0) for name, low in zip(CALENDAR, (-1.0, -1.0, 0.0), strict=True)
        )
        if _is_no_hour(sine, cosine):
            said = " and ".join(f"{name} {_short(metric[name])}" for name in CALENDAR[:2])
            raise _Bad(f"{said} are not the sine and cosine of an hour")
        return [sine, cosine, weekend]
    if not is_timed:
        missing = next(name for name in CALENDAR if name not in metric)
        raise _Bad(f"{missing} is missing, and there is no timestamp to tell it by")
    return [math.nan] * 3


def _is_no_hour(sine, cosine):
    """Whether numbers (or arrays of them) are not the sine and cosine of any hour; False for NaN."""
    return np.abs(np.hypot(sine, cosine) - 1) > _OFF_CIRCLE


def _as_number(is_weekend):
    """1 and 0 for true and false, as some apps write it."""
    return int(is_weekend) if isinstance(is_weekend, bool) else is_weekend
