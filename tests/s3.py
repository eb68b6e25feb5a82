"""S3 with a model in its bucket, over HTTP, on a wire that spoils answers; and what is said of a model that is refused.

A pytest plugin (conftest.py names it): its fixtures need no import.
"""

import hashlib
import http.client
import os
import tempfile
import threading
import urllib.request
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import model_objects
import model_source
import pytest
from model_objects import ModelUnavailable

URL = "s3://models/default/lambda_export"
NEEDED = ["model.json", "threshold.npy", "lstm_model.onnx", "normal.npz"]
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
        elif fault == "drip":  # never silent for long enough to be given up
            self.answer(200, b"{", length=1000)
            while not self.server.over.wait(0.05):
                self.wfile.write(b" ")
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


@pytest.fixture(scope="session")
def moto():
    from moto.server import ThreadedMotoServer  # takes a second, which other tests need not wait for

    server = ThreadedMotoServer(port=0)
    server.start()
    yield server.get_host_and_port()[1]
    server.stop()


@pytest.fixture(scope="session")
def s3_client(moto):
    import boto3

    return boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{moto}",
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )


@contextmanager
def reached_by(moto):
    """S3 is moto's server within the block, for fsspec, too, which would else go on with one that it remembers."""
    from s3fs import S3FileSystem

    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{moto}")
        patched.setenv("AWS_DEFAULT_REGION", "us-east-1")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patched.setenv(name, "testing")
        S3FileSystem.clear_instance_cache()
        yield
        S3FileSystem.clear_instance_cache()


@pytest.fixture
def reached(moto):
    """S3 is moto's server."""
    with reached_by(moto):
        yield


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
    monkeypatch.setattr(model_objects, "READ_S", 20)  # no answer is late because this machine is busy
    monkeypatch.setattr(model_source, "TOTAL_S", 60)
    yield server
    server.over.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def bucket(wire, moto, s3_client, export, monkeypatch):
    """The export in a bucket that keeps versions; MODEL_PATH names it, and MODEL_SHA256 pins it."""
    s3_client.create_bucket(Bucket="models")
    s3_client.put_bucket_versioning(Bucket="models", VersioningConfiguration={"Status": "Enabled"})
    for name in NEEDED:
        s3_client.put_object(Bucket="models", Key=f"default/lambda_export/{name}", Body=(export / name).read_bytes())
    monkeypatch.setenv("MODEL_PATH", URL)
    monkeypatch.setenv("MODEL_SHA256", pin_of(export))
    yield s3_client
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
