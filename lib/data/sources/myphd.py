"""CSV pairs of the MyPHD studies (Stanford): a file of heart rates and one of steps, in the layouts published."""

import re

import numpy as np

from lib.data import series, text

NAME = "MyPHD CSV"
ASSUMED = (
    "times are the wearer's wall clock, moved by whole days by the study",
    "steps are amounts: of a minute, or of the interval that a row names",
    "a wearer is the column user, else the file's name without _hr and _steps",
)
_TIME = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M")
_VALUES = {"heartrate": series.HEART_RATE, "hr": series.HEART_RATE, "steps": "steps"}
_STARTS = ("datetime", "startdatetime", "startdate")


def recognises(entry):
    """Whether an entry is one of this format's files."""
    names = set(text.header(entry))
    value = names & set(_VALUES)
    whose = names - set(_VALUES) <= {"", "user", "device", *_STARTS, "starttime", "enddatetime", "enddate", "endtime"}
    return len(value) == 1 and whose and bool(names & set(_STARTS))


def read(entries, left_out):
    """Yield the series of all entries; `left_out` counts what is not read."""
    for entry in entries:
        names = [name for name in text.header(entry) if name]
        columns = text.columns(entry, names)
        field = next(name for name in names if name in _VALUES)
        start = _moments(columns, "start", entry)
        value = text.numbers(columns[field], entry, field)
        end = _moments(columns, "end", entry)
        length = series.MINUTE_MS if end is None else end - start
        for wearer, rows in _wearers(columns, entry):
            for device, some in _devices(columns, rows):
                yield series.Series(
                    _VALUES[field],
                    start[some],
                    value[some],
                    series.LOCAL,
                    length_ms=length if end is None else length[some],
                    wearer=wearer,
                    device=device,
                    sparse=not (value[some] == 0).any(),
                )


def _moments(columns, side, entry):
    """When rows start or end, ms; None for an end that they do not tell."""
    if side == "start" and "datetime" in columns:
        return text.times(columns["datetime"], _TIME, entry, "datetime")
    if f"{side}datetime" in columns:
        return text.times(columns[f"{side}datetime"], _TIME, entry, f"{side}datetime")
    if f"{side}date" not in columns:
        return None
    together = text.joined(columns[f"{side}date"], columns[f"{side}time"])
    return text.times(together, _TIME, entry, f"{side}date")


def _wearers(columns, entry):
    if "user" in columns:
        return text.by_wearer(columns["user"], entry, "user")
    name = re.sub(r"[-_ ](hr|heartrate|heart_rate|steps?|st)$", "", entry.stem, flags=re.IGNORECASE)
    return [(name or series.ONE_WEARER, np.arange(len(next(iter(columns.values())))))]


def _devices(columns, rows):
    if "device" not in columns:
        return [("", rows)]
    device = np.asarray(columns["device"].to_pylist(), dtype=object)[rows]
    return [(name, rows[device == name]) for name in sorted(set(device))]
