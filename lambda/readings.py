"""Check one wearer's readings one by one and turn them into arrays. A bad reading does not sink the others."""

import math
from dataclasses import dataclass
from itertools import chain

import numpy as np
from bad_reading import BadReading, number, shortened
from clock import Clock

from lib.detector.baseline import Baseline
from lib.detector.features import CALENDAR, COUNTERS, FEATURES
from lib.detector.grid import HEART_RATE_RANGE
from lib.detector.trend import Trend

LARGEST_COUNT = 1e9  # steps, kcal or m: no watch has ever counted that far
_CALENDAR = set(CALENDAR)
_LOW = np.array([HEART_RATE_RANGE[0], 0, 0, 0, -1, -1, 0])  # of the seven features
_HIGH = np.array([HEART_RATE_RANGE[1], *[LARGEST_COUNT] * 3, 1, 1, 1])
_OFF_CIRCLE = 0.1  # tolerated distance of sine and cosine of an hour from the unit circle: apps round them
_NO_TIME, _NO_NUMBERS = (math.nan, math.nan), [math.nan] * len(FEATURES)


@dataclass(frozen=True)
class Readings:
    """One wearer's N readings in the order sent. A reading with an error gets no score.

    If only its heart rate is bad, a reading is still countable: its time and its counters are known. A heart rate of 0
    means off the wrist: it becomes NaN, without an error.
    """

    index: np.ndarray  # (N,) each reading's place in the request
    seconds: np.ndarray  # (N,) when, in an order that holds across time zones
    clock_offset: np.ndarray  # (N,) s from that to the wearer's wall clock; NaN without a timestamp
    heart_rate: np.ndarray  # (N,) bpm; NaN if it is bad or 0
    counters: np.ndarray  # (N, 3) steps, kcal, m as sent; NaN for a channel that most readings lack
    calendar: np.ndarray  # (N, 3) hour_sin, hour_cos, is_weekend as sent; NaN to take them from the wall clock
    errors: list  # (N,) None, or what is wrong with the reading
    countable: np.ndarray  # (N,) booleans: time and counters are sound
    cumulative: bool  # whether the counters are running counters, else amounts
    baseline: Baseline | None = None  # the wearer's; None for an envelope, which cannot carry one
    trend: Trend | None = None  # the wearer's; None for an envelope


@dataclass(frozen=True)
class Options:
    """What a request says about all its readings."""

    clock: Clock
    interval_s: float  # seconds from one reading to the next without timestamps
    cumulative: bool
    baseline: Baseline | None
    trend: Trend | None


def check(metrics, places, options):
    """Check the readings of one wearer.

    Parameters
    ----------
    metrics : list
        The readings as sent, of any JSON type.
    places : list of int
        Their places in the request.
    options : Options

    Returns
    -------
    Readings
    """
    clock = options.clock
    checked = _all_at_once(metrics, clock) or _one_by_one([*map(_without_nulls, metrics)], clock)
    (seconds, wall), numbers, errors, countable = checked
    timed = not np.isnan(seconds).all()
    return Readings(
        index=np.array(places),
        seconds=seconds if timed else np.arange(len(metrics)) * float(options.interval_s),
        clock_offset=wall - seconds,
        heart_rate=numbers[:, 0],
        counters=numbers[:, 1:4],
        calendar=numbers[:, 4:],
        errors=errors,
        countable=countable,
        cumulative=options.cumulative,
        baseline=options.baseline,
        trend=options.trend,
    )


def _without_nulls(metric):
    """A reading without its null fields: some JSON libraries write absent fields like that."""
    if isinstance(metric, dict) and None in metric.values():
        return {name: value for name, value in metric.items() if value is not None}
    return metric


def _all_at_once(metrics, clock):
    """Do the work of `_one_by_one` in half the time, if no reading is bad and all have the same fields; else None."""
    try:
        fields = set().union(*map(dict.keys, metrics))
        timed, columns = "timestamp" in fields, [place for place, name in enumerate(FEATURES) if name in fields]
        if "heartRate" not in fields or not (fields >= _CALENDAR or (timed and not _CALENDAR & fields)):
            return None
        values = [[metric[FEATURES[column]] for metric in metrics] for column in columns]
        if set(map(type, chain.from_iterable(values))) - {float, int}:
            return None
        values = np.array(values, dtype=np.float64).T
        times = np.array([clock.read(metric) for metric in metrics]) if timed else np.full((len(metrics), 2), np.nan)
    except (KeyError, TypeError, OverflowError, BadReading):
        return None
    if not ((values >= _LOW[columns]) & (values <= _HIGH[columns])).all():
        return None
    numbers = np.full((len(metrics), len(FEATURES)), np.nan)
    numbers[:, columns] = values
    if _is_off_circle(*numbers[:, 4:6].T).any():
        return None
    return times.T, numbers, [None] * len(metrics), np.ones(len(metrics), dtype=bool)


def _one_by_one(metrics, clock):
    """Times (2, N), the seven features (N, 7), each reading's error or None, and which are countable (N,).

    The times are seconds and wall clock. NaN stands for what is bad, for what most readings lack, and for a calendar
    that comes from the wall clock.
    """
    reported = _reported_fields(metrics, clock)
    rows = [_reading(metric, reported, clock) for metric in metrics]
    times, numbers, errors, countable = map(list, zip(*rows, strict=True))
    return np.array(times).T, np.array(numbers), errors, np.array(countable)


def _reported_fields(metrics, clock):
    """The names among timestamp and counters that these readings have: at least as many have it soundly as lack it.

    So a single reading with a field that no other has does not make all others bad.
    """
    objects = [metric for metric in metrics if isinstance(metric, dict)]
    sound = {name: sum(_is_count(metric.get(name)) for metric in objects) for name in COUNTERS}
    sound["timestamp"] = sum("timestamp" in metric and clock.can_read(metric) for metric in objects)
    lacking = {name: sum(name not in metric for metric in objects) for name in sound}
    return {name for name, count in sound.items() if count and count >= lacking[name]}


def _is_count(value):
    return type(value) in (int, float) and 0 <= value <= LARGEST_COUNT


def _reading(metric, reported, clock):
    """(times, features, error or None, whether it is countable) of one reading.

    With a bad heart rate alone it is countable. With any other fault nothing of it is kept.
    """
    try:
        if not isinstance(metric, dict):
            raise BadReading("a reading is an object")
        heart_rate, error = _heart_rate(metric)
        counters = [_counter(metric, name, reported) for name in COUNTERS]
        times = clock.read(metric) if "timestamp" in reported or "timestamp" in metric else _NO_TIME
        times = times if "timestamp" in reported else _NO_TIME
        calendar = _calendar(metric, is_timed="timestamp" in reported)
        return times, [heart_rate, *counters, *calendar], error, True
    except BadReading as bad:
        return _NO_TIME, _NO_NUMBERS, str(bad), False


def _heart_rate(metric):
    """(bpm, None), or (NaN, what is wrong with it). 0 is off the wrist, which is not wrong."""
    value = metric.get("heartRate")
    if type(value) in (int, float) and value == 0:
        return math.nan, None
    try:
        return number(metric, "heartRate", *HEART_RATE_RANGE), None
    except BadReading as error:
        return math.nan, str(error)


def _counter(metric, name, reported):
    """A counter's number, checked; NaN for a channel that most readings lack."""
    if name not in reported and name not in metric:
        return math.nan
    value = number(metric, name, 0.0, LARGEST_COUNT)
    return value if name in reported else math.nan


def _calendar(metric, *, is_timed):
    """hour_sin, hour_cos and is_weekend of a reading; NaN to take them from the wall clock."""
    if metric.keys() >= _CALENDAR:
        metric = {**metric, "is_weekend": _as_number(metric["is_weekend"])}
        ranges = zip(CALENDAR, (-1.0, -1.0, 0.0), strict=True)
        sine, cosine, weekend = (number(metric, name, low, 1.0) for name, low in ranges)
        if _is_off_circle(sine, cosine):
            fields = " and ".join(f"{name} {shortened(metric[name])}" for name in CALENDAR[:2])
            raise BadReading(f"{fields} are not the sine and cosine of an hour")
        return [sine, cosine, weekend]
    if not is_timed:
        missing = next(name for name in CALENDAR if name not in metric)
        raise BadReading(f"{missing} is missing, and there is no timestamp to derive it from")
    return [math.nan] * 3


def _is_off_circle(sine, cosine):
    """Whether numbers (or arrays of them) are not sine and cosine of one angle; False for NaN."""
    return np.abs(np.hypot(sine, cosine) - 1) > _OFF_CIRCLE


def _as_number(is_weekend):
    """1 and 0 for true and false, which some apps send."""
    return int(is_weekend) if isinstance(is_weekend, bool) else is_weekend
