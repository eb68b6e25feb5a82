from exports import counts, rates


def test_date_and_minute_are_the_wearers_clock_and_a_missing_minute_has_no_steps(convert):
    heart = "date,time,heartRate\n2024-07-03,23:59,61\n2024-07-04,00:03,62\n"
    steps = "date,time,steps\n2024-07-04,00:00,20\n2024-07-04,00:02,5\n"
    table, _ = convert({"h.csv": heart, "s.csv": steps})
    assert rates(table) == [("2024-07-03 23:59:00", 61), ("2024-07-04 00:03:00", 62)]
    assert counts(table) == [("00:00:00", 0), ("00:01:00", 20), ("00:02:00", 20), ("00:03:00", 25)]
