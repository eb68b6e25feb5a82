"""A model fetched from S3: which files, which version, and what stays in the temporary folder."""

import model_source
import pytest
from model_objects import ModelUnavailable
from s3 import NEEDED, left, pin_of, refused

from lib.detector.detector import Detector


def test_the_fetched_model_is_the_exported_one_and_only_what_is_needed_is_fetched(bucket, wire, export):
    fetched = Detector.load(model_source.folder())
    assert fetched.sha256 == Detector.load(export).sha256
    assert wire.asked == NEEDED


def test_an_empty_prefix_is_the_bucket_itself(bucket, wire, export, monkeypatch):
    for name in NEEDED:
        bucket.put_object(Bucket="models", Key=name, Body=(export / name).read_bytes())
    for url in ("s3://models", "s3://models/"):
        monkeypatch.setenv("MODEL_PATH", url)
        assert Detector.load(model_source.folder()).run == "test"


def test_with_a_pin_the_second_start_asks_s3_for_nothing(bucket, wire, export, monkeypatch):
    monkeypatch.setenv("MODEL_SHA256", pin_of(export).upper())
    first = model_source.folder()
    assert wire.asked == NEEDED
    assert model_source.folder() == first
    assert wire.asked == NEEDED


@pytest.mark.parametrize("pin", ["", "0" * 63, "g" * 64, "sha256:" + "0" * 64])
def test_without_a_pin_nothing_is_fetched(bucket, wire, monkeypatch, pin):
    monkeypatch.setenv("MODEL_SHA256", pin)
    with pytest.raises(ModelUnavailable, match="MODEL_SHA256: expected the SHA-256 of model.json") as caught:
        model_source.folder()
    assert not caught.value.transient
    assert wire.asked == []


@pytest.mark.parametrize("name", [*NEEDED, "exported.json"])
def test_a_file_that_was_changed_in_the_temporary_folder_is_mended(bucket, export, monkeypatch, name):
    place = model_source.folder() / name
    content = place.read_bytes()
    place.write_bytes(content[:-1])
    Detector.load(model_source.folder())
    assert place.read_bytes() == content


def test_another_pin_is_refused_and_nothing_is_left(bucket, wire, export, monkeypatch, tmp_path):
    monkeypatch.setenv("MODEL_SHA256", "0" * 64)
    error = refused()
    assert error.reason == f"its SHA-256 is {pin_of(export)}, not {'0' * 64}"
    assert not error.transient
    assert wire.asked == ["model.json"] * 2
    assert left(tmp_path) == []


def test_a_version_is_asked_for_by_its_id(bucket, export, monkeypatch):
    key = "default/lambda_export/model.json"
    version = bucket.list_object_versions(Bucket="models", Prefix=key)["Versions"][0]["VersionId"]
    bucket.put_object(Bucket="models", Key=key, Body=b"{}")
    assert refused().reason.startswith("its SHA-256 is ")
    monkeypatch.setenv("MODEL_VERSION_ID", version)
    assert Detector.load(model_source.folder()).run == "test"
