import json

import numpy as np
from exports import counts, rates

from lib.data.sources import samsung_health

NOON_UTC_MS = 1_720_008_000_000  # 2024-07-03T12:00:00Z
HEART = "com.samsung.shealth.tracker.heart_rate"
BIN = "ab-1.com.samsung.health.heart_rate.binning_data.json"


def heart(start="2024-07-03 12:00:00.000", binning=BIN):
    prefix = "com.samsung.health.heart_rate."
    names = ",".join(
        f"{prefix}{name}" for name in ("start_time", "time_offset", "binning_data", "heart_rate", "end_time")
    )
    row = f"{start},UTC+0900,{binning},71.5,2024-07-03 12:59:59.000,"
    return f"\ufeff{HEART},6210014,5\nsource,{names}\n,{row}\n"


def bins(*values):
    return json.dumps(
        [{"heart_rate": v, "start_time": NOON_UTC_MS + 60_000 * i, "end_time": 0} for i, v in enumerate(values)]
    )


def steps(*rows, start="2024-07-03 12:00:00.000", end="2024-07-03 12:01:00.000"):
    names = "start_time,end_time,time_offset,count,distance,calorie,deviceuuid"
    lines = "".join(f"{start},{end},UTC+0900,{count},{8.5},{0.5},{device},\n" for count, device in rows)
    return f"com.samsung.shealth.tracker.pedometer_step_count,6210014,9\n{names}\n{lines}"


def test_bins_give_the_heart_rates_and_the_offset_the_hour(convert):
    table, _ = convert({"h.csv": heart(), f"jsons/{HEART}/a/{BIN}": bins(70.5, 72)})
    assert rates(table) == [("2024-07-03 21:00:00", 70.5), ("2024-07-03 21:01:00", 72)]


def test_a_row_without_its_json_gives_its_mean(convert):
    table, report = convert({"h.csv": heart()})
    assert rates(table) == [("2024-07-03 21:00:00", 71.5)]
    assert report.notes == {"Samsung rows whose JSON file is missing: their mean is read": 1}


def test_times_are_local_where_the_json_says_so(convert):
    local = {"start": "2024-07-03 21:00:00.000", "end": "2024-07-03 21:01:00.000"}
    files = {"h.csv": heart(local["start"]), BIN: bins(70), "s.csv": steps((12, "A"), **local)}
    table, _ = convert(files)
    assert counts(table) == [("21:00:00", 0), ("21:01:00", 12)]


def test_utc_and_local_are_told_apart_by_the_first_bin():
    offset = np.array([9 * 3_600_000])
    binned = {0: [{"start_time": NOON_UTC_MS}]}
    assert not samsung_health.is_local(np.array([NOON_UTC_MS + 5000]), offset, binned)
    assert samsung_health.is_local(np.array([NOON_UTC_MS + 9 * 3_600_000 + 5000]), offset, binned)
    assert not samsung_health.is_local(np.array([NOON_UTC_MS]), offset, {})


def test_steps_of_two_devices_are_counted_once(convert):
    table, report = convert({"s.csv": steps((12, "A"), (14, "B"))})
    assert counts(table) == [("21:00:00", 0), ("21:01:00", 14)]
    assert report.totals == {"steps": 14, "calories": 0.5, "distance": 8.5}
    assert report.calories == ["active"]


def test_an_export_without_offsets_devices_and_bins_is_read(convert):
    text = "com.samsung.health.heart_rate,6\nstart_time,heart_rate\n2024-07-03 12:00:00.000,58\n"
    table, _ = convert({"h.csv": text})
    assert rates(table) == [("2024-07-03 12:00:00", 58)]
