"""Persistence as deployed: the handler's alert, model.json, and a proposal of several windows in a row."""

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

from lib.detector.detector import Detector
from lib.detector.export_folder import MODEL, DamagedModel
from lib.detector.persistence import IN_A_ROW, Persistence
from lib.export import bundle
from lib.monitoring import adjustment
from lib.monitoring.replay import Replay, propose
from lib.run import Run


def fright(count=60, *, at=25):
    """Readings 5 s apart, two of them at 250 bpm: the 19 windows that hold both, up to at + 19, reach 0.7."""
    readings = metrics(count)
    for place in (at, at + 1):
        readings[place]["heartRate"] = 250.0
    return readings


def ask(readings, detector, k, n, step_s=60.0):
    persistent = replace(detector, persistence=Persistence(k, n, step_s))
    return answer_body(parse({"metrics": readings, "counters": "interval"}, interval_s=5), persistent)[0]


def test_an_alert_waits_until_windows_a_minute_apart_reach_the_level(handmade):
    assert ask(fright(38), handmade, 1, 1)["anomalyDetected"]
    assert not ask(fright(38), handmade, 2, 2)["anomalyDetected"]  # the last window ends 55 s after the first one
    body = ask(fright(39), handmade, 2, 2)
    assert body["anomalyDetected"]
    assert body["reasons"][0]["index"] == 38  # of the first that alerts, though those before it score as high
    assert not ask(fright(), handmade, 3, 3)["anomalyDetected"]


def test_without_an_alert_the_scores_stay_and_the_message_names_the_rule(handmade):
    plain, persistent = ask(fright(), handmade, 1, 1), ask(fright(), handmade, 3, 5)
    assert persistent["results"] == plain["results"]
    assert (persistent["anomalyScore"], persistent["level"]) == (plain["anomalyScore"], "anomaly")
    assert (persistent["reasons"], persistent["anomalyReasons"]) == ([], None)
    assert (
        persistent["message"] == "Anomaly detection completed, no alert: it takes 3 of the last 5 windows, 60 s apart"
    )
    assert "no alert" not in plain["message"]


def test_a_hole_restarts_the_wait(handmade):
    readings = fright()
    for metric in readings[35:]:
        metric["timestamp"] += 3_600_000
    assert ask(readings, handmade, 1, 1)["anomalyDetected"]
    assert not ask(readings, handmade, 2, 2)["anomalyDetected"]


def test_a_batch_that_is_too_short_never_alerts(handmade):
    for count in (2, 19, 20, 30):
        readings = metrics(count, heartRate=250.0)
        assert ask(readings, handmade, 1, 1)["anomalyDetected"]
        assert not ask(readings, handmade, 2, 2)["anomalyDetected"]
    assert ask(metrics(20 + 12, heartRate=250.0), handmade, 2, 2)["anomalyDetected"]


def test_wearers_do_not_wait_for_each_other(handmade):
    both = small_model.envelope(metrics(32, heartRate=250.0)) + small_model.envelope(metrics(32), user="bea")
    persistent = replace(handmade, persistence=Persistence(2, 2))
    assert answer_body(parse(both, interval_s=5), persistent)[0]["anomalyDetected"]
    short = small_model.envelope(metrics(20, heartRate=250.0)) + small_model.envelope(
        metrics(20, heartRate=250.0), user="bea"
    )
    assert not answer_body(parse(short, interval_s=5), persistent)[0]["anomalyDetected"]


def rewritten(folder, **persistent):
    described = json.loads((small_model.write(folder) / MODEL).read_text())
    described["calibration"]["persistence"] = persistent
    (folder / MODEL).write_text(json.dumps(described))
    return folder


def test_a_detector_reads_persistence_and_refuses_a_malformed_one(tmp_path):
    assert small_model.detector(tmp_path).persistence == Persistence()
    assert Detector.load(rewritten(tmp_path, k=2, n=3, step_s=60)).persistence == Persistence(2, 3, 60)
    with pytest.raises(DamagedModel, match="an alert at 3 of the last 2 windows"):
        Detector.load(rewritten(tmp_path, k=3, n=2, step_s=60))
    with pytest.raises(DamagedModel, match="incomplete"):
        Detector.load(rewritten(tmp_path, windows=2))


def test_an_accepted_persistence_is_that_of_the_new_export(tmp_path, monkeypatch):
    monkeypatch.setenv("RUNS_HOME", str(tmp_path))
    folder = tmp_path / "models/march/lambda_export"
    folder.mkdir(parents=True)
    described = json.loads((small_model.write(folder) / MODEL).read_text())
    bundle.write_export(folder, described | {"run": "march"}, target="local")
    folder = adjustment.accept(Run.at("march"), {"factor": 1.0, "persistence": 3}, run="april")
    assert Detector.load(folder).persistence == Persistence(3, 3, 5.0)
    with zipfile.ZipFile(folder / bundle.ZIP) as opened:
        assert json.loads(opened.read(MODEL))["calibration"]["persistence"] == {"k": 3, "n": 3, "step_s": 5.0}
    again = adjustment.accept(Run.at("april"), {"factor": 2.0, "persistence": 1}, run="may")
    assert Detector.load(again).persistence == Persistence(3, 3, 5.0)  # limits alone moved


def month(*rows):
    """Requests of (sustained by one window, by three in a row, alerts, correct)."""
    one, three, alerts, correct = np.array(rows, dtype=float).T
    sustained = [np.array([a, b, 0, 0, 0]) for a, b in zip(one, three, strict=True)]
    columns = {"Time": pd.Timestamp("2026-03-02"), "Held": sustained, "Alerts": alerts, "correct": correct}
    return pd.DataFrame(columns).assign(Readings=17_280.0, Rejected=0.0, Unknown=0.0)


def test_a_proposal_may_ask_for_windows_in_a_row_where_that_misses_less():
    replay = Replay(month((3, 0.5, 1, 0), (2.5, 0.4, 1, 0), (2, 1.5, 1, 1)), interval_s=5, seed=1)
    choices = pd.DataFrame({"percentile": [99.9, 99.99], "factor": [1.0, 4.0]})
    assert propose(replay, choices, cut=0.5)["missed"] == 1
    proposal = propose(replay, choices, cut=0.5, persistences=IN_A_ROW)
    assert (proposal["factor"], proposal["persistence"], proposal["missed"], proposal["false_alarms"]) == (1.0, 3, 0, 0)
    assert proposal["percentile"] == 99.9


def test_a_suppressed_alert_stays_suppressed_in_a_replay():
    replay = Replay(month((3, 0.5, 0, 1), (3, 2, 1, 0)), interval_s=5, seed=1)
    assert (replay.alerts, replay.at(1.0)["alerts"], replay.at(0.5)["alerts"]) == (1, 1, 1)
