"""How files are grouped into partitions: each wearer in one, none too large, and nothing read more than necessary."""

import weakref

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from fsspec.implementations.local import LocalFileSystem
from wearer_files import eight_wearers, in_order, life, three_days, write

from lib.data import partitioning, partitions, raw_files, readings

HERE = {"workers": 1}


@pytest.fixture
def folder(tmp_path):
    return eight_wearers(tmp_path / "watch")


def test_files_that_share_a_wearer_are_one_partition(tmp_path):
    second = life("w1").assign(timestamp=lambda table: table["timestamp"] + pd.Timedelta(days=1))
    shared = life("w2").assign(timestamp=lambda table: table["timestamp"] + pd.Timedelta(days=1))
    path = write(tmp_path / "watch", {"a": ["w1"], "b": ["w3"], "c": [second, "w2"], "d": [shared]})
    survey = partitions.survey(path, **HERE)
    names = [[file.rpartition("/")[2] for file in partition.files] for partition in survey.partitions]
    assert names == [["a.parquet", "c.parquet", "d.parquet"], ["b.parquet"]]
    assert survey.days.groupby("user_id")["partition"].first().to_dict() == {"w1": 0, "w2": 0, "w3": 1}


def test_large_files_that_share_wearers_are_cut_by_wearer(folder, monkeypatch):
    monkeypatch.setattr(partitioning, "MAX_READINGS", 2 * 2880)
    survey = partitions.survey(folder, **HERE)
    assert [partition.wearers for partition in survey.partitions] == [("w1", "w2"), ("w4",), (), ("w6", "w7"), ("w8",)]
    together = readings.joined([partitions.read(partition) for partition in survey.partitions])
    pd.testing.assert_frame_equal(in_order(together), in_order(readings.read(folder)))


@pytest.mark.parametrize(
    ("count", "most", "batches"),
    [
        (1, 6, [0, 0, 0, 0, 0, 0]),
        (2, 6, [0, 0, 0, 1, 1, 1]),
        (3, 6, [0, 0, 1, 1, 2, 2]),
        (5, 6, [0, 0, 1, 1, 2, 2]),  # of less than MIN_READINGS otherwise
        (1, 2, [0, 0, 1, 1, 2, 2]),
        (2, 1, [0, 1, 2, 3, 4, 5]),
    ],
)
def test_a_file_is_cut_evenly_into_batches_that_are_neither_too_small_nor_too_large(monkeypatch, count, most, batches):
    monkeypatch.setattr(partitioning, "MIN_READINGS", 20)
    monkeypatch.setattr(partitioning, "MAX_READINGS", 10 * most)
    assert partitioning._batches(np.full(6, 10), count).tolist() == batches


def test_the_last_batch_of_a_file_is_not_small():
    assert np.bincount(partitioning._batches(np.full(50, 15_564), 8).astype(int)).tolist() == [17, 17, 16]


def test_all_batches_together_are_the_table_of_all_files(folder, monkeypatch):
    monkeypatch.setattr(partitioning, "MIN_READINGS", 2880)
    survey = partitions.survey(folder, batches=2, **HERE)
    assert [partition.wearers for partition in survey.partitions] == [
        ("w1", "w2"),
        ("w4",),
        ("w3",),
        ("w5",),
        ("w6", "w7"),
        ("w8",),
    ]
    together = readings.joined([partitions.read(partition) for partition in survey.partitions])
    pd.testing.assert_frame_equal(in_order(together), in_order(readings.read(folder)))


@pytest.mark.parametrize(("kind", "number"), [("text", 2), ("numbers", 1), ("csv", 1)])
def test_a_file_that_can_only_be_read_as_a_whole_is_not_cut(tmp_path, monkeypatch, kind, number):
    monkeypatch.setattr(partitioning, "MIN_READINGS", 2880)
    table = pd.concat([life("w3"), life("w4")])
    write(tmp_path / "watch", {"a": ["w1", "w2"]})  # cut, whatever the other files are
    table["user_id"] = table["user_id"].str.removeprefix("w").astype("int64" if kind == "numbers" else "str")
    path = tmp_path / "watch/b"
    table.to_csv(f"{path}.csv") if kind == "csv" else table.to_parquet(f"{path}.parquet")
    survey = partitions.survey(tmp_path / "watch", batches=2, **HERE)
    assert [partition.wearers for partition in survey.partitions[:2]] == [("w1",), ("w2",)]
    assert len(survey.partitions[2:]) == number


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_only_one_file_of_a_partition_is_in_memory_at_a_time(tmp_path, monkeypatch, kind):
    path = three_days(tmp_path / "watch", kind)
    monkeypatch.setattr(partitioning, "MAX_READINGS", 2 * 3 * 2880)
    survey = partitions.survey(path, **HERE)
    assert [partition.wearers for partition in survey.partitions] == [("w1", "w2"), ("w3", "w4"), ("w5", "w6")]
    frames, alive, sizes, read_file = [], [], [], readings.read_file

    def tracked(*args, **options):
        alive.append(sum(frame() is not None for frame in frames))
        table = read_file(*args, **options)
        frames.append(weakref.ref(table))
        sizes.append(len(table))
        return table

    monkeypatch.setattr(partitions.readings, "read_file", tracked)
    together = readings.joined([partitions.read(partition) for partition in survey.partitions])
    assert alive == [0] * 9
    assert set(sizes) == {2 * 2880 if kind == "parquet" else 6 * 2880}
    monkeypatch.undo()
    pd.testing.assert_frame_equal(in_order(together), in_order(readings.read(path)))


@pytest.mark.parametrize("name", ["string", "large_string", "dictionary", "int64", "none"])
def test_some_wearers_of_a_parquet_file_are_read_if_their_names_are_text(tmp_path, name):
    table = pa.table({"user_id": [1, 2, 1], "heartRate": [60, 61, 62]})
    names = table["user_id"].cast("string")
    columns = {"string": names, "large_string": names.cast("large_string"), "dictionary": names.dictionary_encode()}
    table = table.set_column(0, "user_id", columns.get(name, table["user_id"]))
    parquet.write_table(table if name != "none" else table.drop_columns("user_id"), tmp_path / "a.parquet")
    loaded = raw_files.load(LocalFileSystem(), str(tmp_path / "a.parquet"), wearers=("1",))
    assert loaded["heartRate"].tolist() == ([60, 62] if name in columns else [60, 61, 62])


def test_a_partition_has_only_the_files_of_its_wearers(tmp_path, monkeypatch):
    monkeypatch.setattr(partitioning, "MAX_READINGS", 2880)
    path = write(tmp_path / "watch", {"a": ["w1", "w2"], "b": ["w2", "w3"], "c": ["w3", "w4"]})
    survey = partitions.survey(path, **HERE)
    names = [[file.rpartition("/")[2][0] for file in partition.files] for partition in survey.partitions]
    assert list(zip([partition.wearers for partition in survey.partitions], names, strict=True)) == [
        (("w1",), ["a"]),
        (("w2",), ["a", "b"]),
        (("w3",), ["b", "c"]),
        (("w4",), ["c"]),
    ]
