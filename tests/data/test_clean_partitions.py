"""Cleaning part by part: row for row what cleaning at once gives, on whatever machines, whatever fails in between."""

import errno
import functools
import logging
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from distributed import LocalCluster
from s3 import reached_by
from wearers_in_parts import eight_wearers, life, write

from lib import parallel
from lib.data import clean, clean_partitions, partitions, readings
from lib.files import ROOT

FORM = {"interval_s": 30, "counters": "cumulative"}
HERE = {"workers": 1}


@pytest.fixture
def folder(tmp_path):
    return eight_wearers(tmp_path / "watch")


@pytest.fixture(scope="module")
def two_workers(moto):
    """The address of a scheduler on loopback with two worker processes of one thread each, who find the S3 there."""
    form = {"n_workers": 2, "threads_per_worker": 1, "memory_limit": 0, "dashboard_address": "127.0.0.1:0"}
    with reached_by(moto), LocalCluster(**form, silence_logs=logging.CRITICAL) as local:
        yield local.scheduler_address


def cleaned(path, target, **how):
    source = partitions.survey(path, **how)
    form = {"timezone": "UTC", "labelled": source.labelled, **FORM}
    account, set_aside = clean_partitions.clean_all(source.parts, target, **form, **how)
    return whole(target), account, set_aside


def whole(target):
    """All parts' clean tables as one, its wearers in order of name."""
    table = pd.concat([plain(pd.read_parquet(path)) for path in sorted(target.glob("*.parquet"))])
    return table.sort_values("user_id", kind="stable", ignore_index=True)


def plain(table):
    return table.astype({"user_id": "str", "quality": "str"})


def at_once(path):
    table, account = clean.clean(readings.read(path), **FORM)
    return plain(table), account


def assert_same(found, expected):
    pd.testing.assert_frame_equal(found[0], expected[0])
    exact = {name: value for name, value in expected[1].items() if not name.startswith("counted")}
    assert {name: found[1][name] for name in exact} == exact
    for name in ("counted", "counted_in_samples"):
        assert found[1][name] == pytest.approx(expected[1][name], rel=1e-12)


def test_parts_are_cleaned_as_one_frame_is_row_for_row(folder, tmp_path):
    *found, set_aside = cleaned(folder, tmp_path / "parts", **HERE)
    assert_same(found, at_once(folder))
    assert set_aside == {}


@pytest.mark.parametrize("ill", ["fever", ""])
def test_all_parts_have_the_column_of_labels_where_any_reading_has_one_and_none_has_it_elsewhere(tmp_path, ill):
    one = life("w3").assign(label=np.where(np.arange(2880) > 2000, ill, ""))
    path = write(tmp_path / "watch", {"a": ["w1", "w2"], "b": [one], "c": ["w4"]})
    (table, account, _), expected = cleaned(path, tmp_path / "parts", **HERE), at_once(path)
    assert_same((table, account), expected if ill else (expected[0].drop(columns="label"), expected[1]))
    columns = {tuple(pd.read_parquet(file)) for file in (tmp_path / "parts").iterdir()}
    assert len(columns) == 1
    pd.testing.assert_frame_equal(plain(pd.read_parquet(tmp_path / "parts")), table)  # the folder is one table


def test_two_workers_clean_parquet_from_s3_as_one_frame_is(folder, tmp_path, two_workers, s3_client):
    s3_client.create_bucket(Bucket="watches-in-parts")
    for path in folder.iterdir():
        s3_client.put_object(Bucket="watches-in-parts", Key=f"march/{path.name}", Body=path.read_bytes())
    *found, _ = cleaned("s3://watches-in-parts/march", tmp_path / "parts", scheduler=two_workers)
    assert_same(found, at_once(folder))


def test_a_worker_killed_in_the_middle_loses_and_doubles_nothing(folder, tmp_path, two_workers, monkeypatch):
    monkeypatch.setattr(
        clean_partitions, "_cleaned", functools.partial(_cleaned_at_the_second_try, mark=tmp_path / "died")
    )
    *found, _ = cleaned(folder, tmp_path / "parts", scheduler=two_workers)
    assert (tmp_path / "died").exists()
    assert_same(found, at_once(folder))


_real = clean_partitions._cleaned


def _cleaned_at_the_second_try(task, *, mark, **form):
    if str(task) == "part-00001" and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return _real(task, **form)


def test_a_part_that_spoils_is_named_set_aside_and_not_counted(folder, tmp_path):
    source = partitions.survey(folder, **HERE)
    (folder / "b.parquet").write_bytes(b"PAR1 no more")
    where = {"timezone": "UTC", **FORM, **HERE}
    with pytest.raises(parallel.BadPart, match="b.parquet: can not be read"):
        clean_partitions.clean_all(source.parts, tmp_path / "parts", **where)
    account, set_aside = clean_partitions.clean_all(source.parts, tmp_path / "parts", on_bad_part="skip", **where)
    assert list(set_aside) == ["part-00001"]
    (folder / "b.parquet").unlink()
    assert_same((whole(tmp_path / "parts"), account), at_once(folder))


def test_a_wearer_who_came_to_a_file_since_is_cleaned_in_no_part_by_mistake(folder, tmp_path):
    source = partitions.survey(folder, **HERE)
    write(folder, {"b": ["w3", "w5", "w1"]})
    where = {"timezone": "UTC", **FORM, **HERE}
    with pytest.raises(parallel.BadPart, match="b.parquet: other wearers are in it .* begin anew, a run from 01"):
        clean_partitions.clean_all(source.parts, tmp_path / "parts", **where)
    clean_partitions.clean_all(source.parts, tmp_path / "parts", on_bad_part="skip", **where)
    assert whole(tmp_path / "parts")["user_id"].unique().tolist() == ["w1", "w2", "w4", "w6", "w7", "w8"]


def test_the_clean_table_of_a_part_that_spoiled_since_is_gone(folder, tmp_path):
    cleaned(folder, tmp_path / "parts", **HERE)
    source = partitions.survey(folder, **HERE)
    (folder / "b.parquet").write_bytes(b"PAR1 no more")
    where = {"timezone": "UTC", **FORM, **HERE}
    account, _ = clean_partitions.clean_all(source.parts, tmp_path / "parts", on_bad_part="skip", **where)
    (folder / "b.parquet").unlink()
    assert_same((whole(tmp_path / "parts"), account), at_once(folder))


def test_a_part_whose_file_is_gone_is_set_aside(folder, tmp_path):
    source = partitions.survey(folder, **HERE)
    (folder / "b.parquet").unlink()
    where = {"timezone": "UTC", **FORM, **HERE}
    account, set_aside = clean_partitions.clean_all(source.parts, tmp_path / "parts", on_bad_part="skip", **where)
    assert list(set_aside) == ["part-00001"]
    assert "b.parquet: can not be read" in set_aside["part-00001"]
    assert_same((whole(tmp_path / "parts"), account), at_once(folder))


def test_where_no_part_can_be_cleaned_that_is_said(folder, tmp_path):
    source = partitions.survey(folder, **HERE)
    for path in folder.iterdir():
        path.write_bytes(b"PAR1 no more")
    with pytest.raises(ValueError, match="none of 3 parts can be cleaned; .*a.parquet: can not be read"):
        clean_partitions.clean_all(source.parts, tmp_path / "parts", timezone="UTC", **FORM, on_bad_part="skip", **HERE)


def test_what_is_done_is_not_done_again(folder, tmp_path, monkeypatch):
    first = cleaned(folder, tmp_path / "parts", **HERE)
    monkeypatch.setattr(clean_partitions, "_cleaned", _never)
    again = cleaned(folder, tmp_path / "parts", **HERE)
    assert again[1] == first[1]


def test_a_killed_driver_goes_on_with_the_rest_and_counts_nothing_twice(folder, tmp_path, monkeypatch):
    target = tmp_path / "parts"
    script = f"""
import os
from pathlib import Path
from lib.data import clean_partitions, partitions
whole = clean_partitions._cleaned
def killed(task, **form):
    return os.kill(os.getpid(), 9) if str(task) == "part-00001" else whole(task, **form)
clean_partitions._cleaned = killed
found = partitions.survey({str(folder)!r}, workers=1).parts
clean_partitions.clean_all(found, Path({str(target)!r}), timezone="UTC", workers=1, **{FORM})
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert [path.name for path in target.iterdir()] == ["part-00000.parquet"]
    (target / ".0a1b2c3d.part-00001.parquet").write_bytes(b"PAR1 half-written")  # as it leaves one in the midst of it
    taken = []
    monkeypatch.setattr(
        clean_partitions, "_cleaned", lambda task, **form: taken.append(str(task)) or _real(task, **form)
    )
    *found, _ = cleaned(folder, target, **HERE)
    assert taken == ["part-00001", "part-00002"]
    assert_same(found, at_once(folder))


def test_what_a_power_cut_left_empty_or_truncated_is_cleaned_again(folder, tmp_path, monkeypatch):
    first = cleaned(folder, tmp_path / "parts", **HERE)
    whole_file = (tmp_path / "parts/part-00001.parquet").read_bytes()
    (tmp_path / "parts/part-00000.parquet").write_bytes(b"")
    (tmp_path / "parts/part-00001.parquet").write_bytes(whole_file[:-100])
    (tmp_path / "parts/part-00002.parquet").write_bytes(bytes(len(whole_file)))
    assert_same(cleaned(folder, tmp_path / "parts", **HERE)[:2], first[:2])


def _never(task, **form):
    raise AssertionError(f"{task} is cleaned again")


@pytest.mark.parametrize("change", ["file", "way"])
def test_a_part_of_other_readings_or_cleaned_another_way_is_cleaned_again(folder, tmp_path, change):
    cleaned(folder, tmp_path / "parts", **HERE)
    form = FORM
    if change == "file":
        table = pd.read_parquet(folder / "b.parquet").assign(heartRate=61)
        table.to_parquet(folder / "b.parquet", index=False)
    else:
        form = FORM | {"interval_s": 60}
    source = partitions.survey(folder, **HERE)
    account, _ = clean_partitions.clean_all(source.parts, tmp_path / "parts", timezone="UTC", **form, **HERE)
    expected, counted = clean.clean(readings.read(folder), **form)
    pd.testing.assert_frame_equal(whole(tmp_path / "parts"), plain(expected))
    assert account["samples"] == counted["samples"]


def test_files_that_are_linked_to_from_elsewhere_are_replaced_not_written_to(folder, tmp_path):
    cleaned(folder, tmp_path / "parts", **HERE)
    shutil.copytree(tmp_path / "parts", tmp_path / "kept", copy_function=os.link)
    before = {path.name: path.read_bytes() for path in (tmp_path / "kept").iterdir()}
    pd.read_parquet(folder / "b.parquet").assign(heartRate=61).to_parquet(folder / "b.parquet", index=False)
    (folder / "c.parquet").unlink()
    cleaned(folder, tmp_path / "parts", **HERE)
    assert {path.name: path.read_bytes() for path in (tmp_path / "kept").iterdir()} == before


def test_the_parts_of_earlier_data_are_gone(folder, tmp_path):
    cleaned(folder, tmp_path / "parts", **HERE)
    (folder / "c.parquet").unlink()
    cleaned(folder, tmp_path / "parts", **HERE)
    assert sorted(path.name for path in (tmp_path / "parts").iterdir()) == ["part-00000.parquet", "part-00001.parquet"]


def test_a_full_disk_is_told_and_what_is_done_stays(folder, tmp_path, monkeypatch):
    target = tmp_path / "parts"
    source = partitions.survey(folder, **HERE)
    where = {"timezone": "UTC", **FORM, **HERE}
    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", _full_at("part-00001", Path.write_bytes))
        with pytest.raises(OSError, match="the disk is full: 1 of 3 parts are cleaned and stay; make room") as caught:
            clean_partitions.clean_all(source.parts, target, **where)
    assert caught.value.errno == errno.ENOSPC
    assert [path.name for path in target.iterdir()] == ["part-00000.parquet"]
    account, _ = clean_partitions.clean_all(source.parts, target, **where)
    assert_same((whole(target), account), at_once(folder))


def _full_at(name, write):
    def full(path, content):
        if name in path.name:
            write(path, content[:100])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, content)

    return full
