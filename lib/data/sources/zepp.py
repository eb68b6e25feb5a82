"""Zepp (Mi Fit, Amazfit) CSV: heart rates and steps, a minute each."""

from lib.data import series, text

NAME = "Zepp / Mi Fit CSV"
ASSUMED = (
    "times are the wearer's wall clock, to the minute",
    "steps are amounts a minute; a minute without a row is a minute without steps",
)
_FIELDS = {"heartrate": series.HEART_RATE, "steps": "steps"}
_TIME = ("%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S")


def recognises(entry):
    """Whether an entry is one of this format's files."""
    names = text.header(entry)
    return len(names) == 3 and names[:2] == ("date", "time") and names[2] in _FIELDS


def read(entries, left_out):
    """Yield the series of all entries; `left_out` counts what is not read."""
    for entry in entries:
        names = text.header(entry)
        columns = text.columns(entry, names)
        start = text.times(text.joined(columns["date"], columns["time"]), _TIME, entry, "date")
        channel = _FIELDS[names[2]]
        value = text.numbers(columns[names[2]], entry, names[2])
        yield series.Series(channel, start, value, series.LOCAL, sparse=channel == "steps")
