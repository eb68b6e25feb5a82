"""Fitbit data of Google Takeout: JSON lists, a day of heart rates or a month of steps, distance or calories each."""

import numpy as np

from lib.data import series, text

NAME = "Fitbit Takeout JSON"
ASSUMED = (
    "times are UTC, though a file begins at the wearer's midnight",
    "steps, distance (written in cm) and calories (kcal, with what the body burns at rest) are amounts a minute",
    "a heart rate of confidence 0 counts only where a trusted one within a minute agrees within 10 bpm",
    "files of one form differ in their names alone: steps-, distance-, calories-",
)
_TIME = ("%m/%d/%y %H:%M:%S",)
_UNITS = {"steps": 1.0, "distance": 0.01, "calories": 1.0}  # into count, m, kcal
AGREES_MS, AGREES_BPM = 60_000, 10.0


def recognises(entry):
    """Whether an entry is one of this format's files."""
    start = text.head_text(entry)[:300].replace(" ", "").replace("\n", "").replace("\r", "")
    return start.startswith('[{"dateTime":"') and '"value":' in start


def read(entries, left_out):
    """Yield the series of all entries; `left_out` counts what is not read."""
    for entry in entries:
        name = entry.stem.split("-")[0].lower()
        heart_rate = '"bpm"' in text.head_text(entry)
        if not heart_rate and name not in _UNITS:
            left_out["Fitbit files of other metrics"] += 1
            continue
        rows = [row for row in text.json_value(entry) if isinstance(row, dict) and "dateTime" in row]
        start = text.times([row["dateTime"] for row in rows], _TIME, entry, "dateTime")
        if heart_rate:
            yield _heart_rates(rows, start, left_out)
        else:
            value = _UNITS[name] * text.numbers([str(row["value"]) for row in rows], entry, "value")
            yield series.Series(name, start, value, series.UTC, meaning="total" if name == "calories" else "")


def _heart_rates(rows, start, left_out):
    bpm = np.array([row["value"].get("bpm", np.nan) for row in rows], dtype=float)
    trusted = np.array([row["value"].get("confidence", 1) for row in rows]) > 0
    keep = trusted | agrees(start, bpm, trusted)
    left_out["heart rates of confidence 0 that no trusted one agrees with"] += int((~keep).sum())
    return series.Series(series.HEART_RATE, start[keep], bpm[keep], series.UTC)


def agrees(start, bpm, trusted):
    """Whether a trusted heart rate within AGREES_MS differs by at most AGREES_BPM: (N,) booleans."""
    at, value = start[trusted], bpm[trusted]
    if not len(at):
        return np.zeros(len(start), dtype=bool)
    after = np.searchsorted(at, start).clip(0, len(at) - 1)
    near = np.zeros(len(start), dtype=bool)
    for neighbour in (after, (after - 1).clip(0)):
        near |= (np.abs(at[neighbour] - start) <= AGREES_MS) & (np.abs(value[neighbour] - bpm) <= AGREES_BPM)
    return near
