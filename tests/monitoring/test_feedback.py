"""Feedback: how it is read, and what a replay makes of it, by hand and on months to come."""

import math

import numpy as np
import pandas as pd
import pytest

from lib.monitoring import feedback
from lib.monitoring.feedback import BadFeedback, Replay

DAY_READINGS = 17_280  # of a wearer-day at 5 s


def saved(path, text):
    path.write_text(text)
    return str(path)


def test_the_last_word_on_a_request_counts(tmp_path):
    path = saved(tmp_path / "f.csv", "request_id,correct,note\na,true,\nb,False,was running\na,0,after all not\n")
    said = feedback.read(path)
    assert dict(zip(said["request_id"], said["correct"], strict=True)) == {"b": False, "a": False}
    assert said["note"].tolist() == ["was running", "after all not"]


def test_no_feedback_is_an_empty_table():
    assert feedback.read("").empty


def test_feedback_of_wearers_and_times_is_matched_by_the_apps_requests(tmp_path):
    times = "ada,2026-03-02T07:02:00Z,false\nada,2026-03-02T09:00:00Z,true\nbob,2026-03-02T09:03:00+02:00,true\n"
    path = saved(tmp_path / "f.csv", "user_id,timestamp,correct\n" + times + "eve,2026-03-02T07:02:00Z,true\n")
    spans = ["ada,2026-03-02T07:00:00Z,2026-03-02T07:05:00Z,r1", "bob,2026-03-02T07:00:00Z,2026-03-02T07:05:00Z,r2"]
    requests = saved(tmp_path / "r.csv", "user_id,from,to,request_id\n" + "\n".join(spans))
    said = feedback.read(path, requests_path=requests)
    assert dict(zip(said["request_id"], said["correct"], strict=True)) == {"r1": False, "r2": True}
    assert said.attrs["unmatched"] == 2


def test_feedback_that_met_no_request_of_the_app_or_of_the_log_is_counted(tmp_path):
    times = "ada,2026-03-02T07:02,false\nada,2026-03-02T07:12,true\nada,2026-03-02T09:00,true\n"
    path = saved(tmp_path / "f.csv", "user_id,timestamp,correct\n" + times)
    spans = "ada,2026-03-02T08:00+01:00,2026-03-02T07:05Z,r1\nada,2026-03-02T07:10,2026-03-02T07:15,r2\n"
    said = feedback.read(path, requests_path=saved(tmp_path / "r.csv", "user_id,from,to,request_id\n" + spans))
    assert said["request_id"].tolist() == ["r1", "r2"]
    assert feedback.unmet(pd.DataFrame({"RequestId": ["r1", None]}), said) == 2
    assert feedback.unmet(pd.DataFrame({"RequestId": ["r1"]}), feedback.read("")) == 0


def test_a_wearer_may_be_called_NA(tmp_path):
    path = saved(tmp_path / "f.csv", "user_id,timestamp,correct,note\nNA,2026-03-02T07:02Z,false,\n")
    spans = "user_id,from,to,request_id\nNA,2026-03-02T07:00Z,2026-03-02T07:05Z,r1\n"
    said = feedback.read(path, requests_path=saved(tmp_path / "r.csv", spans))
    assert said[["request_id", "note"]].to_numpy().tolist() == [["r1", ""]]
    assert said.attrs["unmatched"] == 0


@pytest.mark.parametrize(
    ("text", "requests", "said"),
    [
        ("request_id\na\n", None, "has no column correct"),
        ("request_id,correct\na,true\nb,perhaps\n", None, "row 3: correct is 'perhaps', not true or false"),
        ("request_id,correct\na,\n", None, "row 2: correct is '', not"),
        ("note,correct\na,true\n", None, "request_id is wanted, or user_id and timestamp"),
        ("user_id,timestamp,correct\nada,2026-03-02T07:02:00Z,true\n", None, "so requests_path is wanted"),
        ("user_id,timestamp,correct\nada,2026-03-02T07:02:00Z,true\n", "user_id,from\n", "no column request_id, to"),
        (
            "user_id,timestamp,correct\nada,2026-03-02T07:02Z,true\nada,noon,true\n",
            "user_id,from,to,request_id\n",
            "^feedback_path=.*f.csv: row 3: timestamp is 'noon': an ISO 8601 time, such as .*, is wanted$",
        ),
        (
            "user_id,timestamp,correct\nada,2026-03-02T07:02Z,true\n",
            "user_id,from,to,request_id\nada,2026-03-02T07:00Z,later,r1\n",
            "^requests_path=.*r.csv: row 2: to is 'later': an ISO 8601 time",
        ),
        ("", None, "can not be read as CSV"),
    ],
)
def test_a_table_that_says_nothing_is_refused_in_one_line(tmp_path, text, requests, said):
    path = saved(tmp_path / "f.csv", text)
    others = saved(tmp_path / "r.csv", requests) if requests else ""
    with pytest.raises(BadFeedback, match=said):
        feedback.read(path, requests_path=others)
    with pytest.raises(BadFeedback, match="can not be read"):
        feedback.read(str(tmp_path / "none.csv"))


def requests(*rows):
    """Requests of a wearer-day each, of (day, held by 1 and 3 windows, correct: 1, 0 or None)."""
    table = pd.DataFrame(
        {
            "Time": pd.to_datetime([f"2026-03-{day:02}" for day, *_ in rows]),
            "Held": [np.array([*held, 0, 0, 0]) for _, held, _ in rows],
            "correct": [math.nan if correct is None else correct for *_, correct in rows],
        }
    )
    return table.assign(Readings=DAY_READINGS, Rejected=0.0, Unknown=math.nan)


ROWS = (
    (2, (1.2, 1.1), 0),  # a false alarm
    (2, (3.0, 0.5), 1),  # an alert that was right
    (3, (1.5, 1.5), 0),
    (3, (1.6, 1.0), 1),
    (3, (1.1, 0.2), None),  # of which nobody spoke
    (4, (0.5, 0.5), None),
    (4, (0.9, 0.9), 0),  # an event that was missed
    (4, (0.9, 0.9), 1),  # that nothing was wrong was right
)


@pytest.fixture
def replay():
    return Replay(requests(*ROWS), interval_s=5, seed=1)


@pytest.mark.parametrize(
    ("factor", "persistence", "alerts", "false", "missed", "caught"),
    [
        (1.0, 1, 5, 2, 0.0, 0),
        (1.3, 1, 3, 1, 0.0, 0),
        (1.55, 1, 2, 0, 0.0, 0),
        (2.0, 1, 1, 0, 0.5, 0),
        (0.8, 1, 7, 2, 0.0, 1),
        (1.0, 3, 3, 2, 0.5, 0),
        (1.0, 24, 0, 0, 1.0, 0),
    ],
)
def test_a_replay_tells_what_would_have_fired(replay, factor, persistence, alerts, false, missed, caught):
    found = replay.at(factor, persistence)
    each = 5 / 4  # five alerts, of which four were spoken of
    assert (found["alerts"], found["caught"]) == (alerts, caught)
    assert found["false_alarms"] == pytest.approx(each * false / 8)  # of eight wearer-days
    assert found["missed"] == pytest.approx(missed)
    low, high = found["false_alarms_interval"]
    assert low <= found["false_alarms"] <= high


def test_without_a_word_nothing_is_told_of_false_alarms():
    silent = Replay(requests((2, (1.2, 0), None)), interval_s=5, seed=1)
    found = silent.at(1.0)
    assert (found["false_alarms"], found["missed"]) == (None, None)
    assert (found["false_alarms_interval"], found["missed_interval"]) == ([None, None], [None, None])
    assert feedback.proposal(silent, choices(1.5), cut=0.5) is None


def test_of_no_scored_request_a_replay_tells_nothing_and_proposes_nothing():
    nothing = Replay(requests(), interval_s=5, seed=1)
    found = nothing.at(1.0)
    assert (nothing.alerts, nothing.answered, found["alerts"]) == (0, 0, 0)
    assert (found["false_alarms"], found["missed_interval"]) == (None, [None, None])
    assert feedback.proposal(nothing, choices(1.5), cut=0.5) is None


def test_that_nothing_happened_in_a_month_does_not_promise_that_nothing_will(replay):
    found = replay.at(1.55)
    assert (found["false_alarms"], found["missed"]) == (0, 0)
    assert found["false_alarms_interval"] == pytest.approx([0, 3 * 5 / 4 / 8])  # of eight wearer-days, 97.5 % of months
    assert found["missed_interval"] == [0, 1]  # of two alerts that were right


def choices(*factors):
    return pd.DataFrame({"percentile": 99.9 + 0.01 * np.arange(len(factors)), "factor": factors})


def test_the_proposal_is_the_lowest_candidate_that_spares_enough(replay):
    found = feedback.proposal(replay, choices(0.9, 1.1, 1.3, 1.6), cut=0.5)
    assert (found["factor"], found["percentile"]) == (1.3, 99.92)
    assert found["false_alarms"] == pytest.approx(found["false_alarms_now"] / 2)
    assert feedback.proposal(replay, choices(0.9, 1.1, 1.3, 1.6), cut=0.9)["factor"] == 1.6
    assert feedback.proposal(replay, choices(0.9, 1.1), cut=0.5) is None


def test_a_replay_is_shown_with_its_bounds_and_what_nobody_knows_by_a_dash(replay):
    told = {**replay.at(1.3), "percentile": 99.9, "false_alarms_interval": [0, 0.31], "missed_interval": [0, 1]}
    (known,) = feedback.readable([told]).to_dict("records")
    assert known == {
        "percentile": "99.9",
        "times the level": "1.30",
        "in a row": 1,
        "alerts": 3,
        "false alarms a wearer-day": "0.16 (0.00 to 0.31)",
        "right alerts missed": "0% (0% to 100%)",
        "caught": 0,
    }
    silent = Replay(requests((2, (1.2, 0), None)), interval_s=5, seed=1).at(1.0)
    unknown = feedback.readable([silent | {"percentile": 99.9}]).iloc[0]
    assert unknown[["false alarms a wearer-day", "right alerts missed"]].tolist() == ["–", "–"]


@pytest.mark.parametrize("rounding", [-1e-15, 0, 1e-15])
def test_a_factor_that_changes_nothing_is_no_proposal_by_itself_but_with_windows_in_a_row_it_is(rounding):
    rows = [(2, (3.0, 0.5), 0), (2, (2.0, 0.4), 0), (3, (1.2, 1.1), 1)]
    replay, same = Replay(requests(*rows), interval_s=5, seed=1), choices(1 + rounding)
    assert feedback.proposal(replay, same, cut=0.01) is None
    assert feedback.proposal(replay, same, cut=0.5, persistences=(1, 3))["persistence"] == 3


def test_a_proposal_is_told_with_what_it_spares_and_costs_and_in_which_bounds(replay):
    proposed = feedback.proposal(replay, choices(2.0), cut=0.5)
    assert feedback.sentence({**proposed, "false_alarms_interval": [0.0, 0.2], "missed_interval": [0.1, 0.9]}) == (
        "proposal: 2.00 times the alert level (percentile 99.9): 0.00 false alarms a wearer-day (0.00 to 0.20 next "
        "month) instead of 0.31; 50% of the alerts found right missed (10% to 90% next month)"
    )
    assert "(percentile 99.9), by 3 windows in a row: " in feedback.sentence({**proposed, "persistence": 3})


def test_what_a_proposal_misses_is_not_known_where_nobody_found_an_alert_right():
    rows = [(2, (1.2, 1.1), 0), (3, (1.5, 1.5), 0), (4, (2.5, 1.5), None)]
    proposed = feedback.proposal(Replay(requests(*rows), interval_s=5, seed=1), choices(2.0), cut=0.5)
    assert feedback.sentence(proposed).endswith("; nobody found an alert right, so what it would miss is not known")
    assert feedback.sentence(None).startswith("no proposal: nobody spoke of a false alarm")


def test_only_scored_requests_are_replayed_each_with_what_was_said():
    lines = requests(*ROWS[:2]).drop(columns="correct").assign(RequestId=["a", "b"])
    lines = pd.concat([lines, lines[:1].assign(RequestId="c", Held=None)], ignore_index=True)
    said = pd.DataFrame({"request_id": ["b", "c"], "correct": [False, True], "note": ["ran", "fell"]})
    found = feedback.answered(lines, said)
    assert found[["RequestId", "note"]].to_numpy().tolist() == [["a", ""], ["b", "ran"]]
    np.testing.assert_array_equal(found["correct"], [np.nan, 0])


def alerts():
    names = [f"r{number}" for number in range(len(ROWS))]
    table = requests(*ROWS).assign(RequestId=names, note=["ran", *[""] * (len(ROWS) - 1)])
    return table.assign(Alerts=[1, 1, 1, 1, 1, 0, 0, 0])


def test_each_alert_and_missed_event_is_listed_with_what_the_proposal_makes_of_it():
    found = feedback.listed(alerts(), {"factor": 1.55, "persistence": 1}).set_index("request")
    told = found.loc[[f"r{number}" for number in (0, 1, 2, 3, 4, 6)], ["feedback", "at the proposal"]]
    assert told.to_numpy().tolist() == [
        ["false alarm", "silent"],
        ["right", "fires"],
        ["false alarm", "silent"],
        ["right", "fires"],
        ["–", "silent"],
        ["missed event", "silent, still missed"],
    ]
    assert len(found) == len(told)
    assert found.loc["r0", ["time", "held by 1, 3, 6, 12, 24", "note"]].tolist() == [
        "2026-03-02 00:00",
        "1.20 1.10 0.00 0.00 0.00",
        "ran",
    ]
    lasting = feedback.listed(alerts(), {"factor": 1.0, "persistence": 3}).set_index("request")["at the proposal"]
    assert lasting[["r0", "r1", "r3"]].tolist() == ["fires", "silent, would be missed", "fires"]
    assert set(feedback.listed(alerts(), None)["at the proposal"]) == {"–"}


def test_of_many_alerts_those_that_wearers_spoke_of_are_listed():
    assert feedback.listed(alerts(), None, most=5)["request"].tolist() == ["r6", "r2", "r3", "r0", "r1"]
    assert feedback.listed(alerts()[:0], None).empty


def month(rng, *, wearer_days=900, false_per_day=0.8, true_per_day=0.2, spoken=0.5):
    """Thirty days of requests, false alarms held by little and right ones by more; some days are worse than others."""
    rows = []
    for day in range(1, 31):
        worse = rng.gamma(4, 1 / 4)
        for correct, rate, height in ((0, false_per_day * worse, 0.3), (1, true_per_day, 1.2)):
            held = 1 + rng.exponential(height, rng.poisson(rate * wearer_days / 30))
            rows += [(day, (peak, 0.0), correct if rng.random() < spoken else None) for peak in held]
        rows += [(day, (0.5, 0.0), None)] * (wearer_days // 30)
    table = requests(*rows)
    return table.assign(Readings=np.where(table["Held"].str[0] < 1, DAY_READINGS, 0))


def test_false_alarms_are_cut_by_half_and_the_figures_come_true_in_later_months():
    rng, came_true, left = np.random.default_rng(11), [], []
    for _ in range(20):
        found = feedback.proposal(Replay(month(rng), interval_s=5, seed=1), choices(*np.linspace(1, 3, 81)), cut=0.5)
        after = Replay(month(rng, spoken=1.0), interval_s=5, seed=1)
        later = after.at(found["factor"])
        left.append(later["false_alarms"] / after.at(1.0)["false_alarms"])
        for name, widest in (("false_alarms", found["false_alarms"]), ("missed", 0.35)):
            low, high = found[f"{name}_interval"]
            came_true.append(low <= later[name] <= high)
            assert high - low < widest
    assert np.mean(left) <= 0.5
    assert max(left) < 0.5 + 2 * np.sqrt(0.25 / 700)  # of some 720 false alarms a month, each spared by even chance
    assert np.mean(came_true) > 0.85  # of 40, at 95 %
