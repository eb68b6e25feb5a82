import sys
import zoneinfo
from datetime import UTC

import numpy as np
import pytest
from http_event import Problem
from request import parse
from sent_readings import READING, START, at, calendar, hour, read
from time_zones import MOST, Zones


@pytest.mark.parametrize(
    ("zone", "of_day"), [("UTC", 7), ("Asia/Tokyo", 16), ("America/St_Johns", 3.5), ("Asia/Kathmandu", 12.75)]
)
@pytest.mark.parametrize("timestamp", [START * 1000, "2026-03-02T07:00:00Z"])
def test_utc_is_moved_to_the_wearers_time_zone(timestamp, zone, of_day):
    readings = read(at(timestamp), timezone=zone)
    assert hour(readings) == pytest.approx(of_day)
    assert readings.seconds[0] == START


@pytest.mark.parametrize("timestamp", ["2026-03-02T07:00:00", "2026-03-02T07:00:00+09:00"])
def test_a_wall_clock_stays_what_it_is_in_any_time_zone(timestamp):
    assert hour(read(at(timestamp), timezone="America/New_York")) == pytest.approx(7)


def test_the_hour_that_a_clock_shows_twice_is_two_hours():
    readings = read(at("2026-10-25T02:30:00+02:00"), at("2026-10-25T02:30:00+01:00"))
    assert np.diff(readings.seconds).tolist() == [3600]
    assert hour(readings) == pytest.approx(hour(readings, 1))


def test_the_weekend_is_the_wearers():
    sunday_20h = START - 11 * 3600
    zones = {"UTC": 1, "Asia/Tokyo": 0, "America/Los_Angeles": 1}
    assert {zone: calendar(read(at(sunday_20h * 1000), timezone=zone))[2] for zone in zones} == zones


def test_each_envelope_may_name_its_wearers_time_zone():
    zones = {"ada": "Asia/Tokyo", "bob": "America/St_Johns", "eve": None}
    sent = [
        {"userId": name, "timestamp": START * 1000, "timezone": zone, "metrics": READING}
        for name, zone in zones.items()
    ]
    del sent[2]["timezone"]
    assert [round(hour(readings), 3) for readings in parse(sent, interval_s=5)] == [16, 3.5, 7]


def test_a_readings_unknown_time_zone_sinks_that_reading_alone():
    readings = read(at(START * 1000, timezone="Mars/Olympus"), at(START * 1000, timezone="Asia/Tokyo"))
    assert readings.errors == ["timezone 'Mars/Olympus' is not an IANA name", None]


@pytest.mark.parametrize(
    "zone",
    [
        *("Mars/Olympus", "", "/etc/passwd", "../UTC", "Europe", "zone.tab", "a\0b", "\ud800", "x" * 5000),
        "a/" * 500 + "a",  # Python looks it up by recursion
        *(5, True, [], ["UTC"], {}),
    ],
)
def test_an_unknown_time_zone_is_a_problem_that_names_the_field(zone):
    with pytest.raises(Problem) as caught:
        read(READING, timezone=zone)
    assert (caught.value.body["code"], caught.value.body["field"]) == ("bad_timezone", "timezone")


def test_a_request_with_too_many_time_zones_is_a_problem_and_not_looked_up_further(monkeypatch):
    looked_up = []
    monkeypatch.setattr("time_zones.ZoneInfo", lambda name: looked_up.append(name) or UTC)
    zones = [f"Mars/{place}" for place in range(MOST)]
    assert read(*[at(START * 1000, timezone=zone) for zone in zones * 2]).errors == [None] * (2 * MOST)
    with pytest.raises(Problem, match=f"expected at most {MOST} names") as caught:
        read(*[at(START * 1000, timezone=f"Moon/{place}") for place in range(1440)])
    assert (caught.value.status, caught.value.body["code"]) == (400, "too_many_timezones")
    assert looked_up == zones + [f"Moon/{place}" for place in range(MOST)]


@pytest.mark.parametrize("zone", ["JST", "IST", "CEST", "GMT+2", "PDT", "UTC+1"])
def test_an_abbreviation_is_refused_without_a_guess(zone):
    with pytest.raises(Problem) as caught:
        read(READING, timezone=zone)
    detail = "timezone: expected an IANA name such as Europe/Rome or Asia/Tokyo; abbreviations are ambiguous"
    assert caught.value.body["detail"] == detail
    assert read(at(START * 1000, timezone=zone), at(START * 1000)).errors[0].endswith("is not an IANA name")


def test_a_name_with_many_slashes_is_not_looked_up(monkeypatch):
    monkeypatch.setattr("time_zones.ZoneInfo", None)
    assert [Zones().get(name) for name in ("a/b/c/d", "/a", "a/", "a//b", "a" * 33, "é", "a\n", 7)] == [None] * 8


def test_without_time_zone_data_a_name_is_a_problem_of_the_function_and_utc_and_offsets_work(monkeypatch):
    for name in {"tzdata", *(name for name in sys.modules if name.startswith("tzdata."))}:
        monkeypatch.setitem(sys.modules, name, None)
    zoneinfo.ZoneInfo.clear_cache()
    zoneinfo.reset_tzpath(to=[])
    try:
        for sent in ([READING], {"timezone": "Europe/Rome"}), ([at(START * 1000, timezone="Asia/Tokyo")], {}):
            with pytest.raises(Problem, match="no time zone data") as caught:
                read(*sent[0], **sent[1])
            assert (caught.value.status, caught.value.body["code"]) == (503, "no_timezones")
        readings = read(at("2026-03-02T09:30:00+02:30"), at(START * 1000))
    finally:
        zoneinfo.reset_tzpath()
    assert readings.errors == [None, None]
    assert [hour(readings, place) for place in (0, 1)] == pytest.approx([9.5, 7])
