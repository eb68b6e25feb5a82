import json

from exports import counts, rates


def test_seconds_of_the_day_are_the_wearers_clock(convert):
    samples = [{"heartRate": 61, "secondsFromDayStart": 86_399, "source": "WRIST"}]
    heart = {"deviceDays": [{"userId": 0, "deviceId": "A", "date": "2024-07-03", "samples": samples}]}
    table, _ = convert({"x.json": json.dumps(heart)})
    assert rates(table) == [("2024-07-03 23:59:59", 61)]


def test_steps_are_amounts_a_minute(convert):
    minutes = [{"localTime": "09:02:00", "value": 12}, {"localTime": "09:03:00.000", "value": 8}]
    day = {"exportVersion": "1.6", "date": "2024-07-03", "summary": {"stepCount": 20}, "samples": {"steps": minutes}}
    table, _ = convert({"x.json": json.dumps(day)})
    assert counts(table) == [("09:02:00", 0), ("09:03:00", 12), ("09:04:00", 20)]
