"""How files are cut into parts: each wearer in one alone, none too large, nothing read more than it has to be."""

import weakref

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from fsspec.implementations.local import LocalFileSystem
from wearers_in_parts import eight_wearers, in_order, life, three_days, write

from lib.data import partitions, raw_files, readings

HERE = {"workers": 1}


@pytest.fixture
def folder(tmp_path):
    return eight_wearers(tmp_path / "watch")


def test_files_that_share_a_wearer_are_one_part(tmp_path):
    second = life("w1").assign(timestamp=lambda table: table["timestamp"] + pd.Timedelta(days=1))
    shared = life("w2").assign(timestamp=lambda table: table["timestamp"] + pd.Timedelta(days=1))
    path = write(tmp_path / "watch", {"a": ["w1"], "b": ["w3"], "c": [second, "w2"], "d": [shared]})
    found = partitions.survey(path, **HERE)
    names = [[file.rpartition("/")[2] for file in part.files] for part in found.parts]
    assert names == [["a.parquet", "c.parquet", "d.parquet"], ["b.parquet"]]
    assert found.days.groupby("user_id")["part"].first().to_dict() == {"w1": 0, "w2": 0, "w3": 1}


def test_of_large_files_that_share_wearers_each_part_takes_some_wearers(folder, monkeypatch):
    monkeypatch.setattr(partitions, "MOST_READINGS", 2 * 2880)
    found = partitions.survey(folder, **HERE)
    assert [part.wearers for part in found.parts] == [("w1", "w2"), ("w4",), (), ("w6", "w7"), ("w8",)]
    together = readings.joined([partitions.read(part) for part in found.parts])
    pd.testing.assert_frame_equal(in_order(together), in_order(readings.read(folder)))


@pytest.mark.parametrize(
    ("pieces", "most", "batches"),
    [
        (1, 6, [0, 0, 0, 0, 0, 0]),
        (2, 6, [0, 0, 0, 1, 1, 1]),
        (3, 6, [0, 0, 1, 1, 2, 2]),
        (5, 6, [0, 0, 1, 1, 2, 2]),  # of less than LEAST_READINGS each, else
        (1, 2, [0, 0, 1, 1, 2, 2]),
        (2, 1, [0, 1, 2, 3, 4, 5]),
    ],
)
def test_a_file_is_cut_evenly_into_parts_that_are_not_too_small_and_not_too_large(monkeypatch, pieces, most, batches):
    monkeypatch.setattr(partitions, "LEAST_READINGS", 20)
    monkeypatch.setattr(partitions, "MOST_READINGS", 10 * most)
    assert partitions._batches(np.full(6, 10), pieces).tolist() == batches


def test_a_file_of_many_is_not_cut_so_that_a_few_are_left_over():
    assert np.bincount(partitions._batches(np.full(50, 15_564), 8).astype(int)).tolist() == [17, 17, 16]


def test_the_pieces_of_files_together_are_what_is_read_at_once(folder, monkeypatch):
    monkeypatch.setattr(partitions, "LEAST_READINGS", 2880)
    found = partitions.survey(folder, pieces=2, **HERE)
    assert [part.wearers for part in found.parts] == [("w1", "w2"), ("w4",), ("w3",), ("w5",), ("w6", "w7"), ("w8",)]
    together = readings.joined([partitions.read(part) for part in found.parts])
    pd.testing.assert_frame_equal(in_order(together), in_order(readings.read(folder)))


@pytest.mark.parametrize(("kind", "number"), [("text", 2), ("numbers", 1), ("csv", 1)])
def test_what_would_be_read_whole_for_each_piece_is_left_in_one(tmp_path, monkeypatch, kind, number):
    monkeypatch.setattr(partitions, "LEAST_READINGS", 2880)
    table = pd.concat([life("w3"), life("w4")])
    write(tmp_path / "watch", {"a": ["w1", "w2"]})  # others, which are cut whatever lies beside them
    table["user_id"] = table["user_id"].str.removeprefix("w").astype("int64" if kind == "numbers" else "str")
    path = tmp_path / "watch/b"
    table.to_csv(f"{path}.csv") if kind == "csv" else table.to_parquet(f"{path}.parquet")
    found = partitions.survey(tmp_path / "watch", pieces=2, **HERE)
    assert [part.wearers for part in found.parts[:2]] == [("w1",), ("w2",)]
    assert len(found.parts[2:]) == number


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_of_files_of_a_day_each_one_is_whole_in_memory_at_a_time(tmp_path, monkeypatch, kind):
    path = three_days(tmp_path / "watch", kind)
    monkeypatch.setattr(partitions, "MOST_READINGS", 2 * 3 * 2880)
    found = partitions.survey(path, **HERE)
    assert [part.wearers for part in found.parts] == [("w1", "w2"), ("w3", "w4"), ("w5", "w6")]
    made, alive, real = [], [], readings.read_file

    def watched(*args, **options):
        alive.append(sum(frame() is not None for frame in made))
        table = real(*args, **options)
        made.append(weakref.ref(table))
        held.append(len(table))
        return table

    held = []
    monkeypatch.setattr(partitions.readings, "read_file", watched)
    together = readings.joined([partitions.read(part) for part in found.parts])
    assert alive == [0] * 9
    assert set(held) == {2 * 2880 if kind == "parquet" else 6 * 2880}
    monkeypatch.undo()
    pd.testing.assert_frame_equal(in_order(together), in_order(readings.read(path)))


@pytest.mark.parametrize("name", ["string", "large_string", "dictionary", "int64", "none"])
def test_of_a_parquet_file_some_wearers_rows_are_read_where_they_are_named_as_text(tmp_path, name):
    table = pa.table({"user_id": [1, 2, 1], "heartRate": [60, 61, 62]})
    names = table["user_id"].cast("string")
    columns = {"string": names, "large_string": names.cast("large_string"), "dictionary": names.dictionary_encode()}
    table = table.set_column(0, "user_id", columns.get(name, table["user_id"]))
    parquet.write_table(table if name != "none" else table.drop_columns("user_id"), tmp_path / "a.parquet")
    found = raw_files.load(LocalFileSystem(), str(tmp_path / "a.parquet"), wearers=("1",))
    assert found["heartRate"].tolist() == ([60, 62] if name in columns else [60, 61, 62])


def test_a_part_names_the_files_that_hold_its_wearers_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(partitions, "MOST_READINGS", 2880)
    path = write(tmp_path / "watch", {"a": ["w1", "w2"], "b": ["w2", "w3"], "c": ["w3", "w4"]})
    found = partitions.survey(path, **HERE)
    names = [[file.rpartition("/")[2][0] for file in part.files] for part in found.parts]
    assert list(zip([part.wearers for part in found.parts], names, strict=True)) == [
        (("w1",), ["a"]),
        (("w2",), ["a", "b"]),
        (("w3",), ["b", "c"]),
        (("w4",), ["c"]),
    ]
