"""Where the model lies: beside the handler, in a folder, or in S3, from where it is fetched once.

MODEL_DIR         a folder that holds the model; it goes before MODEL_PATH
MODEL_PATH        s3://bucket/prefix, such as s3://bucket/models/default/lambda_export; or a folder
MODEL_SHA256      the pin: the SHA-256 of model.json at that prefix, which holds that of every other file
MODEL_VERSION_ID  the S3 version of model.json to ask for, where the bucket keeps versions

Without MODEL_DIR and MODEL_PATH it is the model beside this file, and boto3, which Lambda's Python has, is never
imported. The role needs s3:GetObject on the prefix (s3:GetObjectVersion for a version). With a pin, a model that a
process before this one left in the temporary folder is taken up without asking S3.
"""

import hashlib
import json
import os
import re
import tempfile
import threading
import time
from concurrent.futures import Future
from contextlib import closing
from functools import cached_property
from pathlib import Path

from lib.detector.detector import Detector
from lib.detector.export_folder import MODEL, NETWORK, NORMAL, THRESHOLD, DamagedModel

AGAIN_S = 30  # at least so long between two attempts after a transient fault
LARGEST = 50_000_000  # bytes of one file
TOTAL_S = 8  # Lambda gives a function 10 s to start, of which all but the fetching takes a quarter of one
CONNECT_S, READ_S, ATTEMPTS = 1, 2, 3  # of one request, by botocore: 6 s and its pauses where nothing answers
_EXPORTED = "exported.json"  # model.json as it lies in S3
_CHUNK = 1 << 16
_EXPLAINED = {
    "NoSuchKey": "there is no such object",
    "NoSuchBucket": "there is no such bucket",
    "AccessDenied": "access is denied, or there is no such object and the role has no s3:ListBucket",
}


class ModelUnavailable(Exception):
    """The model can not be had from S3. The message holds nothing but these facts, none of them secret.

    bucket, key: of the object, None where MODEL_PATH names none; reason: what is wrong; transient: whether it may be
    mended from outside, so that another attempt makes sense.
    """

    def __init__(self, reason, *, bucket=None, key=None, transient=True):
        self.reason, self.bucket, self.key, self.transient = reason, bucket, key, transient
        super().__init__(f"s3://{bucket}/{key}: {reason}" if bucket else reason)


class Holder:
    """The detector, from the first moment on at which it can be had.

    A transient fault is met by another attempt, AGAIN_S seconds later at the earliest; a model that is damaged or is
    not the pinned one stays refused. load: gives the detector; now: a clock in seconds.
    """

    def __init__(self, load=None, *, now=time.monotonic):
        self._load, self._now = load or _load, now
        self._held, self._next = (None, None), now()

    def get(self):
        """(detector, None), or (None, why there is none: a sentence for the log)."""
        if self._next is not None and self._now() >= self._next:
            try:
                self._held, self._next = (self._load(), None), None
            except (DamagedModel, ModelUnavailable) as error:
                self._held = None, str(error)
                self._next = self._now() + AGAIN_S if getattr(error, "transient", False) else None
        return self._held


def _load():
    return Detector.load(folder())


def folder():
    """The Path of the folder that holds the model. Raises ModelUnavailable when S3 does not give it."""
    if os.environ.get("MODEL_DIR"):
        return Path(os.environ["MODEL_DIR"])
    given = os.environ.get("MODEL_PATH", "")
    if re.match(r"\w+:", given):
        return _fetched(given)
    return Path(given) if given else Path(__file__).parent


def _fetched(url):
    """The folder, named after the SHA-256 of model.json, with what `Detector.load` reads of the export at `url`.

    Detector.load asks for every file that model.json lists, and the export has others, such as the SavedModel. So the
    model.json of the folder is the exported one, once it is checked, with the fetched files alone in its list.

    A thread fetches, and is not waited for past TOTAL_S: no timeout of a socket ends a body that comes byte by byte.
    """
    objects, made = _objects(url), Future()
    threading.Thread(target=_told, args=(made, objects), daemon=True).start()
    try:
        return made.result(TOTAL_S)
    except TimeoutError:
        raise objects.unavailable(MODEL, f"the model took more than {TOTAL_S} s") from None


def _told(made, objects):
    """Let the Future `made` have what `_brought` returns or raises."""
    try:
        made.set_result(_brought(objects))
    except Exception as error:
        made.set_exception(error)


def _brought(objects):
    pin = os.environ.get("MODEL_SHA256", "").strip().lower()
    exported = _kept(_folder(pin) / _EXPORTED, pin)
    if exported is None:
        exported = objects.get(MODEL, sha256=pin, version=os.environ.get("MODEL_VERSION_ID"))
    model, files = objects.listing(exported)
    folder = _folder(_sha256(exported))
    try:
        for name, sha256 in files.items():
            if _kept(folder / name, sha256) is None:
                _write(folder / name, objects.get(name, sha256=sha256))
        _write(folder / _EXPORTED, exported)
        _write(folder / MODEL, json.dumps({**model, "files": files}).encode())
    except OSError as error:
        raise objects.unavailable(MODEL, f"can not be kept in {folder} ({type(error).__name__})") from None
    return folder


def _objects(url):
    parts = re.fullmatch(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/?(.*)", url)
    if not parts:
        raise ModelUnavailable("MODEL_PATH is neither s3://bucket/prefix nor a folder", transient=False)
    return _Objects(bucket=parts[1], prefix=parts[2].strip("/"))


class _Objects:
    """The objects of a bucket under a prefix, each read whole and checked."""

    def __init__(self, bucket, prefix):
        self.bucket, self.prefix = bucket, prefix
        self.ends = time.monotonic() + TOTAL_S

    def unavailable(self, name, reason, *, transient=True):
        return ModelUnavailable(reason, bucket=self.bucket, key=self._key(name), transient=transient)

    def get(self, name, *, sha256, version=None):
        """The bytes of an object, read a second time where they are cut off or not those of `sha256` ("" is any).

        version: of S3, or None for the newest. Raises ModelUnavailable.
        """
        for _ in range(2):
            content, problem = self._body(name, self._answer(name, version))
            if content is not None and sha256 in ("", _sha256(content)):
                return content
        if problem:
            raise self.unavailable(name, f"was cut off twice ({problem})")
        raise self.unavailable(name, f"its SHA-256 is {_sha256(content)}, not {sha256}", transient=False)

    def listing(self, exported):
        """The bytes of model.json as an object, and the SHA-256 of the files that the handler needs, by name."""
        try:
            model = json.loads(exported)
            needed = [THRESHOLD, NETWORK, *({NORMAL} & set(model["files"]))]
            files = {name: str(model["files"][name]) for name in needed}
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            reason = f"is not a model.json that lists the model's files ({type(error).__name__})"
            raise self.unavailable(MODEL, reason, transient=False) from None
        return model, files

    def _key(self, name):
        return f"{self.prefix}/{name}" if self.prefix else name

    @cached_property
    def _client(self):
        import boto3
        from botocore.config import Config

        retries = {"total_max_attempts": ATTEMPTS, "mode": "standard"}
        config = Config(connect_timeout=CONNECT_S, read_timeout=READ_S, retries=retries)
        return boto3.client("s3", config=config)

    def _answer(self, name, version):
        if time.monotonic() > self.ends:
            raise self.unavailable(name, f"the model took more than {TOTAL_S} s")
        which = {"VersionId": version} if version else {}
        try:
            return self._client.get_object(Bucket=self.bucket, Key=self._key(name), **which)
        except ImportError:
            raise self.unavailable(name, "boto3 is not installed", transient=False) from None
        except _faults() as error:
            raise self.unavailable(name, _said(error)) from None

    def _body(self, name, answer):
        """(content, None), or (None, what cut it off)."""
        content = bytearray()
        try:
            with closing(answer["Body"]) as body:
                for chunk in body.iter_chunks(_CHUNK):
                    content += chunk
                    if len(content) > LARGEST:
                        raise self.unavailable(name, f"is larger than {LARGEST} bytes", transient=False)
                    if time.monotonic() > self.ends:
                        raise self.unavailable(name, f"the model took more than {TOTAL_S} s")
        except _faults() as error:
            return None, type(error).__name__
        return bytes(content), None


def _faults():
    """What boto3 may raise: that of S3, of the network below it, and ValueError for an endpoint that is no URL."""
    from botocore.exceptions import BotoCoreError, ClientError
    from urllib3.exceptions import HTTPError

    return BotoCoreError, ClientError, HTTPError, OSError, ValueError


def _said(error):
    """What an error of S3 or of the network is, in words that can hold no secret: its code or its kind."""
    answer = getattr(error, "response", None)
    code = answer["Error"]["Code"] if isinstance(answer, dict) else type(error).__name__
    return f"{_EXPLAINED[code]} ({code})" if code in _EXPLAINED else f"can not be read ({code})"


def _folder(sha256):
    return Path(tempfile.gettempdir()) / f"health-model-{sha256[:16]}"


def _kept(path, sha256):
    """The bytes of a file if it is there and has that SHA-256, else None."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    return content if _sha256(content) == sha256 else None


def _sha256(content):
    return hashlib.sha256(content).hexdigest()


def _write(path, content):
    """Write a file beside its place and move it there, so that what is in place is always whole."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    beside = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}.part")  # one given up may go on
    try:
        beside.write_bytes(content)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
