import json

from exports import counts, rates

NOON_UTC_MS = 1_720_008_000_000  # 2024-07-03T12:00:00Z


def heart(*values, local="2024-07-03T00:00:00.0", gmt="2024-07-02T22:00:00.0"):
    return {
        "startTimestampGMT": gmt,
        "startTimestampLocal": local,
        "heartRateValueDescriptors": [{"key": "timestamp", "index": 0}, {"key": "heartrate", "index": 1}],
        "heartRateValues": [[NOON_UTC_MS + 120_000 * i, value] for i, value in enumerate(values)],
    }


STEPS = [{"startGMT": "2024-07-03T12:00:00.0", "endGMT": "2024-07-03T12:15:00.0", "steps": 90, "pushes": 0}]


def test_the_local_hour_is_the_days_own_and_null_is_missing(convert):
    table, report = convert({"h.json": json.dumps(heart(61, None, 63))})
    assert rates(table) == [("2024-07-03 14:00:00", 61), ("2024-07-03 14:04:00", 63)]
    assert report.notes == {"minutes for which Garmin Connect has no heart rate": 1}


def test_steps_in_utc_take_the_offset_of_the_days_heart_rates(convert):
    table, report = convert({"h.json": json.dumps(heart(61)), "s.json": json.dumps(STEPS)})
    assert counts(table) == [("14:00:00", 0), ("14:15:00", 90)]
    assert report.totals == {"steps": 90}


def test_several_days_in_one_file_are_read(convert):
    table, _ = convert(
        {"h.json": json.dumps([heart(61), {**heart(62), "heartRateValues": [[NOON_UTC_MS + 864e5, 62]]}])}
    )
    assert [bpm for _, bpm in rates(table)] == [61, 62]
