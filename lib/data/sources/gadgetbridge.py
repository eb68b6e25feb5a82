"""Gadgetbridge's SQLite database: a table of activity samples for each family of devices."""

import numpy as np

from lib.data import database, series

NAME = "Gadgetbridge SQLite"
ASSUMED = (
    "times are UTC, in seconds or milliseconds",
    "a heart rate of 255, 0 or -1 is none; negative steps are none",
    "steps are amounts a minute, but for HPlus watches, whose steps run through the day",
)
_NEEDED = {"TIMESTAMP", "DEVICE_ID", "HEART_RATE", "STEPS"}
_NO_HEART_RATE = 255
_EARLIEST_MS = 1_262_304_000_000  # 2010: a watch that was never set begins in 1970 or 2000
_MILLISECONDS = 100_000_000_000  # a timestamp above this is no number of seconds


def recognises(entry):
    """Whether an entry is one of this format's files."""
    return database.is_sqlite(entry) and any(name.endswith("_ACTIVITY_SAMPLE") for name in database.tables(entry))


def read(entries, left_out):
    """Yield the series of all entries; `left_out` counts what is not read."""
    for entry in entries:
        with database.opened(entry) as connection:
            for table in sorted(database.table_names(connection)):
                if table.endswith("_ACTIVITY_SAMPLE") and table.replace("_", "").isalnum():
                    yield from _samples(connection, table, left_out)


def _samples(connection, table, left_out):
    if not set(database.column_names(connection, table)) >= _NEEDED:
        left_out[f"Gadgetbridge's table {table}, without heart rates or steps"] += 1
        return
    query = f'SELECT TIMESTAMP, DEVICE_ID, HEART_RATE, STEPS FROM "{table}" ORDER BY TIMESTAMP'
    at, device, bpm, steps = database.arrays(connection, query, 4)
    at = np.where(at > _MILLISECONDS, at, at * 1000)
    dated = at >= _EARLIEST_MS
    left_out["Gadgetbridge rows from before 2010: the watch's clock was not set"] += int((~dated).sum())
    for number in np.unique(device[dated]):
        rows = dated & (device == number)
        name = f"device {number:g}"
        worn, counted = rows & (bpm > 0) & (bpm < _NO_HEART_RATE), rows & (steps >= 0)
        left_out["Gadgetbridge rows without a heart rate"] += int((rows & ~worn).sum())
        yield series.Series(series.HEART_RATE, at[worn], bpm[worn].astype(float), series.UTC, device=name)
        amount = steps[counted].astype(float)
        if table.startswith("HPLUS"):
            amount = series.grown(amount, at[counted] // series.DAY_MS)
        yield series.Series("steps", at[counted], amount, series.UTC, device=name)
