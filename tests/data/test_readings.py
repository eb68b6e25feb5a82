import gzip

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from lib.data import readings

HEADER = "user_id,timestamp,heartRate,steps\n"


@pytest.fixture
def read(tmp_path):
    """Reads text as a CSV file."""

    def read_text(text, **options):
        (tmp_path / "watch.csv").write_text(text)
        return readings.read(tmp_path / "watch.csv", **options)

    return read_text


def wall(table):
    return table["timestamp"].astype(str).tolist()


def test_a_time_without_offset_is_the_wall_clock(read):
    table = read(HEADER + "a,2026-03-02T07:01:05,70,1\n", timezone="Asia/Tokyo")
    assert wall(table) == ["2026-03-02 07:01:05"]
    assert table["instant"].tolist() == [pd.Timestamp("2026-03-02T07:01:05").timestamp()]


def test_an_offset_is_kept_as_the_local_hour_and_utc_is_moved(read):
    table = read(HEADER + "a,2026-03-02T07:01:05+05:30,70,1\na,2026-03-02T07:01:05Z,70,1\n", timezone="Europe/Paris")
    assert wall(table) == ["2026-03-02 07:01:05", "2026-03-02 08:01:05"]
    assert np.diff(table["instant"]).tolist() == [5.5 * 3600]


def test_unix_milliseconds_are_moved_to_the_timezone(read):
    table = read(HEADER + "a,1772434865000,70,1\n", timezone="Asia/Tokyo")
    assert wall(table) == ["2026-03-02 16:01:05"]
    assert table["instant"].tolist() == [1772434865.0]


def test_the_hour_that_autumn_repeats_stays_in_order(read):
    start = 1761436800000  # 2025-10-26 00:00 UTC, an hour before Paris sets its clocks back
    text = "".join(f"a,{start + 1800_000 * i},70,1\n" for i in range(4))
    table = read(HEADER + text, timezone="Europe/Paris")
    assert [moment[11:16] for moment in wall(table)] == ["02:00", "02:30", "02:00", "02:30"]
    assert np.diff(table["instant"]).tolist() == [1800.0] * 3


def test_what_is_written_is_read_again(read, tmp_path):
    table = read(HEADER + "a,1761438600000,70,1\na,1761440400000,71,2\n", timezone="Europe/Paris")
    readings.write(table, tmp_path / "again.csv")
    pd.testing.assert_frame_equal(readings.read(tmp_path / "again.csv"), table)


@pytest.mark.parametrize(
    ("rows", "column", "row", "value"),
    [
        ("a,2026-03-02T07:01:05,70,1\na,2026-03-02T07:01:10,abc,1\n", "heartRate", 2, "abc"),
        ("a,2026-03-02T07:01:05,70,inf\n", "steps", 1, np.inf),
        ("a,2026-03-02T07:01:05,70,1\na,notatime,71,1\n", "timestamp", 2, "notatime"),
        (",2026-03-02T07:01:05,70,1\n", "user_id", 1, np.nan),
        ("a,2026-03-02T07:01:05,70,1\na,,71,1\n", "timestamp", 2, np.nan),
        ("a,2026-03-02T07:01:05+2,70,1\n", "timestamp", 1, "2026-03-02T07:01:05+2"),
        ("a,2026-03-02T07:01:05,70,1\na,2026-03-02T07:01:10+230,70,1\n", "timestamp", 2, "2026-03-02T07:01:10+230"),
        ("a,1772434865000,70,1\na,1772434865,71,1\n", "timestamp", 2, 1772434865),
        ("a,2026-03-02T07:01:05Z,70,1\na,2026-03-02T07:01:10,70,1\n", "timestamp", 2, "2026-03-02T07:01:10"),
    ],
)
def test_a_bad_value_is_named_with_file_column_row_and_value(read, rows, column, row, value):
    with pytest.raises(readings.ReadingsError) as caught:
        read(HEADER + rows)
    error = caught.value
    assert (error.column, error.row) == (column, row)
    assert error.value == value or (error.value != error.value and value != value)
    assert f"column {column}, row {row}, value {value!r}" in str(error)
    assert str(error.file).endswith("watch.csv")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "cannot be read"),
        (HEADER, "no readings"),
        ("a,b\n1,2\n", "column timestamp: no such column; there are a, b"),
    ],
)
def test_a_file_that_is_no_table_is_refused(read, text, problem):
    with pytest.raises(readings.ReadingsError, match=problem):
        read(text)


@pytest.mark.parametrize(
    ("rows", "row"),
    [
        ("a,2026-03-02T07:01:05,70,1,9\na,2026-03-02T07:01:10,70,1,9\n", 1),
        ("a,2026-03-02T07:01:05,70,1,\na,2026-03-02T07:01:10,70,1,\n", 1),
        ("a,2026-03-02T07:01:05,70,1\n\na,2026-03-02T07:01:10,70,1,9\n", 2),
    ],
)
def test_a_row_of_more_values_than_columns_is_named(read, rows, row):
    with pytest.raises(readings.ReadingsError, match=rf"watch.csv, row {row}: 5 values, .* 4 columns") as caught:
        read(HEADER + rows)
    assert caught.value.row == row


def test_wearers_names_are_text_even_those_that_look_like_nothing(read):
    table = read(HEADER + "".join(f"{name},2026-03-02T07:01:05,70,NA\n" for name in ("007", "NA", "nan")))
    assert table["user_id"].tolist() == ["007", "NA", "nan"]
    assert table["steps"].isna().all()


@pytest.mark.parametrize("offset", ["+02", "+0200", "+02:00"])
def test_an_offset_in_any_of_its_forms_is_kept_as_the_local_hour(read, offset):
    table = read(HEADER + f"a,2026-03-02T07:01:05{offset},70,1\n")
    assert wall(table) == ["2026-03-02 07:01:05"]
    assert table["instant"].tolist() == [pd.Timestamp("2026-03-02T05:01:05").timestamp()]


def test_of_a_folder_with_and_without_names_no_reading_is_lost(tmp_path):
    (tmp_path / "1.csv").write_text(HEADER + "a,2026-03-02T07:01:05,70,1\n")
    (tmp_path / "2.csv").write_text("timestamp,heartRate\n2026-03-02T07:01:05,80\n")
    table = readings.read(tmp_path)
    assert table["user_id"].tolist() == ["a", readings.ONE_WEARER]
    assert table["steps"].isna().tolist() == [False, True]


def test_a_parquet_file_of_any_index_is_read(tmp_path):
    table = pd.DataFrame(
        {"timestamp": pd.date_range("2026-03-02", periods=4, freq="5s"), "heartRate": [70.0, 71, 0, 72]}
    )
    table[table["heartRate"] > 0].to_parquet(tmp_path / "filtered.parquet")
    table.set_index("timestamp").to_parquet(tmp_path / "named.parquet")
    assert readings.read(tmp_path / "filtered.parquet")["heartRate"].tolist() == [70, 71, 72]
    assert wall(readings.read(tmp_path / "named.parquet"))[1] == "2026-03-02 00:00:05"


def test_a_bad_value_of_a_filtered_parquet_file_is_named_by_its_row(tmp_path):
    table = pd.DataFrame(
        {"timestamp": pd.date_range("2026-03-02", periods=4, freq="5s"), "heartRate": [70, 0, 0, np.inf]}
    )
    table[table["heartRate"] > 0].to_parquet(tmp_path / "filtered.parquet")
    with pytest.raises(readings.ReadingsError, match="column heartRate, row 2, value inf"):
        readings.read(tmp_path / "filtered.parquet")


def test_a_parquet_files_own_time_zone_is_the_wearers(tmp_path):
    moments = pd.DatetimeIndex(["2026-03-02T07:01:05"]).tz_localize("Asia/Tokyo")
    pd.DataFrame({"timestamp": moments, "heartRate": [70]}).to_parquet(tmp_path / "tokyo.parquet")
    table = readings.read(tmp_path / "tokyo.parquet", timezone="Europe/Paris")
    assert wall(table) == ["2026-03-02 07:01:05"]
    assert table["instant"].tolist() == [pd.Timestamp("2026-03-01T22:01:05").timestamp()]


@pytest.mark.parametrize("name", ["UTC", "Etc/UTC", "GMT", "Etc/GMT", "Zulu", "+00:00"])
def test_a_parquet_files_utc_is_moved_whatever_its_name(tmp_path, name):
    moments = pa.array([1_772_452_865_000], pa.timestamp("ms", tz=name))  # 2026-03-02T12:01:05Z
    parquet.write_table(pa.table({"timestamp": moments, "heartRate": [70]}), tmp_path / "utc.parquet")
    assert wall(readings.read(tmp_path / "utc.parquet", timezone="Europe/Paris")) == ["2026-03-02 13:01:05"]


def test_a_place_whose_clock_shows_utc_in_winter_is_not_moved(tmp_path):
    moments = pd.DatetimeIndex(["2026-03-02T12:01:05"]).tz_localize("Europe/London")
    pd.DataFrame({"timestamp": moments, "heartRate": [70]}).to_parquet(tmp_path / "london.parquet")
    table = readings.read(tmp_path / "london.parquet", timezone="Europe/Paris")
    assert wall(table) == ["2026-03-02 12:01:05"]


@pytest.mark.parametrize("name", ["broken.csv.gz", "broken.parquet"])
def test_a_broken_file_is_named(tmp_path, name):
    (tmp_path / name).write_bytes(b"garbage")
    with pytest.raises(readings.ReadingsError, match=name):
        readings.read(tmp_path / name)


def test_a_truncated_gzip_is_refused(tmp_path):
    rows = "".join(f"a,2026-03-02T07:{i // 60:02d}:{i % 60:02d},70,{i}\n" for i in range(3000))
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress((HEADER + rows).encode())[:-200])
    with pytest.raises(readings.ReadingsError, match="cannot be read"):
        readings.read(tmp_path / "cut.csv.gz")


def test_a_timezone_that_is_none_is_named(read):
    with pytest.raises(ValueError, match="Mars/Olympus"):
        read(HEADER, timezone="Mars/Olympus")


def test_a_folder_and_a_glob_are_read_as_one_table(tmp_path):
    table = pd.DataFrame({"user_id": "a", "timestamp": ["2026-03-02T07:01:05"], "heartRate": [70]})
    table.to_csv(tmp_path / "1.csv", index=False)
    table.assign(user_id="b").to_csv(tmp_path / "2.csv.gz", index=False)
    table.assign(user_id="c").to_parquet(tmp_path / "3.parquet")
    assert readings.read(tmp_path)["user_id"].tolist() == ["a", "b", "c"]
    assert readings.read(tmp_path / "*.csv*")["user_id"].tolist() == ["a", "b"]


def in_months(folder):
    """Write a file a month, in a folder of its own, beside what is no reading, and return the folder."""
    names = ["year=2026/month=03/a.csv", "year=2026/month=04/b.csv", ".kept/c.csv", "year=2026/_temporary/d.csv"]
    for name in (*names, "year=2026/month=04/_SUCCESS"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        wearer = folder.joinpath(name).stem
        (folder / name).write_text(f"user_id,timestamp,heartRate\n{wearer},2026-03-02T07:01:05,70\n")
    return folder


def test_of_a_folder_without_files_those_of_its_sub_folders_are_read(tmp_path):
    assert readings.read(in_months(tmp_path / "march"))["user_id"].tolist() == ["a", "b"]


def test_of_a_folder_with_files_its_sub_folders_are_left_alone(tmp_path):
    folder = in_months(tmp_path / "march")
    (folder / "e.csv").write_text("user_id,timestamp,heartRate\ne,2026-03-02T07:01:05,70\n")
    assert readings.read(folder)["user_id"].tolist() == ["e"]
    assert readings.read(folder / "year=2026/**")["user_id"].tolist() == ["d", "a", "b"]  # a pattern takes all


def test_a_wearer_whom_only_the_folder_names_is_asked_for(tmp_path):
    (tmp_path / "user_id=7").mkdir()
    (tmp_path / "user_id=7/a.csv").write_text("timestamp,heartRate\n2026-03-02T07:01:05,70\n")
    with pytest.raises(readings.ReadingsError, match="its folder names a wearer, and it has no such column"):
        readings.read(tmp_path)


def test_nothing_there_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        readings.read(tmp_path / "nowhere*.csv")


def test_without_user_id_there_is_one_wearer_and_an_empty_label_is_normal(read):
    table = read("timestamp,heartRate,label\n2026-03-02T07:01:05,70,\n2026-03-02T07:01:10,,spikes\n")
    assert table["user_id"].unique().tolist() == ["wearer"]
    assert table["label"].tolist() == ["", "spikes"]
    assert np.isnan(table["heartRate"].iloc[1])


@pytest.mark.usefixtures("reached")
def test_s3_is_read_over_http(s3_client):
    s3_client.create_bucket(Bucket="watches")
    for key, line in {
        "march/a.csv": "a,2026-03-02T07:01:05,70,1\n",
        "day=1/b.csv": "b,2026-03-02T07:01:05,71,1\n",
    }.items():
        s3_client.put_object(Bucket="watches", Key=key, Body=(HEADER + line).encode())
    assert readings.read("s3://watches/march")["heartRate"].tolist() == [70.0]
    assert readings.read("s3://watches/")["heartRate"].tolist() == [71.0, 70.0]
