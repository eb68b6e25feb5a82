"""Large data by partition: counts, splits and samples equal those of one frame of all files."""

import errno
import re

import aiohttp
import fsspec
import numpy as np
import pandas as pd
import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem
from s3fs import S3FileSystem
from wearer_files import eight_wearers, life, three_days, write

from lib import files, parallel
from lib.data import partitioning, partitions, raw_files, readings, sampling, split

HERE = {"workers": 1}


@pytest.fixture
def folder(tmp_path):
    return eight_wearers(tmp_path / "watch")


def test_all_partitions_together_are_the_table_of_all_files(folder):
    survey = partitions.survey(folder, **HERE)
    together = readings.joined([partitions.read(partition) for partition in survey.partitions])
    pd.testing.assert_frame_equal(together, readings.read(folder))
    assert str(survey) == "23,040 readings of 8 wearers in 3 partitions"


def test_wearer_days_are_those_of_one_frame(folder):
    survey = partitions.survey(folder, **HERE)
    pd.testing.assert_frame_equal(survey.days.drop(columns="partition"), split.wearer_days(readings.read(folder)))


def test_the_tables_are_those_of_one_frame(folder):
    dataset, set_aside = partitions.read_dataset(partitions.survey(folder, **HERE), most_readings=10**9, seed=3, **HERE)
    expected = split.split_readings(readings.read(folder), seed=3)
    assert (dataset.by, dataset.validation, set_aside) == (expected.by, expected.validation, {})
    for name in ("development", "calibration", "test"):
        pd.testing.assert_frame_equal(getattr(dataset, name), getattr(expected, name))


def test_rows_are_in_file_order_even_if_files_share_wearers(tmp_path):
    later = life("w1").assign(timestamp=lambda table: table["timestamp"] + pd.Timedelta(days=1))
    path = write(tmp_path / "watch", {"a": ["w1", "w2"], "b": ["w3", "w4", "w5"], "c": [later, "w6"]})
    dataset, _ = partitions.read_dataset(partitions.survey(path, **HERE), most_readings=10**9, seed=3, **HERE)
    expected = split.split_readings(readings.read(path), seed=3)
    for name in ("development", "calibration", "test"):
        pd.testing.assert_frame_equal(getattr(dataset, name), getattr(expected, name))


def test_tables_of_large_data_are_samples_of_the_full_tables(folder):
    dataset, _ = partitions.read_dataset(partitions.survey(folder, **HERE), most_readings=12_000, seed=3, **HERE)
    expected = split.split_readings(readings.read(folder), seed=3)
    for name in ("development", "calibration", "test"):
        drawn, whole = (
            set(getattr(source, name)[["user_id", "instant"]].itertuples(index=False)) for source in (dataset, expected)
        )
        assert drawn <= whole
        assert len(drawn) <= 4000
    hours = dataset.development.groupby(["user_id", dataset.development["timestamp"].dt.floor("h")]).size()
    assert (hours == 120).all()  # whole hours
    assert set(dataset.development["user_id"]) == set(expected.development["user_id"])
    assert len(dataset.calibration) == 2880  # a whole day


def test_drawn_hours_are_spread_over_wearers_and_the_day():
    moments = pd.date_range("2026-03-02", periods=4)
    days = pd.DataFrame([(f"w{n}", moment, 2400, False) for n in range(6) for moment in moments])
    days.columns = ["user_id", "timestamp", "readings", "labelled"]
    split_of = {
        f"w{n}": name for n, name in enumerate(["train", "train", "train", "validation", "calibration", "test"])
    }
    hours = sampling.draw_hours(days, by="wearer", split_of=split_of, max_readings=9600, rng=np.random.default_rng(0))
    learned = hours[hours["user_id"] < "w4"]
    assert len(learned) == 96
    assert (learned.groupby(["user_id", learned["hour"] % 24]).size() == 1).all()
    assert hours[hours["user_id"] >= "w4"].groupby("user_id").size().to_dict() == {"w4": 96, "w5": 96}


@pytest.mark.parametrize("seed", range(10))
def test_every_split_is_drawn_from_even_if_a_day_exceeds_the_limit(seed):
    days = pd.DataFrame({"user_id": [f"w{n}" for n in range(8)], "timestamp": pd.Timestamp("2026-03-02")})
    days = days.assign(readings=86_400, labelled=False)
    split_of = dict(zip(days["user_id"], ["train"] * 5 + ["validation", "calibration", "test"], strict=True))
    rng = np.random.default_rng(seed)
    hours = sampling.draw_hours(days, by="wearer", split_of=split_of, max_readings=33_333, rng=rng)
    drawn = hours["user_id"].map(split_of).value_counts()
    assert set(drawn.index) == set(split.SPLITS)
    assert drawn[["calibration", "test"]].tolist() == [24, 24]  # a day each


def test_days_with_and_without_labels_are_drawn_for_the_test(tmp_path):
    ill = pd.concat([life("w9", days=5).assign(label=""), life("w9", label="fever").assign(heartRate=99)])
    ill.loc[ill["label"] == "fever", "timestamp"] += pd.Timedelta(days=5)
    path = write(tmp_path / "watch", {"a": ["w1", "w2", "w3", "w4"], "b": ["w5", "w6", ill]})
    dataset, _ = partitions.read_dataset(partitions.survey(path, **HERE), most_readings=9 * 2880, seed=1, **HERE)
    assert set(dataset.test["label"]) == {"", "fever"}
    assert "label" not in dataset.development


def test_a_corrupt_file_is_named_and_stops_the_run(folder):
    (folder / "b.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(parallel.BadPart, match="b.parquet: cannot be read .*; on_bad_part=skip goes on without it"):
        partitions.survey(folder, **HERE)


def test_a_corrupt_file_is_set_aside_on_request(folder):
    (folder / "b.parquet").write_bytes(b"PAR1 no more")
    survey = partitions.survey(folder, on_bad_part="skip", **HERE)
    ((file, problem),) = survey.set_aside.items()
    assert file.endswith("b.parquet")
    assert re.search("cannot be read", problem)
    assert set(survey.days["user_id"]) == {"w1", "w2", "w4", "w6", "w7", "w8"}


def test_a_file_that_is_corrupted_after_the_survey_is_set_aside(folder):
    survey = partitions.survey(folder, **HERE)
    (folder / "b.parquet").write_bytes(b"PAR1 no more")
    dataset, set_aside = partitions.read_dataset(survey, most_readings=10**9, seed=3, on_bad_part="skip", **HERE)
    assert [file.rpartition("/")[2] for file in set_aside] == ["b.parquet"]
    everyone = {*dataset.development["user_id"], *dataset.calibration["user_id"], *dataset.test["user_id"]}
    assert everyone == {"w1", "w2", "w4", "w6", "w7", "w8"}


def forbid_opening(path, monkeypatch):
    """Make opening the file fail, even for the superuser."""
    real = LocalFileSystem.open

    def opened(self, name, *args, **options):
        if str(name) == str(path):
            raise PermissionError(13, "Permission denied", name)
        return real(self, name, *args, **options)

    monkeypatch.setattr(LocalFileSystem, "open", opened)


@pytest.mark.parametrize("spoil", [lambda path, _: path.unlink(), forbid_opening])
def test_a_file_that_disappears_or_cannot_be_opened_is_set_aside(folder, monkeypatch, spoil):
    survey = partitions.survey(folder, **HERE)
    spoil(folder / "b.parquet", monkeypatch)
    _, set_aside = partitions.read_dataset(survey, most_readings=10**9, seed=3, on_bad_part="skip", **HERE)
    ((file, problem),) = set_aside.items()
    assert file.endswith("b.parquet")
    assert re.search("b.parquet: cannot be read", problem)


@pytest.fixture
def store(folder):
    """A remote file system with the eight wearers' files under memory://watch."""
    filesystem = fsspec.filesystem("memory")
    for path in folder.iterdir():
        filesystem.pipe_file(f"/watch/{path.name}", path.read_bytes())
    yield filesystem
    filesystem.rm("/watch", recursive=True)


def failing(name, error, real=MemoryFileSystem.open):
    """The file system's `open`, which raises the error for one file."""

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
def test_network_and_credential_errors_stop_the_run_even_with_skip(store, monkeypatch, error):
    monkeypatch.setattr(MemoryFileSystem, "open", failing("b.parquet", error))
    with pytest.raises(raw_files.StoreLost, match="b.parquet: .* network or the credentials .* what is done stays"):
        partitions.survey("memory://watch", on_bad_part="skip", **HERE)


@pytest.mark.parametrize("error", [FileNotFoundError(2, "gone"), OSError("Couldn't deserialize thrift"), EOFError()])
def test_a_missing_or_damaged_remote_file_is_a_bad_part(store, monkeypatch, error):
    monkeypatch.setattr(MemoryFileSystem, "open", failing("b.parquet", error))
    survey = partitions.survey("memory://watch", on_bad_part="skip", **HERE)
    assert ["b.parquet" in file for file in survey.set_aside] == [True]


def test_an_unreachable_store_changes_no_key(store, monkeypatch):
    partition = partitions.survey("memory://watch", **HERE).partitions[0]
    monkeypatch.setattr(MemoryFileSystem, "info", lambda *args, **options: (_ for _ in ()).throw(NoCredentialsError()))
    with pytest.raises(raw_files.StoreLost, match="Unable to locate credentials"):
        partitions.key(partition)


def test_an_unreachable_s3_is_reported(monkeypatch):
    settings = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1", "AWS_DEFAULT_REGION": "us-east-1"}
    for name, value in settings.items() | {("AWS_ACCESS_KEY_ID", "testing"), ("AWS_SECRET_ACCESS_KEY", "testing")}:
        monkeypatch.setenv(name, value)
    S3FileSystem.clear_instance_cache()
    with pytest.raises(raw_files.StoreLost, match="watches/a.parquet: .*127.0.0.1:9.*: the network or the credentials"):
        raw_files.load(S3FileSystem(), "watches/a.parquet")
    S3FileSystem.clear_instance_cache()


def test_a_missing_file_changes_the_key(folder):
    survey = partitions.survey(folder, **HERE)
    before = partitions.key(survey.partitions[1])
    (folder / "b.parquet").unlink()
    assert partitions.key(survey.partitions[1]) != before


def test_no_readable_file_after_the_survey_is_an_error(folder):
    survey = partitions.survey(folder, **HERE)
    for path in folder.iterdir():
        path.unlink()
    with pytest.raises(
        ValueError, match="none of 3 files or partitions can be read any more; .*a.parquet: cannot be read"
    ):
        partitions.read_dataset(survey, most_readings=10**9, seed=3, on_bad_part="skip", **HERE)


def test_no_readable_file_is_an_error(tmp_path):
    path = tmp_path / "watch"
    path.mkdir()
    (path / "a.parquet").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="none of its 1 files can be read; .*a.parquet"):
        partitions.survey(path, on_bad_part="skip", **HERE)


def test_partitions_are_loaded_as_they_were_saved(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(partitioning, "MAX_READINGS", 2 * 2880)
    survey = partitions.survey(folder, **HERE)
    partitions.save(survey.partitions, tmp_path / "parts.json", timezone="Europe/Paris", labelled=True)
    assert partitions.load(tmp_path / "parts.json") == (
        survey.partitions,
        {"timezone": "Europe/Paris", "labelled": True},
    )
    assert partitions.load(tmp_path / "none.json") == ([], {})


def test_partitions_of_an_older_version_are_refused(tmp_path):
    old = {"name": "part-00000", "files": ["a.parquet"], "wearers": []}
    files.write_json(tmp_path / "parts.json", {"timezone": "UTC", "parts": [old]})
    with pytest.raises(ValueError, match="parts.json was made by an older version: start again with --from 01"):
        partitions.load(tmp_path / "parts.json")
    files.write_json(tmp_path / "parts.json", {"timezone": "UTC", "parts": []})
    assert partitions.load(tmp_path / "parts.json") == ([], {})


def with_more(path, *tables):
    """Add the rows of tables to a file."""
    table = pd.concat([pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path), *tables])
    table.to_parquet(path, index=False) if path.suffix == ".parquet" else table.to_csv(path, index=False)


def test_a_file_that_gained_or_lost_a_wearer_is_reported(folder):
    first, second, _ = partitions.survey(folder, **HERE).partitions
    with_more(folder / "a.parquet", life("w3"))
    write(folder, {"b": ["w5"]})
    for partition, name in ((first, "a"), (second, "b")):
        with pytest.raises(
            raw_files.ReadingsError, match=f"{name}.parquet: its wearers have changed .* from 01_generate"
        ):
            partitions.read(partition)


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_new_wearer_in_a_file_of_several_partitions_is_reported(tmp_path, monkeypatch, kind):
    path = three_days(tmp_path / "watch", kind)
    monkeypatch.setattr(partitioning, "MAX_READINGS", 2 * 3 * 2880)
    survey = partitions.survey(path, **HERE)
    with_more(path / f"1.{kind}", life("w9"))
    for partition in survey.partitions:
        with pytest.raises(raw_files.ReadingsError, match=f"1.{kind}: its wearers have changed since it was counted"):
            partitions.read(partition)


def test_more_readings_of_the_same_wearers_are_no_change(folder):
    first = partitions.survey(folder, **HERE).partitions[0]
    later = life("w1")["timestamp"] + pd.Timedelta(days=1)
    with_more(folder / "a.parquet", life("w1").assign(timestamp=later))
    assert len(partitions.read(first)) == 4 * 2880
