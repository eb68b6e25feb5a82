import json

from exports import counts, rates


def answer(name, rows, *, interval, kind):
    dataset = [{"time": time, "value": value} for time, value in rows]
    intraday = {"dataset": dataset, "datasetInterval": interval, "datasetType": kind}
    return json.dumps({name: [{"dateTime": "2024-02-29", "value": "0"}], f"{name}-intraday": intraday})


def test_times_are_the_profiles_clock_on_the_answers_day(convert):
    table, report = convert(
        {"a.json": answer("activities-heart", [("23:59:58", 61)], interval=1, kind="second")}, timezone="Asia/Tokyo"
    )
    assert rates(table) == [("2024-02-29 23:59:58", 61)]


def test_an_amount_is_of_the_answers_interval(convert):
    table, _ = convert({"a.json": answer("activities-steps", [("08:00:00", 90)], interval=15, kind="minute")})
    assert counts(table) == [("08:00:00", 0), ("08:15:00", 90)]


def test_kilometres_become_metres(convert):
    _, report = convert({"a.json": answer("activities-distance", [("08:00:00", 0.25)], interval=1, kind="minute")})
    assert report.totals == {"distance": 250}


def test_an_answer_without_an_intraday_dataset_is_counted(convert):
    daily = json.dumps({"activities-steps": [{"dateTime": "2024-02-29", "value": "9000"}]})
    rows = answer("activities-steps", [("08:00:00", 9)], interval=1, kind="minute")
    _, report = convert({"a.json": rows, "b.json": daily})
    assert report.notes == {"Fitbit answers without an intraday dataset": 1}
