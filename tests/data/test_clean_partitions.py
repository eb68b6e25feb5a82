"""Cleaning by partition gives the rows of cleaning all at once, on any workers and after any failure."""

import errno
import functools
import logging
import os
import re
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
from wearer_files import eight_wearers, life, write

from lib import parallel
from lib.data import clean, clean_partitions, partitions, readings
from lib.files import ROOT

SETTINGS = {"interval_s": 30, "counters": "cumulative"}
HERE = {"workers": 1}


@pytest.fixture
def folder(tmp_path):
    return eight_wearers(tmp_path / "watch")


@pytest.fixture(scope="module")
def two_workers(moto):
    """The address of a scheduler on loopback with two worker processes of one thread each, who find the S3 there."""
    options = {"n_workers": 2, "threads_per_worker": 1, "memory_limit": 0, "dashboard_address": "127.0.0.1:0"}
    with reached_by(moto), LocalCluster(**options, silence_logs=logging.CRITICAL) as local:
        yield local.scheduler_address


def survey_and_clean(path, target, **how):
    survey = partitions.survey(path, **how)
    settings = {"timezone": "UTC", "labelled": survey.labelled, **SETTINGS}
    account, set_aside = clean_partitions.clean_all(survey.partitions, target, **settings, **how)
    return read_all(target), account, set_aside


def read_all(target):
    """All clean tables as one, sorted by wearer."""
    table = pd.concat([without_categories(pd.read_parquet(path)) for path in sorted(target.glob("*.parquet"))])
    return table.sort_values("user_id", kind="stable", ignore_index=True)


def without_categories(table):
    return table.astype({"user_id": "str", "quality": "str"})


def clean_as_one_frame(path):
    table, account = clean.clean(readings.read(path), **SETTINGS)
    return without_categories(table), account


def assert_same(actual, expected):
    pd.testing.assert_frame_equal(actual[0], expected[0])
    exact = {name: value for name, value in expected[1].items() if not name.startswith("counted")}
    assert {name: actual[1][name] for name in exact} == exact
    for name in ("counted", "counted_in_samples"):
        assert actual[1][name] == pytest.approx(expected[1][name], rel=1e-12)


def test_partitions_have_the_rows_of_one_clean_frame(folder, tmp_path):
    *actual, set_aside = survey_and_clean(folder, tmp_path / "parts", **HERE)
    assert_same(actual, clean_as_one_frame(folder))
    assert set_aside == {}


@pytest.mark.parametrize("ill", ["fever", ""])
def test_all_tables_have_a_label_column_if_any_reading_has_a_label(tmp_path, ill):
    one = life("w3").assign(label=np.where(np.arange(2880) > 2000, ill, ""))
    path = write(tmp_path / "watch", {"a": ["w1", "w2"], "b": [one], "c": ["w4"]})
    (table, account, _), expected = survey_and_clean(path, tmp_path / "parts", **HERE), clean_as_one_frame(path)
    assert_same((table, account), expected if ill else (expected[0].drop(columns="label"), expected[1]))
    columns = {tuple(pd.read_parquet(file)) for file in (tmp_path / "parts").iterdir()}
    assert len(columns) == 1
    pd.testing.assert_frame_equal(
        without_categories(pd.read_parquet(tmp_path / "parts")), table
    )  # the folder is one table


def test_two_workers_clean_parquet_from_s3(folder, tmp_path, two_workers, s3_client):
    s3_client.create_bucket(Bucket="watches-in-parts")
    for path in folder.iterdir():
        s3_client.put_object(Bucket="watches-in-parts", Key=f"march/{path.name}", Body=path.read_bytes())
    *actual, _ = survey_and_clean("s3://watches-in-parts/march", tmp_path / "parts", scheduler=two_workers)
    assert_same(actual, clean_as_one_frame(folder))


def test_a_killed_worker_loses_and_repeats_nothing(folder, tmp_path, two_workers, monkeypatch):
    monkeypatch.setattr(clean_partitions, "_clean_to_bytes", functools.partial(_killed_once, mark=tmp_path / "died"))
    *actual, _ = survey_and_clean(folder, tmp_path / "parts", scheduler=two_workers)
    assert (tmp_path / "died").exists()
    assert_same(actual, clean_as_one_frame(folder))


_real = clean_partitions._clean_to_bytes


def _killed_once(task, *, mark, **settings):
    if str(task) == "part-00001" and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return _real(task, **settings)


def test_a_corrupt_partition_is_named_set_aside_and_not_counted(folder, tmp_path):
    survey = partitions.survey(folder, **HERE)
    (folder / "b.parquet").write_bytes(b"PAR1 no more")
    where = {"timezone": "UTC", **SETTINGS, **HERE}
    with pytest.raises(parallel.BadPart, match="b.parquet: cannot be read"):
        clean_partitions.clean_all(survey.partitions, tmp_path / "parts", **where)
    account, set_aside = clean_partitions.clean_all(survey.partitions, tmp_path / "parts", on_bad_part="skip", **where)
    assert list(set_aside) == ["part-00001"]
    (folder / "b.parquet").unlink()
    assert_same((read_all(tmp_path / "parts"), account), clean_as_one_frame(folder))


def test_a_wearer_added_after_the_survey_is_in_no_partition(folder, tmp_path):
    survey = partitions.survey(folder, **HERE)
    write(folder, {"b": ["w3", "w5", "w1"]})
    where = {"timezone": "UTC", **SETTINGS, **HERE}
    with pytest.raises(parallel.BadPart, match="b.parquet: its wearers have changed .* start again, a run from 01"):
        clean_partitions.clean_all(survey.partitions, tmp_path / "parts", **where)
    clean_partitions.clean_all(survey.partitions, tmp_path / "parts", on_bad_part="skip", **where)
    assert read_all(tmp_path / "parts")["user_id"].unique().tolist() == ["w1", "w2", "w4", "w6", "w7", "w8"]


def test_the_clean_table_of_a_partition_that_is_corrupted_later_is_removed(folder, tmp_path):
    survey_and_clean(folder, tmp_path / "parts", **HERE)
    survey = partitions.survey(folder, **HERE)
    (folder / "b.parquet").write_bytes(b"PAR1 no more")
    where = {"timezone": "UTC", **SETTINGS, **HERE}
    account, _ = clean_partitions.clean_all(survey.partitions, tmp_path / "parts", on_bad_part="skip", **where)
    (folder / "b.parquet").unlink()
    assert_same((read_all(tmp_path / "parts"), account), clean_as_one_frame(folder))


def test_a_partition_without_its_file_is_set_aside(folder, tmp_path):
    survey = partitions.survey(folder, **HERE)
    (folder / "b.parquet").unlink()
    where = {"timezone": "UTC", **SETTINGS, **HERE}
    account, set_aside = clean_partitions.clean_all(survey.partitions, tmp_path / "parts", on_bad_part="skip", **where)
    assert list(set_aside) == ["part-00001"]
    assert re.search("b.parquet: cannot be read", set_aside["part-00001"])
    assert_same((read_all(tmp_path / "parts"), account), clean_as_one_frame(folder))


def test_no_usable_partition_is_an_error(folder, tmp_path):
    survey = partitions.survey(folder, **HERE)
    for path in folder.iterdir():
        path.write_bytes(b"PAR1 no more")
    with pytest.raises(ValueError, match="none of 3 partitions can be cleaned; .*a.parquet: cannot be read"):
        clean_partitions.clean_all(
            survey.partitions, tmp_path / "parts", timezone="UTC", **SETTINGS, on_bad_part="skip", **HERE
        )


def test_finished_partitions_are_not_cleaned_again(folder, tmp_path, monkeypatch):
    first = survey_and_clean(folder, tmp_path / "parts", **HERE)
    monkeypatch.setattr(clean_partitions, "_clean_to_bytes", _never)
    again = survey_and_clean(folder, tmp_path / "parts", **HERE)
    assert again[1] == first[1]


def test_a_killed_run_continues_with_the_rest(folder, tmp_path, monkeypatch):
    target = tmp_path / "parts"
    script = f"""
import os
from pathlib import Path
from lib.data import clean_partitions, partitions
original = clean_partitions._clean_to_bytes
def killed(task, **settings):
    return os.kill(os.getpid(), 9) if str(task) == "part-00001" else original(task, **settings)
clean_partitions._clean_to_bytes = killed
sources = partitions.survey({str(folder)!r}, workers=1).partitions
clean_partitions.clean_all(sources, Path({str(target)!r}), timezone="UTC", workers=1, **{SETTINGS})
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert [path.name for path in target.iterdir()] == ["part-00000.parquet"]
    (target / ".0a1b2c3d.part-00001.parquet").write_bytes(b"PAR1 half-written")  # as an interrupted write leaves it
    cleaned = []
    monkeypatch.setattr(
        clean_partitions,
        "_clean_to_bytes",
        lambda task, **settings: cleaned.append(str(task)) or _real(task, **settings),
    )
    *actual, _ = survey_and_clean(folder, target, **HERE)
    assert cleaned == ["part-00001", "part-00002"]
    assert_same(actual, clean_as_one_frame(folder))


def test_empty_and_truncated_files_are_replaced(folder, tmp_path, monkeypatch):
    first = survey_and_clean(folder, tmp_path / "parts", **HERE)
    whole_file = (tmp_path / "parts/part-00001.parquet").read_bytes()
    (tmp_path / "parts/part-00000.parquet").write_bytes(b"")
    (tmp_path / "parts/part-00001.parquet").write_bytes(whole_file[:-100])
    (tmp_path / "parts/part-00002.parquet").write_bytes(bytes(len(whole_file)))
    assert_same(survey_and_clean(folder, tmp_path / "parts", **HERE)[:2], first[:2])


def _never(task, **settings):
    raise AssertionError(f"{task} is cleaned again")


@pytest.mark.parametrize("change", ["file", "settings"])
def test_other_readings_or_settings_are_cleaned_again(folder, tmp_path, change):
    survey_and_clean(folder, tmp_path / "parts", **HERE)
    settings = SETTINGS
    if change == "file":
        table = pd.read_parquet(folder / "b.parquet").assign(heartRate=61)
        table.to_parquet(folder / "b.parquet", index=False)
    else:
        settings = SETTINGS | {"interval_s": 60}
    survey = partitions.survey(folder, **HERE)
    account, _ = clean_partitions.clean_all(survey.partitions, tmp_path / "parts", timezone="UTC", **settings, **HERE)
    expected, counted = clean.clean(readings.read(folder), **settings)
    pd.testing.assert_frame_equal(read_all(tmp_path / "parts"), without_categories(expected))
    assert account["samples"] == counted["samples"]


def test_hard_linked_files_are_replaced_not_overwritten(folder, tmp_path):
    survey_and_clean(folder, tmp_path / "parts", **HERE)
    shutil.copytree(tmp_path / "parts", tmp_path / "kept", copy_function=os.link)
    before = {path.name: path.read_bytes() for path in (tmp_path / "kept").iterdir()}
    pd.read_parquet(folder / "b.parquet").assign(heartRate=61).to_parquet(folder / "b.parquet", index=False)
    (folder / "c.parquet").unlink()
    survey_and_clean(folder, tmp_path / "parts", **HERE)
    assert {path.name: path.read_bytes() for path in (tmp_path / "kept").iterdir()} == before


def test_partitions_of_earlier_data_are_removed(folder, tmp_path):
    survey_and_clean(folder, tmp_path / "parts", **HERE)
    (folder / "c.parquet").unlink()
    survey_and_clean(folder, tmp_path / "parts", **HERE)
    assert sorted(path.name for path in (tmp_path / "parts").iterdir()) == ["part-00000.parquet", "part-00001.parquet"]


def test_a_full_disk_is_reported_and_finished_partitions_stay(folder, tmp_path, monkeypatch):
    target = tmp_path / "parts"
    survey = partitions.survey(folder, **HERE)
    where = {"timezone": "UTC", **SETTINGS, **HERE}
    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", _full_at("part-00001", Path.write_bytes))
        with pytest.raises(
            OSError, match="the disk is full: 1 of 3 partitions are finished and kept; free some space"
        ) as caught:
            clean_partitions.clean_all(survey.partitions, target, **where)
    assert caught.value.errno == errno.ENOSPC
    assert [path.name for path in target.iterdir()] == ["part-00000.parquet"]
    account, _ = clean_partitions.clean_all(survey.partitions, target, **where)
    assert_same((read_all(target), account), clean_as_one_frame(folder))


def _full_at(name, write):
    def full(path, content):
        if name in path.name:
            write(path, content[:100])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, content)

    return full
