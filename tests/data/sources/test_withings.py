import pytest
from exports import counts, rates

from lib.data import text

HEAD = "start,duration,value\n"


def test_arrays_in_a_cell_are_values_one_after_the_other(convert):
    files = {
        "raw_tracker_hr.csv": HEAD + "2024-07-03T09:00:12+02:00,[57],[61]\n",
        "raw_tracker_steps.csv": HEAD + '2024-07-03T09:00:00+02:00,"[60,30]","[20,15]"\n',
    }
    table, _ = convert(files)
    assert rates(table) == [("2024-07-03 09:00:12", 61)]
    assert counts(table) == [("09:00:00", 0), ("09:00:12", 4), ("09:01:00", 20), ("09:01:30", 35)]
    assert table["instant_ms"].iloc[0] == 1_719_990_000_000


def test_calories_are_active_and_distance_in_metres(convert):
    row = "2024-07-03T09:00:00+02:00,[60],[2.5]\n"
    files = {"raw_tracker_calories-earned.csv": HEAD + row, "raw_tracker_distance.csv": HEAD + row}
    _, report = convert(files)
    assert (report.totals, report.calories) == ({"calories": 2.5, "distance": 2.5}, ["active"])


def test_what_is_no_array_is_named_with_its_row(convert):
    rows = "2024-07-03T09:00:12+02:00,[57],[61]\n2024-07-03T09:00:12+02:00,[57],[61\n"
    with pytest.raises(text.SourceError, match=r"column value, row 2, value '\[61'"):
        convert({"raw_tracker_hr.csv": HEAD + rows})
