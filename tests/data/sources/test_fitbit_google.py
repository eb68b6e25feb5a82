from exports import counts, rates

HEART = "timestamp,beats per minute\n2024-07-01T14:59:50Z,64.0\n2024-07-01T15:03:10Z,66.0\n"
STEPS = "timestamp,steps\n2024-07-01T15:00:00Z,12\n2024-07-01T15:02:00Z,30\n"


def test_utc_is_moved_to_the_wearers_zone(convert):
    table, report = convert({"h.csv": HEART}, timezone="Asia/Tokyo")
    assert rates(table) == [("2024-07-01 23:59:50", 64), ("2024-07-02 00:03:10", 66)]
    assert report.clocks == ["UTC, moved to Asia/Tokyo"]


def test_without_a_zone_it_stays_utc_and_the_report_asks_for_one(convert):
    table, report = convert({"h.csv": HEART})
    assert rates(table)[0] == ("2024-07-01 14:59:50", 64)
    assert "--timezone" in report.clocks[0]


def test_a_minute_without_a_row_has_no_steps(convert):
    table, _ = convert({"h.csv": HEART, "s.csv": STEPS})
    assert counts(table) == [
        ("14:59:50", 0),
        ("15:00:00", 0),
        ("15:01:00", 12),
        ("15:02:00", 12),
        ("15:03:00", 42),
        ("15:03:10", 42),
    ]


def test_distance_is_in_metres_and_calories_are_total(convert):
    files = {
        "d.csv": "timestamp,distance\n2024-07-01T15:00:00Z,8.5\n",
        "c.csv": "timestamp,calories\n2024-07-01T15:00:00Z,1.2\n",
    }
    _, report = convert(files)
    assert report.totals == {"calories": 1.2, "distance": 8.5}
    assert report.calories == ["total"]


def test_the_data_source_column_may_be_there(convert):
    table, _ = convert({"h.csv": "timestamp,beats per minute,data source\n2024-07-01T14:59:50Z,64.0,Charge 5\n"})
    assert rates(table) == [("2024-07-01 14:59:50", 64)]


def test_steps_of_the_phone_beside_those_of_the_watch_are_counted_once(convert):
    heart = "timestamp,beats per minute,data source\n2026-07-20T16:39:10Z,64.0,Watch\n"
    steps = "2026-07-20T16:38:18.008Z,50,Phone\n2026-07-20T16:39:00Z,34,Watch\n2026-07-20T16:39:18.008Z,30,Phone\n"
    table, report = convert({"h.csv": heart, "s.csv": "timestamp,steps,data source\n" + steps})
    assert report.totals == {"steps": 34}
    assert report.notes == {"steps of a second device on the same day": 2}
