"""Where log lines come from: files, or a log group of CloudWatch Logs. `log` parses them."""

import glob
import gzip
import time
from pathlib import Path

from lib.monitoring.log import NoLog, parse_events
from lib.monitoring.log_exports import FORMS, messages

_DAY_MS = 86_400_000
_LOG_IN = "the credentials are invalid or have expired: log in with aws sso login or aws configure"
_REMEDIES = {  # by AWS error code
    "ResourceNotFoundException": "no such group exists in {region}: check its name and AWS_DEFAULT_REGION",
    "AccessDeniedException": "allow the caller logs:FilterLogEvents on it",
    "ExpiredTokenException": _LOG_IN,
    "UnrecognizedClientException": _LOG_IN,
    "InvalidSignatureException": _LOG_IN,
}


def load(log_path, log_group, *, days):
    """Read the log from files, or the last `days` days of a log group. Exactly one of the two must be given.

    Returns
    -------
    table : DataFrame
        As `log.parse_events` returns it.
    skipped : int
        Lines that neither the handler nor the platform wrote.

    Raises
    ------
    NoLog
        With the remedy in its message.
    """
    if bool(log_path) == bool(log_group):
        count = "both" if log_path else "neither"
        raise NoLog(f"expected log_path (files) or log_group (a log group of CloudWatch), got {count}")
    return read_files(log_path) if log_path else fetch_group(log_group, days=days)


def read_files(pattern):
    """Read the files that a path, folder or glob names. Returns and raises as `load` does.

    .gz files are unpacked. `log_exports` lists the forms that are read.
    """
    path = Path(pattern)
    paths = (
        sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else sorted(map(Path, glob.glob(pattern)))
    )
    if not paths:
        raise NoLog(f"log_path={pattern}: no such file or folder")
    events = (event for path in paths for event in messages(_lines(path)))
    return _require_lines(parse_events(events), f"log_path={pattern}")


def fetch_group(group, *, days, client=None):
    """Fetch the last `days` days of a log group. Returns and raises as `load` does."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        client = client or boto3.client("logs")
        pages = client.get_paginator("filter_log_events")
        since = int(time.time() * 1000) - days * _DAY_MS
        events = [event for page in pages.paginate(logGroupName=group, startTime=since) for event in page["events"]]
    except ClientError as error:
        code = error.response["Error"]["Code"]
        remedy = _REMEDIES.get(code, "check its name, AWS_DEFAULT_REGION and the credentials")
        raise NoLog(f"log_group={group}: {code}; {remedy.format(region=client.meta.region_name)}") from None
    except BotoCoreError as error:
        raise NoLog(f"log_group={group}: {error}; give AWS credentials and AWS_DEFAULT_REGION") from None
    parsed = parse_events((event["message"], event["timestamp"]) for event in events)
    return _require_lines(parsed, f"log_group={group}, last {days} days")


def _lines(path):
    open_text = gzip.open if path.suffix == ".gz" else open
    try:
        with open_text(path, "rt", encoding="utf-8", errors="replace") as stream:
            yield from stream
    except (OSError, EOFError) as error:
        raise NoLog(f"log_path={path}: cannot be read ({type(error).__name__})") from None


def _require_lines(parsed, source):
    table, skipped = parsed
    if table.empty:
        raise NoLog(f"{source}: none of {skipped} lines is the handler's; expected {FORMS}")
    return parsed
