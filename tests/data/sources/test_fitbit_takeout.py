import json

import numpy as np
from exports import counts, rates

from lib.data.sources import fitbit_takeout


def heart(*readings):
    rows = [{"dateTime": time, "value": {"bpm": bpm, "confidence": sure}} for time, bpm, sure in readings]
    return json.dumps(rows, indent=2)


def minutes(*values, hour="23"):
    return json.dumps([{"dateTime": f"07/01/24 {hour}:{i:02d}:00", "value": str(v)} for i, v in enumerate(values)])


def test_a_filler_of_confidence_0_is_left_out_and_counted(convert):
    trusted = [(f"07/01/24 23:00:{s:02d}", 95 + s % 2, 3) for s in range(0, 30, 5)]
    fillers = [("07/01/24 23:00:32", 70, 0), ("07/01/24 23:30:00", 70, 0)]
    table, report = convert({"h.json": heart(*trusted, *fillers)})
    assert [bpm for _, bpm in rates(table)] == [95, 96, 95, 96, 95, 96]
    assert report.notes == {"heart rates of confidence 0 that no trusted one agrees with": 2}


def test_one_of_confidence_0_that_its_neighbours_confirm_is_kept(convert):
    table, _ = convert({"h.json": heart(("07/01/24 23:00:00", 95, 0), ("07/01/24 23:00:05", 96, 2))})
    assert [bpm for _, bpm in rates(table)] == [95, 96]


def test_neighbours_confirm_within_a_minute_and_10_bpm():
    start = np.array([0, 60_000, 60_001, 200_000, 200_000])
    bpm = np.array([80.0, 90.0, 90.1, 80.0, 91.0])
    trusted = np.array([True, False, False, True, False])
    assert fitbit_takeout.agrees(start, bpm, trusted).tolist() == [True, True, False, True, False]
    assert not fitbit_takeout.agrees(start, bpm, np.zeros(5, bool)).any()


def test_utc_is_moved_and_centimetres_are_metres(convert):
    files = {"steps-2024-07-01.json": minutes(0, 50), "distance-2024-07-01.json": minutes(0, 3500)}
    table, report = convert(files, timezone="Europe/Berlin")
    assert counts(table) == [("01:00:00", 0), ("01:01:00", 0), ("01:02:00", 50)]
    assert report.totals == {"steps": 50, "distance": 35}


def test_files_of_other_metrics_are_left_out_and_counted(convert):
    _, report = convert({"steps-2024-07-01.json": minutes(5), "sedentary_minutes-2024-07-01.json": minutes(9)})
    assert report.totals == {"steps": 5}
    assert report.notes == {"Fitbit files of other metrics": 1}
