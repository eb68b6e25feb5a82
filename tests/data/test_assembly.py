from collections import Counter
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from lib.data import assembly, series

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
NOON = 20_000 * DAY + 12 * HOUR


def amounts(*pairs, channel="steps", clock=series.UTC, length=MINUTE, **options):
    """A series of (minute after noon, value)."""
    minute, value = np.array(pairs, dtype=float).T
    start = (NOON + minute * MINUTE).astype(np.int64)
    return series.Series(channel, start, value, clock, length_ms=length, **options)


def heart(*pairs, **options):
    return amounts(*pairs, channel=series.HEART_RATE, **options)


def total(table, channel="steps"):
    return table.groupby([table["user_id"], table["timestamp"].dt.date], observed=True)[channel].max().sum()


def test_of_two_devices_the_one_that_measured_the_heart_rate_counts_the_steps():
    phone, watch = amounts((0, 90), device="phone"), amounts((0, 70), device="watch")
    table = assembly.table([heart((0, 60), device="watch"), phone, watch])
    assert total(table) == 70


def test_without_heart_rates_the_one_that_counted_most_does():
    table = assembly.table([amounts((0, 90), device="phone"), amounts((0, 70), device="watch")])
    assert total(table) == 90


def test_the_device_is_chosen_day_by_day():
    notes = Counter()
    old, new = amounts((0, 90), (1440, 10), device="old"), amounts((1440, 80), device="new")
    assert total(assembly.table([old, new], notes=notes)) == 170
    assert notes["steps of a second device on the same day"] == 1


def test_a_daily_total_beside_minutes_is_not_counted_again():
    notes = Counter()
    minutes, of_the_day = amounts((0, 50), (1, 60)), amounts((-720, 110), length=DAY)
    assert total(assembly.table([minutes, of_the_day], notes=notes)) == 110
    assert notes["steps totals of many hours, beside those of shorter times"] == 1


def test_a_daily_total_alone_is_read():
    assert total(assembly.table([amounts((-720, 110), length=DAY)])) == 110


def test_overlapping_intervals_keep_their_amounts():
    notes = Counter()
    table = assembly.table([amounts((0, 50), (0.5, 60))], notes=notes)
    assert total(table) == 110
    assert notes["steps of overlapping times: kept, the later one shortened"] == 1


def test_values_that_are_no_numbers_or_negative_are_no_readings():
    notes = Counter()
    table = assembly.table([heart((0, 60), (1, np.nan), (2, -1)), amounts((0, 5), (1, np.nan), (2, -7))], notes=notes)
    assert +notes == {"heartRate without a value, or below 0": 2, "steps without a value, or below 0": 2}
    assert table["heartRate"].dropna().tolist() == [60]
    assert total(table) == 5


def test_minutes_without_a_heart_rate_have_none_though_they_have_steps():
    table = assembly.table([heart((0, 60), (1, 61)), amounts(*((i, 0) for i in range(60)))])
    unworn = table[table["timestamp"].dt.minute > 1]
    assert unworn["heartRate"].isna().all()


def test_of_two_heart_rates_at_one_instant_the_later_row_counts():
    notes = Counter()
    table = assembly.table([heart((0, 60), (0, 64), (1, 61), (1, 61))], notes=notes)
    assert table["heartRate"].tolist() == [64, 61]
    assert notes["heart rates that came twice: merged"] == 1
    assert notes["heart rates that disagree with a later row of the same instant"] == 1


def test_a_wall_clock_and_utc_go_together_only_with_a_zone():
    local, utc = heart((0, 60), clock=series.LOCAL), amounts((0, 50))
    with pytest.raises(assembly.ClockError, match="--timezone"):
        assembly.table([local, utc])
    table = assembly.table([local, utc], zone=ZoneInfo("Asia/Tokyo"))
    assert table["timestamp"].dt.hour.tolist() == [12, 21, 21]


def test_utc_takes_the_offset_that_the_wearers_other_readings_carry():
    rates = heart((-1, 60), clock=series.OFFSET, offset_ms=np.array([2 * HOUR]))
    table = assembly.table([rates, amounts((0, 50))])
    assert table["timestamp"].dt.hour.tolist() == [13, 14, 14]


def test_the_autumn_hour_of_a_wall_clock_is_counted_once():
    start = np.array(["2026-10-25T02:00", "2026-10-25T02:30", "2026-10-25T02:00", "2026-10-25T02:30"], "datetime64[ms]")
    rates = series.Series(series.HEART_RATE, start.astype(np.int64), np.array([60.0, 61, 62, 63]), series.LOCAL)
    table = assembly.table([rates])
    assert table["heartRate"].tolist() == [60, 61, 62, 63]
    assert table["timestamp"].dt.strftime("%H:%M").tolist() == ["02:00", "02:30", "02:00", "02:30"]
    assert np.diff(table["instant_ms"]).tolist() == [1_800_000] * 3


def test_a_day_of_summer_time_in_a_zone_is_one_day():
    table = assembly.table([amounts((0, 50), (14 * 60, 70))], zone=ZoneInfo("Asia/Tokyo"))
    days = table.groupby(table["timestamp"].dt.date)["steps"].max()
    assert days.tolist() == [50, 70]


def test_between_heart_rates_that_are_close_a_counter_needs_no_row_of_its_own():
    rates = heart(*((i / 4, 60) for i in range(1, 21)))
    table = assembly.table([rates, amounts(*((i, 10 * i) for i in range(5)))])
    assert table["heartRate"].isna().tolist() == [True] + [False] * 20
    assert total(table) == 100
    assert table["steps"].iloc[8] == 10  # after two minutes


def test_where_heart_rates_are_far_apart_a_minute_keeps_its_steps():
    table = assembly.table([heart((0, 60), (10, 61)), amounts((0, 0), (4, 80), (9, 0))])
    steps = table.dropna(subset="steps")
    assert steps.loc[steps["steps"].diff() > 0, "timestamp"].dt.strftime("%H:%M").tolist() == ["12:05"]
