import json

from exports import counts, rates

NOON_NS = 1_720_008_000_000_000_000  # 2024-07-03T12:00:00Z


def points(kind, *values, source="merge_x", number="intVal", as_text=False):
    spell = str if as_text else int
    data = [
        {
            "fitValue": [{"value": {number: value}}],
            "startTimeNanos": spell(NOON_NS + 60_000_000_000 * i),
            "endTimeNanos": spell(NOON_NS + 60_000_000_000 * (i + 1)),
        }
        for i, value in enumerate(values)
    ]
    return json.dumps({"Data Source": f"derived:{kind}:com.google.android.gms:{source}", "Data Points": data}, indent=1)


def test_nanoseconds_as_numbers_and_as_text(convert):
    files = {
        "a.json": points("com.google.heart_rate.bpm", 61.5, number="fpVal"),
        "b.json": points("com.google.step_count.delta", 20, as_text=True),
    }
    table, _ = convert(files, timezone="Asia/Kolkata")
    assert rates(table) == [("2024-07-03 17:30:00", 61.5)]
    assert counts(table) == [("17:30:00", 0), ("17:31:00", 20)]


def test_of_several_sources_the_merged_one_is_read(convert):
    files = {
        "a.json": points("com.google.step_count.delta", 20, source="merge_step_deltas"),
        "b.json": points("com.google.step_count.delta", 30, source="estimated_steps"),
    }
    _, report = convert(files)
    assert report.totals == {"steps": 20}
    assert report.notes == {"steps of a second device on the same day": 1}


def test_other_metrics_are_left_out_and_counted(convert):
    files = {"a.json": points("com.google.step_count.delta", 20), "b.json": points("com.google.weight", 70)}
    _, report = convert(files)
    assert report.notes == {"Google Fit files of other metrics": 1}
