"""What persistence costs and spares, on windows a minute apart whose alarms can be counted by hand."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from lib.detector.persistence import Persistence
from lib.evaluation import alerts
from lib.evaluation import events as evaluation
from lib.figures import scorecard

START = pd.Timestamp("2026-03-02T08:00:00")
SCORES = [0.9, 0, 0, 0, 0, 0, 0, 0.8, 0.8, 0, 0, 0, 0.9, 0.9, 0.9]  # the last five are of an event
TRIED = [Persistence(1, 1), Persistence(2, 2), Persistence(3, 3)]


def at(minutes):
    return START + pd.to_timedelta(minutes, unit="min")


@pytest.fixture
def lived():
    """A frame of windows a minute apart, of which the last five are of x, and that event."""
    minutes = np.arange(len(SCORES))
    kinds = ["normal"] * 10 + ["x"] * 5
    windows = pd.DataFrame({"user_id": "a", "start": at(minutes - 5), "end": at(minutes), "kind": kinds})
    return windows, pd.DataFrame({"user_id": ["a"], "kind": ["x"], "start": [at(10)], "end": [at(14)]})


def test_the_models_own_persistence_is_among_those_compared_and_each_is_of_its_step():
    found = alerts.tried(Persistence(4, 6, 240))
    assert {str(one) for one in found} == {"1 of 1", "2 of 2", "2 of 3", "3 of 3", "3 of 5", "4 of 6"}
    assert {one.step_s for one in found} == {240}
    assert len(alerts.tried(Persistence())) == len(alerts.TRIED)


def test_false_alarms_are_counted_in_episodes_a_day(lived):
    windows, _ = lived
    found = alerts.false_alarms(windows, np.array(SCORES) / 0.7, np.zeros(15), TRIED, days=2)
    assert found == {"1 of 1": 1.0, "2 of 2": 0.5, "3 of 3": 0.0}


def test_no_window_of_another_segment_helps_to_alert(lived):
    windows, _ = lived
    apart = np.arange(15) >= 8
    found = alerts.false_alarms(windows, np.array(SCORES) / 0.7, apart, TRIED[:2], days=1)
    assert found == {"1 of 1": 2.0, "2 of 2": 0.0}


def test_it_costs_delay_and_recall_what_it_spares_in_false_alarms(lived):
    windows, events = lived
    scores = np.array(SCORES)
    found = alerts.compared(windows, events, scores, scores, np.zeros(15), TRIED, days=2)
    assert found["false alarms a day"].tolist() == [1.0, 0.5, 0.0]
    assert found["recall"].tolist() == [1, 1, 1]
    assert found["median delay (s)"].tolist() == [120, 180, 240]
    cut = alerts.compared(windows[:-1], events, scores[:-1], scores[:-1], np.zeros(14), TRIED, days=2)
    assert cut["recall"].tolist() == [1, 1, 0]
    assert np.isnan(cut["median delay (s)"].iloc[2])


def test_the_curve_of_one_of_one_is_the_evidences_own(lived):
    windows, events = lived
    scores = np.array(SCORES)
    found = alerts.curves(windows, events, scores, np.zeros(15), TRIED, days=1)
    assert list(found) == ["1 of 1", "2 of 2", "3 of 3"]
    assert found["1 of 1"]["recall_macro"].iloc[-1] == 1


def test_the_score_card_alerts_by_what_lasts_and_takes_its_shares_from_all_windows(lived):
    windows, events = lived
    scores = np.array(SCORES)
    held = Persistence(2, 2).lasting(scores, alerts.moments(windows), np.zeros(15))
    form = {"days": 2, "gated": np.zeros(1)}
    card, total = evaluation.score_card(
        windows, events, scores, {"0.3": 0.3, "0.7": 0.7}, lasting={"0.7": held}, **form
    )
    assert card[["delay_s_0.3", "delay_s_0.7"]].to_numpy().tolist() == [[120, 180]]
    assert (total["false_alarms_per_day_0.3"], total["false_alarms_per_day_0.7"]) == (1.0, 0.5)
    assert total["share_of_normal_0.3"] == total["share_of_normal_0.7"] == 3 / 10


def test_the_figure_names_each_persistence_with_what_it_finds_and_costs(lived):
    windows, events = lived
    scores = np.array(SCORES)
    compared = alerts.compared(windows, events, scores, scores, np.zeros(15), TRIED, days=2)
    curves = alerts.curves(windows, events, scores, np.zeros(15), TRIED, days=2)
    figure = scorecard.recall_by_persistence(curves, compared, deployed="2 of 2")
    (axis,) = figure.axes
    said = [text.get_text() for text in axis.get_legend().get_texts()]
    assert said == ["1 of 1: 100% at 1.00 a day", "2 of 2 (deployed): 100% at 0.50 a day", "3 of 3: 100% at 0.00 a day"]
    assert axis.get_xlabel() == "false alarms (episodes per wearer-day)"
    dots = [line.get_xdata()[0] for line in axis.lines if len(line.get_xdata()) == 1]
    assert dots == [1.0, 0.5, alerts.RATES[0]]
    plt.close(figure)
