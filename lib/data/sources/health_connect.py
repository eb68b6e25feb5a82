"""Health Connect's own export: a SQLite database, in which every app has written its own records."""

import numpy as np

from lib.data import database, series

NAME = "Health Connect SQLite"
ASSUMED = (
    "times are UTC; each record's own zone offset gives the wearer's hour",
    "steps (count), distance (m) and energy (written in calories, a thousandth of a kcal) are amounts of a record",
    "calories are total energy, and active energy where there is none",
    "a time without a record is a time without steps; several apps write the same ones, and one is read a day",
)
_AMOUNTS = {  # channel: tables in order of preference, each with its column, its unit and its meaning
    "steps": [("steps_record_table", "count", 1.0, "")],
    "distance": [("distance_record_table", "distance", 1.0, "")],
    "calories": [
        ("total_calories_burned_record_table", "energy", 0.001, "total"),
        ("active_calories_burned_record_table", "energy", 0.001, "active"),
    ],
}
_HEART_RATES = """
    SELECT s.epoch_millis, COALESCE(r.start_zone_offset, 0), s.beats_per_minute, r.app_info_id, r.device_info_id
    FROM heart_rate_record_series_table s JOIN heart_rate_record_table r ON s.parent_key = r.row_id"""


def recognises(entry):
    """Whether an entry is one of this format's files."""
    return database.is_sqlite(entry) and "steps_record_table" in database.tables(entry)


def read(entries, left_out):
    """Yield the series of all entries; `left_out` counts what is not read."""
    for entry in entries:
        with database.opened(entry) as connection:
            there = database.table_names(connection)
            if "heart_rate_record_series_table" in there:
                yield from _heart_rates(connection)
            for channel, choices in _AMOUNTS.items():
                for table, *meaning in choices:
                    if table in there and connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone():
                        yield from _amounts(connection, channel, table, *meaning)
                        break


def _heart_rates(connection):
    at, offset, bpm, app, device = database.arrays(connection, _HEART_RATES, 5)
    for name, rows in _writers(app, device):
        yield series.Series(
            series.HEART_RATE,
            at[rows],
            bpm[rows].astype(float),
            series.OFFSET,
            offset_ms=offset[rows] * 1000,
            device=name,
        )


def _amounts(connection, channel, table, column, unit, meaning):
    query = f"""
        SELECT start_time, end_time, COALESCE(start_zone_offset, 0), {column}, app_info_id, device_info_id
        FROM {table}"""
    start, end, offset, value, app, device = database.arrays(connection, query, 6)
    for name, rows in _writers(app, device):
        yield series.Series(
            channel,
            start[rows],
            unit * value[rows],
            series.OFFSET,
            length_ms=(end - start)[rows],
            offset_ms=offset[rows] * 1000,
            device=name,
            sparse=channel != "calories",
            meaning=meaning,
        )


def _writers(app, device):
    """Each app and device that wrote records, by a name of their numbers, and the places of its rows."""
    pairs = np.column_stack([app, device])
    for pair in np.unique(pairs, axis=0):
        yield f"app {pair[0]:g}, device {pair[1]:g}", np.flatnonzero((pairs == pair).all(axis=1))
