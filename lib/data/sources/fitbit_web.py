"""Answers of Fitbit's Web API: JSON with an intraday dataset of one day."""

import numpy as np

from lib.data import series, text

NAME = "Fitbit Web API JSON"
ASSUMED = (
    "times are the clock of the wearer's Fitbit profile, which lags behind a journey",
    "steps, distance (km) and calories (kcal, with what the body burns at rest) are amounts of the dataset's interval",
    "a distance is in kilometres; an account with miles has to be asked for in metric units",
)
_CHANNELS = {
    "activities-heart": (series.HEART_RATE, 1.0),
    "activities-steps": ("steps", 1.0),
    "activities-distance": ("distance", 1000.0),
    "activities-calories": ("calories", 1.0),
}
_UNIT_MS = {"second": 1000, "minute": 60_000}


def recognises(entry):
    """Whether an entry is one of this format's files."""
    start = text.head_text(entry)
    return start.lstrip().startswith("{") and any(f'"{name}"' in start for name in _CHANNELS)


def read(entries, left_out):
    """Yield the series of all entries; `left_out` counts what is not read."""
    for entry in entries:
        answer = text.json_value(entry)
        for name, (channel, unit) in _CHANNELS.items():
            intraday = answer.get(f"{name}-intraday")
            if not intraday or not intraday.get("dataset"):
                left_out["Fitbit answers without an intraday dataset"] += name in answer
                continue
            day = answer[name][0]["dateTime"]
            rows = intraday["dataset"]
            start = text.times([f"{day} {row['time']}" for row in rows], ("%Y-%m-%d %H:%M:%S",), entry, "time")
            value = unit * np.array([row["value"] for row in rows], dtype=float)
            length = int(intraday.get("datasetInterval", 1)) * _UNIT_MS[intraday.get("datasetType", "minute")]
            meaning = "total" if channel == "calories" else ""
            yield series.Series(channel, start, value, series.LOCAL, length_ms=length, meaning=meaning)
