"""Illness found or missed, and its price: hand-computed hours, tables of events, and rules on made-up lives."""

import numpy as np
import pandas as pd
import pytest

from lib.data.heartbeats import amounts, by_wearer
from lib.data.readings import parse
from lib.evaluation import illness, illness_rules
from lib.evaluation.illness import DAY, Illness, Life
from lib.evaluation.illness_rules import RULES

NAN = np.nan
FIRST = 450_000  # a midnight


def made_up(days, *, seed=0, noise=3.0, rise=(0, 0, 0.0)):
    """A Life with every hour at rest; rise: first hour, hours, bpm."""
    clock = np.arange(days * DAY) % DAY
    bpm = 60 - 4 * np.cos(2 * np.pi * (clock - 4) / DAY) + np.random.default_rng(seed).normal(0, noise, days * DAY)
    bpm[rise[0] : rise[0] + rise[1]] += rise[2]
    return Life("a", FIRST, bpm, np.full(days * DAY, 3600), np.ones(days * DAY, dtype=bool))


def test_episodes_lie_more_than_a_day_apart():
    alarm = np.zeros(200, dtype=bool)
    alarm[[3, 4, 28, 53, 150]] = True
    assert illness.episodes(alarm) == 3  # 3, 4 and 28 (24 h on); 53 (25 h on); 150
    assert illness.episodes(np.zeros(5, dtype=bool)) == 0


def test_normal_hours_begin_after_two_worn_weeks_and_leave_out_those_about_an_illness():
    life = made_up(90)
    life.worn[: 2 * DAY] = False
    life.worn[70 * DAY] = False
    normal = illness.normal_hours(life, [Illness("a", FIRST + 40 * DAY, FIRST + 41 * DAY), Illness("b", FIRST, FIRST)])
    expected = np.zeros(90 * DAY, dtype=bool)
    expected[16 * DAY : 26 * DAY] = expected[62 * DAY :] = True
    expected[70 * DAY] = False
    np.testing.assert_array_equal(normal, expected)


def test_an_illness_is_found_from_a_week_before_to_a_week_after_its_onset():
    life, onset = made_up(60), FIRST + 40 * DAY
    score = np.zeros(60 * DAY)
    score[38 * DAY + 12] = 0.8
    score[20 * DAY : 20 * DAY + 5] = 0.75
    score[5 * DAY] = 1.0  # not yet judged
    finding = illness.evaluate([life], [score], [Illness("a", onset, onset)], 0.7)
    assert finding.delays == {"a": -1.5}
    assert (finding.found, finding.false_alarms) == (1, 1)
    assert finding.wearer_days == 12  # days 14 to 26
    late = np.zeros(60 * DAY)
    late[47 * DAY] = 0.9
    assert illness.evaluate([life], [late], [Illness("a", onset, onset)], 0.7).delays == {"a": None}


def test_the_level_for_a_rate_is_the_lowest_that_keeps_it():
    life, score = made_up(74), np.zeros(74 * DAY)
    for day, value in ((20, 0.2), (30, 0.4), (40, 0.6), (50, 0.8)):
        score[day * DAY] = value
    assert illness.level_for([life], [score], [], days=30) == 0.6  # 2 alarms in 60 days
    assert illness.level_for([life], [score], [], days=1000) > 0.8
    with pytest.raises(ValueError, match="above 0"):
        illness.level_for([life], [np.zeros(74 * DAY)], [], days=30)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("user_id,date\na,2020-04-20\n", [("a", "2020-04-20T00", "2020-04-20T00")]),
        ("user_id,moment\na,2020-04-20T18:30\n", [("a", "2020-04-20T18", "2020-04-20T18")]),
        (
            "user_id,start,end\na,2020-04-20,2020-04-22T06:00\na,2020-06-01,2020-06-02\n",
            [("a", "2020-04-20T00", "2020-04-22T06"), ("a", "2020-06-01T00", "2020-06-02T00")],
        ),
        (
            "user_id,event,date\na,diagnosis,2020-04-18\na,symptom_onset,2020-04-20\nb,diagnosis,2020-05-01\n",
            [("a", "2020-04-20T00", "2020-04-20T00"), ("b", "2020-05-01T00", "2020-05-01T00")],
        ),
    ],
)
def test_events_are_days_moments_or_windows(tmp_path, text, expected):
    path = tmp_path / "events.csv"
    path.write_text(text)
    hours = [(user, *(int(np.datetime64(t, "h").astype(int)) for t in times)) for user, *times in expected]
    assert [tuple(event) for event in illness.read_events(path)] == hours


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("wearer,date\na,2020-04-20\n", "user_id"),
        ("user_id,day\na,2020-04-20\n", "expected columns"),
        ("user_id,date\na,20 April\n", "ISO 8601"),
        ("user_id,date\na,\n", "expected a start"),
        ("user_id,start,end\na,2020-04-20,2020-04-19\n", "not before it"),
    ],
)
def test_a_table_of_events_that_cannot_be_read_says_why(tmp_path, text, problem):
    path = tmp_path / "events.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=problem):
        illness.read_events(path)


def test_a_rise_is_injected_into_the_hours_at_rest_and_the_life_ends_soon_after():
    life = made_up(30, noise=0.0)
    raised = illness.injected(life, start=500, hours=8, bpm=11)
    assert len(raised.bpm) == 514
    np.testing.assert_allclose(raised.bpm - life.bpm[:514], [0] * 500 + [11] * 8 + [0] * 6)
    assert life.bpm[500] == illness.injected(life, start=500, hours=8, bpm=0).bpm[500]


def test_every_rule_finds_a_fever_of_three_days_and_scores_only_what_is_known_by_then():
    life = made_up(60, rise=(40 * DAY, 3 * DAY, 14.0))
    for name, rule in RULES.items():
        score = rule(life)
        before, during = score[20 * DAY : 40 * DAY], score[40 * DAY : 43 * DAY]
        assert np.nanmax(during) > np.nanmax(before), name
        cut = rule(life._replace(bpm=life.bpm[: 41 * DAY], seconds=life.seconds[: 41 * DAY]))
        np.testing.assert_array_equal(cut, score[: 41 * DAY], err_msg=name)


def test_nightsignal_takes_two_nights_and_the_lesser_of_their_rises():
    clock = np.arange(12 * DAY) % DAY
    bpm = np.where(clock < 7, 50.0, 70.0)
    bpm[9 * DAY : 9 * DAY + 7] += 6
    bpm[10 * DAY : 10 * DAY + 7] += 4
    life = Life("a", FIRST, bpm, np.full(12 * DAY, 3600), np.ones(12 * DAY, dtype=bool))
    score = illness_rules.nightsignal(life)
    assert score[9 * DAY + 8] == 0
    assert score[10 * DAY + 6] == 0
    assert score[10 * DAY + 7] == 4
    assert score[11 * DAY + 7] == 0


def test_hours_of_a_life_are_those_of_the_wall_clock():
    times = np.arange(0, 3 * 3600, 60)
    table = pd.DataFrame({"timestamp": [f"2026-03-02T{t // 3600:02d}:{t // 60 % 60:02d}:00+02:00" for t in times]})
    table["heartRate"], table["steps"], table["user_id"] = 60.0, 500, "a"
    (beats,) = by_wearer(parse(table))
    life = illness.life(beats)
    assert life.first == int(np.datetime64("2026-03-02T00", "h").astype(int))
    assert life.worn.all()
    assert life.bpm[1] == 60
    assert life.seconds.tolist()[:2] == [3600 - 600 - 60, 3600]  # still from minute 1, the first counted difference


def test_steps_are_what_a_counter_grew_by_since_it_last_reported():
    np.testing.assert_array_equal(amounts(np.array([NAN, 5, NAN, 5, 9])), [NAN, NAN, NAN, 0, 4])
    table = pd.DataFrame({"timestamp": ["2026-03-02T23:59:00", "2026-03-03T00:01:00"], "heartRate": 60.0})
    table["steps"], table["user_id"] = [900, 7], "a"
    (beats,) = by_wearer(parse(table))
    np.testing.assert_array_equal(beats.steps, [NAN, 7])
    (beats,) = by_wearer(parse(table), counters="interval")
    np.testing.assert_array_equal(beats.steps, [900, 7])
