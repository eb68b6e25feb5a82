"""The explorer: what it lists, and what the widget shows."""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from conftest import life

from lib.detector import features
from lib.detector.detector import Detector
from lib.detector.following import follow
from lib.evaluation.events import describe_windows, labelled_events
from lib.figures import explorer

MORNING = pd.Timestamp("2026-03-02 08:00")


def at(minutes):
    return MORNING + pd.to_timedelta(minutes, unit="min")


def window_table(*rows):
    """Windows of five minutes: (wearer, minute of its end, kind)."""
    names, ends, kinds = zip(*rows, strict=True)
    end = at(np.array(ends))
    return pd.DataFrame({"user_id": names, "start": end - pd.Timedelta(minutes=5), "end": end, "kind": kinds})


@pytest.fixture
def picked():
    windows = window_table(
        ("a", 10, "normal"),  # two windows of one false alarm
        ("a", 12, "normal"),
        ("a", 40, "normal"),  # another
        ("a", 70, "fever"),
        ("b", 12, "fever"),  # never reaches the level
        ("b", 14, "fever"),
        ("b", 50, "normal"),
    )
    events = pd.DataFrame(
        {"user_id": ["a", "b"], "kind": "fever", "start": at(np.array([60, 5])), "end": at(np.array([80, 20]))}
    )
    scores = np.array([0.4, 0.6, 0.5, 0.9, 0.1, 0.2, np.nan])
    return explorer.picks(windows, events, scores, level=0.3)


def listed(picked, name):
    return picked["window"][picked["list"] == name].tolist()


def test_each_episode_is_listed_by_its_highest_window(picked):
    assert listed(picked, explorer.WORST) == [3, 1, 2]
    assert listed(picked, explorer.FALSE) == [1, 2]


def test_a_missed_event_is_listed_by_its_best_window(picked):
    assert listed(picked, explorer.MISSED) == [5]
    assert picked["kind"].iloc[-1] == "fever"


def test_an_event_that_the_quality_check_reports_is_no_miss():
    windows = window_table(("a", 10, "dropout"), ("b", 10, "fever"))
    events = pd.DataFrame({"user_id": ["a", "b"], "kind": ["dropout", "fever"], "start": at(5), "end": at(10)})
    listed_windows = explorer.picks(windows, events, np.array([0.1, 0.1]), level=0.3, reported=[True, False])
    assert listed_windows[["list", "kind"]].values.tolist() == [[explorer.MISSED, "fever"]]


def test_all_events_are_misses_if_nothing_reaches_the_level():
    windows = window_table(("a", 10, "fever"))
    events = pd.DataFrame({"user_id": ["a"], "kind": ["fever"], "start": [at(5)], "end": [at(10)]})
    listed_windows = explorer.picks(windows, events, np.array([0.1]), level=0.3)
    assert listed_windows["list"].tolist() == [explorer.MISSED]
    assert explorer.picks(windows, events[:0], np.array([np.nan]), level=0.3).empty


@pytest.fixture
def walk(picked):
    shown = []

    def show(row):
        shown.append(row)
        return plt.figure()

    widget = explorer.Walk(picked, show)
    widget.shown = shown
    yield widget
    plt.close("all")


def test_the_walk_starts_at_the_worst_and_steps_forward_and_back(walk):
    walk.next.click()
    walk.next.click()
    walk.next.click()  # the third is the last
    walk.previous.click()
    assert walk.shown == [3, 1, 2, 1]
    assert walk.position.value == "2 of 3"


def test_another_list_or_wearer_starts_at_its_first_window(walk):
    walk.next.click()
    walk.list.value = explorer.FALSE
    walk.wearer.value = "b"
    assert walk.position.value == "no false alarms"
    walk.list.value = explorer.MISSED
    assert walk.shown == [3, 1, 1, 5]
    assert walk.position.value == "1 of 1"


def test_a_number_beyond_the_last_is_the_last(walk):
    walk.number.value = 99
    assert walk.shown == [3, 2]


@pytest.fixture(scope="module")
def life_test(export):
    samples = life(400)
    samples[200:, 0] = 180 + np.arange(200) % 2  # far from any normal life
    clock = MORNING + pd.to_timedelta(5 * np.arange(400), unit="s")
    channels = dict(zip(features.CHANNELS, samples.T, strict=False))
    table = pd.DataFrame({"user_id": "a", "segment": 0, "timestamp": clock, **channels})
    first = np.arange(0, 341, 20)
    windows = describe_windows(table, first, length=60)
    detector = Detector.load(export)
    followed = follow(detector, samples, first, table["user_id"].to_numpy())
    return explorer.Test(table, labelled_events(table), windows, first, samples, followed, detector)


def test_a_window_is_drawn_with_the_reasons_of_the_function(life_test):
    row = len(life_test.first) - 1
    figure = life_test.show(row)
    title = figure.get_suptitle().splitlines()
    assert title[0].startswith("a, normal: score 0.")
    assert title[1].startswith("Heart rate 18")
    heart, *_, scores = figure.axes
    observed, rebuilt = heart.lines
    assert len(rebuilt.get_ydata()) == 60
    assert len(observed.get_ydata()) == 60 + 180  # fifteen minutes before it; the test ends with it
    assert scores.lines[0].get_ydata()[-1] == life_test.followed.scores[row]
    plt.close(figure)


def test_the_reasons_use_the_baseline_known_before_the_window(life_test):
    row, offset = len(life_test.first) - 1, life_test.followed.offset
    (usual, *_), (raised, *_) = (
        replace(life_test, followed=replace(life_test.followed, offset=bpm)).reasons(row)
        for bpm in (offset, offset + 30)
    )
    assert raised["expected"] > usual["expected"]


def test_a_channel_that_is_not_scored_does_not_reach_the_autoencoder(life_test):
    row, without = len(life_test.first) - 1, life_test.detector.channels.copy()
    without[features.FEATURES.index("distance")] = False
    fewer = replace(life_test, detector=replace(life_test.detector, channels=without))
    far = fewer.samples.copy()
    far[:, features.FEATURES.index("distance")] += 100
    drawn = [replace(fewer, samples=samples).show(row).axes[0].lines[1].get_ydata() for samples in (fewer.samples, far)]
    np.testing.assert_array_equal(*drawn)
    plt.close("all")


def test_a_window_without_a_score_has_no_reasons(life_test):
    stuck = replace(life_test.followed, scores=np.full(len(life_test.first), np.nan))
    figure = replace(life_test, followed=stuck).show(3)
    assert figure.get_suptitle() == "a, normal: no score"
    plt.close(figure)
