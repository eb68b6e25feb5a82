"""Wearers' feedback on answers, joined to the requests of the log.

Feedback is a table of `request_id`, `correct` (was the answer right?) and an optional `note`. The log does not know
wearers, so feedback of `user_id`, `timestamp`, `correct` also needs the app's own table of requests. For an alert,
`correct` false is a false alarm; for an answer without an alert, it is a missed event.
"""

import csv

import numpy as np
import pandas as pd

from lib.detector.persistence import IN_A_ROW as PERSISTENCES

_LONGEST_NOTE = 200  # characters
_MOST_LISTED = 40  # requests
_TRUE, _FALSE = {"true", "1", "1.0", "yes"}, {"false", "0", "0.0", "no"}


class BadFeedback(ValueError):
    """A feedback table that cannot be read, or a cell that cannot be understood."""


def read(path, *, requests_path=""):
    """Read feedback. The last row about a request counts.

    Parameters
    ----------
    path : str
        A CSV file, or "" for no feedback.
    requests_path : str
        CSV file of the app's requests: user_id, from, to, request_id. Required if the feedback names wearers and
        times. Times without an offset are UTC.

    Returns
    -------
    DataFrame
        `request_id`, `correct` (bool), `note`. Rows that match no request of the app are left out and counted in
        `attrs["unmatched"]`.

    Raises
    ------
    BadFeedback
        With file, row, column and value where one cell is wrong.
    """
    table = _read_csv(path, "feedback_path") if path else pd.DataFrame(columns=["request_id", "correct"])
    if "correct" not in table:
        raise BadFeedback(f"feedback_path={path}: expected a column correct, got {', '.join(table)}")
    if "request_id" not in table:
        table = _match_requests(table, path, requests_path)
    correct = _parse_correct(table["correct"], path)
    matched = table["request_id"].notna()
    note = table["note"] if "note" in table else pd.Series("", index=table.index)
    feedback = pd.DataFrame({"request_id": table["request_id"][matched].astype(str), "correct": correct[matched]})
    feedback["note"] = note[matched].fillna("").astype(str).str[:_LONGEST_NOTE]
    feedback = feedback.drop_duplicates("request_id", keep="last", ignore_index=True)
    feedback.attrs["unmatched"] = int((~matched).sum())
    return feedback


def _parse_correct(texts, path):
    words = texts.fillna("").astype(str).str.strip().str.lower()
    bad = words[~words.isin(_TRUE | _FALSE)]
    if len(bad):
        raise BadFeedback(
            f"feedback_path={path}: row {bad.index[0] + 2}: correct: expected true or false, got {bad.iloc[0]!r}"
        )
    return words.isin(_TRUE)


def _read_csv(path, parameter):
    """Read a CSV file as text, row n of the file at index n − 2; an empty or absent cell is NaN.

    Unlike pandas.read_csv it refuses a row with more values than the header, which would shift its ids.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            header, *rows = csv.reader(file, strict=True)
    except (OSError, ValueError, csv.Error) as error:
        raise BadFeedback(f"{parameter}={path}: cannot be read as CSV ({type(error).__name__})") from None
    header = [name.strip() for name in header]
    for number, row in enumerate(rows, 2):
        if len(row) > len(header):
            counts = f"expected {len(header)} values ({', '.join(header)}), got {len(row)}"
            remedy = "put a value that contains a comma in quotes, and remove a comma at the row's end"
            raise BadFeedback(f"{parameter}={path}: row {number}: {counts}: {remedy}")
    records = {number: dict(zip(header, row, strict=False)) for number, row in enumerate(rows) if any(row)}
    return pd.DataFrame.from_dict(records, orient="index", columns=header, dtype=object).replace("", np.nan)


def _match_requests(feedback, path, requests_path):
    """Add the request_id of the wearer's request whose readings span the timestamp; None if there is none."""
    if not {"user_id", "timestamp"} <= set(feedback):
        raise BadFeedback(f"feedback_path={path}: expected request_id, or user_id and timestamp")
    if not requests_path:
        raise BadFeedback(f"feedback_path={path}: it names wearers, so requests_path must say whose each request was")
    requests = _read_csv(requests_path, "requests_path")
    missing = sorted({"user_id", "from", "to", "request_id"} - set(requests))
    if missing:
        raise BadFeedback(f"requests_path={requests_path}: expected column {', '.join(missing)}")
    moments = _parse_times(feedback["timestamp"], f"feedback_path={path}")
    start, end = (_parse_times(requests[name], f"requests_path={requests_path}") for name in ("from", "to"))
    spans = {
        user: (start[rows], end[rows], requests["request_id"].to_numpy()[rows])
        for user, rows in requests.groupby("user_id").indices.items()
    }
    ids = [_spanning_request(spans.get(user), at) for user, at in zip(feedback["user_id"], moments, strict=True)]
    return feedback.assign(request_id=pd.Series(ids, index=feedback.index, dtype=object))


def _parse_times(texts, source):
    """Return a column's moments (n_rows,), NaT for an empty cell."""
    moments = pd.to_datetime(texts, utc=True, format="ISO8601", errors="coerce")
    bad = texts[moments.isna() & texts.notna()]
    if len(bad):
        expected = "expected an ISO 8601 time, such as 2026-03-02T08:01:05+01:00"
        raise BadFeedback(f"{source}: row {bad.index[0] + 2}: {texts.name}: {expected}, got {bad.iloc[0]!r}")
    return moments.to_numpy()


def _spanning_request(spans, moment):
    """Return the id of the last request in `spans` (start, end, ids) that contains the moment, or None."""
    if spans is None:
        return None
    start, end, ids = spans
    inside = np.flatnonzero((start <= moment) & (moment <= end))
    return ids[inside[-1]] if len(inside) else None


def count_unmatched(lines, feedback):
    """Count the rows of feedback that match no request, of the app's table or of the log's."""
    return feedback.attrs.get("unmatched", 0) + int((~feedback["request_id"].isin(lines["RequestId"])).sum())


def scored_requests(lines, feedback):
    """Select the scored requests of a log, with `correct` (1, 0, NaN without feedback) and `note`."""
    scored = lines[lines["Held"].notna()].reset_index(drop=True)
    by_request = feedback.set_index("request_id")
    correct = scored["RequestId"].map(by_request["correct"].astype(float))
    return scored.assign(correct=correct, note=scored["RequestId"].map(by_request["note"]).fillna(""))


def list_alerts(requests, proposal, *, most=_MOST_LISTED):
    """List the alerts and missed events, newest first, with what the proposal would change.

    Parameters
    ----------
    requests : DataFrame
        As `scored_requests` returns it.
    proposal : dict or None
        As `replay.propose` returns it.
    most : int
        Rows to list. Requests with feedback come before others.

    Returns
    -------
    DataFrame
        Texts for people, one row per request.
    """
    is_listed = (requests["Alerts"] == 1) | (requests["correct"] == 0)
    listed = requests.assign(has_feedback=requests["correct"].notna())[is_listed]
    listed = listed.sort_values(["has_feedback", "Time"], ascending=False)[:most].sort_values("Time", ascending=False)
    rows = [
        {
            "time": f"{request.Time:%Y-%m-%d %H:%M}",
            "request": request.RequestId,
            "held by 1, 3, 6, 12, 24": " ".join(f"{value:.2f}" for value in pad_held(request.Held)),
            "feedback": _describe_feedback(request.Alerts == 1, request.correct),
            "note": request.note,
            "at the proposal": _describe_outcome(request, proposal),
        }
        for request in listed.itertuples()
    ]
    return pd.DataFrame(rows)


def _describe_feedback(is_alert, correct):
    if np.isnan(correct):
        return "–"
    return ("right" if correct else "false alarm") if is_alert else "missed event"


def _describe_outcome(request, proposal):
    """Whether an alert would still fire at the proposal and, if not, whether it was right."""
    if not proposal:
        return "–"
    held = pad_held(request.Held)[PERSISTENCES.index(proposal["persistence"])]
    if request.Alerts != 1:
        return "silent, still missed"  # no proposal is lower, and what stayed silent stays so
    if held >= proposal["factor"]:
        return "fires"
    return "silent, would be missed" if request.correct == 1 else "silent"


def pad_held(held):
    """Return a line's `Held`, of any length, as one value per persistence (5,)."""
    return np.append(held, np.zeros(len(PERSISTENCES)))[: len(PERSISTENCES)]
