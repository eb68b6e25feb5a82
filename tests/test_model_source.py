import hashlib
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import urllib.request
import zipfile
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain, repeat
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import model_source
import pytest
from model_source import Holder, ModelUnavailable
from moto.server import ThreadedMotoServer

from lib.detector import DamagedModel, Detector
from lib.runs import ROOT

URL = "s3://models/default/lambda_export"
NEEDED = ["model.json", "threshold.npy", "lstm_weights.npz"]
CODES = {403: "AccessDenied", 500: "InternalError"}
SECRETS = {"AWS_ACCESS_KEY_ID": "AKIACANARY", "AWS_SECRET_ACCESS_KEY": "secret-canary"}


class _Wire(BaseHTTPRequestHandler):
    """Hands a request on to moto, or spoils the answer as the next of the server's faults says."""

    def do_GET(self):
        self.server.asked.append(urlsplit(self.path).path.rpartition("/")[2])
        fault = self.server.faults.pop(0) if self.server.faults else None
        if fault == "silent":
            self.server.over.wait(10)
        elif fault == "stall":
            self.answer(200, b"{", length=1000)
            self.server.over.wait(10)
        elif fault in CODES:
            self.answer(fault, f"<Error><Code>{CODES[fault]}</Code><Message>{SECRETS}</Message></Error>".encode())
        else:
            status, body = self.ask_moto()
            spoiled = {"cut": body[: len(body) // 2], "changed": body[::-1]}
            self.answer(status, spoiled.get(fault, body), length=len(body))

    def ask_moto(self):
        with closing(http.client.HTTPConnection("127.0.0.1", self.server.moto)) as moto:
            moto.request("GET", self.path, headers=dict(self.headers))
            answer = moto.getresponse()
            return answer.status, answer.read()

    def answer(self, status, body, *, length=None):
        self.send_response(status)
        self.send_header("Content-Length", str(length or len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def moto():
    server = ThreadedMotoServer(port=0)
    server.start()
    yield server.get_host_and_port()[1]
    server.stop()


@pytest.fixture(scope="module")
def client(moto):
    import boto3

    return boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{moto}",
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )


@pytest.fixture
def wire(moto, monkeypatch, tmp_path):
    """The way to S3: `asked` lists the files that were asked for, `faults` spoil the next answers in turn."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Wire)
    server.daemon_threads = True
    server.moto, server.asked, server.faults, server.over = moto, [], [], threading.Event()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    settings = SECRETS | {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": "127.0.0.1",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ENDPOINT_URL_S3", "MODEL_DIR", "MODEL_SHA256"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(model_source, "READ_S", 20)  # no answer is late because this machine is busy
    monkeypatch.setattr(model_source, "TOTAL_S", 60)
    yield server
    server.over.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def bucket(wire, moto, client, export, monkeypatch):
    """The export in a bucket that keeps versions; MODEL_PATH names it."""
    client.create_bucket(Bucket="models")
    client.put_bucket_versioning(Bucket="models", VersioningConfiguration={"Status": "Enabled"})
    for name in NEEDED:
        client.put_object(Bucket="models", Key=f"default/lambda_export/{name}", Body=(export / name).read_bytes())
    monkeypatch.setenv("MODEL_PATH", URL)
    yield client
    urllib.request.urlopen(f"http://127.0.0.1:{moto}/moto-api/reset", data=b"").close()


def pin_of(folder):
    return hashlib.sha256((folder / "model.json").read_bytes()).hexdigest()


def refused(*, key="default/lambda_export/model.json"):
    """The ModelUnavailable that comes of asking; it names bucket and key, and no secret."""
    with pytest.raises(ModelUnavailable) as caught:
        model_source.folder()
    error = caught.value
    assert (error.bucket, error.key) == ("models", key)
    assert str(error) == f"s3://models/{key}: {error.reason}"
    assert not any(secret in str(error) for secret in SECRETS.values())
    return error


def left(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_without_settings_the_model_lies_beside_the_handler(monkeypatch):
    for name in ("MODEL_DIR", "MODEL_PATH"):
        monkeypatch.delenv(name, raising=False)
    assert model_source.folder() == ROOT / "lambda"


def test_a_folder_is_taken_as_it_is_and_model_dir_goes_first(monkeypatch):
    monkeypatch.delenv("MODEL_DIR", raising=False)
    monkeypatch.setenv("MODEL_PATH", "some/folder")
    assert model_source.folder() == Path("some/folder")
    monkeypatch.setenv("MODEL_DIR", "another")
    assert model_source.folder() == Path("another")


@pytest.mark.parametrize("url", ["s3://", "s3:///prefix", "s3:/bucket/prefix", "https://x/y", "s3://id:key@models/a"])
def test_a_url_without_a_bucket_is_refused_without_saying_what_it_holds(monkeypatch, url):
    monkeypatch.delenv("MODEL_DIR", raising=False)
    monkeypatch.setenv("MODEL_PATH", url)
    with pytest.raises(ModelUnavailable) as caught:
        model_source.folder()
    assert str(caught.value) == "MODEL_PATH is neither s3://bucket/prefix nor a folder"
    assert not caught.value.transient


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


def test_without_a_pin_the_second_start_asks_for_model_json_alone(bucket, wire):
    model_source.folder()
    model_source.folder()
    assert wire.asked == [*NEEDED, "model.json"]


@pytest.mark.parametrize("name", [*NEEDED, "exported.json"])
def test_a_file_that_was_changed_in_the_temporary_folder_is_mended(bucket, export, monkeypatch, name):
    monkeypatch.setenv("MODEL_SHA256", pin_of(export))
    place = model_source.folder() / name
    whole = place.read_bytes()
    place.write_bytes(whole[:-1])
    Detector.load(model_source.folder())
    assert place.read_bytes() == whole


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
    assert "lists the model's files" in refused().reason
    monkeypatch.setenv("MODEL_VERSION_ID", version)
    assert Detector.load(model_source.folder()).run == "test"


@pytest.mark.parametrize("name", NEEDED)
def test_a_missing_key_is_named(bucket, name):
    bucket.delete_object(Bucket="models", Key=f"default/lambda_export/{name}")
    error = refused(key=f"default/lambda_export/{name}")
    assert error.reason == "there is no such object (NoSuchKey)"
    assert error.transient


def test_a_missing_bucket_is_named(wire, monkeypatch):
    monkeypatch.setenv("MODEL_PATH", URL)
    assert refused().reason == "there is no such bucket (NoSuchBucket)"


def test_access_denied_is_said_at_once(bucket, wire):
    wire.faults += [403]
    assert refused().reason.endswith("(AccessDenied)")
    assert wire.asked == ["model.json"]


def test_a_fault_of_the_server_is_tried_again(bucket, wire):
    wire.faults += [500]
    assert Detector.load(model_source.folder()).run == "test"
    assert wire.asked == ["model.json", *NEEDED]


def test_a_server_that_never_recovers_is_given_up(bucket, wire, monkeypatch):
    monkeypatch.setattr(model_source, "ATTEMPTS", 2)
    wire.faults += [500] * 9
    assert refused().reason == "can not be read (InternalError)"
    assert wire.asked == ["model.json"] * 2


def test_a_server_that_does_not_answer_is_given_up(bucket, wire, monkeypatch):
    monkeypatch.setattr(model_source, "ATTEMPTS", 2)
    monkeypatch.setattr(model_source, "READ_S", 0.3)
    wire.faults += ["silent"] * 9
    assert refused().reason == "can not be read (ReadTimeoutError)"
    assert wire.asked == ["model.json"] * 2


def test_nothing_that_listens_is_said(bucket, wire, monkeypatch):
    monkeypatch.setattr(model_source, "ATTEMPTS", 1)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert refused().reason == "can not be read (EndpointConnectionError)"


def test_an_endpoint_that_is_no_url_is_said(bucket, wire, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "nowhere")
    assert refused().reason == "can not be read (ValueError)"


def test_no_credentials_are_said(bucket, wire, monkeypatch):
    for name in SECRETS:
        monkeypatch.delenv(name)
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)  # which remembers those of the other tests
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert refused().reason == "can not be read (NoCredentialsError)"


@pytest.mark.parametrize("name", NEEDED)
@pytest.mark.parametrize("fault", ["cut", "changed"])
def test_a_file_cut_off_or_changed_on_its_way_is_fetched_once_more(bucket, wire, export, monkeypatch, name, fault):
    monkeypatch.setenv("MODEL_SHA256", pin_of(export))
    place = NEEDED.index(name)
    wire.faults += [*[None] * place, fault]
    assert Detector.load(model_source.folder()).run == "test"
    assert wire.asked == [*NEEDED[: place + 1], *NEEDED[place:]]


def test_a_body_that_stalls_is_not_waited_for(bucket, wire, monkeypatch):
    monkeypatch.setattr(model_source, "READ_S", 0.3)
    wire.faults += ["stall", "stall"]
    assert refused().reason == "was cut off twice (ReadTimeoutError)"


def test_a_file_cut_off_twice_is_refused_and_tried_again_later(bucket, wire, tmp_path):
    wire.faults += [None, None, "cut", "cut"]
    error = refused(key="default/lambda_export/lstm_weights.npz")
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
    monkeypatch.setattr(model_source, "LARGEST", 100_000)
    error = refused(key="default/lambda_export/lstm_weights.npz")
    assert error.reason == "is larger than 100000 bytes"
    assert not error.transient
    assert wire.asked == NEEDED


@pytest.mark.parametrize(("seconds", "asked"), [([0, 61], []), ([0, 59, 61], ["model.json"])])
def test_a_model_that_takes_too_long_in_all_is_given_up(bucket, wire, monkeypatch, seconds, asked):
    monkeypatch.setattr(model_source, "time", SimpleNamespace(monotonic=chain(seconds, repeat(61)).__next__))
    error = refused()
    assert error.reason == "the model took more than 60 s"
    assert error.transient
    assert wire.asked == asked


@pytest.mark.parametrize("text", ["", "[]", "{", '{"files": {}}', '{"files": []}', "[" * 100_000, "\x00\xff"])
def test_a_model_json_that_lists_no_files_is_refused(bucket, text):
    bucket.put_object(Bucket="models", Key="default/lambda_export/model.json", Body=text.encode("latin-1"))
    assert "is not a model.json that lists the model's files" in refused().reason


def test_a_temporary_folder_that_can_not_be_written_is_said(bucket, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    assert refused().reason.endswith("(FileNotFoundError)")


def test_without_boto3_it_is_said(bucket, wire, monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    error = refused()
    assert error.reason == "boto3 is not installed"
    assert not error.transient


class Loader:
    """Gives or raises the outcomes in turn, and counts."""

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
    """Start the bundle in a process of its own, ask it once, and tell (log, answer)."""
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
    for given, boto3, asked in (({}, False, []), (settings, True, NEEDED), (settings, False, NEEDED)):
        log, answer = start(**given)
        assert (answer["status"], answer["body"]["model"]["run"], answer["boto3"]) == (200, "test", boto3)
        assert (log["Model"], wire.asked) == ("test", asked)


def test_while_s3_has_no_model_each_request_is_503_and_the_log_says_why(wire, start):
    log, answer = start(MODEL_PATH="s3://nowhere/x")
    assert (answer["status"], answer["body"]["code"]) == (503, "no_model")
    assert log["Fault"] == "s3://nowhere/x/model.json: there is no such bucket (NoSuchBucket)"
    assert not any(secret in str(answer) + str(log) for secret in SECRETS.values())
    assert "nowhere" not in str(answer)
