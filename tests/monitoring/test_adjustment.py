"""Accepting a proposal: a new export of the same weights; and its figures come true on the months after."""

import json
import zipfile

import numpy as np
import pandas as pd
import pytest
import small_export as for_lambda
import small_model
import streamed_log
from deployment import package as deployment_package

from lib.detector import checksums
from lib.detector.detector import DamagedModel, Detector
from lib.export import bundle
from lib.monitoring import adjustment, feedback, log
from lib.run import Run

PROPOSED = {"factor": 1.25, "percentile": 99.95, "false_alarms": 0.4}


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
    """The export, with its zip, of the model made by hand."""
    folder = tmp_path_factory.mktemp("export")
    small_model.write(folder)
    described = json.loads((folder / "model.json").read_text())
    bins = {"Errors": {"edges": [0.5, 1.0], "shares": [0.6, 0.3, 0.1]}, "Steps": {"edges": [0.0], "shares": [0.5, 0.5]}}
    (folder / "model.json").unlink()
    bundle.write_export(folder, described | {"run": "march", "population": bins}, target="local")
    return folder


def contents(folder):
    return {path.relative_to(folder).as_posix(): checksums.sha256(path) for path in folder.rglob("*") if path.is_file()}


def archived(folder):
    with zipfile.ZipFile(folder / bundle.ZIP) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def test_only_threshold_model_json_and_the_zip_that_holds_them_are_new(base):
    before = contents(base.models / "lambda_export")
    made = contents(adjustment.accept(base, PROPOSED, run="march-adjusted"))
    assert made.keys() == before.keys()
    changed = {name for name in made if made[name] != before[name]}
    assert changed == {"threshold.npy", "model.json", bundle.ZIP}
    assert contents(base.models / "lambda_export") == before


def test_every_limit_moves_by_the_factor_and_model_json_says_what_it_came_from(base):
    export = base.models / "lambda_export"
    old = json.loads((export / "model.json").read_text())
    folder = adjustment.accept(base, PROPOSED, run="march-adjusted")
    new = json.loads((folder / "model.json").read_text())
    assert new["run"] == "march-adjusted"
    assert new["adjusted"] == {
        "from": {"run": "march", "model_sha256": checksums.sha256(export / "model.json")},
        **PROPOSED,
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


def test_what_was_true_of_the_old_limits_alone_is_not_said_of_the_new_ones():
    limits = {"threshold": 1.0, "alert": 2.0, "threshold_percentile": 95.0, "alert_percentile": 99.9, "windows": 9000}
    measured = {"epochs": 7, "val_loss": 0.1, "share_of_normal": {}, "false_alarms_per_day": 0.4, "enough": {}}
    model = {"calibration": limits, "metrics": measured | {"evaluation": {"recall_macro": 0.7}}}
    changed = adjustment.scaled(model, 2.0, run="x")
    assert changed["calibration"] == {"threshold": 2.0, "alert": 4.0, "windows": 9000}
    assert changed["metrics"] == {"epochs": 7, "val_loss": 0.1}
    assert model["calibration"] == limits


def test_limits_of_known_baselines_move_too():
    limits = {"threshold": 1.0, "alert": 2.0, "sizes": [1, 60], "sets": {"a": {"alert": [2.0]}}}
    changed = adjustment.scaled({"calibration": {**limits, "own": {"a": {"alert": [3.0]}}}}, 2.0, run="x")
    assert changed["calibration"] == {
        "threshold": 2.0,
        "alert": 4.0,
        "sizes": [1, 60],
        "sets": {"a": {"alert": [4.0]}},
        "own": {"a": {"alert": [6.0]}},
    }


def test_the_zip_answers_with_the_new_limits_and_its_code_is_the_old_ones(base):
    folder = adjustment.accept(base, PROPOSED, run="march-adjusted")
    old, new = archived(base.models / "lambda_export"), archived(folder)
    assert {name for name in new if new[name] != old[name]} == {"model.json", "threshold.npy", checksums.SUMS}
    event = {"metrics": small_model.metrics(30, heartRate=90.0), "counters": "interval"}
    _, (called,) = bundle.call(folder / bundle.ZIP, [event])
    assert called["answer"]["statusCode"] == 200
    body = called["answer"]["body"]
    assert body["model"]["run"] == "march-adjusted"
    error = small_model.error(4)
    assert body["anomalyScore"] == pytest.approx(0.3 * error / 1.25)


def test_what_exists_is_not_overwritten_and_what_is_damaged_is_not_taken_over(base, tmp_path, small_export):
    with pytest.raises(FileExistsError, match="run 'march' exists"):
        adjustment.accept(base, PROPOSED, run="march")
    with pytest.raises(ValueError, match=r"factor=0\.0"):
        adjustment.accept(base, {"factor": 0}, run="other")
    broken = Run.at("broken")
    (broken.models / "lambda_export").mkdir(parents=True)
    for path in small_export.glob("*.*"):
        (broken.models / "lambda_export" / path.name).write_bytes(path.read_bytes())
    (broken.models / "lambda_export/lstm_model.onnx").write_bytes(b"")
    with pytest.raises(DamagedModel):
        adjustment.accept(broken, PROPOSED, run="other")
    assert sorted(path.name for path in (tmp_path / "models").iterdir()) == ["broken", "march"]


def test_a_model_that_asks_for_several_windows_keeps_to_them(small_export):
    model = json.loads((small_export / "model.json").read_text())
    model["calibration"]["persistence"] = {"k": 3, "n": 3, "step_s": 60.0}
    assert adjustment.scaled(model, 2.0, run="x")["calibration"]["persistence"] == model["calibration"]["persistence"]
    with pytest.raises(ValueError, match="in_a_row=3: an alert of this model takes 3 of 3 windows already"):
        adjustment.scaled(model, 1.0, run="x", in_a_row=3)


def test_a_version_is_looked_up_by_its_name(base, tmp_path):
    other = Run("x", tmp_path, tmp_path)
    assert adjustment.deployed("march/0123", otherwise=other) == base
    for version in ("gone/0123", "../../etc/0123", "by hand/0123", "none"):
        assert adjustment.deployed(version, otherwise=other) == other


def test_what_is_accepted_can_be_deployed(export, tmp_path, monkeypatch):
    monkeypatch.setenv("RUNS_HOME", str(tmp_path))
    march = Run.at("march")
    march.models.mkdir(parents=True)
    for_lambda.write(march.models / "lambda_export", export, run="march")
    adjustment.accept(march, PROPOSED, run="april")
    package = deployment_package.read("april")
    assert package.runtime == "python3.13"
    assert package.model_sha256 != deployment_package.read("march").model_sha256
    assert package.files["lstm_model.onnx"] == checksums.sha256(march.models / "lambda_export/lstm_model.onnx")


def test_candidates_are_percentiles_of_calibration_and_rise():
    found = adjustment.candidates(np.arange(1, 100_001) / 100_000, 0.5)
    assert (found["factor"].diff()[1:] > 0).all()
    assert found["percentile"].iloc[[0, -1]].tolist() == [99.0, 99.999]
    assert found["factor"].iloc[0] == pytest.approx(0.99 / 0.5, rel=1e-4)


MINUTE, DAYS, WEARERS, MONTH = 60, 40, 2, 20


def sent(number, *, rng):
    """Two months of a wearer's requests, [(day, metrics, whether something is wrong)]: in some the heart races."""
    found = []
    for day, readings in enumerate(streamed_log.life(number, days=DAYS, interval_s=MINUTE)[:DAYS]):
        for metrics in streamed_log.batches(readings):
            wrong = rng.random() < 0.08
            raised = rng.uniform(20, 110)
            found.append((day, streamed_log.offset(metrics, raised) if wrong else metrics, wrong))
    return [
        (day, [of | {"heartRate": min(of["heartRate"], 240)} for of in metrics], wrong) for day, metrics, wrong in found
    ]


def lines_of(detector, requests, *, spoken, rng):
    """The log's table of these requests, and the feedback: of `spoken` of the alerts, whether something was wrong."""
    lines, said = [], []
    for place, (day, metrics, wrong) in enumerate(requests):
        line, body = streamed_log.answered(detector, metrics, request_id=str(place), time_ms=day * 86_400_000)
        lines.append(line)
        if body["anomalyDetected"] and rng.random() < spoken:
            said.append((str(place), wrong))
    return log.table(lines)[0], pd.DataFrame(said, columns=["request_id", "correct"]).assign(note="")


def replayed(table, said):
    return feedback.Replay(feedback.answered(table, said), interval_s=MINUTE, seed=1)


def test_the_accepted_threshold_does_in_the_next_month_what_the_replay_of_the_last_one_says(tmp_path, monkeypatch):
    monkeypatch.setenv("RUNS_HOME", str(tmp_path))
    limits = {"threshold": [2.0, 2.0], "alert": [8.0, 8.0]}
    folder = tmp_path / "models/march/lambda_export"
    folder.mkdir(parents=True)
    detector = streamed_log.model(folder, interval_s=MINUTE, limits=limits)
    rng = np.random.default_rng(3)
    every = [request for number in range(WEARERS) for request in sent(number, rng=rng)]
    months = [[of for of in every if of[0] // MONTH == month] for month in (0, 1)]
    last = replayed(*lines_of(detector, months[0], spoken=0.6, rng=rng))
    choices = pd.DataFrame({"percentile": 99.0, "factor": np.geomspace(1, 6, 80)})
    proposed = feedback.proposal(last, choices, cut=0.5)
    (folder / checksums.SUMS).write_text("")
    names = ("model.json", "threshold.npy", checksums.SUMS)
    bundle.write_zip(folder / bundle.ZIP, {name: folder / name for name in names})
    adjusted = Detector.load(adjustment.accept(Run.at("march"), proposed, run="april"))
    before, _ = lines_of(detector, months[1], spoken=1.0, rng=rng)
    after, _ = lines_of(adjusted, months[1], spoken=1.0, rng=rng)
    wrong = {str(place) for place, of in enumerate(months[1]) if of[2]}
    fired = {name: set(of["RequestId"][of["Alerts"] == 1]) for name, of in (("before", before), ("after", after))}
    rate = len(fired["after"] - wrong) / last.worn.sum()
    missed = 1 - len(fired["after"] & wrong) / len(fired["before"] & wrong)
    assert rate < 0.65 * len(fired["before"] - wrong) / last.worn.sum()
    assert proposed["false_alarms_interval"][0] <= rate <= proposed["false_alarms_interval"][1]
    assert proposed["missed_interval"][0] <= missed <= proposed["missed_interval"][1]
