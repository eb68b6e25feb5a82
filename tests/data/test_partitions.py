"""Large data part by part: what is counted, split and drawn is what one frame of all would give."""

import errno

import aiohttp
import fsspec
import numpy as np
import pandas as pd
import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem
from s3fs import S3FileSystem
from wearers_in_parts import eight_wearers, life, three_days, write

from lib import files, parallel
from lib.data import partitions, raw_files, readings, split

HERE = {"workers": 1}


@pytest.fixture
def folder(tmp_path):
    return eight_wearers(tmp_path / "watch")


def test_the_parts_together_are_what_is_read_at_once(folder):
    found = partitions.survey(folder, **HERE)
    together = readings.joined([partitions.read(part) for part in found.parts])
    pd.testing.assert_frame_equal(together, readings.read(folder))
    assert str(found) == "23,040 readings of 8 wearers in 3 parts"


def test_wearer_days_are_counted_as_those_of_one_frame(folder):
    found = partitions.survey(folder, **HERE)
    pd.testing.assert_frame_equal(found.days.drop(columns="part"), split.wearer_days(readings.read(folder)))


def test_the_tables_are_those_of_one_frame(folder):
    made, set_aside = partitions.recorded(partitions.survey(folder, **HERE), most_readings=10**9, seed=3, **HERE)
    alone = split.recorded(readings.read(folder), seed=3)
    assert (made.by, made.validation, set_aside) == (alone.by, alone.validation, {})
    for name in ("development", "calibration", "test"):
        pd.testing.assert_frame_equal(getattr(made, name), getattr(alone, name))


def test_the_tables_have_their_rows_in_file_order_though_files_share_wearers(tmp_path):
    later = life("w1").assign(timestamp=lambda table: table["timestamp"] + pd.Timedelta(days=1))
    path = write(tmp_path / "watch", {"a": ["w1", "w2"], "b": ["w3", "w4", "w5"], "c": [later, "w6"]})
    made, _ = partitions.recorded(partitions.survey(path, **HERE), most_readings=10**9, seed=3, **HERE)
    alone = split.recorded(readings.read(path), seed=3)
    for name in ("development", "calibration", "test"):
        pd.testing.assert_frame_equal(getattr(made, name), getattr(alone, name))


def test_of_large_data_each_table_is_a_sample_of_the_one_it_would_be(folder):
    made, _ = partitions.recorded(partitions.survey(folder, **HERE), most_readings=12_000, seed=3, **HERE)
    alone = split.recorded(readings.read(folder), seed=3)
    for name in ("development", "calibration", "test"):
        drawn, whole = (
            set(getattr(each, name)[["user_id", "instant"]].itertuples(index=False)) for each in (made, alone)
        )
        assert drawn <= whole
        assert len(drawn) <= 4000
    hours = made.development.groupby(["user_id", made.development["timestamp"].dt.floor("h")]).size()
    assert (hours == 120).all()  # whole hours
    assert set(made.development["user_id"]) == set(alone.development["user_id"])
    assert len(made.calibration) == 2880  # a whole day


def test_the_hours_drawn_are_spread_over_wearers_and_the_day():
    moments = pd.date_range("2026-03-02", periods=4)
    days = pd.DataFrame([(f"w{n}", moment, 2400, False) for n in range(6) for moment in moments])
    days.columns = ["user_id", "timestamp", "readings", "labelled"]
    part_of = {f"w{n}": part for n, part in enumerate(["train", "train", "train", "validation", "calibration", "test"])}
    hours = split.drawn(days, by="wearer", part_of=part_of, at_most=9600, rng=np.random.default_rng(0))
    learned = hours[hours["user_id"] < "w4"]
    assert len(learned) == 96
    assert (learned.groupby(["user_id", learned["hour"] % 24]).size() == 1).all()
    assert hours[hours["user_id"] >= "w4"].groupby("user_id").size().to_dict() == {"w4": 96, "w5": 96}


@pytest.mark.parametrize("seed", range(10))
def test_every_part_is_drawn_from_where_a_day_is_more_than_a_table_holds(seed):
    days = pd.DataFrame({"user_id": [f"w{n}" for n in range(8)], "timestamp": pd.Timestamp("2026-03-02")})
    days = days.assign(readings=86_400, labelled=False)
    part_of = dict(zip(days["user_id"], ["train"] * 5 + ["validation", "calibration", "test"], strict=True))
    rng = np.random.default_rng(seed)
    hours = split.drawn(days, by="wearer", part_of=part_of, at_most=33_333, rng=rng)
    drawn = hours["user_id"].map(part_of).value_counts()
    assert set(drawn.index) == set(split.PARTS)
    assert drawn[["calibration", "test"]].tolist() == [24, 24]  # a day each


def test_days_with_labels_are_drawn_for_the_test_beside_others(tmp_path):
    ill = pd.concat([life("w9", days=5).assign(label=""), life("w9", label="fever").assign(heartRate=99)])
    ill.loc[ill["label"] == "fever", "timestamp"] += pd.Timedelta(days=5)
    path = write(tmp_path / "watch", {"a": ["w1", "w2", "w3", "w4"], "b": ["w5", "w6", ill]})
    made, _ = partitions.recorded(partitions.survey(path, **HERE), most_readings=9 * 2880, seed=1, **HERE)
    assert set(made.test["label"]) == {"", "fever"}
    assert "label" not in made.development


def test_a_corrupt_file_is_named_and_stops_the_run(folder):
    (folder / "b.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(parallel.BadPart, match="b.parquet: can not be read .*; on_bad_part=skip goes on without it"):
        partitions.survey(folder, **HERE)


def test_a_corrupt_file_is_set_aside_where_that_is_asked_for(folder):
    (folder / "b.parquet").write_bytes(b"PAR1 no more")
    found = partitions.survey(folder, on_bad_part="skip", **HERE)
    ((file, problem),) = found.set_aside.items()
    assert file.endswith("b.parquet")
    assert "can not be read" in problem
    assert set(found.days["user_id"]) == {"w1", "w2", "w4", "w6", "w7", "w8"}


def test_a_file_that_spoils_later_is_set_aside_then(folder):
    found = partitions.survey(folder, **HERE)
    (folder / "b.parquet").write_bytes(b"PAR1 no more")
    made, set_aside = partitions.recorded(found, most_readings=10**9, seed=3, on_bad_part="skip", **HERE)
    assert [file.rpartition("/")[2] for file in set_aside] == ["b.parquet"]
    everyone = {*made.development["user_id"], *made.calibration["user_id"], *made.test["user_id"]}
    assert everyone == {"w1", "w2", "w4", "w6", "w7", "w8"}


def closed(path, monkeypatch):
    """Let nobody open the file, not even who may open everything."""
    real = LocalFileSystem.open

    def opened(self, name, *args, **options):
        if str(name) == str(path):
            raise PermissionError(13, "Permission denied", name)
        return real(self, name, *args, **options)

    monkeypatch.setattr(LocalFileSystem, "open", opened)


@pytest.mark.parametrize("spoil", [lambda path, _: path.unlink(), closed])
def test_a_file_that_is_gone_or_closed_later_is_set_aside_too(folder, monkeypatch, spoil):
    found = partitions.survey(folder, **HERE)
    spoil(folder / "b.parquet", monkeypatch)
    _, set_aside = partitions.recorded(found, most_readings=10**9, seed=3, on_bad_part="skip", **HERE)
    ((file, problem),) = set_aside.items()
    assert file.endswith("b.parquet")
    assert "b.parquet: can not be read" in problem


@pytest.fixture
def store(folder):
    """A file system that is none of this machine, with the eight wearers' files under memory://watch."""
    filesystem = fsspec.filesystem("memory")
    for path in folder.iterdir():
        filesystem.pipe_file(f"/watch/{path.name}", path.read_bytes())
    yield filesystem
    filesystem.rm("/watch", recursive=True)


def failing(name, error, real=MemoryFileSystem.open):
    """The file system's `open`, but for one file."""

    def opened(self, path, *args, **options):
        if path.endswith(name):
            raise error
        return real(self, path, *args, **options)

    return opened


@pytest.mark.parametrize(
    "error",
    [
        PermissionError("The provided token has expired."),
        OSError(errno.EINVAL, "Bad Request"),
        ConnectionResetError(104, "Connection reset by peer"),
        TimeoutError(),
        EndpointConnectionError(endpoint_url="https://watches.example"),
        NoCredentialsError(),
        aiohttp.ClientPayloadError("not enough data"),
    ],
)
def test_a_lost_network_and_credentials_that_expired_stop_the_run_whatever_is_skipped(store, monkeypatch, error):
    monkeypatch.setattr(MemoryFileSystem, "open", failing("b.parquet", error))
    with pytest.raises(raw_files.StoreLost, match="b.parquet: .* network or the credentials .* what is done stays"):
        partitions.survey("memory://watch", on_bad_part="skip", **HERE)


@pytest.mark.parametrize("error", [FileNotFoundError(2, "gone"), OSError("Couldn't deserialize thrift"), EOFError()])
def test_a_file_that_is_gone_or_damaged_elsewhere_is_a_bad_part(store, monkeypatch, error):
    monkeypatch.setattr(MemoryFileSystem, "open", failing("b.parquet", error))
    found = partitions.survey("memory://watch", on_bad_part="skip", **HERE)
    assert ["b.parquet" in file for file in found.set_aside] == [True]


def test_a_store_that_is_lost_gives_no_part_another_key(store, monkeypatch):
    part = partitions.survey("memory://watch", **HERE).parts[0]
    monkeypatch.setattr(MemoryFileSystem, "info", lambda *args, **options: (_ for _ in ()).throw(NoCredentialsError()))
    with pytest.raises(raw_files.StoreLost, match="Unable to locate credentials"):
        partitions.key(part)


def test_an_s3_that_does_not_answer_is_told(monkeypatch):
    settings = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1", "AWS_DEFAULT_REGION": "us-east-1"}
    for name, value in settings.items() | {("AWS_ACCESS_KEY_ID", "testing"), ("AWS_SECRET_ACCESS_KEY", "testing")}:
        monkeypatch.setenv(name, value)
    S3FileSystem.clear_instance_cache()
    with pytest.raises(raw_files.StoreLost, match="watches/a.parquet: .*127.0.0.1:9.*: the network or the credentials"):
        raw_files.load(S3FileSystem(), "watches/a.parquet")
    S3FileSystem.clear_instance_cache()


def test_a_part_whose_file_is_gone_has_another_key(folder):
    found = partitions.survey(folder, **HERE)
    before = partitions.key(found.parts[1])
    (folder / "b.parquet").unlink()
    assert partitions.key(found.parts[1]) != before


def test_where_every_file_spoils_later_that_is_said(folder):
    found = partitions.survey(folder, **HERE)
    for path in folder.iterdir():
        path.unlink()
    with pytest.raises(ValueError, match="none of 3 files or parts can be read any more; .*a.parquet: can not be read"):
        partitions.recorded(found, most_readings=10**9, seed=3, on_bad_part="skip", **HERE)


def test_where_no_file_can_be_read_that_is_said(tmp_path):
    path = tmp_path / "watch"
    path.mkdir()
    (path / "a.parquet").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="none of its 1 files can be read; .*a.parquet"):
        partitions.survey(path, on_bad_part="skip", **HERE)


def test_parts_are_loaded_as_they_were_saved(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(partitions, "MOST_READINGS", 2 * 2880)
    found = partitions.survey(folder, **HERE)
    partitions.save(found.parts, tmp_path / "parts.json", timezone="Europe/Paris", labelled=True)
    assert partitions.load(tmp_path / "parts.json") == (found.parts, {"timezone": "Europe/Paris", "labelled": True})
    assert partitions.load(tmp_path / "none.json") == ([], {})


def test_parts_of_an_older_version_are_refused_by_name(tmp_path):
    old = {"name": "part-00000", "files": ["a.parquet"], "wearers": []}
    files.write_json(tmp_path / "parts.json", {"timezone": "UTC", "parts": [old]})
    with pytest.raises(ValueError, match="parts.json was made by an older version: begin from 01"):
        partitions.load(tmp_path / "parts.json")
    files.write_json(tmp_path / "parts.json", {"timezone": "UTC", "parts": []})
    assert partitions.load(tmp_path / "parts.json") == ([], {})


def with_more(path, *tables):
    """Add the rows of tables to a file."""
    table = pd.concat([pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path), *tables])
    table.to_parquet(path, index=False) if path.suffix == ".parquet" else table.to_csv(path, index=False)


def test_a_file_that_gained_or_lost_a_wearer_since_is_told(folder):
    first, second, _ = partitions.survey(folder, **HERE).parts
    with_more(folder / "a.parquet", life("w3"))
    write(folder, {"b": ["w5"]})
    for part, name in ((first, "a"), (second, "b")):
        with pytest.raises(
            raw_files.ReadingsError, match=f"{name}.parquet: other wearers are in it .* from 01_generate"
        ):
            partitions.read(part)


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_new_wearer_of_a_file_whose_wearers_are_in_several_parts_is_told(tmp_path, monkeypatch, kind):
    path = three_days(tmp_path / "watch", kind)
    monkeypatch.setattr(partitions, "MOST_READINGS", 2 * 3 * 2880)
    found = partitions.survey(path, **HERE)
    with_more(path / f"1.{kind}", life("w9"))
    for part in found.parts:
        with pytest.raises(
            raw_files.ReadingsError, match=f"1.{kind}: other wearers are in it than when it was counted"
        ):
            partitions.read(part)


def test_more_readings_of_the_same_wearers_are_no_other_wearers(folder):
    first = partitions.survey(folder, **HERE).parts[0]
    with_more(folder / "a.parquet", life("w1").assign(heartRate=61))
    assert len(partitions.read(first)) == 4 * 2880
