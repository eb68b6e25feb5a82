"""The newer Fitbit export ("Physical Activity_GoogleData"): CSV files of one metric, a day or a month each."""

from lib.data import series, text

NAME = "Fitbit export, CSV (Google data)"
ASSUMED = (
    "times are UTC",
    "steps (count), distance (m) and calories (kcal, with what the body burns at rest) are amounts a minute",
    "a minute without a row of steps or distance is a minute without steps",
)
_TIME = ("%Y-%m-%dT%H:%M:%SZ",)
_CHANNELS = {"beatsperminute": series.HEART_RATE, "steps": "steps", "distance": "distance", "calories": "calories"}


def recognises(entry):
    names = text.header(entry)
    if not (2 <= len(names) <= 3 and names[0] == "timestamp" and names[1] in _CHANNELS):
        return False
    if not set(names[2:]) <= {"datasource"}:
        return False
    return names[1] == "beatsperminute" or text.first_row(entry).get("timestamp", "").endswith(":00Z")


def read(entries, left_out):
    for entry in entries:
        names = text.header(entry)
        columns = text.columns(entry, names[:2])
        channel = _CHANNELS[names[1]]
        yield series.Series(
            channel,
            text.times(columns["timestamp"], _TIME, entry, "timestamp"),
            text.numbers(columns[names[1]], entry, names[1]),
            series.UTC,
            sparse=channel in ("steps", "distance"),
            meaning="total" if channel == "calories" else "",
        )
