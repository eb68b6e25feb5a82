"""Google Fit data of Google Takeout ("Fit/All Data"): JSON data points of one data source a file."""

import numpy as np

from lib.data import series, text

NAME = "Google Fit Takeout JSON"
ASSUMED = (
    "times are UTC, in nanoseconds",
    "steps (count), distance (m) and calories (kcal, with what the body burns at rest) are amounts of a point's span",
    "of several data sources the merged one is read; a time without a point is a time without steps",
)
_CHANNELS = {
    "com.google.heart_rate.bpm": series.HEART_RATE,
    "com.google.step_count.delta": "steps",
    "com.google.distance.delta": "distance",
    "com.google.calories.expended": "calories",
}


def recognises(entry):
    """Whether an entry is one of this format's files."""
    start = text.head_text(entry)[:2000]
    return start.lstrip().startswith("{") and '"Data Source"' in start and '"Data Points"' in start


def read(entries, left_out):
    """Yield the series of all entries; `left_out` counts what is not read."""
    for entry in entries:
        if not any(f":{kind}:" in text.head_text(entry)[:2000] for kind in _CHANNELS):
            left_out["Google Fit files of other metrics"] += 1
            continue
        value = text.json_value(entry)
        source = value["Data Source"]
        channel = _CHANNELS[source.split(":")[1]]
        points = [point for point in value["Data Points"] if point.get("fitValue")]
        if points:
            yield _series(channel, source, points)


def _series(channel, source, points):
    start, end = (
        np.array([int(point[f"{side}TimeNanos"]) // 1_000_000 for point in points], dtype=np.int64)
        for side in ("start", "end")
    )
    values = [point["fitValue"][0]["value"] for point in points]
    return series.Series(
        channel,
        start,
        np.array([value.get("fpVal", value.get("intVal", np.nan)) for value in values], dtype=float),
        series.UTC,
        length_ms=end - start,
        device=source,
        sparse=channel != "calories",
        preferred=int("merge" in source.rsplit(":", 1)[-1]),
        meaning="total" if channel == "calories" else "",
    )
