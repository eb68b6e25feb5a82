"""Withings CSV of a tracker: each row a start, and arrays of durations and values."""

import json
import re

import numpy as np

from lib.data import series, text

NAME = "Withings CSV"
ASSUMED = (
    "times carry the wearer's own offset",
    "steps (count), distance (m) and calories (kcal, active) are amounts of their duration in seconds",
    "a time without a row is a time without steps",
    "files of one form differ in their names alone: hr, steps, distance, calories-earned",
)
_CHANNELS = {"hr": series.HEART_RATE, "steps": "steps", "distance": "distance", "calories-earned": "calories"}


def recognises(entry):
    """Whether an entry is one of this format's files."""
    return text.header(entry) == ("start", "duration", "value") and text.first_row(entry).get("value", "[")[:1] == "["


def read(entries, left_out):
    """Yield the series of all entries; `left_out` counts what is not read."""
    for entry in entries:
        metric = re.sub(r"^raw_(tracker|hr)_", "", entry.stem)
        if metric not in _CHANNELS:
            left_out["Withings files of other metrics"] += 1
            continue
        columns = text.columns(entry, ("start", "duration", "value"))
        yield _series(_CHANNELS[metric], columns, entry)


def _series(channel, columns, entry):
    spelled = columns["start"].to_pylist()
    wall = text.times([start[:19] for start in spelled], ("%Y-%m-%dT%H:%M:%S",), entry, "start")
    offset = np.array([text.offset_ms(start[19:], entry, "start") for start in spelled], dtype=np.int64)
    length, value = (_arrays(columns[name], entry, name) for name in ("duration", "value"))
    begins = [start + 1000 * (np.cumsum(parts) - parts) for start, parts in zip(wall - offset, length, strict=True)]
    return series.Series(
        channel,
        np.concatenate(begins).astype(np.int64),
        np.concatenate(value),
        series.OFFSET,
        length_ms=(1000 * np.concatenate(length)).astype(np.int64),
        offset_ms=np.repeat(offset, [len(parts) for parts in length]),
        sparse=channel != series.HEART_RATE,
        meaning="active" if channel == "calories" else "",
    )


def _arrays(texts, entry, column):
    """The array of numbers in each cell."""
    values = []
    for row, cell in enumerate(texts.to_pylist(), start=1):
        try:
            values.append(np.array(json.loads(cell), dtype=float).reshape(-1))
        except (ValueError, TypeError, RecursionError) as error:
            raise text.SourceError(
                "expected an array such as [60,60]", file=entry.name, column=column, row=row, value=cell
            ) from error
    return values
