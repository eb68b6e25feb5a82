"""What people's files do: names, ids, numbers, clocks, encodings and rows that are not as the raw table wants them."""

import bz2
import gzip
import os

import numpy as np
import pandas as pd
import pytest

from lib.data import clean, partitioning, partitions, raw_files, readings

HEADER = "user_id,timestamp,heartRate,steps\n"


@pytest.fixture
def read(tmp_path):
    """Reads text or bytes as a CSV file."""

    def read_file(content, **options):
        content = content if isinstance(content, bytes) else content.encode()
        (tmp_path / "watch.csv").write_bytes(content)
        return readings.read(tmp_path / "watch.csv", **options)

    return read_file


def rows(times, *, wearer="a", heart=70, steps=None):
    """CSV rows at these times of 2026-03-02, a Monday."""
    steps = range(100, 100 + len(times)) if steps is None else steps
    return "".join(f"{wearer},2026-03-02T{time},{heart},{count}\n" for time, count in zip(times, steps, strict=True))


def seconds(count, start="07:00:00", every=5):
    """Times of day, `every` seconds apart."""
    first = pd.Timestamp(f"2026-03-02T{start}")
    return [f"{first + pd.Timedelta(seconds=every * i):%H:%M:%S}" for i in range(count)]


@pytest.mark.parametrize(
    "header",
    [
        "userId,timestamp,heartRate,steps",
        "User_ID,Time_Stamp,Heart Rate,STEPS",
        "user_id ,timestamp, heart_rate,steps ",
        "\ufeffuser_id,timestamp,heartRate,steps",
        "\ufeff\ufeffuser_id,timestamp,heartRate,steps",
    ],
)
def test_columns_are_known_however_they_are_spelled(read, header):
    table = read(f"{header}\nann,2026-03-02T07:00:00,70,5\nben,2026-03-02T07:00:00,90,900\n")
    assert list(table) == ["user_id", "timestamp", "instant", "heartRate", "steps"]
    assert table["user_id"].tolist() == ["ann", "ben"]
    assert table["steps"].tolist() == [5, 900]


def test_columns_that_match_nothing_are_ignored_and_listed(read):
    table = read("timestamp,heartRate,battery\n2026-03-02T07:00:00,70,55\n")
    assert list(table) == ["user_id", "timestamp", "instant", "heartRate"]
    assert table.attrs["notes"] == {"columns ignored: battery": 1}


def test_two_columns_of_one_meaning_are_refused(read):
    with pytest.raises(readings.ReadingsError, match="expected one column steps, got 'steps' and 'Steps'"):
        read("timestamp,heartRate,steps,Steps\n2026-03-02T07:00:00,70,5,6\n")


@pytest.mark.parametrize("name", ["Id", "user", "participant_id", "SubjectID", "wearer"])
def test_a_column_that_may_name_the_wearers_is_asked_about(read, name):
    with pytest.raises(readings.ReadingsError, match=f"{name} may be it: rename it to user_id"):
        read(f"{name},timestamp,heartRate\n1,2026-03-02T07:00:00,70\n2,2026-03-02T07:00:00,90\n")


def test_ids_are_trimmed_and_a_number_is_the_same_with_and_without_a_point(read):
    table = read(
        HEADER
        + rows(["07:00:00"], wearer=" 15 ")
        + rows(["07:00:05"], wearer="15.0")
        + rows(["07:00:10"], wearer="007")
    )
    assert table["user_id"].tolist() == ["15", "15", "007"]


def test_numbers_as_ids_of_a_parquet_file_are_text(tmp_path):
    table = pd.DataFrame({"user_id": [15.0, 16.0], "timestamp": pd.Timestamp("2026-03-02"), "heartRate": 70})
    table.to_parquet(tmp_path / "a.parquet")
    assert readings.read(tmp_path / "a.parquet")["user_id"].tolist() == ["15", "16"]


@pytest.mark.parametrize("name", ["1.5E+09", "3e+07", "2,02E+09"])
def test_an_id_that_a_spreadsheet_rounded_is_refused(read, name):
    with pytest.raises(readings.ReadingsError, match="row 2.*spreadsheet rounded") as caught:
        read(HEADER + rows(["07:00:00"]) + rows(["07:00:05"], wearer=f'"{name}"'))
    assert (caught.value.column, caught.value.value) == ("user_id", name)


def test_wearers_of_a_parquet_file_are_found_however_their_ids_are_spelled(tmp_path, monkeypatch):
    monkeypatch.setattr(partitioning, "MAX_READINGS", 3)
    ids = ["15.0"] * 3 + [" b"] * 3
    table = pd.DataFrame(
        {"user_id": ids, "timestamp": pd.date_range("2026-03-02", periods=6, freq="5s"), "heartRate": 70}
    )
    table.to_parquet(tmp_path / "a.parquet")
    source = partitions.survey(tmp_path, workers=1)
    assert [partitions.read(part)["user_id"].tolist() for part in source.partitions] == [["15"] * 3, ["b"] * 3]


def test_labels_that_mean_normal_are_empty(read):
    labels = ["", "0", "normal", "Normal", "False", "spike", "1"]
    text = "".join(f"2026-03-02T07:00:{i:02d},70,{label}\n" for i, label in enumerate(labels))
    assert read("timestamp,heartRate,label\n" + text)["label"].tolist() == [""] * 5 + ["spike", "1"]


@pytest.mark.parametrize(("value", "remedy"), [('"1,234"', "thousands separators"), ('"70,5"', "decimal points")])
def test_separators_within_numbers_are_refused(read, value, remedy):
    with pytest.raises(readings.ReadingsError, match=remedy) as caught:
        read(HEADER + "a,2026-03-02T07:00:00,70,1\n" + f"a,2026-03-02T07:00:05,70,{value}\n")
    assert (caught.value.column, caught.value.row) == ("steps", 2)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ((HEADER + rows(["07:00:00"])).encode("utf-16"), "UTF-16: save it as CSV UTF-8"),
        ((HEADER + rows(["07:00:00"], wearer="Zoë")).encode("cp1252"), "not UTF-8, but perhaps Windows-1252"),
        (b"user_id;timestamp;heartRate;steps\na;2026-03-02T07:00:00;70,5;1\n", "separated by semicolons"),
        (b"PK\x03\x04" + bytes(40) + b"xl/workbook.xml", "a spreadsheet, such as Excel's"),
    ],
)
def test_a_file_that_hides_its_table_is_refused_with_the_remedy(read, content, problem):
    with pytest.raises(readings.ReadingsError, match=problem):
        read(content)


def test_a_table_separated_by_tabs_is_read(tmp_path):
    (tmp_path / "watch.tsv").write_text((HEADER + rows(["07:00:00"])).replace(",", "\t"))
    assert readings.read(tmp_path)["heartRate"].tolist() == [70]


# times


@pytest.mark.parametrize(
    ("times", "row", "problem"),
    [
        (["1772434860000", "soon", "1772434870000"], 2, "expected Unix milliseconds, as in the other rows"),
        (["1772434860", "1772434865"], 1, "got seconds: multiply them by 1000"),
        (["1.77243E+12", "1.77243E+12"], 1, "a spreadsheet has rounded the times"),
        (["1970-01-01T00:00:05", "2026-03-02T07:00:00"], 1, "between the years 2000 and 2100"),
        (["2026-03-02T07:00:00", "2126-03-02T07:00:00"], 2, "between the years 2000 and 2100"),
    ],
)
def test_a_time_that_cannot_be_is_named_and_no_good_one(read, times, row, problem):
    with pytest.raises(readings.ReadingsError, match=problem) as caught:
        read(HEADER + "".join(f"a,{time},70,1\n" for time in times))
    assert (caught.value.column, caught.value.row) == ("timestamp", row)


def test_files_of_different_clocks_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text(HEADER + "a,2026-03-02T07:00:00,70,1\n")
    (tmp_path / "b.csv").write_text(HEADER + "a,2026-03-02T07:00:00Z,70,1\n")
    for reader in (readings.read, partitions.survey):
        with pytest.raises(readings.ReadingsError, match="expected one clock in all files"):
            reader(tmp_path)


# rows of one instant


def test_rows_that_fill_different_channels_are_one_reading(read):
    heart = "".join(f"a,2026-03-02T{time},{60 + i},\n" for i, time in enumerate(seconds(24)))
    steps = "a,2026-03-02T07:00:00,,500\na,2026-03-02T07:01:00,,530\n"
    for text in (heart + steps, steps + heart):
        table = read(HEADER + text)
        assert len(table) == 24
        assert table["heartRate"].notna().all()
        assert table.sort_values("instant")["steps"].iloc[[0, 12]].tolist() == [500, 530]
        assert table.attrs["notes"] == {"rows merged with others of the same instant": 2}
        cleaned, account = clean.clean(table, interval_s=5)
        assert account["used"] == 24
        assert cleaned["steps"].sum() == pytest.approx(30, abs=2.6)


def test_files_of_one_channel_each_are_one_table(tmp_path):
    (tmp_path / "heart.csv").write_text("user_id,timestamp,heartRate\na,2026-03-02T07:00:00,70\n")
    (tmp_path / "steps.csv").write_text(
        "user_id,timestamp,steps\na,2026-03-02T07:00:00,500\na,2026-03-02T07:01:00,530\n"
    )
    table = readings.read(tmp_path)
    assert table["steps"].tolist() == [500, 530]
    assert table["heartRate"].tolist()[:1] == [70]


def test_of_rows_that_disagree_the_last_counts_and_has_what_the_others_tell(read):
    text = "a,2026-03-02T07:00:00,70,5\na,2026-03-02T07:00:00,72,\n" + rows(seconds(300, start="07:00:05"))
    table = read(HEADER + text)
    _, account = clean.clean(table, interval_s=5)
    assert account["rejected"]["duplicate"] == 1
    assert table["steps"].tolist()[:2] == [5, 5]
    assert table.attrs["notes"] == {"rows that disagree with a later one of the same instant": 1}


def test_more_than_1_percent_of_rows_that_disagree_is_a_warning(read):
    text = rows(seconds(100)) + rows(seconds(3), heart=99)
    assert list(read(HEADER + text).attrs["notes"]) == [
        "a warning: rows that disagree with a later one of the same instant"
    ]


@pytest.mark.parametrize(
    ("times", "cause"),
    [
        (["07:00:00"] * 12 + ["07:01:00"] * 12, "rounded to the minute"),
        (seconds(20) * 2, "two watches, two clocks or two people"),
    ],
)
def test_more_than_20_percent_is_refused_with_the_likely_cause(read, times, cause):
    text = "".join(f"a,2026-03-02T{time},{60 + i},1\n" for i, time in enumerate(times))
    with pytest.raises(readings.ReadingsError, match=f"of the rows disagree.*{cause}"):
        read(HEADER + text)


def test_dates_without_a_time_of_day_are_refused(read):
    text = "".join(f"a,2026-03-{2 + i // 20:02d},{60 + i},{i}\n" for i in range(60))
    with pytest.raises(readings.ReadingsError, match="lost their hours"):
        read(HEADER + text)


def test_rows_that_are_the_same_are_no_disagreement(read):
    table = read(HEADER + rows(seconds(20)) * 2)
    assert table.attrs["notes"] == {}
    assert clean.clean(table, interval_s=5)[1]["rejected"]["duplicate"] == 20


# the hour that comes twice


def night(minutes, *, first_step=0):
    """Rows of 2026-10-25 from 2 o'clock on, every minute, two steps each."""
    return "".join(f"a,2026-10-25T02:{m:02d}:00,{60 + m % 7},{first_step + 2 * m}\n" for m in range(minutes))


def test_the_second_pass_of_the_autumn_hour_is_told_by_the_order_of_the_rows(read):
    table = read(HEADER + night(60) + night(60, first_step=120) + "a,2026-10-25T03:00:00,61,240\n")
    assert np.diff(table["instant"]).tolist() == [60] * 120
    assert table["timestamp"].dt.hour.tolist() == [2] * 120 + [3]
    assert list(table.attrs["notes"]) == [
        "the hour that comes twice: its passes separated by the order of the rows: 2026-10-25T02 o'clock"
    ]
    _, account = clean.clean(table, interval_s=60)
    assert account["counted"]["steps"] == 240
    assert account["rejected"]["duplicate"] == 0


def test_a_short_second_pass_is_told_by_its_counters(read):
    table = read(HEADER + night(5) + night(5, first_step=100))
    assert clean.clean(table, interval_s=60)[1]["counted"]["steps"] == 108


def test_amounts_are_no_evidence_that_the_clock_was_set_back(read):
    lines = [f"a,2026-10-25T02:00:{s:02d},60,{(7 * s) % 9}" for s in range(0, 60, 5)]
    lines[5], lines[6] = lines[6], lines[5]
    table = read(HEADER + "\n".join(lines) + "\n")
    assert table["instant"].max() - table["instant"].min() == 55


def test_passes_that_were_sorted_into_each_other_are_not_counted_again_and_again(read):
    first = [f"a,2026-10-25T02:{m:02d}:00,60,{2 * m}" for m in range(60)]
    second = [f"a,2026-10-25T02:{m:02d}:30,60,{120 + 2 * m}" for m in range(60)]
    text = "\n".join(line for pair in zip(first, second, strict=True) for line in pair)
    table = read(HEADER + "a,2026-10-25T01:59:00,60,0\n" + text + "\na,2026-10-25T03:00:00,61,240\n")
    _, account = clean.clean(table, interval_s=60)
    assert account["counted"]["steps"] == 240
    assert "2026-10-25T02" in next(iter(table.attrs["notes"]))


def test_with_offsets_nothing_is_told_apart(read):
    table = read(HEADER + "a,2026-10-25T02:30:00+02:00,60,5\na,2026-10-25T02:00:00+01:00,61,7\n")
    assert table.attrs["notes"] == {}
    assert np.diff(table["instant"]).tolist() == [1800]


# counters


def amounts(count=40):
    return rows(seconds(count), steps=[(7 * i) % 5 for i in range(count)])


def test_amounts_said_to_be_counters_are_refused_at_once(tmp_path):
    (tmp_path / "watch.csv").write_text(HEADER + amounts())
    with pytest.raises(ValueError, match="column steps.*falls .* counters=interval"):
        partitions.survey(tmp_path / "watch.csv", counters="cumulative", workers=1)
    with pytest.raises(ValueError, match="counters=interval"):
        clean.clean(readings.read(tmp_path / "watch.csv"), interval_s=5)
    assert partitions.survey(tmp_path / "watch.csv", counters="interval", workers=1).readings == 40


def test_a_counter_said_to_be_amounts_is_refused_at_once(tmp_path):
    (tmp_path / "watch.csv").write_text(HEADER + rows(seconds(40)))
    with pytest.raises(ValueError, match="column steps.*grows 39 times and falls 0; .*counters=cumulative"):
        partitions.survey(tmp_path / "watch.csv", counters="interval", workers=1)
    assert partitions.survey(tmp_path / "watch.csv", counters="cumulative", workers=1).readings == 40


def test_a_counter_may_fall_at_midnight_and_restart(read):
    days = "".join(
        f"a,2026-03-{2 + day:02d}T{hour:02d}:00:00,70,{100 * hour if (day, hour) < (3, 12) else 100 * (hour - 12)}\n"
        for day in range(5)
        for hour in range(24)
    )
    assert clean.clean(read(HEADER + days), interval_s=60)[1]["used"] == 120


# files


def test_files_are_read_whatever_the_case_and_the_packing_of_their_names(tmp_path):
    text = (HEADER + rows(["07:00:00"])).encode()
    (tmp_path / "A.CSV").write_bytes(text)
    (tmp_path / "B.CSV.GZ").write_bytes(gzip.compress(text.replace(b"a,", b"b,")))
    (tmp_path / "c.csv.bz2").write_bytes(bz2.compress(text.replace(b"a,", b"c,")))
    assert sorted(readings.read(tmp_path)["user_id"]) == ["a", "b", "c"]


def test_files_that_are_left_out_are_named(tmp_path):
    (tmp_path / "a.csv").write_text(HEADER + rows(["07:00:00"]))
    (tmp_path / "more").mkdir()
    for name in ("b.xlsx", "README.md", "more/c.csv"):
        (tmp_path / name).write_text("x")
    source = partitions.survey(tmp_path, workers=1)
    assert [line.rsplit("/", 1)[-1] for line in source.lines()][1:] == ["README.md", "b.xlsx", "c.csv"]
    assert all("left out" in line for line in list(source.lines())[1:])


def test_a_name_is_never_read_as_a_chain_of_file_systems(tmp_path):
    (tmp_path / "x::y.csv").write_text(HEADER + rows(["07:00:00"]))
    (tmp_path / "y.csv").write_text(HEADER + rows(["07:00:00"], wearer="other"))
    assert readings.read(tmp_path / "x::y.csv")["user_id"].tolist() == ["a"]
    assert sorted(partitions.survey(tmp_path, workers=1).days["user_id"]) == ["a", "other"]


def test_a_pipe_or_a_device_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    for path in (tmp_path / "pipe.csv", tmp_path, "/dev/zero"):
        with pytest.raises(ValueError, match="expected a regular file"):
            readings.read(path)
        with pytest.raises(ValueError, match="expected a regular file"):
            raw_files.files(path)
