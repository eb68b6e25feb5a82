"""The handler's log lines as a table: read from files, or from CloudWatch Logs.

One row per request, with the columns of the line (`lambda/request_log.py`): `Time` (UTC), `Version`, `RequestId`,
`Status`, `Level`, `Code`, the counts and times of NUMBERS (NaN if absent), and the LISTS as arrays (None if absent).
`Version` is the run and the first digits of its weights' SHA-256, or UNANSWERED if the model could not be loaded.

Other lines are counted and never raise: the platform writes to the same log. If the platform ended a request, because
it crashed or took too long, its line becomes a row of UNANSWERED with the gateway's status, 502 or 504.
"""

import json
import math
import re
from contextlib import suppress

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
    "TrendAlerts",
    "TrendScore",
    "ErrorP50",
    "ErrorP90",
    "ErrorMax",
    "DurationMs",
    "ColdStart",
)
UNANSWERED = "none/none"
LISTS = ("HeartRate", "HeartRateMoving", "Steps", "Errors", "Held")
TEXTS = ("RequestId", "Level", "Code")
_DAY_S = 86_400
_PREFIX = r"^(?:\d{4}-\d\d-\d\d[T ]\S+ )?(?:\S+ )?"  # of a line: its time, a stream's name or a request's id
_PLATFORM_LINE = re.compile(_PREFIX + r"(?:START|END|REPORT|INIT_START|INIT_REPORT|EXTENSION)\b")
_STARTS_WITH_TIME = re.compile(r"\d{4}-\d\d-\d\dT")
_PLATFORM_ENDED = re.compile(
    r"REPORT RequestId: (?P<report>\S+)\s.*\bStatus: (?P<status>timeout|error)\b|"
    r"\b(?P<task>[0-9a-f]{8}-[0-9a-f-]{27}) Task timed out after "
)
_GATEWAY_STATUS = {"timeout": 504, "error": 502}
_REPORTED_ENDS = {"timeout": "timeout", "error": "error", "failure": "error"}  # platform.report's status: our code


class NoLog(ValueError):
    """No usable log: a file is missing or holds no line of the handler, or a log group does not exist."""


def answered_by_weights(lines, sha256):
    """Select the lines that a model with these weights answered.

    Raises
    ------
    NoLog
        If there are none. The message names the versions in the log.
    """
    selected = lines[lines["Version"].str.endswith(f"/{sha256[:12]}")].reset_index(drop=True)
    if selected.empty:
        seen = ", ".join(lines["Version"].unique()[:5])
        raise NoLog(f"expected lines of the weights {sha256[:12]}, got {len(lines)} lines of other versions: {seen}")
    return selected


def without_pings(lines):
    """Drop the pings that keep the function warm: requests answered without a reading.

    Raises
    ------
    NoLog
        If no other line is left.
    """
    requests = lines[(lines["Status"] >= 400) | lines["Readings"].notna()].reset_index(drop=True)
    if requests.empty:
        raise NoLog(f"expected requests with readings, got {len(lines)} that only keep the function warm")
    return requests


def version_in_use(lines):
    """Return the version that answered most requests of the last day. A deployment's check is one request."""
    last_day = lines["Version"][lines["Time"] > lines["Time"].max() - pd.Timedelta(days=1)]
    return last_day.value_counts().idxmax()


def wearer_days(lines, *, interval_s):
    """Return the wearer-days that each request scored for the first time, shape (n_lines,).

    A line without `Seconds`, of an older handler, counts all its usable readings, `interval_s` seconds each.
    """
    readings = lines["Readings"] - lines["Rejected"].fillna(0) - lines["Unknown"].fillna(0)
    seconds = lines["Seconds"] if "Seconds" in lines else pd.Series(math.nan, lines.index)
    return seconds.fillna(readings * interval_s).fillna(0) / _DAY_S


def since_first_answer(lines, version):
    """Select the lines since `version` first answered that it answered, or that no model answered."""
    start = lines["Time"][lines["Version"] == version].min()
    return lines[lines["Version"].isin([version, UNANSWERED]) & (lines["Time"] >= start)].reset_index(drop=True)


def parse_lines(lines):
    """Turn lines of text into the table, as `parse_events` does."""
    return parse_events((line, None) for line in lines)


def parse_events(events):
    """Turn log events into the table, in time order. A line that occurs twice counts once.

    Parameters
    ----------
    events : iterable of (str, int or None)
        Line, and Unix ms at which it was logged. If neither the event nor the line has a time, a platform line takes
        the time of the handler's line before it, and is skipped without one.

    Returns
    -------
    table : DataFrame
    skipped : int
        Lines that neither the handler nor the platform wrote.
    """
    rows, skipped, previous_time = [], 0, None
    for line, time in events:
        row = _handler_row(line)
        previous_time = row["Time"] if row else previous_time
        row = row or _platform_row(line, previous_time if time is None else time)
        if row is not None:
            rows.append(row)
        elif line.strip() and not _is_harmless(line):
            skipped += 1
    table = pd.DataFrame(rows, columns=["Time", "Version", "Status", *TEXTS, *NUMBERS, *LISTS])
    return _deduplicate(table.assign(Time=pd.to_datetime(table["Time"], unit="ms"))), skipped


def _is_harmless(line):
    """Whether the platform wrote the line, about something else than the end of a request."""
    event = _platform_event(line)
    if event is not None:
        return _end_of(event) is None
    return bool(_PLATFORM_LINE.match(line)) and not _PLATFORM_ENDED.search(line)


def _deduplicate(table):
    """Drop repeated lines, sort by time. The platform may report one ended request in two forms."""
    ended = (table["Version"] == UNANSWERED) & table["Code"].isin(_GATEWAY_STATUS)
    repeated = table.duplicated(["Time", "RequestId"]) | (ended & table["RequestId"].where(ended).duplicated())
    unique = ~(repeated & table["RequestId"].notna())
    return table[unique].sort_values("Time", kind="stable", ignore_index=True)


def _handler_row(line):
    """Return a handler line's row, or None. A time may precede its JSON, as in CloudWatch exports."""
    try:
        fields = json.loads(line[line.index("{") :])
        time, status = fields["_aws"]["Timestamp"], fields["Status"]
        model, sha256 = str(fields["Model"])[:100], str(fields["ModelSha256"])[:12]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    if not (_is_number(time) and 0 <= time <= UNIX_MS_RANGE[1] and _is_number(status)):
        return None
    return {
        "Time": int(time),
        "Version": f"{model}/{sha256}",
        "Status": int(status),
        **{name: fields[name] if isinstance(fields.get(name), str) else None for name in TEXTS},
        **{name: float(fields[name]) if _is_number(fields.get(name)) else math.nan for name in NUMBERS},
        **{name: _counts(fields.get(name)) for name in LISTS},
    }


def _platform_row(line, time):
    """Return the row of a request that the platform ended, or None.

    time: Unix ms, or None; a time in the line takes precedence. AWS Lambda Developer Guide, "Understanding Lambda
    logs": REPORT has a Status if the request did not succeed. "Lambda Telemetry API Event schema reference": in the
    JSON log format it is the record of a platform.report.
    """
    event = _platform_event(line)
    return _text_row(line, time) if event is None else _event_row(event, time)


def _platform_event(line):
    """Return a line of Lambda's JSON log format as a dict with a "record", or None."""
    if '"platform.' not in line:
        return None
    try:
        event = json.loads(line[line.index("{") :])
    except (ValueError, RecursionError):
        return None
    is_event = isinstance(event, dict) and isinstance(event.get("record"), dict)
    return event if is_event and str(event.get("type")).startswith("platform.") else None


def _end_of(event):
    """Return how the platform ended a request, "timeout" or "error", if the event reports that; else None."""
    is_report = event["type"] == "platform.report" and isinstance(event["record"].get("requestId"), str)
    return _REPORTED_ENDS.get(event["record"].get("status")) if is_report else None


def _event_row(event, time):
    code = _end_of(event)
    with suppress(KeyError, TypeError, ValueError):
        time = int(pd.Timestamp(event["time"]).timestamp() * 1000)
    return None if code is None or time is None else _unanswered(event["record"]["requestId"], code, time)


def _text_row(line, time):
    match = _PLATFORM_ENDED.search(line)
    if not match:
        return None
    if _STARTS_WITH_TIME.match(line):
        with suppress(ValueError):
            time = int(pd.Timestamp(line.split()[0]).timestamp() * 1000)
    if time is None:
        return None
    code = match["status"] or "timeout"
    return _unanswered(match["report"] or match["task"], code, time)


def _unanswered(request_id, code, time):
    absent = {**dict.fromkeys(TEXTS), **dict.fromkeys(NUMBERS, math.nan), **dict.fromkeys(LISTS)}
    known = {"Time": time, "Version": UNANSWERED, "RequestId": request_id, "Code": code}
    return absent | known | {"Status": _GATEWAY_STATUS[code]}


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _counts(value):
    if not isinstance(value, list) or not all(_is_number(item) and item >= 0 for item in value):
        return None
    return np.array(value, dtype=np.float64)
