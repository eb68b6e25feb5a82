"""Read a request: its form, its options, and the readings of each wearer."""

import json

import readings
from clock import Clock
from http_event import Problem
from time_zones import Zones

from lib.detector.baseline import Baseline
from lib.detector.features import COUNTER_FORMS
from lib.detector.trend import Trend

MOST_READINGS = 1440
MOST_ENVELOPES = 100
_FORMS = (
    'expected {"metrics": [{"heartRate": …}, …]} with readings of one wearer, '
    'or a list of envelopes [{"userId": …, "timestamp": …, "metrics": {"heartRate": …}}, …]'
)


def parse(request, *, interval_s):
    """Read a request of either form.

    A request is an object whose `metrics` is a list of readings, or the app's envelope: a list of objects with one
    reading each in `metrics`. A `timezone` in a reading or an envelope takes precedence over the request's.

    Parameters
    ----------
    request : object
        Of any JSON type.
    interval_s : float
        Seconds between readings without timestamps.

    Returns
    -------
    list of readings.Readings
        One for each wearer.

    Raises
    ------
    Problem
        400 for another form or a bad `counters`, `timezone` or `baseline`, 413 for too many readings.
    """
    metrics, wearers = _envelopes(request) if isinstance(request, list) else _batch(request)
    options = _options(request, interval_s)
    places_of = {}
    for index, wearer in enumerate(wearers):
        places_of.setdefault(wearer, []).append(index)
    return [readings.check([metrics[place] for place in places], places, options) for places in places_of.values()]


def _options(request, interval_s):
    """What a request says about all its readings."""
    fields = request if isinstance(request, dict) else {}
    fields = {name: value for name, value in fields.items() if value is not None}
    counters = fields.get("counters", "cumulative")
    if counters not in COUNTER_FORMS:
        raise Problem(400, "bad_counters", "counters: expected cumulative or interval", field="counters")
    zones = Zones()
    zone = zones.get(fields.get("timezone", "UTC"))
    if zone is None:
        detail = "timezone: expected an IANA name such as Europe/Rome or Asia/Tokyo; abbreviations are ambiguous"
        raise Problem(400, "bad_timezone", detail, field="timezone")
    baseline, trend = _learned(request)
    return readings.Options(Clock(zones, zone), interval_s, counters == "cumulative", baseline, trend)


def _learned(request):
    """The Baseline and the Trend in a request, empty ones by default; None for envelopes."""
    if not isinstance(request, dict):
        return None, None
    value = request.get("baseline") or {}
    try:
        return Baseline.from_json(value), Trend.from_json(value.get("trend"))
    except ValueError as error:
        raise Problem(400, "bad_baseline", f"baseline: {error}", field="baseline") from None


def _batch(request):
    """The readings of one wearer, as sent, and the wearer of each."""
    metrics = request.get("metrics") if isinstance(request, dict) else None
    if isinstance(metrics, dict):
        raise _other_form("metrics is an object")
    _check_length(metrics, MOST_READINGS, "readings")
    users = {_key(request.get("userId"))} - {_key(None)}
    for index, metric in enumerate(metrics):
        if not isinstance(metric, dict):
            continue
        if isinstance(metric.get("metrics"), (dict, list)):
            raise _other_form("an envelope inside metrics", index)
        if metric.get("userId") is not None:
            users.add(_key(metric["userId"]))
            if len(users) > 1:
                raise _other_form("several userIds in one metrics", index)
    return metrics, [None] * len(metrics)


def _envelopes(request):
    """The readings in the app's envelopes, and the wearer of each."""
    _check_length(request, MOST_ENVELOPES, "envelopes")
    for index, envelope in enumerate(request):
        if isinstance(envelope, dict):
            if isinstance(envelope.get("metrics"), list):
                raise _other_form("several readings inside an envelope", index)
            if "metrics" not in envelope and "heartRate" in envelope:
                raise _other_form("a reading without an envelope", index)
    if not any(_is_envelope(item) for item in request):
        raise _other_form("a list without an envelope", 0)
    return [_opened(item) for item in request], [_wearer(item) for item in request]


def _other_form(problem, index=None):
    return Problem(400, "unknown_form", f"{_FORMS}; got {problem}", index=index, field="metrics")


def _check_length(items, most, name):
    if not isinstance(items, list) or not items:
        detail = f"metrics: expected a list of 1 to {most:,} {name}; {_FORMS}"
        raise Problem(400, "no_readings", detail, field="metrics")
    if len(items) > most:
        detail = f"metrics: expected at most {most:,} {name}, got {len(items):,}: send them in several requests"
        raise Problem(413, "too_many_readings", detail, index=most, field="metrics")  # the first beyond the limit


def _is_envelope(item):
    return isinstance(item, dict) and isinstance(item.get("metrics"), dict)


def _opened(envelope):
    """The reading in an envelope, or None."""
    if not _is_envelope(envelope):
        return None
    outer = {name: envelope[name] for name in ("timestamp", "timezone") if envelope.get(name) is not None}
    return {**envelope["metrics"], **outer}


def _wearer(envelope):
    """A key for the watch whose counters these are."""
    return _key([envelope.get("userId"), envelope.get("deviceId")] if isinstance(envelope, dict) else [])


def _key(value):
    """A hashable key of any JSON value. It is JSON, so that 7 is not "7"."""
    if isinstance(value, str):
        return f'"{value}"'
    try:
        return json.dumps(value, sort_keys=True)
    except RecursionError:
        return None
