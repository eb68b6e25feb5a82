"""The model in S3: an export's files under their own prefix, each with its SHA-256. Not in the bundle."""

import base64

from botocore.exceptions import ClientError

from deployment.refusals import Refused, code_of
from lib.detector.export_folder import MODEL
from lib.export import bundle


class ModelStore:
    """The place of one Package in a bucket."""

    def __init__(self, client, bucket, package):
        self._client, self.bucket, self._package = client, bucket, package

    @property
    def url(self):
        """The value of the function's MODEL_PATH."""
        return f"s3://{self.bucket}/{self._package.prefix}"

    @property
    def code(self):
        """The place of the zip, as Lambda's API names it."""
        return {"S3Bucket": self.bucket, "S3Key": self._key(bundle.ZIP)}

    def check(self):
        """Raise Refused unless the bucket exists, is in the function's region, and may be used."""
        try:
            region = self._client.head_bucket(Bucket=self.bucket).get("BucketRegion")
        except ClientError as error:
            reasons = {
                "404": "there is no such bucket: create it (aws s3 mb), or name another by --bucket",
                "403": "the caller may not use it: allow s3:ListBucket on it, or name another by --bucket",
            }
            if reason := reasons.get(code_of(error)):
                raise Refused(f"bucket {self.bucket}: {reason}") from None
            raise
        expected = self._client.meta.region_name
        if region not in (None, expected):  # boto3 follows it there; Lambda does not, and the function pays for it
            raise Refused(
                f"bucket {self.bucket}: expected the function's region {expected}, got {region}: use a bucket there"
            )

    def missing(self, *, zip_alone=False):
        """The names of the files that are not there yet with their SHA-256; model.json, which lists them, last."""
        sums = self._sums()
        return [name for name in ([bundle.ZIP] if zip_alone else sums) if not self._has(name, sums[name])]

    def put(self, name):
        """Upload one file. S3 itself refuses it if another SHA-256 arrives."""
        content = (self._package.folder / name).read_bytes()
        checked = {"ChecksumAlgorithm": "SHA256", "ChecksumSHA256": _base64(self._sums()[name])}
        self._client.put_object(Bucket=self.bucket, Key=self._key(name), Body=content, **checked)

    def _sums(self):
        return {**self._package.files, MODEL: self._package.model_sha256}

    def _key(self, name):
        return f"{self._package.prefix}/{name}"

    def _has(self, name, expected):
        try:
            head = self._client.head_object(Bucket=self.bucket, Key=self._key(name), ChecksumMode="ENABLED")
        except ClientError as error:
            if code_of(error) in ("404", "403"):  # 403 is what a caller without s3:ListBucket gets for a missing one
                return False
            raise
        return head.get("ChecksumSHA256") == _base64(expected)


def _base64(hexadecimal):
    return base64.b64encode(bytes.fromhex(hexadecimal)).decode()
