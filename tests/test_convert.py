"""The command line: what is written, what it says, and what it refuses."""

import json

import numpy as np
import pandas as pd
import pyarrow.parquet as parquet
import pytest

from lib import convert
from lib.data import clean, conversion, readings

HEART = "timestamp,beats per minute\n" + "".join(f"2024-07-01T08:00:{s:02d}Z,{60 + s % 7}.0\n" for s in range(0, 60, 5))
STEPS = "timestamp,steps\n2024-07-01T08:00:00Z,24\n"


@pytest.fixture
def export(tmp_path):
    """A folder with a minute of heart rates and its steps."""
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "heart.csv").write_text(HEART)
    (folder / "steps.csv").write_text(STEPS)
    return folder


def test_what_is_written_is_the_raw_table_of_the_contract(export, tmp_path):
    out = tmp_path / "readings.parquet"
    assert convert.main([str(export), "--out", str(out), "--timezone", "Asia/Tokyo"]) == 0
    table = readings.read(out)
    assert list(table) == ["user_id", "timestamp", "instant", "heartRate", "steps"]
    assert table["timestamp"].iloc[0] == pd.Timestamp("2024-07-01 17:00:00")
    assert table["instant"].iloc[0] == pd.Timestamp("2024-07-01 08:00:00").timestamp()


def test_it_is_cleaned_with_the_default_form_of_counters(export, tmp_path):
    table, _ = conversion.convert(export)
    conversion.write(table, _, tmp_path / "readings.parquet")
    cleaned, account = clean.clean(readings.read(tmp_path / "readings.parquet"), interval_s=5)
    assert cleaned["steps"].sum() == pytest.approx(24, abs=2.1)  # to within one reading
    assert account["used"] == 12


def test_the_report_says_what_was_assumed_and_left_out(export, tmp_path, capsys):
    (export / "notes.txt").write_text("felt fine")
    convert.main([str(export), "--out", str(tmp_path / "r.parquet")])
    text = capsys.readouterr().out
    for line in (
        "wearers: 1, days: 1, from 2024-07-01 08:00:00",
        "readings: 12 heartRate, 1 steps",
        "totals: 24 steps",
        "a heart rate every 5 s (median); interval_s=5 fits",
        "UTC, left as UTC, for lack of a time zone",
        "counters=cumulative",
        "files left out, of no format known here: notes.txt",
    ):
        assert line in text


def test_the_report_lies_in_the_file_too(export, tmp_path):
    convert.main([str(export), "--out", str(tmp_path / "r.parquet")])
    described = json.loads(parquet.read_schema(tmp_path / "r.parquet").metadata[conversion.METADATA])
    assert described["counters"] == "cumulative"
    assert described["totals"] == {"steps": 24}


def test_readings_of_different_offsets_keep_theirs(tmp_path):
    rows = "2024-07-03T09:00:00+02:00,[60],[61]\n2024-07-05T09:00:00-04:00,[60],[62]\n"
    (tmp_path / "raw_tracker_hr.csv").write_text("start,duration,value\n" + rows)
    convert.main([str(tmp_path / "raw_tracker_hr.csv"), "--out", str(tmp_path / "r.parquet")])
    table = readings.read(tmp_path / "r.parquet", timezone="Asia/Tokyo")
    assert table["timestamp"].dt.hour.tolist() == [9, 9]
    assert np.diff(table["instant"]).tolist() == [54 * 3600]


def test_a_wall_clock_stays_one(tmp_path):
    (tmp_path / "h.csv").write_text("Id,Time,Value\n7,4/12/2016 11:59:55 PM,61\n")
    convert.main([str(tmp_path / "h.csv"), "--out", str(tmp_path / "r.parquet")])
    table = readings.read(tmp_path / "r.parquet", timezone="Asia/Tokyo")
    assert table["timestamp"].tolist() == [pd.Timestamp("2016-04-12 23:59:55")]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"hello", "expected an export of a known format"),
        ("Id,Time,Value\n".encode("utf-16"), "UTF-16: save it as CSV UTF-8"),
        (b"PK\x03\x04" + bytes(30) + b"xl/workbook.xml", "a spreadsheet, such as Excel's"),
        (b"Id,Time,Value\n", "no heart rate, steps, calories or distance"),
        (b"Id,Time,Value\n7,noon,61\n", "column time, row 1, value 'noon'"),
    ],
)
def test_what_cannot_be_read_is_refused_in_a_line_and_nothing_is_written(tmp_path, capsys, content, problem):
    (tmp_path / "x.xlsx").write_bytes(content)
    assert convert.main([str(tmp_path / "x.xlsx"), "--out", str(tmp_path / "out/r.parquet")]) == 2
    message = capsys.readouterr().err
    assert problem in message
    assert message.count("\n") == 1
    assert not list(tmp_path.glob("out/*"))


def test_a_bad_zone_is_refused(export, tmp_path, capsys):
    assert convert.main([str(export), "--out", str(tmp_path / "r.parquet"), "--timezone", "CEST"]) == 2
    assert "IANA name" in capsys.readouterr().err


def test_a_source_that_is_a_raw_table_already_is_named_as_one(tmp_path, capsys):
    (tmp_path / "watch.csv").write_text("user_id,timestamp,heartRate\na,2026-03-02T07:01:05,70\n")
    assert convert.main([str(tmp_path / "watch.csv"), "--out", str(tmp_path / "r.parquet")]) == 2
    assert "data_path=" in capsys.readouterr().err


def test_an_archive_with_the_same_minutes_in_two_formats_is_counted_once(export, tmp_path):
    minutes = [{"dateTime": "07/01/24 08:00:00", "value": "24"}, {"dateTime": "07/01/24 08:01:00", "value": "3"}]
    (export / "steps-2024-07-01.json").write_text(json.dumps(minutes))
    distance = [{"dateTime": "07/01/24 08:00:00", "value": "1753"}]
    (export / "distance-2024-07-01.json").write_text(json.dumps(distance))
    (export / "distance.csv").write_text("timestamp,distance\n2024-07-01T08:00:00Z,17.530001\n")
    _, report = conversion.convert(export)
    assert report.totals == {"steps": 24, "distance": 17.53}


def test_what_is_written_is_its_owners_alone(export, tmp_path):
    convert.main([str(export), "--out", str(tmp_path / "r.parquet")])
    assert (tmp_path / "r.parquet").stat().st_mode & 0o077 == 0


@pytest.mark.usefixtures("reached")
def test_an_export_on_s3_is_converted_as_the_folder_is(export, tmp_path, s3_client):
    s3_client.create_bucket(Bucket="my-exports")
    for path in export.iterdir():
        s3_client.put_object(Bucket="my-exports", Key=f"me/{path.name}", Body=path.read_bytes())
    for source, out in ((str(export), "local.parquet"), ("s3://my-exports/me", "s3.parquet")):
        assert convert.main([source, "--out", str(tmp_path / out)]) == 0
    there, here = (readings.read(tmp_path / name) for name in ("s3.parquet", "local.parquet"))
    assert there["heartRate"].count() == 12
    pd.testing.assert_frame_equal(there, here)
