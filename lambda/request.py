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
        400 for no list of readings or a bad `counters`, `timezone` or `baseline`, 413 for too many readings.
    """
    metrics, wearers = _metrics(request)
    options = request if isinstance(request, dict) else {}
    options = {name: value for name, value in options.items() if value is not None}
    counters = options.get("counters", "cumulative")
    if counters not in COUNTER_FORMS:
        raise Problem(400, "bad_counters", "counters: expected cumulative or interval", field="counters")
    zones = Zones()
    zone = zones.get(options.get("timezone", "UTC"))
    if zone is None:
        raise Problem(400, "bad_timezone", "timezone: expected an IANA name such as Europe/Rome", field="timezone")
    clock, (baseline, trend) = Clock(zones, zone), _learned(request)
    places_of = {}
    for index, wearer in enumerate(wearers):
        places_of.setdefault(wearer, []).append(index)
    return [
        readings.check(
            [metrics[place] for place in places],
            places,
            clock,
            interval_s=interval_s,
            cumulative=counters == "cumulative",
            baseline=baseline,
            trend=trend,
        )
        for places in places_of.values()
    ]


def _learned(request):
    """The Baseline and the Trend in a request, empty ones by default; None for an envelope."""
    if not isinstance(request, dict) or isinstance(request["metrics"], dict):
        return None, None
    value = request.get("baseline") or {}
    try:
        return Baseline.from_json(value), Trend.from_json(value.get("trend"))
    except ValueError as error:
        raise Problem(400, "bad_baseline", f"baseline: {error}", field="baseline") from None


def _metrics(request):
    """The readings as sent, and the wearer of each."""
    if isinstance(request, dict) and isinstance(request.get("metrics"), dict):
        request = [request]
    enveloped = isinstance(request, list)
    metrics = request if enveloped else request.get("metrics") if isinstance(request, dict) else None
    most, items = (MOST_ENVELOPES, "envelopes") if enveloped else (MOST_READINGS, "readings")
    if not isinstance(metrics, list) or not metrics:
        raise Problem(400, "no_readings", f"metrics: expected a list of 1 to {most:,} {items}", field="metrics")
    if len(metrics) > most:
        detail = f"metrics: expected at most {most:,} {items}, got {len(metrics):,}: send them in several requests"
        raise Problem(413, "too_many_readings", detail, index=most, field="metrics")  # the first beyond the limit
    if not enveloped:
        return metrics, [None] * len(metrics)
    return [_opened(envelope) for envelope in metrics], [_wearer(envelope) for envelope in metrics]


def _opened(envelope):
    """The reading in an envelope, or None."""
    if not isinstance(envelope, dict) or not isinstance(envelope.get("metrics"), dict):
        return None
    outer = {name: envelope[name] for name in ("timestamp", "timezone") if envelope.get(name) is not None}
    return {**envelope["metrics"], **outer}


def _wearer(envelope):
    """A key for the watch whose counters these are. It is JSON, so that 7 is not "7"."""
    ids = [envelope.get("userId"), envelope.get("deviceId")] if isinstance(envelope, dict) else []
    try:
        return json.dumps(ids, sort_keys=True)
    except RecursionError:
        return None
