"""Logs of Wear OS Health Services, as apps write them: a JSON data point a line."""

import json

import numpy as np

from lib.data import series, text

NAME = "Wear OS Health Services JSONL"
ASSUMED = (
    "times are durations since the watch started, at bootInstant in UTC",
    "daily steps, distance (m) and calories (kcal, with what the body burns at rest) run through the day",
    "what cannot have been counted in a point's own span was counted before it",
)
_CHANNELS = {"STEPS": "steps", "DISTANCE": "distance", "CALORIES": "calories"}
_PER_S = {"steps": 5.0, "distance": 12.5, "calories": 0.5}  # the most that a body can do


def recognises(entry):
    """Whether an entry is one of this format's files."""
    start = text.head_text(entry).split("\n", 1)[0]
    return '"dataType"' in start and '"bootInstant"' in start


def read(entries, left_out):
    """Yield the series of all entries; `left_out` counts what is not read."""
    for entry in entries:
        points = [json.loads(line) for line in entry.read(text.MOST_JSON_BYTES).splitlines() if line.strip()]
        rates = [point for point in points if point["dataType"] == "HEART_RATE_BPM"]
        if rates:
            start = _instants(rates, "timeDurationFromBoot")
            bpm = np.array([point["value"] for point in rates], dtype=float)
            yield series.Series(series.HEART_RATE, start, bpm, series.UTC)
        for kind in sorted({point["dataType"] for point in points}):
            prefix, _, daily = kind.partition("_")
            if prefix in _CHANNELS and daily in ("", "DAILY"):
                some = [point for point in points if point["dataType"] == kind]
                yield _amounts(_CHANNELS[prefix], some, running=daily == "DAILY")


def _instants(points, field):
    return np.array([point["bootInstant"] + point[field] for point in points], dtype=np.int64)


def _amounts(channel, points, *, running):
    end = _instants(points, "endDurationFromBoot")
    order = np.argsort(end, kind="stable")
    start, end = _instants(points, "startDurationFromBoot")[order], end[order]
    value = np.array([point["value"] for point in points], dtype=float)[order]
    if running:
        value = series.grown(value, np.zeros(len(value)))
    longest = value / _PER_S[channel] * 1000
    start = np.minimum(start, end - longest.astype(np.int64))
    meaning = "total" if channel == "calories" else ""
    return series.Series(channel, start, value, series.UTC, length_ms=end - start, sparse=True, meaning=meaning)
