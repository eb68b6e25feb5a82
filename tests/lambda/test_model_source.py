"""Where the model is looked for, how often, and what the function answers without one."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import model_source
import pytest
from model_objects import ModelUnavailable
from model_source import Holder
from s3 import NEEDED, SECRETS, URL, pin_of

from lib.detector.export_folder import DamagedModel
from lib.files import ROOT


def test_without_settings_the_model_lies_beside_the_handler(monkeypatch):
    for name in ("MODEL_DIR", "MODEL_PATH"):
        monkeypatch.delenv(name, raising=False)
    assert model_source.folder() == ROOT / "lambda"


def test_a_pinned_folder_is_taken_and_model_dir_goes_first(monkeypatch, tmp_path):
    monkeypatch.delenv("MODEL_DIR", raising=False)
    (tmp_path / "model.json").write_text("{}")
    monkeypatch.setenv("MODEL_PATH", str(tmp_path))
    monkeypatch.setenv("MODEL_SHA256", pin_of(tmp_path))
    assert model_source.folder() == tmp_path
    monkeypatch.setenv("MODEL_DIR", "another")
    assert model_source.folder() == Path("another")


@pytest.mark.parametrize("pin", ["", "0" * 64])
def test_a_folder_of_model_path_needs_its_pin(monkeypatch, tmp_path, pin):
    (tmp_path / "model.json").write_text("{}")
    monkeypatch.delenv("MODEL_DIR", raising=False)
    monkeypatch.setenv("MODEL_PATH", str(tmp_path))
    monkeypatch.setenv("MODEL_SHA256", pin)
    with pytest.raises(ModelUnavailable, match="MODEL_SHA256") as caught:
        model_source.folder()
    assert not caught.value.transient


@pytest.mark.parametrize("url", ["s3://", "s3:///prefix", "s3:/bucket/prefix", "https://x/y", "s3://id:key@models/a"])
def test_a_url_without_a_bucket_is_refused_without_repeating_it(monkeypatch, url):
    monkeypatch.delenv("MODEL_DIR", raising=False)
    monkeypatch.setenv("MODEL_PATH", url)
    monkeypatch.setenv("MODEL_SHA256", "0" * 64)
    with pytest.raises(ModelUnavailable) as caught:
        model_source.folder()
    assert str(caught.value) == "MODEL_PATH: expected s3://bucket/prefix or a folder"
    assert not caught.value.transient


class Loader:
    """Returns or raises the outcomes in turn, and counts."""

    def __init__(self, *outcomes):
        self.outcomes, self.calls = list(outcomes), 0

    def __call__(self):
        self.calls += 1
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def test_a_model_that_is_there_is_loaded_once():
    load = Loader("detector")
    holder = Holder(load, now=iter(range(100)).__next__)
    assert [holder.get() for _ in range(5)] == [("detector", None)] * 5
    assert load.calls == 1


def test_after_a_transient_fault_the_next_attempt_comes_30_s_later_and_counts():
    clock = [1000.0]
    load = Loader(ModelUnavailable("slow", bucket="b", key="k"), ModelUnavailable("again"), "detector")
    holder = Holder(load, now=lambda: clock[0])
    seen = []
    for seconds in (0, 1, 29.9, 30, 31, 59, 60, 61):
        clock[0] = 1000.0 + seconds
        seen.append((*holder.get(), load.calls))
    slow = (None, "s3://b/k: slow", 1)
    assert seen == [slow, slow, slow, *[(None, "again", 2)] * 3, *[("detector", None, 3)] * 2]


@pytest.mark.parametrize(
    "error", [DamagedModel("threshold.npy", "is missing"), ModelUnavailable("its SHA-256 is a, not b", transient=False)]
)
def test_a_damaged_model_stays_refused(error):
    clock = [0.0]
    load = Loader(error)
    holder = Holder(load, now=lambda: clock[0])
    for clock[0] in (0.0, 31.0, 1e6):
        assert holder.get() == (None, str(error))
    assert load.calls == 1


def test_a_holder_recovers_once_s3_does(bucket, wire):
    clock = [0.0]
    holder = Holder(now=lambda: clock[0])
    wire.faults += [403]
    assert holder.get()[0] is None
    clock[0] = 30.0
    assert holder.get()[0].run == "test"


_START = """
import json, sys
from lambda_function import lambda_handler
answer = lambda_handler({"metrics": [{"heartRate": 70, "timestamp": "2026-03-02T10:00:00Z"}]}, None)
print(json.dumps({"status": answer["statusCode"], "body": answer["body"], "boto3": "boto3" in sys.modules}))
"""


@pytest.fixture
def start(export, tmp_path):
    """Start the bundle in its own process, send it one request, and return (log, answer)."""
    unpacked = tmp_path / "unpacked"
    with zipfile.ZipFile(export / "lambda_deployment.zip") as archive:
        archive.extractall(unpacked)

    def started(**settings):
        known = {name: value for name, value in os.environ.items() if not name.startswith("MODEL_")}
        env = known | {"PYTHONPATH": str(unpacked), "TMPDIR": str(tmp_path), **settings}
        done = subprocess.run([sys.executable, "-c", _START], env=env, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return tuple(json.loads(line) for line in done.stdout.splitlines())

    return started


def test_the_bundle_imports_boto3_only_to_fetch_a_model(bucket, wire, export, start):
    settings = {"MODEL_PATH": URL, "MODEL_SHA256": pin_of(export)}
    for variables, boto3, fetched in (({}, False, []), (settings, True, NEEDED), (settings, False, NEEDED)):
        log, answer = start(**variables)
        assert (answer["status"], answer["body"]["model"]["run"], answer["boto3"]) == (200, "test", boto3)
        assert (log["Model"], wire.asked) == ("test", fetched)


def test_while_s3_has_no_model_each_request_is_503_and_the_log_says_why(wire, start):
    log, answer = start(MODEL_PATH="s3://nowhere/x", MODEL_SHA256="0" * 64)
    assert (answer["status"], answer["body"]["code"]) == (503, "no_model")
    assert log["Fault"] == "s3://nowhere/x/model.json: there is no such bucket (NoSuchBucket)"
    assert not any(secret in str(answer) + str(log) for secret in SECRETS.values())
    assert "nowhere" not in str(answer)
