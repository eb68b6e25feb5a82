"""The handler's log lines as a table: read from files, or from CloudWatch Logs.

One row a request, columns as in the line (`lambda/request_log.py`): `Time` (UTC), `Version` (the run and the first
digits of its weights' SHA-256; UNANSWERED where the model could not be had), `RequestId`, `Status`, `Level`, the counts
and times of NUMBERS (NaN where a line has none), and the LISTS as arrays (None where it has none). What is no such line
is counted, never raised for: a log holds what the platform writes, too. Of a request that the platform ended, for it
crashed or took too long, that is all there is: a row of UNANSWERED with the status that a gateway gives, 502 or 504.
"""

import glob
import gzip
import json
import math
import re
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd

from lib.detector.grid import UNIX_MS_RANGE

NUMBERS = (
    "Readings",
    "Rejected",
    "Unknown",
    "Seconds",
    "Wearers",
    "Windows",
    "Alerts",
    "LargestScore",
    "ErrorP50",
    "ErrorP90",
    "ErrorMax",
    "DurationMs",
    "ColdStart",
)
UNANSWERED = "none/none"
LISTS = ("HeartRate", "HeartRateMoving", "Steps", "Errors", "Held")
TEXTS = ("RequestId", "Level", "Code")
_DAY_MS = 86_400_000
_BEFORE = r"^(?:\d{4}-\d\d-\d\d[T ]\S+ )?(?:\S+ )?"  # of a line: its time, a stream's name or a request's id
_OF_PLATFORM = re.compile(_BEFORE + r"(?:START|END|REPORT|INIT_START|INIT_REPORT|EXTENSION)\b")
_BEGINS_WITH_TIME = re.compile(r"\d{4}-\d\d-\d\dT")
_ENDED = re.compile(
    r"REPORT RequestId: (?P<report>\S+)\s.*\bStatus: (?P<status>timeout|error)\b|"
    r"\b(?P<task>[0-9a-f]{8}-[0-9a-f-]{27}) Task timed out after "
)
_ENDINGS = {"timeout": 504, "error": 502}
_LOG_IN = "log in anew, by aws sso login or aws configure, for the credentials are not (or no longer) valid"
_FIXES = {  # of an error of AWS, by its code: what to do
    "ResourceNotFoundException": "there is no such group in {region}: check its name and AWS_DEFAULT_REGION",
    "AccessDeniedException": "allow the caller logs:FilterLogEvents on it",
    "ExpiredTokenException": _LOG_IN,
    "UnrecognizedClientException": _LOG_IN,
    "InvalidSignatureException": _LOG_IN,
}


class NoLog(ValueError):
    """There is no log to read: a file that is not there or holds no line of the handler's, or a group that is not."""


def load(log_path, log_group, *, days):
    """(table, skipped) of files or, where `log_path` is empty, of a log group's last `days` days. Raises NoLog."""
    if bool(log_path) == bool(log_group):
        raise NoLog("log_path or log_group: one of the two is wanted, files or a log group of CloudWatch")
    return read(log_path) if log_path else fetch(log_group, days=days)


def of_weights(lines, sha256):
    """The lines of a log's table that a model with these weights answered. Raises NoLog, naming the versions seen."""
    mine = lines[lines["Version"].str.endswith(f"/{sha256[:12]}")].reset_index(drop=True)
    if mine.empty:
        seen = ", ".join(lines["Version"].unique()[:5])
        raise NoLog(f"none of {len(lines)} lines is of the weights {sha256[:12]}; the log's versions: {seen}")
    return mine


def without_pings(lines):
    """The lines of a log's table but for those that kept the function warm: answered, and of no readings.

    Raises NoLog where no other is left.
    """
    asked = lines[(lines["Status"] >= 400) | lines["Readings"].notna()].reset_index(drop=True)
    if asked.empty:
        raise NoLog(f"all {len(lines)} requests kept the function warm: nobody has sent it a reading")
    return asked


def in_use(lines):
    """The version that answered most requests of the table's last day: a deployment's check is one request."""
    last = lines["Version"][lines["Time"] > lines["Time"].max() - pd.Timedelta(days=1)]
    return last.value_counts().idxmax()


def worn(lines, *, interval_s):
    """Wearer-days that each line's request scored anew; of a line without Seconds, all that its readings make."""
    readings = lines["Readings"] - lines["Rejected"].fillna(0) - lines["Unknown"].fillna(0)
    told = lines["Seconds"] if "Seconds" in lines else pd.Series(math.nan, lines.index)
    return told.fillna(readings * interval_s).fillna(0) / 86_400


def since_first(lines, version):
    """The lines since `version` first answered that are its own, or that no model answered: what wearers got of it."""
    began = lines["Time"][lines["Version"] == version].min()
    return lines[lines["Version"].isin([version, UNANSWERED]) & (lines["Time"] >= began)].reset_index(drop=True)


def read(pattern):
    """(table, skipped) of the files that a path, folder or glob names; .gz is unpacked.

    skipped: how many lines were none of the handler's, those of Lambda itself aside. Raises NoLog.
    """
    path = Path(pattern)
    found = (
        sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else sorted(map(Path, glob.glob(pattern)))
    )
    if not found:
        raise NoLog(f"log_path={pattern}: no such file or folder")
    return _whole(table(line for file in found for line in _lines(file)), f"log_path={pattern}")


def fetch(group, *, days, client=None):
    """(table, skipped) of the last `days` days of a log group of CloudWatch. Raises NoLog, which says what to mend."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        client = client or boto3.client("logs")
        pages = client.get_paginator("filter_log_events")
        since = int(time.time() * 1000) - days * _DAY_MS
        events = [event for page in pages.paginate(logGroupName=group, startTime=since) for event in page["events"]]
    except ClientError as error:
        code = error.response["Error"]["Code"]
        fix = _FIXES.get(code, "check its name, AWS_DEFAULT_REGION and the credentials")
        raise NoLog(f"log_group={group}: {code}; {fix.format(region=client.meta.region_name)}") from None
    except BotoCoreError as error:
        raise NoLog(f"log_group={group}: {error}; give AWS credentials and AWS_DEFAULT_REGION") from None
    found = table((event["message"] for event in events), moments=[event["timestamp"] for event in events])
    return _whole(found, f"log_group={group}, last {days} days")


def _lines(path):
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8", errors="replace") as stream:
            yield from stream
    except (OSError, EOFError) as error:
        raise NoLog(f"log_path={path}: can not be read ({type(error).__name__})") from None


def _whole(found, where):
    if found[0].empty:
        raise NoLog(f"{where}: none of its {found[1]} lines is one of the handler's")
    return found


def table(lines, *, moments=None):
    """(table, skipped) of lines of text, in time order; a line that came twice counts once.

    moments: Unix ms of each line. Without, one of the platform's that does not begin with its time has that of the
    handler's line before it, and is skipped where there is none.
    """
    rows, skipped, moment = [], 0, None
    for place, line in enumerate(lines):
        row = _row(line)
        moment = row["Time"] if row else moment
        row = row or _ended(line, moments[place] if moments else moment)
        if row is not None:
            rows.append(row)
        elif line.strip() and (_ENDED.search(line) or not _OF_PLATFORM.match(line)):
            skipped += 1
    columns = ["Time", "Version", "Status", *TEXTS, *NUMBERS, *LISTS]
    found = pd.DataFrame(rows, columns=columns)
    found = found.assign(Time=pd.to_datetime(found["Time"], unit="ms"))
    ended = (found["Version"] == UNANSWERED) & found["Code"].isin(_ENDINGS)
    twice = found.duplicated(["Time", "RequestId"]) | (ended & found["RequestId"].where(ended).duplicated())
    once = ~(twice & found["RequestId"].notna())
    return found[once].sort_values("Time", kind="stable", ignore_index=True), skipped


def _row(line):
    """A line's row, or None. Before its JSON there may be a time, as in what CloudWatch exports."""
    try:
        said = json.loads(line[line.index("{") :])
        moment, status = said["_aws"]["Timestamp"], said["Status"]
        model, sha256 = str(said["Model"])[:100], str(said["ModelSha256"])[:12]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    if not (_is_number(moment) and 0 <= moment <= UNIX_MS_RANGE[1] and _is_number(status)):
        return None
    return {
        "Time": int(moment),
        "Version": f"{model}/{sha256}",
        "Status": int(status),
        **{name: said[name] if isinstance(said.get(name), str) else None for name in TEXTS},
        **{name: float(said[name]) if _is_number(said.get(name)) else math.nan for name in NUMBERS},
        **{name: _list(said.get(name)) for name in LISTS},
    }


def _ended(line, moment):
    """The row of a request that the platform ended, at `moment` (Unix ms, or None) unless the line says when; or None.

    AWS Lambda Developer Guide, "Understanding Lambda logs": Status is part of REPORT where a request did not succeed.
    """
    found = _ENDED.search(line)
    if not found:
        return None
    if _BEGINS_WITH_TIME.match(line):
        with suppress(ValueError):
            moment = int(pd.Timestamp(line.split()[0]).timestamp() * 1000)
    if moment is None:
        return None
    code = found["status"] or "timeout"
    said = {"RequestId": found["report"] or found["task"], "Code": code, "Status": _ENDINGS[code]}
    absent = {**dict.fromkeys(TEXTS), **dict.fromkeys(NUMBERS, math.nan), **dict.fromkeys(LISTS)}
    return absent | said | {"Time": moment, "Version": UNANSWERED}


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _list(value):
    if not isinstance(value, list) or not all(_is_number(item) and item >= 0 for item in value):
        return None
    return np.array(value, dtype=np.float64)
