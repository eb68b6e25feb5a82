import json

from exports import counts, rates

BOOT_MS = 1_720_004_400_000  # 2024-07-03T11:00:00Z


def log(*points):
    return "".join(json.dumps({**point, "bootInstant": BOOT_MS}) + "\n" for point in points)


def daily(total, start_s, end_s):
    return {
        "dataType": "STEPS_DAILY",
        "value": total,
        "startDurationFromBoot": 1000 * start_s,
        "endDurationFromBoot": 1000 * end_s,
    }


def test_durations_count_from_the_boot(convert):
    point = {"dataType": "HEART_RATE_BPM", "value": 61.0, "timeDurationFromBoot": 3_600_000}
    table, _ = convert({"x.jsonl": log(point)}, timezone="Europe/Berlin")
    assert rates(table) == [("2024-07-03 14:00:00", 61)]


def test_daily_steps_run_and_fall_back_at_midnight(convert):
    table, report = convert({"x.jsonl": log(daily(12, 0, 60), daily(42, 60, 120), daily(9, 180, 240))})
    assert counts(table) == [("11:00:00", 0), ("11:01:00", 12), ("11:02:00", 42), ("11:03:00", 42), ("11:04:00", 51)]


def test_what_was_walked_before_the_log_began_is_no_burst(convert):
    table, report = convert({"x.jsonl": log(daily(3000, 3600, 3660), daily(3030, 3660, 3720))})
    assert report.totals == {"steps": 3030}
    assert counts(table)[0] == ("11:51:00", 0)  # 3,000 steps at 5 a second take 10 minutes
