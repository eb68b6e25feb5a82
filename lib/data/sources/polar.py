"""Polar's export: JSON files of optical heart rates by month, and of steps by day."""

import numpy as np

from lib.data import series, text

NAME = "Polar JSON"
ASSUMED = (
    "times are the wearer's wall clock",
    "steps are amounts a minute; a minute without a sample is a minute without steps",
)


def recognises(entry):
    """Whether an entry is one of this format's files."""
    start = text.head_text(entry)
    return '"deviceDays"' in start or ('"exportVersion"' in start and '"stepCount"' in start)


def read(entries, left_out):
    """Yield the series of all entries; `left_out` counts what is not read."""
    for entry in entries:
        value = text.json_value(entry)
        for day in value.get("deviceDays", []):
            midnight = _midnight(day["date"], entry)
            seconds = np.array([sample["secondsFromDayStart"] for sample in day["samples"]], dtype=np.int64)
            bpm = np.array([sample["heartRate"] for sample in day["samples"]], dtype=float)
            device = str(day.get("deviceId", ""))
            yield series.Series(series.HEART_RATE, midnight + 1000 * seconds, bpm, series.LOCAL, device=device)
        steps = value.get("samples", {}).get("steps", []) if "date" in value else []
        if steps:
            times = [f"{value['date']} {sample['localTime'][:8]}" for sample in steps]
            start = text.times(times, ("%Y-%m-%d %H:%M:%S",), entry, "localTime")
            amount = np.array([sample["value"] for sample in steps], dtype=float)
            yield series.Series("steps", start, amount, series.LOCAL, sparse=True)


def _midnight(date, entry):
    return text.times([date], ("%Y-%m-%d",), entry, "date")[0]
