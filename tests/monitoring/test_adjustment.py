"""Accepting a proposal: a new export of the same weights, whose replayed figures hold in the month after."""

import json
import zipfile

import numpy as np
import pandas as pd
import pytest
import small_export as lambda_export
import small_model
import streamed_log
from deployment import package as deployment_package

from lib.detector import checksums
from lib.detector.export_folder import DamagedModel
from lib.export import bundle
from lib.monitoring import adjustment, feedback, log
from lib.monitoring.replay import Replay, propose
from lib.run import Run

PROPOSAL = {"factor": 1.25, "percentile": 99.95, "false_alarms": 0.4}


@pytest.fixture
def base(tmp_path, monkeypatch, small_export):
    """A Run with an export."""
    monkeypatch.setenv("RUNS_HOME", str(tmp_path))
    run = Run.at("march")
    run.models.mkdir(parents=True)
    (run.models / "lambda_export").symlink_to(small_export)
    return run


@pytest.fixture(scope="module")
def small_export(tmp_path_factory):
    """The export and zip of the hand-made model."""
    folder = tmp_path_factory.mktemp("export")
    small_model.write(folder, limits={"threshold": [1000.0] * 2, "alert": [4000.0] * 2})  # above what it scores
    model = json.loads((folder / "model.json").read_text())
    bins = {"Errors": {"edges": [0.5, 1.0], "shares": [0.6, 0.3, 0.1]}, "Steps": {"edges": [0.0], "shares": [0.5, 0.5]}}
    (folder / "model.json").unlink()
    bundle.write_export(folder, model | {"run": "march", "population": bins}, target="local")
    return folder


def contents(folder):
    return {path.relative_to(folder).as_posix(): checksums.sha256(path) for path in folder.rglob("*") if path.is_file()}


def zip_contents(folder):
    with zipfile.ZipFile(folder / bundle.ZIP) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_only_threshold_model_json_and_their_zip_are_new(base):
    before = contents(base.models / "lambda_export")
    after = contents(adjustment.accept(base, PROPOSAL, run="march-adjusted"))
    assert after.keys() == before.keys()
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"threshold.npy", "model.json", bundle.ZIP}
    assert contents(base.models / "lambda_export") == before


def test_every_limit_moves_by_the_factor_and_model_json_names_its_origin(base):
    export = base.models / "lambda_export"
    old = json.loads((export / "model.json").read_text())
    folder = adjustment.accept(base, PROPOSAL, run="march-adjusted")
    new = json.loads((folder / "model.json").read_text())
    assert new["run"] == "march-adjusted"
    assert new["adjusted"] == {
        "from": {"run": "march", "model_sha256": checksums.sha256(export / "model.json")},
        **PROPOSAL,
    }
    assert new["calibration"]["threshold"] == 1.25 * old["calibration"]["threshold"]
    for name, limits in old["calibration"]["sets"].items():
        for level, values in limits.items():
            assert new["calibration"]["sets"][name][level] == [1.25 * value for value in values]
    assert np.load(folder / "threshold.npy") == new["calibration"]["threshold"]
    assert new["files"] == {name: sum for name, sum in contents(folder).items() if name != "model.json"}
    assert new["population"] == {
        "Errors": {"edges": [0.4, 0.8], "shares": [0.6, 0.3, 0.1]},
        "Steps": {"edges": [0.0], "shares": [0.5, 0.5]},
    }


def test_facts_about_the_old_limits_are_left_out():
    limits = {"threshold": 1.0, "alert": 2.0, "threshold_percentile": 95.0, "alert_percentile": 99.9, "windows": 9000}
    measured = {"epochs": 7, "val_loss": 0.1, "share_of_normal": {}, "false_alarms_per_day": 0.4, "enough": {}}
    model = {"calibration": limits, "metrics": measured | {"evaluation": {"recall_macro": 0.7}}}
    changed = adjustment.scale_limits(model, 2.0, run="x")
    assert changed["calibration"] == {"threshold": 2.0, "alert": 4.0, "windows": 9000}
    assert changed["metrics"] == {"epochs": 7, "val_loss": 0.1}
    assert model["calibration"] == limits


def test_limits_of_known_baselines_move_too():
    limits = {"threshold": 1.0, "alert": 2.0, "sizes": [1, 60], "sets": {"a": {"alert": [2.0]}}}
    changed = adjustment.scale_limits({"calibration": {**limits, "own": {"a": {"alert": [3.0]}}}}, 2.0, run="x")
    assert changed["calibration"] == {
        "threshold": 2.0,
        "alert": 4.0,
        "sizes": [1, 60],
        "sets": {"a": {"alert": [4.0]}},
        "own": {"a": {"alert": [6.0]}},
    }


def test_the_zip_answers_with_the_new_limits_and_the_old_code(base):
    folder = adjustment.accept(base, PROPOSAL, run="march-adjusted")
    old, new = zip_contents(base.models / "lambda_export"), zip_contents(folder)
    assert {name for name in new if new[name] != old[name]} == {"model.json", "threshold.npy", checksums.SUMS}
    event = {"metrics": small_model.metrics(30, heartRate=71.0), "counters": "interval"}
    _, (called,) = bundle.call(folder / bundle.ZIP, [event])
    assert called["answer"]["statusCode"] == 200
    body = called["answer"]["body"]
    assert body["model"]["run"] == "march-adjusted"
    _, (before,) = bundle.call(base.models / "lambda_export" / bundle.ZIP, [event])
    old_score = before["answer"]["body"]["anomalyScore"]
    assert 0 < old_score < 0.3  # below the threshold the score is a share of it
    assert body["anomalyScore"] == pytest.approx(old_score / 1.25)


def test_an_existing_run_is_not_overwritten_and_a_damaged_export_is_refused(base, tmp_path, small_export):
    with pytest.raises(FileExistsError, match="run 'march' exists"):
        adjustment.accept(base, PROPOSAL, run="march")
    with pytest.raises(ValueError, match=r"factor=0\.0"):
        adjustment.accept(base, {"factor": 0}, run="other")
    broken = Run.at("broken")
    (broken.models / "lambda_export").mkdir(parents=True)
    for path in small_export.glob("*.*"):
        (broken.models / "lambda_export" / path.name).write_bytes(path.read_bytes())
    (broken.models / "lambda_export/lstm_model.onnx").write_bytes(b"")
    with pytest.raises(DamagedModel):
        adjustment.accept(broken, PROPOSAL, run="other")
    assert sorted(path.name for path in (tmp_path / "models").iterdir()) == ["broken", "march"]


def test_a_model_that_asks_for_several_windows_keeps_its_rule(small_export):
    model = json.loads((small_export / "model.json").read_text())
    model["calibration"]["persistence"] = {"k": 3, "n": 3, "step_s": 60.0}
    assert (
        adjustment.scale_limits(model, 2.0, run="x")["calibration"]["persistence"]
        == model["calibration"]["persistence"]
    )
    with pytest.raises(
        ValueError, match="expected persistence=1, got 3: an alert of this model needs 3 of 3 windows already"
    ):
        adjustment.scale_limits(model, 1.0, run="x", persistence=3)


def test_a_deployed_run_is_found_by_the_name_in_its_version(base, tmp_path):
    other = Run("x", tmp_path, tmp_path)
    assert adjustment.deployed_run("march/0123", default=other) == base
    for version in ("gone/0123", "../../etc/0123", "by hand/0123", "none"):
        assert adjustment.deployed_run(version, default=other) == other


def test_an_accepted_proposal_can_be_deployed(export, tmp_path, monkeypatch):
    monkeypatch.setenv("RUNS_HOME", str(tmp_path))
    march = Run.at("march")
    march.models.mkdir(parents=True)
    lambda_export.write(march.models / "lambda_export", export, run="march")
    adjustment.accept(march, PROPOSAL, run="april")
    package = deployment_package.read("april")
    assert package.runtime == "python3.13"
    assert package.model_sha256 != deployment_package.read("march").model_sha256
    assert package.files["lstm_model.onnx"] == checksums.sha256(march.models / "lambda_export/lstm_model.onnx")


def test_candidates_are_percentiles_of_calibration_and_rise():
    listed = adjustment.candidates(np.arange(1, 100_001) / 100_000, 0.5)
    assert (listed["factor"].diff()[1:] > 0).all()
    assert listed["percentile"].iloc[[0, -1]].tolist() == [99.0, 99.999]
    assert listed["factor"].iloc[0] == pytest.approx(0.99 / 0.5, rel=1e-4)


MINUTE, DAYS, WEARERS, MONTH = 60, 40, 2, 20


def requests_of(wearer, *, rng):
    """Two months of a wearer's requests, [(day, metrics, is_wrong)]: where something is wrong the heart races."""
    requests = []
    for day, readings in enumerate(streamed_log.life(wearer, days=DAYS, interval_s=MINUTE)[:DAYS]):
        for metrics in streamed_log.batches(readings):
            is_wrong = rng.random() < 0.08
            raised = streamed_log.offset(metrics, rng.uniform(20, 110))
            requests.append((day, capped(raised if is_wrong else metrics), is_wrong))
    return requests


def capped(metrics):
    return [reading | {"heartRate": min(reading["heartRate"], 240)} for reading in metrics]


def answers(detector, requests, *, feedback_share, rng):
    """The log's table of these requests, and feedback on this share of the alerts: whether something was wrong."""
    lines, rows = [], []
    for place, (day, metrics, is_wrong) in enumerate(requests):
        line, body = streamed_log.answered(detector, metrics, request_id=str(place), time_ms=day * 86_400_000)
        lines.append(line)
        if body["anomalyDetected"] and rng.random() < feedback_share:
            rows.append((str(place), is_wrong))
    return log.parse_lines(lines)[0], pd.DataFrame(rows, columns=["request_id", "correct"]).assign(note="")


@pytest.fixture
def month_before_and_after(tmp_path, monkeypatch):
    """(proposal, replay, requests, {"before", "after"}: ids of next month's alerts at the old and the new limits)."""
    monkeypatch.setenv("RUNS_HOME", str(tmp_path))
    folder = tmp_path / "models/march/lambda_export"
    folder.mkdir(parents=True)
    detector = streamed_log.model(folder, interval_s=MINUTE, limits={"threshold": [2.0, 2.0], "alert": [8.0, 8.0]})
    rng = np.random.default_rng(3)
    requests = [request for wearer in range(WEARERS) for request in requests_of(wearer, rng=rng)]
    last, following = ([request for request in requests if request[0] // MONTH == month] for month in (0, 1))
    scored = feedback.scored_requests(*answers(detector, last, feedback_share=0.6, rng=rng))
    replay = Replay(scored, interval_s=MINUTE, seed=1)
    choices = pd.DataFrame({"percentile": 99.0, "factor": np.geomspace(1, 6, 80)})
    proposal = propose(replay, choices, cut=0.5)
    (folder / checksums.SUMS).write_text("")
    names = ("model.json", "threshold.npy", checksums.SUMS)
    bundle.write_zip(folder / bundle.ZIP, {name: folder / name for name in names})
    adjusted = small_model.load(adjustment.accept(Run.at("march"), proposal, run="april"))
    alerts = {}
    for name, model in (("before", detector), ("after", adjusted)):
        table, _ = answers(model, following, feedback_share=1.0, rng=rng)
        alerts[name] = set(table["RequestId"][table["Alerts"] == 1])
    return proposal, replay, following, alerts


def test_the_accepted_threshold_does_next_month_what_the_replay_of_the_last_one_promised(month_before_and_after):
    proposal, replay, requests, alerts = month_before_and_after
    wrong = {str(place) for place, (_, _, is_wrong) in enumerate(requests) if is_wrong}
    rate = len(alerts["after"] - wrong) / replay.wearer_days.sum()
    missed = 1 - len(alerts["after"] & wrong) / len(alerts["before"] & wrong)
    assert rate < 0.65 * len(alerts["before"] - wrong) / replay.wearer_days.sum()
    assert proposal["false_alarms_interval"][0] <= rate <= proposal["false_alarms_interval"][1]
    assert proposal["missed_interval"][0] <= missed <= proposal["missed_interval"][1]
