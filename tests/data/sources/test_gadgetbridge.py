import sqlite3

import pytest
from exports import counts, rates

NOON_S = 1_720_008_000  # 2024-07-03T12:00:00Z


@pytest.fixture
def database(tmp_path):
    """Makes a database with one table of rows (timestamp, steps, heart rate); returns its bytes."""

    def make(rows, table="MI_BAND_ACTIVITY_SAMPLE"):
        connection = sqlite3.connect(tmp_path / "made.db")
        connection.execute(f"CREATE TABLE {table} (TIMESTAMP, DEVICE_ID, USER_ID, STEPS, RAW_KIND, HEART_RATE)")
        connection.executemany(f"INSERT INTO {table} VALUES (?, 1, 1, ?, 1, ?)", rows)
        connection.commit()
        connection.close()
        return (tmp_path / "made.db").read_bytes()

    return make


def test_255_0_and_minus_1_are_no_heart_rates_and_minus_1_no_steps(convert, database):
    rows = [(NOON_S, 20, 61), (NOON_S + 60, 5, 255), (NOON_S + 61, -1, -1), (NOON_S + 120, 0, 0)]
    table, report = convert({"Gadgetbridge": database(rows)})
    assert rates(table) == [("2024-07-03 12:00:00", 61)]
    assert report.totals == {"steps": 25}
    assert report.notes == {"Gadgetbridge rows without a heart rate": 3}


def test_milliseconds_are_told_from_seconds_and_a_clock_that_was_never_set_is_left_out(convert, database):
    rows = [(1000 * NOON_S, 20, 61), (946_684_800, 5, 70)]
    table, report = convert({"x.db": database(rows)})
    assert rates(table) == [("2024-07-03 12:00:00", 61)]
    assert report.notes == {"Gadgetbridge rows from before 2010: the watch's clock was not set": 1}


def test_the_steps_of_an_hplus_watch_run_through_the_day(convert, database):
    rows = [(NOON_S, 20, 61), (NOON_S + 60, 50, 61), (NOON_S + 120, 50, 61)]
    table, _ = convert({"x.db": database(rows, "HPLUS_HEALTH_ACTIVITY_SAMPLE")})
    assert counts(table)[-1][1] == 50
