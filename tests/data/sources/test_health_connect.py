import sqlite3

import pytest
from exports import counts, rates

NOON_UTC_MS = 1_720_008_000_000  # 2024-07-03T12:00:00Z
COMMON = "row_id INTEGER PRIMARY KEY, start_time, end_time, start_zone_offset, app_info_id, device_info_id"
TABLES = {
    "steps_record_table": "count",
    "distance_record_table": "distance",
    "total_calories_burned_record_table": "energy",
    "active_calories_burned_record_table": "energy",
}


@pytest.fixture
def database(tmp_path):
    """Makes a database of rows {table: [(minute, value, app)]} and heart rates [(minute, bpm)]; returns its bytes."""

    def make(heart=(), offset_s=3600, **rows):
        connection = sqlite3.connect(tmp_path / "made.db")
        connection.execute(f"CREATE TABLE heart_rate_record_table ({COMMON})")
        connection.execute("CREATE TABLE heart_rate_record_series_table (parent_key, beats_per_minute, epoch_millis)")
        for table, column in TABLES.items():
            connection.execute(f"CREATE TABLE {table} ({COMMON}, {column})")
            for minute, value, app in rows.get(table, ()):
                start = NOON_UTC_MS + 60_000 * minute
                values = (None, start, start + 60_000, offset_s, app, 1, value)
                connection.execute(f"INSERT INTO {table} VALUES (?, ?, ?, ?, ?, ?, ?)", values)
        if heart:
            row = (1, NOON_UTC_MS, NOON_UTC_MS, offset_s, 1, 1)
            connection.execute("INSERT INTO heart_rate_record_table VALUES (?, ?, ?, ?, ?, ?)", row)
        for minute, bpm in heart:
            series = (1, bpm, NOON_UTC_MS + 60_000 * minute)
            connection.execute("INSERT INTO heart_rate_record_series_table VALUES (?, ?, ?)", series)
        connection.commit()
        connection.close()
        return (tmp_path / "made.db").read_bytes()

    return make


def test_the_records_own_offset_gives_the_hour(convert, database):
    table, _ = convert({"x.db": database(heart=[(0, 61), (1, 62)], offset_s=-7 * 3600)})
    assert rates(table) == [("2024-07-03 05:00:00", 61), ("2024-07-03 05:01:00", 62)]


def test_energy_in_calories_becomes_kilocalories_and_total_comes_before_active(convert, database):
    totals = {
        "total_calories_burned_record_table": [(0, 1200.0, 1)],
        "active_calories_burned_record_table": [(0, 200.0, 1)],
    }
    _, report = convert({"x.db": database(**totals)})
    assert (report.totals, report.calories) == ({"calories": 1.2}, ["total"])


def test_active_energy_is_read_where_there_is_no_total(convert, database):
    _, report = convert({"x.db": database(active_calories_burned_record_table=[(0, 200.0, 1)])})
    assert (report.totals, report.calories) == ({"calories": 0.2}, ["active"])


def test_steps_that_two_apps_wrote_are_counted_once_and_those_of_the_watch_win(convert, database):
    steps = [(0, 20, 1), (0, 25, 2), (2, 30, 1), (2, 35, 2)]
    table, report = convert({"x.db": database(heart=[(1, 61)], steps_record_table=steps)})
    assert counts(table) == [("13:00:00", 0), ("13:01:00", 20), ("13:02:00", 20), ("13:03:00", 50)]
    assert report.notes == {"steps of a second device on the same day": 2}


def test_a_view_in_place_of_a_table_is_not_queried(convert, database, tmp_path):
    made = database(heart=[(0, 61)])
    (tmp_path / "views.db").write_bytes(made)
    connection = sqlite3.connect(tmp_path / "views.db")
    connection.execute("DROP TABLE distance_record_table")
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
    connection.execute(f"CREATE VIEW distance_record_table AS {endless}")
    connection.commit()
    connection.close()
    table, _ = convert({"x.db": (tmp_path / "views.db").read_bytes()})
    assert "distance" not in table
