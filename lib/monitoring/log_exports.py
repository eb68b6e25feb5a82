"""Log files as AWS tools write them, turned into plain log lines.

Besides plain lines, these forms are read: the CSV of CloudWatch Logs Insights (column @message), its JSON (`aws logs
get-query-results`), the JSON of `aws logs filter-log-events` and `get-log-events`, and Firehose, which puts several
JSON documents in one line.
"""

import csv
import itertools
import json
import re

import pandas as pd

FORMS = (
    "the handler's JSON lines, a CSV of Logs Insights with the column @message, or JSON of aws logs filter-log-events, "
    "get-log-events, get-query-results or Firehose"
)
_DECODER = json.JSONDecoder()
_BLANK = re.compile(r"\s*")


def messages(lines):
    """Turn the lines of one file into log lines.

    Parameters
    ----------
    lines : iterable of str

    Yields
    ------
    message : str
    time : int or None
        Unix ms, if the form contains it.
    """
    lines = itertools.dropwhile(lambda line: not line.strip("\ufeff \t\r\n"), lines)
    first = next(lines, "").lstrip("\ufeff")
    lines = itertools.chain([first], lines)
    if "@message" in _csv_cells(first):
        yield from _insights_csv(lines)
    elif first.strip() in ("{", "[", '{"events": ['):  # an indented document
        yield from _expand_text("".join(lines))
    else:
        for line in lines:
            yield from _expand_text(line)


def _csv_cells(line):
    try:
        return [cell.strip() for cell in next(csv.reader([line]), [])]
    except csv.Error:
        return []


def _insights_csv(lines):
    for row in csv.DictReader(lines, skipinitialspace=True):
        yield row.get("@message") or "", _unix_ms(row.get("@timestamp"))


def _expand_text(text):
    """Expand text of one or more JSON documents; other text is one message."""
    if text.startswith('{"_aws"') and "}{" not in text or not text.lstrip().startswith(("{", "[")):
        yield text, None
        return
    start = _BLANK.match(text).end()
    while start < len(text):
        try:
            document, end = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            yield text[start:], None
            return
        yield from _expand(document, text[start:end])
        start = _BLANK.match(text, end).end()


def _expand(document, text):
    """Expand a JSON document into its log events; `text` is its source, for a document that contains none."""
    if isinstance(document, list):
        for item in document:
            yield from _expand(item, json.dumps(item))
    elif not isinstance(document, dict) or "_aws" in document:
        yield text, None
    elif isinstance(events := document.get("logEvents", document.get("events")), list):
        yield from _expand(events, text)
    elif isinstance(results := document.get("results"), list):
        for fields in results:
            yield from _insights_json(fields)
    elif "message" in document and "timestamp" in document:
        message = document["message"]
        yield message if isinstance(message, str) else json.dumps(message), _unix_ms(document["timestamp"])
    else:
        yield text, None


def _insights_json(fields):
    values = {cell.get("field"): cell.get("value") for cell in fields if isinstance(cell, dict)}
    yield str(values.get("@message") or ""), _unix_ms(values.get("@timestamp"))


def _unix_ms(value):
    """Return the Unix ms of a number or of a time in UTC, such as "2026-03-02 07:00:00.123"; else None."""
    try:
        return int(float(value))
    except (TypeError, ValueError, OverflowError):
        moment = pd.to_datetime(value, utc=True, errors="coerce")
        return None if moment is None or pd.isna(moment) else int(moment.timestamp() * 1000)
