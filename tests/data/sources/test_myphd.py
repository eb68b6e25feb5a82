import pytest
from exports import counts, rates

RATES = "2031-05-04 08:00:03,71\n2031-05-04 08:00:18,72\n"


def test_a_pair_of_files_with_a_users_column_is_one_wearer(convert):
    heart = ",user,datetime,heartrate\n0,P1,2031-05-04 08:00:03,71\n1,P1,2031-05-04 08:00:18,72\n"
    steps = ",user,datetime,steps\n0,P1,2031-05-04 08:00:00,0\n1,P1,2031-05-04 08:01:00,44\n"
    table, report = convert({"x.csv": heart, "y.csv": steps})
    assert report.wearers == {"P1": 1}
    assert rates(table) == [("2031-05-04 08:00:03", 71), ("2031-05-04 08:00:18", 72)]
    assert counts(table)[-2:] == [("08:01:00", 0), ("08:02:00", 44)]


@pytest.mark.parametrize("suffixes", [("_hr", "_steps"), ("_HR", "_ST"), ("-hr", "-steps")])
def test_without_a_users_column_the_wearer_is_the_files_name(convert, suffixes):
    heart, steps = suffixes
    files = {
        f"AX{heart}.csv": "datetime,heartrate\n" + RATES,
        f"AX{steps}.csv": "datetime,steps\n2031-05-04 08:00:00,9\n",
    }
    _, report = convert(files)
    assert report.wearers == {"AX": 1}


@pytest.mark.parametrize(
    "lines",
    [
        "device,start_datetime,end_datetime,steps\nW,2031-05-04 08:00:10,2031-05-04 08:00:30,20\n",
        "Device,Start_Date,Start_Time,End_Date,End_Time,Steps\nW,2031-05-04,08:00:10,2031-05-04,08:00:30,20\n",
    ],
)
def test_steps_of_an_interval_lie_in_that_interval(convert, lines):
    table, _ = convert({"AX_hr.csv": "datetime,heartrate\n" + RATES, "AX_steps.csv": lines})
    assert counts(table) == [("08:00:03", 0), ("08:00:10", 0), ("08:00:18", 8), ("08:00:30", 20)]


def test_steps_of_a_phone_beside_a_watch_are_counted_once(convert):
    lines = "device,start_datetime,end_datetime,steps\n"
    lines += "".join(f"{name},2031-05-04 08:00:10,2031-05-04 08:00:30,{n}\n" for name, n in (("P", 17), ("W", 20)))
    table, report = convert({"AX_steps.csv": lines})
    assert report.totals == {"steps": 20}
    assert report.notes == {"steps of a second device on the same day": 1}
