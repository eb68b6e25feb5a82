"""The price of persistence, on windows a minute apart whose alarms can be counted by hand."""

from dataclasses import replace

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from lib.detector.persistence import Persistence
from lib.evaluation import alerts, operating_point
from lib.evaluation.score_card import EvaluationSet, score_card
from lib.figures import scorecard

START = pd.Timestamp("2026-03-02T08:00:00")
SCORES = [0.9, 0, 0, 0, 0, 0, 0, 0.8, 0.8, 0, 0, 0, 0.9, 0.9, 0.9]  # the last five are of an event
PERSISTENCES = [Persistence(1, 1), Persistence(2, 2), Persistence(3, 3)]


def at(minutes):
    return START + pd.to_timedelta(minutes, unit="min")


@pytest.fixture
def labelled():
    """Windows a minute apart, the last five of kind x, and that event, in two days."""
    minutes = np.arange(len(SCORES))
    kinds = ["normal"] * 10 + ["x"] * 5
    windows = pd.DataFrame({"user_id": "a", "start": at(minutes - 5), "end": at(minutes), "kind": kinds})
    events = pd.DataFrame({"user_id": ["a"], "kind": ["x"], "start": [at(10)], "end": [at(14)]})
    return EvaluationSet(windows, events, days=2, gated=np.zeros(1))


def test_the_deployed_persistence_is_among_those_compared_and_all_have_its_step():
    persistences = alerts.candidates(Persistence(4, 6, 240))
    assert {str(one) for one in persistences} == {"1 of 1", "2 of 2", "2 of 3", "3 of 3", "3 of 5", "4 of 6"}
    assert {one.step_s for one in persistences} == {240}
    assert len(alerts.candidates(Persistence())) == len(alerts.CANDIDATES)


def test_false_alarms_are_counted_in_episodes_a_day(labelled):
    rates = alerts.false_alarms(labelled.windows, np.array(SCORES) / 0.7, np.zeros(15), PERSISTENCES, days=2)
    assert rates == {"1 of 1": 1.0, "2 of 2": 0.5, "3 of 3": 0.0}


def test_no_window_of_another_segment_helps_to_alert(labelled):
    segment = np.arange(15) >= 8
    rates = alerts.false_alarms(labelled.windows, np.array(SCORES) / 0.7, segment, PERSISTENCES[:2], days=1)
    assert rates == {"1 of 1": 2.0, "2 of 2": 0.0}


def test_fewer_false_alarms_cost_delay_and_recall(labelled):
    scores = np.array(SCORES)
    table = alerts.compare(labelled, scores, scores, np.zeros(15), PERSISTENCES)
    assert table["false alarms a day"].tolist() == [1.0, 0.5, 0.0]
    assert table["recall"].tolist() == [1, 1, 1]
    assert table["median delay (s)"].tolist() == [120, 180, 240]
    shorter = replace(labelled, windows=labelled.windows[:-1])
    table = alerts.compare(shorter, scores[:-1], scores[:-1], np.zeros(14), PERSISTENCES)
    assert table["recall"].tolist() == [1, 1, 0]
    assert np.isnan(table["median delay (s)"].iloc[2])


def test_the_curve_of_one_of_one_is_that_of_the_evidence(labelled):
    curves = alerts.curves(labelled, np.array(SCORES), np.zeros(15), PERSISTENCES)
    assert list(curves) == ["1 of 1", "2 of 2", "3 of 3"]
    plain = operating_point.curve(labelled.windows, labelled.events, SCORES, days=2, rates=alerts.RATES)
    pd.testing.assert_frame_equal(curves["1 of 1"], plain)


def test_the_score_card_alerts_by_what_lasts_and_takes_its_shares_from_all_windows(labelled):
    scores = np.array(SCORES)
    lasting = Persistence(2, 2).lasting(scores, alerts.end_times(labelled.windows), np.zeros(15))
    card, total = score_card(labelled, scores, {"0.3": 0.3, "0.7": 0.7}, lasting={"0.7": lasting})
    assert card[["delay_s_0.3", "delay_s_0.7"]].to_numpy().tolist() == [[120, 180]]
    assert (total["false_alarms_per_day_0.3"], total["false_alarms_per_day_0.7"]) == (1.0, 0.5)
    assert total["share_of_normal_0.3"] == total["share_of_normal_0.7"] == 3 / 10


def test_the_figure_names_each_persistence_with_its_recall_and_price(labelled):
    scores = np.array(SCORES)
    compared = alerts.compare(labelled, scores, scores, np.zeros(15), PERSISTENCES)
    curves = alerts.curves(labelled, scores, np.zeros(15), PERSISTENCES)
    figure = scorecard.recall_by_persistence(curves, compared, deployed="2 of 2")
    (axis,) = figure.axes
    legend = [text.get_text() for text in axis.get_legend().get_texts()]
    assert legend == [
        "1 of 1: 100% at 1.00 a day",
        "2 of 2 (deployed): 100% at 0.50 a day",
        "3 of 3: 100% at 0.00 a day",
    ]
    assert axis.get_xlabel() == "false alarms (episodes per wearer-day)"
    dots = [line.get_xdata()[0] for line in axis.lines if len(line.get_xdata()) == 1]
    assert dots == [1.0, 0.5, alerts.RATES[0]]
    plt.close(figure)
