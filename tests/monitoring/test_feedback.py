"""Feedback: how it is read, matched to requests and listed."""

import numpy as np
import pandas as pd
import pytest
from scored_requests import ROWS, requests

from lib.monitoring import feedback
from lib.monitoring.feedback import BadFeedback


def saved(path, text):
    path.write_text(text)
    return str(path)


def test_the_last_row_about_a_request_counts(tmp_path):
    path = saved(tmp_path / "f.csv", "request_id,correct,note\na,true,\nb,False,was running\na,0,after all not\n")
    table = feedback.read(path)
    assert dict(zip(table["request_id"], table["correct"], strict=True)) == {"b": False, "a": False}
    assert table["note"].tolist() == ["was running", "after all not"]


def test_quotes_blank_lines_short_rows_and_a_byte_order_mark_are_read(tmp_path):
    text = '\ufeffrequest_id, correct,note\n\na,false,"running, not ill"\n\nb,true\n'
    table = feedback.read(saved(tmp_path / "f.csv", text))
    assert table.to_numpy().tolist() == [["a", False, "running, not ill"], ["b", True, ""]]


def test_no_feedback_is_an_empty_table():
    assert feedback.read("").empty


def test_feedback_of_wearers_and_times_is_matched_by_the_apps_requests(tmp_path):
    times = "ada,2026-03-02T07:02:00Z,false\nada,2026-03-02T09:00:00Z,true\nbob,2026-03-02T09:03:00+02:00,true\n"
    path = saved(tmp_path / "f.csv", "user_id,timestamp,correct\n" + times + "eve,2026-03-02T07:02:00Z,true\n")
    spans = ["ada,2026-03-02T07:00:00Z,2026-03-02T07:05:00Z,r1", "bob,2026-03-02T07:00:00Z,2026-03-02T07:05:00Z,r2"]
    requests = saved(tmp_path / "r.csv", "user_id,from,to,request_id\n" + "\n".join(spans))
    table = feedback.read(path, requests_path=requests)
    assert dict(zip(table["request_id"], table["correct"], strict=True)) == {"r1": False, "r2": True}
    assert table.attrs["unmatched"] == 2


def test_feedback_that_matches_no_request_of_the_app_or_of_the_log_is_counted(tmp_path):
    times = "ada,2026-03-02T07:02,false\nada,2026-03-02T07:12,true\nada,2026-03-02T09:00,true\n"
    path = saved(tmp_path / "f.csv", "user_id,timestamp,correct\n" + times)
    spans = "ada,2026-03-02T08:00+01:00,2026-03-02T07:05Z,r1\nada,2026-03-02T07:10,2026-03-02T07:15,r2\n"
    table = feedback.read(path, requests_path=saved(tmp_path / "r.csv", "user_id,from,to,request_id\n" + spans))
    assert table["request_id"].tolist() == ["r1", "r2"]
    assert feedback.count_unmatched(pd.DataFrame({"RequestId": ["r1", None]}), table) == 2
    assert feedback.count_unmatched(pd.DataFrame({"RequestId": ["r1"]}), feedback.read("")) == 0


def test_a_wearer_may_be_called_NA(tmp_path):
    path = saved(tmp_path / "f.csv", "user_id,timestamp,correct,note\nNA,2026-03-02T07:02Z,false,\n")
    spans = "user_id,from,to,request_id\nNA,2026-03-02T07:00Z,2026-03-02T07:05Z,r1\n"
    table = feedback.read(path, requests_path=saved(tmp_path / "r.csv", spans))
    assert table[["request_id", "note"]].to_numpy().tolist() == [["r1", ""]]
    assert table.attrs["unmatched"] == 0


@pytest.mark.parametrize(
    ("text", "app_requests", "message"),
    [
        ("request_id\na\n", None, "expected a column correct, got request_id"),
        ("request_id,correct\na,true\nb,perhaps\n", None, "row 3: correct: expected true or false, got 'perhaps'"),
        ("request_id,correct\na,\n", None, "row 2: correct: expected true or false, got ''"),
        ("note,correct\na,true\n", None, "expected request_id, or user_id and timestamp"),
        ("user_id,timestamp,correct\nada,2026-03-02T07:02:00Z,true\n", None, "so requests_path must say whose"),
        (
            "user_id,timestamp,correct\nada,2026-03-02T07:02:00Z,true\n",
            "user_id,from\n",
            "expected column request_id, to",
        ),
        (
            "user_id,timestamp,correct\nada,2026-03-02T07:02Z,true\nada,noon,true\n",
            "user_id,from,to,request_id\n",
            "^feedback_path=.*f.csv: row 3: timestamp: expected an ISO 8601 time, such as .*, got 'noon'$",
        ),
        (
            "user_id,timestamp,correct\nada,2026-03-02T07:02Z,true\n",
            "user_id,from,to,request_id\nada,2026-03-02T07:00Z,later,r1\n",
            "^requests_path=.*r.csv: row 2: to: expected an ISO 8601 time, .* got 'later'",
        ),
        ("", None, "cannot be read as CSV"),
        (
            "request_id,correct,note\na,true,\nb,false,I was running, not ill\n",
            None,
            r"row 3: expected 3 values \(request_id, correct, note\), got 4: put a value that",
        ),
        (
            "request_id,correct\na,false,\n",
            None,
            "row 2: expected 2 values .*, got 3: .*remove a comma at the row's end",
        ),
        ("request_id,correct,note\na,true,0,fine\n", None, "row 2: expected 3 values .*, got 4"),
    ],
)
def test_an_unusable_table_is_refused_in_one_line(tmp_path, text, app_requests, message):
    path = saved(tmp_path / "f.csv", text)
    others = saved(tmp_path / "r.csv", app_requests) if app_requests else ""
    with pytest.raises(BadFeedback, match=message):
        feedback.read(path, requests_path=others)
    with pytest.raises(BadFeedback, match="cannot be read"):
        feedback.read(str(tmp_path / "none.csv"))


def test_only_scored_requests_are_joined_each_with_its_feedback():
    lines = requests(*ROWS[:2]).drop(columns="correct").assign(RequestId=["a", "b"])
    lines = pd.concat([lines, lines[:1].assign(RequestId="c", Held=None)], ignore_index=True)
    table = pd.DataFrame({"request_id": ["b", "c"], "correct": [False, True], "note": ["ran", "fell"]})
    scored = feedback.scored_requests(lines, table)
    assert scored[["RequestId", "note"]].to_numpy().tolist() == [["a", ""], ["b", "ran"]]
    np.testing.assert_array_equal(scored["correct"], [np.nan, 0])


def alerts():
    names = [f"r{number}" for number in range(len(ROWS))]
    table = requests(*ROWS).assign(RequestId=names, note=["ran", *[""] * (len(ROWS) - 1)])
    return table.assign(Alerts=[1, 1, 1, 1, 1, 0, 0, 0])


def test_each_alert_and_missed_event_is_listed_with_what_the_proposal_would_change():
    listed = feedback.list_alerts(alerts(), {"factor": 1.55, "persistence": 1}).set_index("request")
    assert listed[["feedback", "at the proposal"]].to_dict("split") == {
        "index": ["r6", "r2", "r3", "r4", "r0", "r1"],
        "columns": ["feedback", "at the proposal"],
        "data": [
            ["missed event", "silent, still missed"],
            ["false alarm", "silent"],
            ["right", "fires"],
            ["–", "silent"],
            ["false alarm", "silent"],
            ["right", "fires"],
        ],
    }
    columns = ["time", "held by 1, 3, 6, 12, 24", "note"]
    assert listed.loc["r0", columns].tolist() == ["2026-03-02 00:00", "1.20 1.10 0.00 0.00 0.00", "ran"]
    lasting = feedback.list_alerts(alerts(), {"factor": 1.0, "persistence": 3}).set_index("request")["at the proposal"]
    assert lasting[["r0", "r1", "r3"]].tolist() == ["fires", "silent, would be missed", "fires"]
    assert set(feedback.list_alerts(alerts(), None)["at the proposal"]) == {"–"}


def test_alerts_with_feedback_are_listed_before_others():
    assert feedback.list_alerts(alerts(), None, most=5)["request"].tolist() == ["r6", "r2", "r3", "r0", "r1"]
    assert feedback.list_alerts(alerts()[:0], None).empty
    assert feedback.list_alerts(alerts()[5:6], None).empty  # a silent request without feedback
