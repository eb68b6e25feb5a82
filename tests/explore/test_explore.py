"""The five-line API on a run at smoke size: tables in, tables out, and sentences for what goes wrong."""

import importlib
import re

import numpy as np
import pandas as pd
import pytest
from conftest import life, runs_in

import lib.explore
from lib.detector import baseline, scoring
from lib.detector.detector import Detector as Served
from lib.detector.following import follow
from lib.evaluation import batch_score
from lib.explore import Detector, Run, plot
from lib.explore.readings import duration
from lib.explore.scores import COLUMNS, NO_WINDOW
from lib.files import ROOT

SHORT = 90  # characters of a repr that is short


@pytest.fixture(autouse=True)
def home(smoke):
    with runs_in(smoke.parent.parent) as home:
        yield home


@pytest.fixture(scope="module")
def opened(smoke):
    with runs_in(smoke.parent.parent):
        return Run.open("smoke")


@pytest.fixture
def run(opened):
    opened.forget()
    return opened


@pytest.fixture
def day(run):
    """The first wearer of the test."""
    return run.test[run.test["user_id"] == run.test["user_id"].iloc[0]]


def test_completion_shows_names_of_the_domain_only(run):
    assert dir(lib.explore) == lib.explore.__all__ == ["Detector", "Run", "plot"]
    names = {
        "branch",
        "calibration",
        "compare",
        "detector",
        "development",
        "forget",
        "metrics",
        "name",
        "open",
        "score",
        "test",
    }
    assert set(dir(run)) == names


def test_a_wrong_name_is_answered_with_the_nearest_and_all_others(home):
    expected = "there is no run 'smok'; did you mean 'smoke'? There are: smoke"
    for opening in (Run.open, Detector.load):
        with pytest.raises(LookupError, match=re.escape(expected)):
            opening("smok")
    assert not (home / "models/smok").exists()


def test_a_run_has_its_tables_and_figures(run):
    assert {"user_id", "timestamp", "heartRate", "label"} <= set(run.test)
    assert set(run.calibration["user_id"]).isdisjoint(run.test["user_id"])
    assert len(run.development) == 4000
    assert run.metrics["evaluated"]["samples"] > 0


def test_a_detector_is_loaded_by_name_or_folder(smoke):
    by_name, by_folder = Detector.load("smoke"), Detector.load(smoke / "lambda_export")
    assert isinstance(by_name, Served)
    assert by_name.sha256 == by_folder.sha256
    assert by_name.run == "smoke"


def test_everything_shows_itself_in_a_line(run):
    detector = run.detector
    samples = life(200)
    followed = follow(detector, samples, np.array([0, 60]), ["ada"] * 200)
    scored = detector.score(samples, np.zeros(200))
    for shown in (run, detector, detector.reference, baseline.Baseline(), followed, scored):
        assert len(repr(shown)) <= SHORT
        assert "\n" not in repr(shown)


def test_scores_are_those_of_batch_scoring(run, day, smoke, tmp_path, monkeypatch):
    path = tmp_path / "day.parquet"
    day.drop(columns="instant").to_parquet(path)
    batch_score.score_files(smoke / "lambda_export", str(path), tmp_path / "scores.parquet")
    expected = pd.read_parquet(tmp_path / "scores.parquet")
    scored = run.score(day)
    assert list(scored) == list(COLUMNS)
    np.testing.assert_allclose(scored["score"], expected["score"], rtol=1e-5)
    assert scored["level"].tolist() == expected["level"].tolist()
    assert scored["time"].tolist() == expected["timestamp"].tolist()
    run.forget()
    monkeypatch.chdir(tmp_path)
    pd.testing.assert_frame_equal(run.score("day.parquet"), scored)  # from a file, and after forgetting


def test_a_window_that_reaches_03_or_has_no_score_has_a_reason(run, day):
    scored = run.score(day)
    speaks = scored["reason"] != ""
    assert speaks[scored["score"] >= scoring.BORDERLINE].all()
    assert speaks[scored["score"].isna()].all()
    assert not speaks[scored["score"] < scoring.BORDERLINE].any()


def test_a_wearer_is_remembered_from_call_to_call_until_forgotten(day, export):
    run = Run.open("smoke")
    run.detector = Detector.load(export)  # of enough life for limits of known wearers
    noon = day["timestamp"].iloc[0] + pd.Timedelta(hours=12)
    morning, evening = day[day["timestamp"] < noon], day[day["timestamp"] >= noon]
    whole = run.score(day)
    run.forget()
    before = run.score(morning)
    after = run.score(evening)
    assert before["time"].max() < noon <= after["time"].min()
    expected = whole[whole["time"] >= noon].reset_index(drop=True)
    pd.testing.assert_frame_equal(after, expected)
    pd.testing.assert_frame_equal(run.score(evening), after)  # running a cell again changes nothing
    assert "1 wearer remembered" in repr(run)
    run.forget()
    stranger = run.score(evening)
    both = after.merge(stranger, on="time", suffixes=("", " of a stranger")).dropna(subset=["score"])
    assert (both["score"] - both["score of a stranger"]).abs().max() > 0.001


def readings(count=120, **changes):
    """Return readings of one wearer, five seconds apart, with some replaced: {column: (slice, value)}."""
    time = pd.date_range("2026-03-02T10:00:00", periods=count, freq="5s")
    table = pd.DataFrame({"user_id": "ada", "timestamp": time, "heartRate": 70.0 + np.arange(count) % 7})
    for column, (rows, value) in changes.items():
        table.loc[table.index[rows], column] = value
    return table


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (readings(9), "expected at least 5 minutes of readings, got 40 s"),
        (
            readings(80, heartRate=(slice(40, 46), 0)),
            "these readings hold 30 s off the wrist at 2026-03-02 10:03:20: "
            "expected at least 5 minutes of readings without a break, got 3 min 20 s",
        ),
        (
            readings(110).drop(range(50, 60)),
            "these readings hold a gap of 55 s until 2026-03-02 10:05:00: "
            "expected at least 5 minutes of readings without a break, got 4 min 10 s",
        ),
        (
            readings(600).iloc[::12],
            "these readings are 1 minute apart: expected one every 5 s; a run with interval_s=60 learns from such",
        ),
        (readings(9)[:0], "expected readings, got an empty table"),
    ],
    ids=["short", "off the wrist", "gap", "sparse", "empty"],
)
def test_readings_that_cannot_be_scored_are_answered_with_a_sentence(run, table, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        run.score(table)


def test_a_minute_without_a_window_says_so(run):
    scored = run.score(readings(200, heartRate=(slice(90, 100), 0)))
    assert (scored["reason"] == NO_WINDOW).any()
    assert scored["score"].notna().any()


def test_durations_are_as_people_say_them():
    assert [duration(seconds) for seconds in (40, 160, 300, 7500)] == ["40 s", "2 min 40 s", "5 minutes", "2 h 5 min"]


def test_the_figure_shows_score_trend_levels_and_reasons(run, day):
    scored = run.score(day)
    figure = plot(scored)
    score, trend = figure.axes
    assert (
        sum(len(line.get_xdata()) for line in score.lines[:3])
        == scored["level"].isin(["normal", "borderline", "anomaly"]).sum()
    )
    assert score.get_ylabel() == "score (0 to 1)"
    assert trend.get_ylabel() == "trend (0 to 1)"
    highest = scored.loc[scored["score"].idxmax()]
    assert highest["score"] >= scoring.BORDERLINE
    assert highest["reason"] in figure.get_supxlabel()


def test_the_figure_is_of_one_wearer(run):
    both = pd.concat([run.score(readings()), run.score(readings().assign(user_id="ben"))])
    with pytest.raises(ValueError, match="expected a table of one wearer, got 2 wearers"):
        plot(both)


def test_the_readmes_example_runs(run, monkeypatch):
    """Its run and wearer are those of a full run: here they are the run's at smoke size."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (example,) = [block for block in re.findall(r"```python\n(.*?)```", text, re.S) if "lib.explore" in block]
    wearer = run.test["user_id"].iloc[0]
    example = example.replace('"default"', '"smoke"').replace("sim-0133", wearer)
    names = {}
    exec(compile(example, "README.md", "exec"), names)
    assert list(names["scored"]) == list(COLUMNS)
    importlib.reload(lib.explore)
