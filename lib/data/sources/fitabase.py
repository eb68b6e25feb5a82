"""Fitabase CSV files, as in the public Fitbit data on Kaggle: heart rates, and minutes of steps and calories."""

from lib.data import series, text

NAME = "Fitabase CSV"
ASSUMED = (
    "times are the wearer's wall clock",
    "steps and calories are amounts a minute; calories include what the body burns at rest",
    "a minute that is missing is unknown, not zero",
)
_HEART_RATE = ("id", "time", "value")
_MINUTES = {("id", "activityminute", "steps"): "steps", ("id", "activityminute", "calories"): "calories"}
_OTHERS = (("id", "activityhour"), ("id", "activityday"), ("id", "activitydate"), ("id", "activityminute"))
_TIME = ("%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%Y-%m-%d %H:%M:%S")


def recognises(entry):
    """Whether an entry is one of this format's files."""
    names = text.header(entry)
    return names == _HEART_RATE or names in _MINUTES or names[:2] in _OTHERS


def read(entries, left_out):
    """Yield the series of all entries; `left_out` counts what is not read."""
    for entry in entries:
        names = text.header(entry)
        if names != _HEART_RATE and names not in _MINUTES:
            left_out["Fitabase files of hours, days, wide rows or intensities: the minutes are read"] += 1
            continue
        channel = _MINUTES.get(names, series.HEART_RATE)
        columns = text.columns(entry, names)
        start = text.times(columns[names[1]], _TIME, entry, names[1])
        value = text.numbers(columns[names[2]], entry, names[2])
        meaning = "total" if channel == "calories" else ""
        for wearer, rows in text.by_wearer(columns["id"], entry, "Id"):
            yield series.Series(channel, start[rows], value[rows], series.LOCAL, wearer=wearer, meaning=meaning)
