"""The model's files as S3 objects: read whole, checked against their SHA-256, and given up in time."""

import hashlib
import json
import time
from contextlib import closing
from functools import cached_property

from lib.detector.export_folder import MODEL, NETWORK, NORMAL, THRESHOLD

LARGEST = 50_000_000  # bytes of one file
CONNECT_S, READ_S, ATTEMPTS = 1, 2, 3  # of one request, by botocore: 6 s and its pauses if nothing answers
_CHUNK = 1 << 16
_EXPLANATIONS = {
    "NoSuchKey": "there is no such object",
    "NoSuchBucket": "there is no such bucket",
    "AccessDenied": "access is denied, or there is no such object and the role has no s3:ListBucket",
}


class ModelUnavailable(Exception):
    """S3 does not provide the model. The message holds these facts only; none is secret.

    Parameters
    ----------
    reason : str
    bucket, key : str, optional
        Of the object; None if MODEL_PATH names none.
    transient : bool
        Whether it may be mended from outside, so that another attempt makes sense.
    """

    def __init__(self, reason, *, bucket=None, key=None, transient=True):
        self.reason, self.bucket, self.key, self.transient = reason, bucket, key, transient
        super().__init__(f"s3://{bucket}/{key}: {reason}" if bucket else reason)


class ModelObjects:
    """The objects of a bucket under a prefix, which are given up `total_s` seconds from now."""

    def __init__(self, bucket, prefix, *, total_s):
        self.bucket, self.prefix, self._total_s = bucket, prefix, total_s
        self._ends = time.monotonic() + total_s

    def unavailable(self, name, reason, *, transient=True):
        """The ModelUnavailable for one of the objects."""
        return ModelUnavailable(reason, bucket=self.bucket, key=self._key(name), transient=transient)

    def get(self, name, *, sha256, version=None):
        """Return the bytes of an object. It is read a second time if it is cut off or has another SHA-256.

        Parameters
        ----------
        name : str
        sha256 : str
        version : str or None
            Of S3; None for the newest.

        Raises
        ------
        ModelUnavailable
        """
        for _ in range(2):
            content, problem = self._body(name, self._response(name, version))
            if content is not None and sha256 == hashlib.sha256(content).hexdigest():
                return content
        if problem:
            raise self.unavailable(name, f"was cut off twice ({problem})")
        actual = hashlib.sha256(content).hexdigest()
        raise self.unavailable(name, f"its SHA-256 is {actual}, not {sha256}", transient=False)

    def listing(self, exported):
        """Return model.json (bytes) as an object, and the SHA-256 of the files that the handler needs, by name."""
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

    def _response(self, name, version):
        self._check_time(name)
        which = {"VersionId": version} if version else {}
        try:
            return self._client.get_object(Bucket=self.bucket, Key=self._key(name), **which)
        except ImportError:
            raise self.unavailable(name, "boto3 is not installed", transient=False) from None
        except _faults() as error:
            raise self.unavailable(name, _explanation(error)) from None

    def _body(self, name, response):
        """(content, None), or (None, what cut it off)."""
        content = bytearray()
        try:
            with closing(response["Body"]) as body:
                for chunk in body.iter_chunks(_CHUNK):
                    content += chunk
                    if len(content) > LARGEST:
                        raise self.unavailable(name, f"is larger than {LARGEST} bytes", transient=False)
                    self._check_time(name)
        except _faults() as error:
            return None, type(error).__name__
        return bytes(content), None

    def _check_time(self, name):
        if time.monotonic() > self._ends:
            raise self.unavailable(name, f"the model took more than {self._total_s} s")


def _faults():
    """What boto3 may raise: errors of S3, of the network below it, and ValueError for an endpoint that is no URL."""
    from botocore.exceptions import BotoCoreError, ClientError
    from urllib3.exceptions import HTTPError

    return BotoCoreError, ClientError, HTTPError, OSError, ValueError


def _explanation(error):
    """What an error of S3 or of the network is, in words that hold no secret: its code or its kind."""
    response = getattr(error, "response", None)
    code = response["Error"]["Code"] if isinstance(response, dict) else type(error).__name__
    return f"{_EXPLANATIONS[code]} ({code})" if code in _EXPLANATIONS else f"cannot be read ({code})"
