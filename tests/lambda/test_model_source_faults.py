"""A model that S3 cannot provide, or provides damaged: what is tried again, and what is reported."""

import hashlib
import sys
import tempfile
import time
from itertools import chain, repeat
from types import SimpleNamespace

import model_objects
import model_source
import pytest
from s3 import NEEDED, SECRETS, URL, left, refused

from lib.detector.detector import Detector


@pytest.mark.parametrize("name", NEEDED)
def test_a_missing_key_is_named(bucket, name):
    bucket.delete_object(Bucket="models", Key=f"default/lambda_export/{name}")
    error = refused(key=f"default/lambda_export/{name}")
    assert error.reason == "there is no such object (NoSuchKey)"
    assert error.transient


def test_a_missing_bucket_is_named(wire, monkeypatch):
    monkeypatch.setenv("MODEL_PATH", URL)
    monkeypatch.setenv("MODEL_SHA256", "0" * 64)
    assert refused().reason == "there is no such bucket (NoSuchBucket)"


def test_access_denied_is_not_tried_again(bucket, wire):
    wire.faults += [403]
    assert refused().reason.endswith("(AccessDenied)")
    assert wire.asked == ["model.json"]


def test_a_fault_of_the_server_is_tried_again(bucket, wire):
    wire.faults += [500]
    assert Detector.load(model_source.folder()).run == "test"
    assert wire.asked == ["model.json", *NEEDED]


def test_a_server_that_never_recovers_is_given_up(bucket, wire, monkeypatch):
    monkeypatch.setattr(model_objects, "ATTEMPTS", 2)
    wire.faults += [500] * 9
    assert refused().reason == "cannot be read (InternalError)"
    assert wire.asked == ["model.json"] * 2


def test_a_server_that_does_not_answer_is_given_up(bucket, wire, monkeypatch):
    monkeypatch.setattr(model_objects, "ATTEMPTS", 2)
    monkeypatch.setattr(model_objects, "READ_S", 0.3)
    wire.faults += ["silent"] * 9
    assert refused().reason == "cannot be read (ReadTimeoutError)"
    assert wire.asked == ["model.json"] * 2


def test_an_endpoint_without_a_listener_is_reported(bucket, wire, monkeypatch):
    monkeypatch.setattr(model_objects, "ATTEMPTS", 1)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert refused().reason == "cannot be read (EndpointConnectionError)"


def test_an_endpoint_that_is_not_a_url_is_reported(bucket, wire, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "nowhere")
    assert refused().reason == "cannot be read (ValueError)"


def test_missing_credentials_are_reported(bucket, wire, monkeypatch):
    for name in SECRETS:
        monkeypatch.delenv(name)
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)  # which remembers those of the other tests
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert refused().reason == "cannot be read (NoCredentialsError)"


@pytest.mark.parametrize("name", NEEDED)
@pytest.mark.parametrize("fault", ["cut", "changed"])
def test_a_file_cut_off_or_changed_on_its_way_is_fetched_once_more(bucket, wire, export, monkeypatch, name, fault):
    place = NEEDED.index(name)
    wire.faults += [*[None] * place, fault]
    assert Detector.load(model_source.folder()).run == "test"
    assert wire.asked == [*NEEDED[: place + 1], *NEEDED[place:]]


def test_a_body_that_stalls_is_not_waited_for(bucket, wire, monkeypatch):
    monkeypatch.setattr(model_objects, "READ_S", 0.3)
    wire.faults += ["stall", "stall"]
    assert refused().reason == "was cut off twice (ReadTimeoutError)"


def test_a_file_cut_off_twice_is_refused_and_tried_again_later(bucket, wire, tmp_path):
    wire.faults += [None, None, "cut", "cut"]
    error = refused(key="default/lambda_export/lstm_model.onnx")
    assert error.reason == "was cut off twice (IncompleteReadError)"
    assert error.transient
    assert left(tmp_path) == ["threshold.npy"]


@pytest.mark.parametrize("name", NEEDED[1:])
def test_a_file_that_is_not_the_exported_one_is_refused_for_good(bucket, wire, tmp_path, name):
    bucket.put_object(Bucket="models", Key=f"default/lambda_export/{name}", Body=b"another")
    error = refused(key=f"default/lambda_export/{name}")
    assert error.reason.startswith(f"its SHA-256 is {hashlib.sha256(b'another').hexdigest()}, not ")
    assert not error.transient
    assert wire.asked.count(name) == 2
    assert name not in left(tmp_path)


def test_a_file_too_large_is_not_read_to_its_end(bucket, wire, monkeypatch):
    monkeypatch.setattr(model_objects, "LARGEST", 100_000)
    error = refused(key="default/lambda_export/lstm_model.onnx")
    assert error.reason == "is larger than 100000 bytes"
    assert not error.transient
    assert wire.asked == NEEDED[:3]


@pytest.mark.parametrize(("seconds", "fetched"), [([0, 61], []), ([0, 59, 61], ["model.json"])])
def test_a_model_that_takes_too_long_in_all_is_given_up(bucket, wire, monkeypatch, seconds, fetched):
    monkeypatch.setattr(model_objects, "time", SimpleNamespace(monotonic=chain(seconds, repeat(61)).__next__))
    error = refused()
    assert error.reason == "the model took more than 60 s"
    assert error.transient
    assert wire.asked == fetched


def test_a_body_that_comes_byte_by_byte_is_not_waited_for_past_the_total(bucket, wire, monkeypatch):
    monkeypatch.setattr(model_source, "TOTAL_S", 0.7)
    wire.faults += ["drip"]
    began = time.monotonic()
    error = refused()
    assert error.reason == "the model took more than 0.7 s"
    assert error.transient
    assert time.monotonic() - began < 2


def test_a_start_that_fetches_in_vain_is_within_what_lambda_gives_it(monkeypatch):
    waited = []
    monkeypatch.setenv("MODEL_PATH", URL)
    monkeypatch.setenv("MODEL_SHA256", "0" * 64)
    monkeypatch.setattr(model_source.threading, "Thread", lambda **_: SimpleNamespace(start=lambda: None))
    monkeypatch.setattr(model_source.Future, "result", lambda _, seconds: waited.append(seconds) or model_source.Path())
    model_source.folder()
    assert waited == [model_source.TOTAL_S]
    assert model_source.TOTAL_S + 1 < 10


@pytest.mark.parametrize("text", ["", "[]", "{", '{"files": {}}', '{"files": []}', "[" * 100_000, "\x00\xff"])
def test_a_model_json_that_lists_no_files_is_refused(bucket, monkeypatch, text):
    content = text.encode("latin-1")
    bucket.put_object(Bucket="models", Key="default/lambda_export/model.json", Body=content)
    monkeypatch.setenv("MODEL_SHA256", hashlib.sha256(content).hexdigest())
    assert "is not a model.json that lists the model's files" in refused().reason


def test_a_temporary_folder_that_cannot_be_written_is_reported(bucket, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    assert refused().reason.endswith("(FileNotFoundError)")


def test_a_missing_boto3_is_reported(bucket, wire, monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    error = refused()
    assert error.reason == "boto3 is not installed"
    assert not error.transient
