"""Garmin Connect JSON, as its web pages and the usual clients save it: heart rates of a day, steps a quarter hour."""

import numpy as np

from lib.data import series, text

NAME = "Garmin Connect JSON"
ASSUMED = (
    "times are UTC; heart rates carry the day's local offset",
    "steps are amounts a quarter hour",
    "a heart rate of null is missing",
)
_GMT = ("%Y-%m-%dT%H:%M:%S",)


def recognises(entry):
    """Whether an entry is one of this format's files."""
    start = text.head_text(entry)
    return '"heartRateValues"' in start or ('"startGMT"' in start and '"steps"' in start)


def read(entries, left_out):
    """Yield the series of all entries; `left_out` counts what is not read."""
    for entry in entries:
        value = text.json_value(entry)
        for day in value if isinstance(value, list) and '"heartRateValues"' in text.head_text(entry) else [value]:
            if isinstance(day, dict):
                yield from _heart_rates(day, entry, left_out)
            else:
                yield _steps(day, entry)


def _heart_rates(day, entry, left_out):
    names = [column["key"] for column in day.get("heartRateValueDescriptors") or []] or ["timestamp", "heartrate"]
    at, rate = names.index("timestamp"), names.index("heartrate")
    rows = [row for row in day.get("heartRateValues") or [] if row[rate] is not None]
    left_out["minutes for which Garmin Connect has no heart rate"] += len(day.get("heartRateValues") or []) - len(rows)
    if rows:
        gmt, local = (text.times([day[f"startTimestamp{side}"]], _GMT, entry)[0] for side in ("GMT", "Local"))
        start = np.array([row[at] for row in rows], dtype=np.int64)
        bpm = np.array([row[rate] for row in rows], dtype=float)
        yield series.Series(
            series.HEART_RATE, start, bpm, series.OFFSET, offset_ms=np.full(len(rows), local - gmt, dtype=np.int64)
        )


def _steps(rows, entry):
    start, end = (text.times([row[side] for row in rows], _GMT, entry, side) for side in ("startGMT", "endGMT"))
    value = np.array([row["steps"] for row in rows], dtype=float)
    return series.Series("steps", start, value, series.UTC, length_ms=end - start)
