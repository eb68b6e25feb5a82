"""04_evaluate on special tables, with a small untrained model."""

import json

import nbformat
import numpy as np
import pandas as pd
import pytest
from conftest import fitted, life, runs_in

from lib import files, silence
from lib import run as runs
from lib.data import clean, readings
from lib.detector import features
from lib.detector.checksums import sha256
from lib.detector.descriptors import Describer
from lib.detector.network import Network
from lib.detector.windows import starts
from lib.evaluation import summary
from lib.training import onnx_graph
from lib.workflow import cli

LENGTH = 12  # samples of a window, a minute apart
LEARNED, CALM, TESTED = "ada", "ben", "cyd"
JOURNAL = {"01_generate": {"split_by": "wearer"}, "02_clean": {"interval_s": 60}, "03_train": {}, "05_export": {}}


def raw(name, *, seed, hours=6):
    """Return one wearer's readings, a minute apart, with empty labels."""
    count = hours * 60
    channels = pd.DataFrame(life(count, seed=seed)[:, :4], columns=features.CHANNELS)
    channels[list(features.COUNTERS)] = channels[list(features.COUNTERS)].cumsum()
    time = pd.date_range("2026-03-02T08:00:00", periods=count, freq="min")
    return channels.assign(user_id=name, timestamp=time, label="")


def cleaned(table, path):
    table.drop(columns="label").to_csv(path, index=False)
    return clean.clean(readings.read(path), interval_s=60)[0]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """RUNS_HOME with a run that is complete up to 03."""
    with runs_in(tmp_path_factory.mktemp("home")) as home:
        run = runs.open_run("by-hand", create=True)
        learned, calm = (cleaned(raw(name, seed=seed), home / "raw.csv") for seed, name in enumerate((LEARNED, CALM)))
        (run.data / "processed").mkdir()
        clean.save(learned, run.data / "processed/health_metrics.csv")
        clean.save(calm, run.data / "processed/calibration.csv")
        _train(run, learned, calm)
        files.write_json(run.models / "run.json", JOURNAL)
        yield home


def _train(run, learned, calm):
    """Write what 03 leaves in the run's folder."""
    with silence.stderr():
        from lib.training import autoencoder
    model = autoencoder.build(sequence_length=LENGTH, encoding_dim=4)
    scaler = features.fit_scaler(clean.samples(learned))
    rows = {
        "train": starts(clean.groups(learned), length=LENGTH),
        "calibration": starts(clean.groups(calm), length=LENGTH),
    }
    onnx_graph.save(model, run.models / "lstm_model.onnx")
    network = Network.load(run.models / "lstm_model.onnx")
    form = {"length": LENGTH, "interval_s": 60, "scaler": scaler}
    samples = clean.samples(calm)
    first = rows["calibration"][:340]
    reference, limits = fitted(network, samples, first, np.zeros(len(first)), **form)
    reference.save(run.models / "normal.npz")
    model.save(run.models / "lstm_autoencoder.keras")
    np.save(run.models / "threshold.npy", np.float64(limits["threshold"]))
    describer = Describer(network, curve=reference.curve, **form)
    descriptors = describer.describe(samples, rows["calibration"])[0]
    ratio = reference.evidence(descriptors, [True] * 4) / limits["threshold"]
    known = {"calibration_columns": descriptors, "calibration_excess": ratio}
    known |= {"compared": rows["calibration"], "compared_columns": descriptors}
    np.savez(run.models / "windows.npz", **rows, **known)
    np.save(run.models / "calibration_errors.npy", np.full(9, limits["threshold"]))
    sums = {name: sha256(run.models / name) for name in ("lstm_model.onnx", "normal.npz", "threshold.npy")}
    described = {"run": "by-hand", "features": list(features.FEATURES), "scaler": scaler, "channels": [True] * 7}
    described |= {"sequence_length": LENGTH, "interval_s": 60, "metrics": {}, "calibration": limits, "files": sums}
    files.write_json(run.models / "model.json", described | {"parameters": {"encoding_dim": 4}})


def evaluate(home, table, **parameters):
    """Evaluate a raw table by 04. Return the text of its outputs, and metrics.json."""
    path = home / "test.csv"
    table.to_csv(path, index=False)
    arguments = [f"{name}={value}" for name, value in ({"test_path": path, "score_stride": 4} | parameters).items()]
    assert cli.main(["run=by-hand", "--only", "04_evaluate", *arguments]) == 0
    folder = home / "models/by-hand"
    cells = nbformat.read(folder / "04_evaluate.ipynb", as_version=4).cells
    texts = [output.get("text", "") for cell in cells for output in cell.get("outputs", [])]
    return "".join(texts), json.loads((folder / "metrics.json").read_text(encoding="utf-8"))


def test_a_table_without_labels_is_evaluated_as_normal_life(home):
    text, metrics = evaluate(home, pd.concat([raw(TESTED, seed=7), raw(CALM, seed=6)]))
    assert "No reading is labelled" in text
    assert "No kind of anomaly has windows to compare the methods on." in text
    assert metrics["evaluated"]["table"].endswith("test.csv")
    assert "learned from or was calibrated on 1 of these wearers" in text  # the second one calibrated the thresholds
    assert (metrics["evaluated"]["wearers"], metrics["evaluated"]["wearers_known"]) == (2, 1)
    assert metrics["evaluated"]["events"] == 0
    assert metrics["headline"]["auroc_macro"] is None
    assert 0 <= metrics["headline"]["share_of_normal_at_0.3"] <= 1
    assert not (home / "models/by-hand/auroc.png").exists()
    model = (home / "models/by-hand/model.json").read_text(encoding="utf-8")
    assert json.loads(model)["metrics"]["evaluation"]["table"] == summary.ANOTHER
    assert "test.csv" not in model  # which is deployed, and does not say where the data are


def test_a_watch_without_distance_is_evaluated_on_its_channels(home):
    table = raw(LEARNED, seed=8).drop(columns="distance")
    table.loc[100:130, "label"], table.loc[100:130, "heartRate"] = "tachycardia", 178 + np.arange(31) % 5
    text, metrics = evaluate(home, table)
    assert "With one kind alone" in text
    assert "learned from or was calibrated on 1 of these wearers" in text
    assert list(metrics["by_kind"]["heart-rate rule"]) == ["tachycardia"]
    assert metrics["by_kind"]["heart-rate rule"]["tachycardia"]["auroc"] == 1
    by_size = {(row["channel set"], row["samples"]): row["windows"] for row in metrics["calibration_by_size"]}
    assert by_size["all channels", LENGTH] == 0
    assert by_size["without distance", LENGTH] > 0
    assert metrics["by_kind"]["deployed score"]["tachycardia"]["auroc"] == 1
