"""The newer Fitbit export ("Physical Activity_GoogleData"): CSV files of one metric, a day or a month each."""

import numpy as np

from lib.data import series, text

NAME = "Fitbit export, CSV (Google data)"
ASSUMED = (
    "times are UTC",
    "steps (count), distance (m) and calories (kcal, with what the body burns at rest) are amounts a minute",
    "a minute without a row of steps or distance is a minute without steps",
    "each data source that a file names is a device or app of its own, and one is read a day",
)
_TIME = ("%Y-%m-%dT%H:%M:%SZ",)
_SOURCE = ("datasource",)
_CHANNELS = {"beatsperminute": series.HEART_RATE, "steps": "steps", "distance": "distance", "calories": "calories"}


def recognises(entry):
    """Whether an entry is one of this format's files."""
    names = text.header(entry)
    if len(names) < 2 or names[0] != "timestamp" or names[1] not in _CHANNELS or names[2:] not in ((), _SOURCE):
        return False
    of_fitbit = names[1] == "beatsperminute" or names[2:] == _SOURCE
    return of_fitbit or text.first_row(entry).get("timestamp", "").endswith(":00Z")


def read(entries, left_out):
    """Yield the series of all entries; `left_out` counts what is not read."""
    for entry in entries:
        names = text.header(entry)
        columns = text.columns(entry, names)
        channel = _CHANNELS[names[1]]
        start = text.times(columns["timestamp"], _TIME, entry, "timestamp")
        value = text.numbers(columns[names[1]], entry, names[1])
        for device, rows in _devices(columns, len(start)):
            yield series.Series(
                channel,
                start[rows],
                value[rows],
                series.UTC,
                device=device,
                sparse=channel in ("steps", "distance"),
                meaning="total" if channel == "calories" else "",
            )


def _devices(columns, count):
    """The devices and apps that a file names, each with its rows; one without a name for all rows of other files."""
    if "datasource" not in columns:
        return [("", slice(count))]
    device = np.array(columns["datasource"].to_pylist(), dtype=object)
    return [(name, np.flatnonzero(device == name)) for name in sorted(set(device))]
