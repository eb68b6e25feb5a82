"""Persistence in what is deployed: the handler's alert, a model.json, and a proposal that asks for windows in a row."""

import json
import zipfile
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import small_model
from answer import answer_body
from request import parse
from small_model import metrics

from lib.detector.detector import MODEL, DamagedModel, Detector
from lib.detector.persistence import IN_A_ROW, Persistence
from lib.export import bundle
from lib.monitoring import adjustment
from lib.monitoring.replay import Replay, propose
from lib.run import Run


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return small_model.detector(tmp_path_factory.mktemp("model"))


def fright(count=60, *, at=25):
    """Readings 5 s apart of which two are at 250 bpm: the 19 windows that hold both, up to at + 19, reach 0.7."""
    given = metrics(count)
    for place in (at, at + 1):
        given[place]["heartRate"] = 250.0
    return given


def ask(given, detector, k, n, step_s=60.0):
    asking = replace(detector, persistence=Persistence(k, n, step_s))
    return answer_body(parse({"metrics": given, "counters": "interval"}, interval_s=5), asking)[0]


def test_an_alert_waits_until_windows_a_minute_apart_reach_the_level(model):
    assert ask(fright(38), model, 1, 1)["anomalyDetected"]
    assert not ask(fright(38), model, 2, 2)["anomalyDetected"]  # the last window ends 55 s after the first that reaches
    body = ask(fright(39), model, 2, 2)
    assert body["anomalyDetected"]
    assert body["reasons"][0]["index"] == 38  # of the first that alerts, though those before it score as high
    assert not ask(fright(), model, 3, 3)["anomalyDetected"]


def test_without_an_alert_the_scores_stay_and_the_message_says_what_it_takes(model):
    plain, asked = ask(fright(), model, 1, 1), ask(fright(), model, 3, 5)
    assert asked["results"] == plain["results"]
    assert (asked["anomalyScore"], asked["level"]) == (plain["anomalyScore"], "anomaly")
    assert (asked["reasons"], asked["anomalyReasons"]) == ([], None)
    assert asked["message"] == "Anomaly detection completed, no alert: it takes 3 of the last 5 windows, 60 s apart"
    assert "no alert" not in plain["message"]


def test_a_hole_makes_it_wait_anew(model):
    given = fright()
    for metric in given[35:]:
        metric["timestamp"] += 3_600_000
    assert ask(given, model, 1, 1)["anomalyDetected"]
    assert not ask(given, model, 2, 2)["anomalyDetected"]


def test_a_batch_shorter_than_it_takes_never_alerts(model):
    for count in (2, 19, 20, 30):
        given = metrics(count, heartRate=250.0)
        assert ask(given, model, 1, 1)["anomalyDetected"]
        assert not ask(given, model, 2, 2)["anomalyDetected"]
    assert ask(metrics(20 + 12, heartRate=250.0), model, 2, 2)["anomalyDetected"]


def test_wearers_do_not_wait_for_each_other(model):
    both = small_model.envelope(metrics(32, heartRate=250.0)) + small_model.envelope(metrics(32), user="bea")
    asking = replace(model, persistence=Persistence(2, 2))
    assert answer_body(parse(both, interval_s=5), asking)[0]["anomalyDetected"]
    short = small_model.envelope(metrics(20, heartRate=250.0)) + small_model.envelope(
        metrics(20, heartRate=250.0), user="bea"
    )
    assert not answer_body(parse(short, interval_s=5), asking)[0]["anomalyDetected"]


def rewritten(folder, **asked):
    described = json.loads((small_model.write(folder) / MODEL).read_text())
    described["calibration"]["persistence"] = asked
    (folder / MODEL).write_text(json.dumps(described))
    return folder


def test_a_detector_reads_it_and_refuses_what_is_none(tmp_path):
    assert small_model.detector(tmp_path).persistence == Persistence()
    assert Detector.load(rewritten(tmp_path, k=2, n=3, step_s=60)).persistence == Persistence(2, 3, 60)
    with pytest.raises(DamagedModel, match="an alert at 3 of the last 2 windows"):
        Detector.load(rewritten(tmp_path, k=3, n=2, step_s=60))
    with pytest.raises(DamagedModel, match="incomplete"):
        Detector.load(rewritten(tmp_path, windows=2))


def test_an_accepted_persistence_is_what_the_new_export_asks_for(tmp_path, monkeypatch):
    monkeypatch.setenv("RUNS_HOME", str(tmp_path))
    folder = tmp_path / "models/march/lambda_export"
    folder.mkdir(parents=True)
    described = json.loads((small_model.write(folder) / MODEL).read_text())
    bundle.write_export(folder, described | {"run": "march"}, target="local")
    made = adjustment.accept(Run.at("march"), {"factor": 1.0, "persistence": 3}, run="april")
    assert Detector.load(made).persistence == Persistence(3, 3, 5.0)
    with zipfile.ZipFile(made / bundle.ZIP) as opened:
        assert json.loads(opened.read(MODEL))["calibration"]["persistence"] == {"k": 3, "n": 3, "step_s": 5.0}
    again = adjustment.accept(Run.at("april"), {"factor": 2.0, "persistence": 1}, run="may")
    assert Detector.load(again).persistence == Persistence(3, 3, 5.0)  # limits alone moved


def month(*rows):
    """Requests of (held by one window, by three in a row, alerts, correct)."""
    one, three, alerts, correct = np.array(rows, dtype=float).T
    held = [np.array([a, b, 0, 0, 0]) for a, b in zip(one, three, strict=True)]
    columns = {"Time": pd.Timestamp("2026-03-02"), "Held": held, "Alerts": alerts, "correct": correct}
    return pd.DataFrame(columns).assign(Readings=17_280.0, Rejected=0.0, Unknown=0.0)


def test_a_proposal_may_ask_for_windows_in_a_row_where_that_misses_less():
    replay = Replay(month((3, 0.5, 1, 0), (2.5, 0.4, 1, 0), (2, 1.5, 1, 1)), interval_s=5, seed=1)
    choices = pd.DataFrame({"percentile": [99.9, 99.99], "factor": [1.0, 4.0]})
    assert propose(replay, choices, cut=0.5)["missed"] == 1
    found = propose(replay, choices, cut=0.5, persistences=IN_A_ROW)
    assert (found["factor"], found["persistence"], found["missed"], found["false_alarms"]) == (1.0, 3, 0, 0)
    assert found["percentile"] == 99.9


def test_what_the_model_kept_silent_stays_so_in_a_replay():
    replay = Replay(month((3, 0.5, 0, 1), (3, 2, 1, 0)), interval_s=5, seed=1)
    assert (replay.alerts, replay.at(1.0)["alerts"], replay.at(0.5)["alerts"]) == (1, 1, 1)
