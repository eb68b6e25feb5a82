import pytest
from exports import counts, rates

from lib.data import text

HEART_RATES = "Id,Time,Value\n7,4/12/2016 11:59:55 PM,61\n7,4/13/2016 12:00:05 AM,62\n8,4/13/2016 12:00:05 AM,90\n"
STEPS = "Id,ActivityMinute,Steps\n7,4/12/2016 11:58:00 PM,10\n7,4/12/2016 11:59:00 PM,30\n7,4/13/2016 12:00:00 AM,6\n"


def test_times_in_the_american_spelling_are_the_wearers_clock(convert):
    table, report = convert({"a.csv": HEART_RATES})
    assert rates(table[table["user_id"] == "7"]) == [("2016-04-12 23:59:55", 61), ("2016-04-13 00:00:05", 62)]
    assert report.wearers == {"7": 2, "8": 1}
    assert report.clocks == ["the wearer's wall clock, as written"]


def test_amounts_a_minute_become_a_counter_that_is_back_at_zero_at_midnight(convert):
    table, _ = convert({"a.csv": HEART_RATES, "b.csv": STEPS})
    of_7 = counts(table[table["user_id"] == "7"])
    assert of_7[:3] == [("23:58:00", 0), ("23:59:00", 10), ("23:59:55", pytest.approx(10 + 30 * 55 / 60, abs=0.02))]
    assert of_7[3:] == [("23:59:59", 40), ("00:00:00", 0), ("00:00:05", 0.5), ("00:01:00", 6)]


def test_calories_are_total(convert):
    table, report = convert({"c.csv": "Id,ActivityMinute,Calories\n7,4/12/2016 1:00:00 PM,1.25\n"})
    assert counts(table, "calories") == [("13:00:00", 0), ("13:01:00", 1.25)]
    assert report.calories == ["total"]


def test_files_of_hours_and_days_are_left_out_and_named(convert):
    hours = "Id,ActivityHour,StepTotal\n7,4/12/2016 11:00:00 PM,40\n"
    table, report = convert({"steps.csv": STEPS, "hourlySteps.csv": hours})
    assert report.totals == {"steps": 46}
    assert report.notes == {"Fitabase files of hours, days, wide rows or intensities: the minutes are read": 1}


def test_the_same_file_twice_is_merged(convert):
    table, report = convert({"march/h.csv": HEART_RATES, "april/h.csv": HEART_RATES, "s.csv": STEPS, "s2.csv": STEPS})
    assert len(rates(table)) == 3
    assert report.totals["steps"] == 46
    assert report.notes == {"heart rates that came twice: merged": 3, "steps that came twice: merged": 3}


def test_an_id_that_a_spreadsheet_rounded_is_refused(convert):
    with pytest.raises(text.SourceError, match=r"2\.02E\+09.*rounded"):
        convert({"h.csv": "Id,Time,Value\n2.02E+09,4/12/2016 1:00:00 AM,61\n"})


def test_a_bad_time_is_named_with_its_row(convert):
    with pytest.raises(text.SourceError, match=r"column time, row 2, value 'noon'"):
        convert({"h.csv": "Id,Time,Value\n7,4/12/2016 1:00:00 AM,61\n7,noon,62\n"})
