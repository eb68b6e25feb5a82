"""Find the model: beside the handler, in a folder, or in S3, from where it is fetched once.

MODEL_DIR         a folder that holds the model, without a pin: for tests and this machine; it precedes MODEL_PATH
MODEL_PATH        s3://bucket/prefix, such as s3://bucket/models/default/lambda_export; or a folder
MODEL_SHA256      its pin: the SHA-256 of model.json there, which lists that of every other file. MODEL_PATH needs it:
                  whoever may write to the bucket could otherwise exchange the model
MODEL_VERSION_ID  the S3 version of model.json to ask for, where the bucket keeps versions

Without MODEL_DIR and MODEL_PATH the model is beside this file, and boto3, which Lambda's Python has, is never imported.
The role needs s3:GetObject on the prefix (s3:GetObjectVersion for a version). A model that an earlier process
left in the temporary folder is used without asking S3.
"""

import hashlib
import json
import os
import re
import tempfile
import threading
import time
from concurrent.futures import Future
from pathlib import Path

from model_objects import ModelObjects, ModelUnavailable

from lib.detector.detector import Detector
from lib.detector.export_folder import MODEL, DamagedModel

RETRY_S = 30  # between two attempts after a transient fault, at least
TOTAL_S = 8  # Lambda gives a function 10 s to start; all but the fetching takes a quarter of a second
_EXPORTED = "exported.json"  # model.json as it is in S3


class Holder:
    """Loads the detector, as soon as it is available.

    A transient fault is followed by another attempt, RETRY_S seconds later at the earliest. A model that is damaged,
    or is not the pinned one, stays refused.

    Parameters
    ----------
    load : callable, optional
        Returns the detector; by default that of the environment's variables.
    now : callable
        A clock in seconds.
    """

    def __init__(self, load=None, *, now=time.monotonic):
        self._load, self._now = load or _load, now
        self._outcome, self._next_attempt = (None, None), now()

    def get(self):
        """Return (detector, None), or (None, why there is no detector: a sentence for the log)."""
        if self._next_attempt is not None and self._now() >= self._next_attempt:
            try:
                self._outcome, self._next_attempt = (self._load(), None), None
            except (DamagedModel, ModelUnavailable) as error:
                self._outcome = None, str(error)
                self._next_attempt = self._now() + RETRY_S if getattr(error, "transient", False) else None
        return self._outcome


def _load():
    return Detector.load(folder())


def folder():
    """Return the folder that holds the model. Raises ModelUnavailable if it is not the pinned one, or S3 fails."""
    if os.environ.get("MODEL_DIR"):
        return Path(os.environ["MODEL_DIR"])
    path = os.environ.get("MODEL_PATH", "")
    if not path:
        return Path(__file__).parent
    pin = _pin()
    if re.match(r"\w+:", path):
        return _fetched(path, pin)
    if _read_if(Path(path) / MODEL, pin) is None:
        raise ModelUnavailable("MODEL_PATH: its model.json is missing, or is not that of MODEL_SHA256", transient=False)
    return Path(path)


def _pin():
    """The SHA-256 in MODEL_SHA256. Raises ModelUnavailable."""
    pin = os.environ.get("MODEL_SHA256", "").strip().lower()
    if not re.fullmatch(r"[0-9a-f]{64}", pin):
        reason = "MODEL_SHA256: expected the SHA-256 of model.json at MODEL_PATH (sha256sum model.json)"
        raise ModelUnavailable(f"{reason}, got {'another text' if pin else 'none'}", transient=False)
    return pin


def _fetched(url, pin):
    """Fetch what `Detector.load` reads of the export at `url`, and return its folder.

    The folder is named after the SHA-256 of model.json. A thread fetches, and is not waited for beyond TOTAL_S: no
    timeout of a socket ends a body that comes byte by byte.
    """
    objects, result = _objects(url), Future()
    threading.Thread(target=_settle, args=(result, objects, pin), daemon=True).start()
    try:
        return result.result(TOTAL_S)
    except TimeoutError:
        raise objects.unavailable(MODEL, f"the model took more than {TOTAL_S} s") from None


def _settle(result, objects, pin):
    """Give the Future `result` what `_fetch` returns or raises."""
    try:
        result.set_result(_fetch(objects, pin))
    except Exception as error:
        result.set_exception(error)


def _fetch(objects, pin):
    """Fetch the model's files into the temporary folder, and return their folder.

    Detector.load expects every file that model.json lists, and the export has more, such as the SavedModel. So the
    folder's model.json is the exported one, once checked, but lists the fetched files alone.
    """
    exported = _read_if(_folder(pin) / _EXPORTED, pin)
    if exported is None:
        exported = objects.get(MODEL, sha256=pin, version=os.environ.get("MODEL_VERSION_ID"))
    model, files = objects.listing(exported)
    folder = _folder(pin)
    try:
        for name, sha256 in files.items():
            if _read_if(folder / name, sha256) is None:
                _write(folder / name, objects.get(name, sha256=sha256))
        _write(folder / _EXPORTED, exported)
        _write(folder / MODEL, json.dumps({**model, "files": files}).encode())
    except OSError as error:
        raise objects.unavailable(MODEL, f"cannot be written to {folder} ({type(error).__name__})") from None
    return folder


def _objects(url):
    match = re.fullmatch(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/?(.*)", url)
    if not match:
        raise ModelUnavailable("MODEL_PATH: expected s3://bucket/prefix or a folder", transient=False)
    return ModelObjects(bucket=match[1], prefix=match[2].strip("/"), total_s=TOTAL_S)


def _folder(sha256):
    return Path(tempfile.gettempdir()) / f"health-model-{sha256[:16]}"


def _read_if(path, sha256):
    """The bytes of a file if it exists and has that SHA-256, else None."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    return content if hashlib.sha256(content).hexdigest() == sha256 else None


def _write(path, content):
    """Write a file beside its place and move it there, so that a file in place is always complete."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    beside = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}.part")  # an abandoned one may go on
    try:
        beside.write_bytes(content)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
