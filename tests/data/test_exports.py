"""data_path= takes an export as it is: converted once, kept, and read as a raw table."""

import os
import stat
import time

import pandas as pd
import pytest
from exports import zipped

from lib.data import exports, partitions, readings

HEART = "timestamp,beats per minute\n" + "".join(f"2024-07-01T08:00:{s:02d}Z,{60 + s % 7}.0\n" for s in range(0, 60, 5))
STEPS = "timestamp,steps\n2024-07-01T08:00:00Z,24\n"


@pytest.fixture
def export(tmp_path, monkeypatch):
    """A folder with a minute of heart rates and its steps."""
    monkeypatch.setenv("RUNS_HOME", str(tmp_path / "home"))
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "heart.csv").write_text(HEART)
    (folder / "steps.csv").write_text(STEPS)
    return folder


def kept(export):
    return sorted((export.parent / "home/data/.exports").glob("*"))


def test_a_folder_and_its_zip_are_surveyed_as_a_raw_table(export, tmp_path):
    for source in (export, zipped(export, tmp_path / "export.zip")):
        found = partitions.survey(source, timezone="Asia/Tokyo", counters="cumulative", workers=1)
        table = partitions.read(found.partitions[0], timezone="Asia/Tokyo")
        assert table["heartRate"].notna().sum() == 12
        assert table["timestamp"].min() == pd.Timestamp("2024-07-01 17:00:00")
        assert table["steps"].max() == 24
        assert any("Fitbit export" in line for line in found.lines())


def test_read_gives_what_a_survey_reads(export):
    found = partitions.survey(export, workers=1)
    pd.testing.assert_frame_equal(readings.read(export), partitions.read(found.partitions[0]))


def test_what_is_kept_is_private_and_used_again_until_the_source_changes(export):
    exports.as_raw_table(export)
    (first,) = kept(export)
    assert stat.S_IMODE(first.parent.stat().st_mode) == 0o700
    made = first.stat().st_mtime_ns
    exports.as_raw_table(export)
    assert first.stat().st_mtime_ns == made
    (export / "steps.csv").write_text(STEPS + "2024-07-01T08:01:00Z,6\n")
    os.utime(export / "steps.csv", (time.time() + 5, time.time() + 5))
    exports.as_raw_table(export)
    assert len(kept(export)) == 2


def test_a_raw_table_is_left_where_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("RUNS_HOME", str(tmp_path / "home"))
    (tmp_path / "a.csv").write_text("timestamp,heartRate\n2026-03-02T07:01:05,70\n")
    assert exports.as_raw_table(tmp_path / "a.csv") == (tmp_path / "a.csv", ())
    assert not (tmp_path / "home").exists()


def test_amounts_are_refused_for_an_export(export):
    with pytest.raises(ValueError, match="leave counters= out"):
        partitions.survey(export, counters="interval", workers=1)
