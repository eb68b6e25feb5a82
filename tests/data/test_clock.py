from zoneinfo import ZoneInfo

import numpy as np
import pytest

from lib.data import clock

PARIS = ZoneInfo("Europe/Paris")


def ms(*texts):
    return np.array(texts, dtype="datetime64[ms]").astype(np.int64)


AUTUMN = ms("2026-10-25T02:00", "2026-10-25T02:30", "2026-10-25T02:00", "2026-10-25T02:30", "2026-10-25T03:00")


@pytest.mark.parametrize("zone", [None, PARIS])
def test_the_hour_that_comes_twice_is_told_apart_by_the_order_of_the_rows(zone):
    instants = clock.wall_to_instants(AUTUMN, zone=zone)
    assert np.diff(instants).tolist() == [1_800_000] * 4


def test_with_a_zone_the_instants_are_utc():
    instants = clock.wall_to_instants(AUTUMN, zone=PARIS)
    assert instants[[0, -1]].tolist() == ms("2026-10-25T00:00", "2026-10-25T02:00").tolist()


@pytest.mark.parametrize(
    "times",
    [
        ("2026-07-05T02:30", "2026-07-05T02:00"),  # a Sunday, but in summer
        ("2026-10-24T02:30", "2026-10-24T02:00"),  # a Saturday
        ("2026-10-25T12:30", "2026-10-25T12:00"),  # noon
        ("2026-10-25T02:30:05", "2026-10-25T02:30:00"),  # two rows out of order
    ],
)
def test_rows_out_of_order_are_no_change_of_clocks(times):
    assert not clock.second_pass(ms(*times)).any()


def test_a_small_step_back_is_the_clocks_where_something_else_is_sure_of_it():
    times = ms("2026-10-25T02:30:05", "2026-10-25T02:30:00")
    assert clock.second_pass(times, sure=np.array([True, True])).tolist() == [False, True]


def test_a_zone_whose_clocks_are_set_back_elsewhen_repeats_nothing():
    assert not clock.second_pass(AUTUMN, zone=ZoneInfo("America/New_York")).any()
    assert not clock.second_pass(AUTUMN, zone=ZoneInfo("Asia/Tokyo")).any()


def test_many_steps_back_in_a_night_are_disorder():
    times = ms(*["2026-10-25T02:40", "2026-10-25T02:00"] * 3)
    assert not clock.second_pass(times).any()


def test_offsets_follow_summer_time():
    hours = clock.offsets(ms("2026-03-29T00:59", "2026-03-29T01:00"), PARIS) / clock.HOUR_MS
    assert hours.tolist() == [1, 2]


@pytest.mark.parametrize("name", ["Mars/Olympus", "JST", "IST", "CEST", "GMT+2", ""])
def test_what_is_no_zone_is_named(name):
    with pytest.raises(ValueError, match="IANA name"):
        clock.zone(name)
