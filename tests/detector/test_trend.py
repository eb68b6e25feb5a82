"""The trend: one alert an episode, a baseline that waits and recovers, and the same answer however it is asked."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.detector import trend as module
from lib.detector.rest import Hour
from lib.detector.trend import ALERT, BORDERLINE, SUMS, Sum, Trend, level_of, sentence

START = 450_000  # an hour's number, a midnight
KEYS = {"score", "level", "restingHeartRate", "usual", "since", "alert", "reason"}


def life(days, *, rise=(), seed=0, level=60.0, every=600, noise=3.0):
    """Readings of restful days, every ten minutes: (times, heart_rate, steps); rise: (first hour, hours, bpm)."""
    rng = np.random.default_rng(seed)
    count = days * 86_400 // every
    times = START * 3600 + every * np.arange(count)
    hour = np.arange(count) * every // 3600
    heart = level - 4 * np.cos(2 * np.pi * (hour % 24 - 4) / 24) + noise * rng.standard_normal(hour[-1] + 1)[hour]
    for first, hours, bpm in rise:
        heart += bpm * ((hour >= first) & (hour < first + hours))
    return times, np.round(heart, 1), np.zeros(count)


def daily(trend, readings, *, hours=6):
    """The answers to requests of some `hours` of readings each."""
    times = readings[0]
    edges = np.searchsorted(times, np.arange(times[0], times[-1] + 3600 * hours + 1, 3600 * hours))
    pieces = zip(edges[:-1], edges[1:], strict=True)
    return [trend.add(*(column[first:last] for column in readings)) for first, last in pieces]


def test_the_sum_adds_what_exceeds_one_unit_and_alerts_once_until_it_has_fallen():
    total = Sum()
    alerts = [total.add(2.0, 1.0, hour) for hour in range(8)]
    assert (alerts.index(True), sum(alerts)) == (5, 1)  # 6 sums of 1 reach 5.8
    assert total.total == 8.0
    assert not any(total.add(units, 1.0, 9) for units in (-1.0, 2.0, 2.0, 2.0))  # still the same episode
    for _ in range(5):
        total.add(-2.0, 1.0, 20)
    assert (total.total, total.at) == (0.0, None)


def test_a_single_wild_hour_cannot_reach_even_the_lower_level():
    trend = Trend()
    trend.add(*life(20))
    score = trend.score
    trend.take(Hour(START + 480, START + 480, 3600, 85.0, 0))
    assert trend.score < max(BORDERLINE, score + 0.2)


def test_nothing_is_said_before_a_day_at_rest_is_known():
    answers = daily(Trend(), life(2))
    assert answers[0].to_json() is None
    assert answers[-1].to_json().keys() == KEYS


def test_a_fever_alerts_once_names_its_start_and_falls_again():
    readings = life(30, rise=[(20 * 24, 48, 9.0)])
    answers = daily(Trend(), readings)
    alerts = [number for number, answer in enumerate(answers) if answer.alert]
    assert len(alerts) == 1
    assert 80 <= alerts[0] <= 84  # within a day of hour 480, in requests of six hours
    raised = answers[84]
    assert raised.level == "anomaly"
    assert 5 < raised.resting_heart_rate - raised.usual < 12
    started = (np.datetime64(raised.since, "s").astype(int) // 3600) - START
    assert 474 <= started <= 484
    assert raised.reason.startswith("Your resting heart rate has been ")
    assert (answers[-1].level, answers[-1].since, answers[-1].reason) == ("normal", None, None)


def test_the_usual_stands_still_while_raised():
    trend = Trend()
    trend.add(*life(20))
    times, heart, steps = life(24, rise=[(20 * 24, 96, 12.0)])
    trend.add(times, heart, steps)
    assert trend.rise.at is not None
    assert abs(np.mean(trend.usual.offsets) + trend.usual.mean - 60) < 1.5


@pytest.mark.parametrize("bpm", [8.0, -10.0, 15.0])
def test_a_lasting_change_becomes_the_usual_within_two_weeks(bpm):
    trend = Trend()
    answers = daily(trend, life(60, rise=[(30 * 24, 30 * 24, bpm)]))
    assert sum(answer.alert for answer in answers[: 4 * 30]) == 0
    assert sum(answer.alert for answer in answers[4 * 30 :]) == (bpm > 0)
    assert all(answer.level == "normal" for answer in answers[4 * 44 :])
    assert abs(np.mean(trend.usual.offsets) + trend.usual.mean - 60 - bpm) < 2


def test_another_time_zone_does_not_alert():
    trend = Trend()
    times, heart, steps = life(30)
    abroad = times >= (START + 20 * 24) * 3600
    away = life(30)[1][np.clip(np.arange(len(times)) - 48 * abroad, 0, None)]  # the body's clock, eight hours later
    for day in range(30):
        rows = slice(144 * day, 144 * (day + 1))
        answer = trend.add(times[rows], away[rows], steps[rows], offset=0 if day < 20 else -8 * 3600)
        assert not answer.alert


def test_hours_without_rest_start_the_sum_again():
    trend = Trend()
    trend.add(*life(20, rise=[(19 * 24, 24, 9.0)]))
    assert trend.rise.total > 5
    times, heart, steps = life(24)
    later = times >= (START + 23 * 24) * 3600
    trend.add(times[later][:12], heart[later][:12], steps[later][:12])
    assert trend.rise.total < 2


def test_an_answer_two_days_after_the_last_rest_is_unknown():
    trend = Trend()
    trend.add(*life(20))
    answer = trend.add([(START + 20 * 24 + 60) * 3600], [70.0], [50.0])
    assert answer.to_json() is None


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 99), st.lists(st.integers(0, 144 * 6), max_size=8), st.integers(0, 60))
def test_requests_cut_overlapping_or_sent_twice_give_the_same_trend(seed, cuts, overlap):
    readings = life(6, seed=seed, rise=[(100, 30, 10.0)])
    whole = Trend()
    expected = whole.add(*readings)
    trend, rng, cuts = Trend(), np.random.default_rng(seed), sorted(cuts)
    for first, last in zip([0, *cuts], [*cuts, 144 * 6], strict=True):
        rows = rng.permutation(np.arange(max(first - overlap, 0), last))
        request = tuple(column[rows] for column in readings)
        before = json.dumps(trend.to_json())
        answer = trend.add(*request)
        again = Trend.from_json(json.loads(before))
        assert again.add(*request) == answer  # sent twice with the baseline of before
        assert trend.add(*request) == answer._replace(alert=False)  # and with the one of after
        trend = Trend.from_json(json.loads(json.dumps(trend.to_json())))
    assert trend.to_json() == whole.to_json()
    assert answer._replace(alert=False) == expected._replace(alert=False)


def test_following_a_file_gives_the_scores_that_requests_would_have():
    times, heart, steps = life(8, rise=[(150, 20, 10.0)])
    gap = (times < times[700]) | (times > times[700] + 60 * 3600)
    times, heart, steps = times[gap], heart[gap], steps[gap]
    one = Trend()
    answers = [one.add(times[i : i + 1], heart[i : i + 1], steps[i : i + 1]) for i in range(len(times))]
    expected = np.array([np.nan if answer.score is None else answer.score for answer in answers])
    np.testing.assert_array_equal(Trend().follow(times, heart, steps), expected)
    assert np.isnan(expected).any()


def test_the_state_stays_small_after_months():
    trend = Trend()
    times, heart, steps = life(90, noise=7.0, rise=[(2000, 100, 9.0)])
    trend.add(times[:-30], heart[:-30], np.where(np.arange(len(times) - 30) % 12, np.nan, 0.0))
    assert len(json.dumps(trend.to_json(), separators=(",", ":"))) <= 1100


def test_a_baseline_of_an_earlier_version_starts_again_and_says_so():
    trend = Trend()
    trend.add(*life(10))
    restarted = Trend.from_json(trend.to_json() | {"version": 0})
    assert restarted.restarted
    assert restarted.to_json() == Trend().to_json()
    assert not Trend.from_json(trend.to_json()).restarted
    assert not Trend.from_json({}).restarted


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("usual", "mean", "60"),
        ("usual", "mean", None),
        ("usual", "mean", float("nan")),
        ("usual", "mean", 500),
        ("usual", "offsets", [0.0] * 23),
        ("usual", "offsets", "0" * 24),
        ("usual", "variances", [-1.0] * 24),
        ("usual", "counts", [True] * 24),
        ("rest", "open", 1),
        ("", "usual", []),
        ("", "rest", None),
        ("", "rise", [1.0]),
        ("", "since", [None, 3, 1.0, 1.0]),
        ("", "since", [10**8, 1, 1.0, 1.0]),
        ("", "last", 1e12),
        ("", "peaks", 5),
    ],
)
def test_a_state_that_was_never_written_is_refused(part, name, value):
    written = Trend().to_json()
    written = written | ({part: written[part] | {name: value}} if part else {name: value})
    with pytest.raises(ValueError, match=name):
        Trend.from_json(written)


def test_a_state_that_is_no_object_is_refused():
    with pytest.raises(ValueError, match="expected an object, got list"):
        Trend.from_json([1])


def test_no_baseline_moves_the_alert_by_more_than_the_stated_factor():
    for peaks, days in ((0, 28), (4, 28), (4, 0)):
        scale = Trend.from_json(Trend().to_json() | {"peaks": peaks, "days": days})._scale
        assert module.SCALES[0] <= scale <= module.SCALES[1]


def test_scores_are_anchored_at_the_levels():
    values = [module._score(total) for total in (0.0, SUMS[0], SUMS[1], 3 * SUMS[1])]
    assert values[:3] == pytest.approx([0, BORDERLINE, ALERT])
    assert 0.9 < values[3] < 1
    assert [level_of(value) for value in (None, 0.29, 0.3, 0.69, 0.7)] == [
        "unknown",
        "normal",
        "borderline",
        "borderline",
        "anomaly",
    ]


@pytest.mark.parametrize(
    ("since", "now", "when"),
    [
        (START + 8, START + 13, "this morning"),
        (START + 2, START + 13, "last night"),
        (START - 1, START + 2, "yesterday evening"),
        (START - 22, START + 2, "the night before last"),
        (START - 50, START, "the evening of 30 April"),
    ],
)
def test_a_rise_is_said_in_one_sentence(since, now, when):
    assert sentence(5.6, since, now) == f"Your resting heart rate has been 6 bpm above your usual since {when}."
