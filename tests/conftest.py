"""What several test modules share: a table of samples, an untrained model's export folder, a run at smoke size."""

import json
import os
import shutil
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest
from processes import ByFile, sort_by_cost
from shared_folder import shared_folder

from lib import silence
from lib.data import clean
from lib.data.readings import parse
from lib.detector import features, windows
from lib.detector.network import Network
from lib.export import bundle
from lib.files import ROOT, write_json
from lib.simulation.watch import record_days
from lib.training import fitting, onnx_graph
from lib.workflow import cli

pytest_plugins = ["s3"]

FITBIT = Path(os.environ.get("FITBIT_DATA") or ROOT.parent / "shared/data/fitbit")  # README, "Development"
needs_fitbit = pytest.mark.skipif(
    not FITBIT.is_dir(), reason=f"no Fitbit readings at {FITBIT} (FITBIT_DATA names another folder)"
)

SCALER = {"mean": [75.0, 0.7, 0.17, 0.5], "scale": [15.0, 2.0, 0.15, 1.5]}

SMOKE = {
    "samples": 4000,
    "wearers": 4,
    "calibration_wearers": 3,
    "test_wearers": 2,
    "test_days": 1,
    "train_windows": 200,
    "epochs": 1,
    "score_stride": 48,
    "lambda_python": "local",
}
_MODULES = [path.relative_to(ROOT).with_suffix("") for path in (ROOT / "lib").rglob("*.py")]
OURS = ["__main__", *(".".join(path.parts) for path in _MODULES)]  # modules of a notebook's kernel
WARNINGS_ARE_ERRORS = ",".join(f"error:::{module}" for module in OURS)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Distribute the test files over processes, whatever --dist says."""
    return ByFile(config, log)


def pytest_collection_modifyitems(items):
    """Run slow files first."""
    sort_by_cost(items)


def life(count, *, seed=0):
    """(count, 7) samples in raw units that move as a wearer's do."""
    rng = np.random.default_rng(seed)
    steps = rng.poisson(3, count).astype(float)
    heart = 70 + np.cumsum(rng.normal(0, 0.5, count)).clip(-20, 60) + rng.normal(0, 1, count)
    when = features.calendar(1_772_434_800 + 5.0 * np.arange(count))
    return np.column_stack([heart.round().clip(40, 180), steps, 0.1 + 0.02 * steps, 0.7 * steps, when])


def normal_life():
    """Samples (T, 7) of whole days of simulated wearers, and an hour of `life`; their windows' first rows and wearers.

    Whole days, because a usual heart rate fitted to a few hours would be arbitrary at the others.
    """
    table, _ = clean.clean(parse(record_days(wearers=3, days=1, interval_s=5, seed=9, first_id=0)), interval_s=5)
    hour = life(720, seed=9)
    group = np.append(clean.groups(table), np.full(len(hour), -1))
    trusted = np.append(clean.trusted(table), np.full(len(hour), True))
    wearer = np.append(table["user_id"].astype(str), np.full(len(hour), "life"))
    first = windows.starts(group, length=60, stride=80, trusted=trusted)
    return np.concatenate([clean.samples(table), hour]), first, wearer[first]


@pytest.fixture(scope="session")
def model():
    """The untrained autoencoder at its full size."""
    with silence.stderr():
        import keras

        from lib.training import autoencoder
    keras.utils.set_random_seed(3)
    return autoencoder.build()


def fitted(network, samples, first, wearer, *, length, interval_s, scaler):
    """What 03 fits to windows of normal life: the reference, and model.json's calibration.

    Half of the windows, drawn at random, give the limits. A baseline of one still minute counts as known.
    """
    limiting = np.random.default_rng(9).permutation(len(first)) % 2 == 1
    form = {"scaler": scaler, "length": length, "interval_s": interval_s}
    describer = fitting.describer_of(network, samples, first[~limiting], **form)
    fit = fitting.Fit(describer, samples, np.full(7, True))
    described = fit.describe(first, wearer)
    described = replace(described, minutes=np.where(described.minutes > 0, 1000, 0))
    compared = described[~limiting]
    reference = fit.reference(compared, described[limiting], at_most=len(compared), rng=np.random.default_rng(0))
    sizes = sorted({1, length // 4, length})
    return reference, fit.limits(reference, described[limiting], (95.0, 99.9), sizes=sizes)


@pytest.fixture(scope="session")
def trained(request, tmp_path_factory):
    """The folder of a model as 03 leaves it, and the content of its model.json."""

    def make(folder):
        model = request.getfixturevalue("model")  # Keras takes seconds, which only the first process spends
        files = folder / "model"
        files.mkdir()
        onnx_graph.save(model, files / "lstm_model.onnx")
        form = {"length": 60, "interval_s": 5, "scaler": SCALER}
        reference, limits = fitted(Network.load(files / "lstm_model.onnx"), *normal_life(), **form)
        reference.save(files / "normal.npz")
        np.save(files / "threshold.npy", np.float64(limits["threshold"]))
        described = {"run": "test", "features": list(features.FEATURES), "sequence_length": 60, "interval_s": 5}
        described |= {"scaler": SCALER, "channels": [True] * 7, "calibration": limits}
        write_json(folder / "model.json", described)

    folder = shared_folder(tmp_path_factory, "trained", make)
    return folder / "model", json.loads((folder / "model.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def model_json(trained):
    """What model.json is to say of the model."""
    return trained[1]


@pytest.fixture(scope="session")
def export(tmp_path_factory, trained):
    """An export folder with the handler and its zip for this Python, but without the other formats."""

    def make(folder):
        files, described = trained
        bundle.write_export(shutil.copytree(files, folder / "lambda_export"), described, target="local")

    return shared_folder(tmp_path_factory, "export", make) / "lambda_export"


def keras_scores(model, detector, samples, first, size, *, name="all channels", own=None):
    """The scores (N,) that the notebooks would give windows of a channel set: by Keras' reconstructions."""
    raw = windows.gather(samples, first, length=detector.sequence_length, size=size)
    counted = features.channel_sets([True] * 7)[name]
    scaled = features.scale(np.where(counted, raw, np.nan), detector.describer.scaler)
    return detector.score_rebuilt(
        raw, scaled, model.predict_on_batch(scaled), size=np.asarray(size), channel_set=name, own=own
    ).scores


@contextmanager
def runs_in(home):
    """Runs lie in `home`, and in their kernels a warning of our own modules is an error."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNS_HOME", str(home))
        patch.setenv("PYTHONWARNINGS", WARNINGS_ARE_ERRORS)
        yield home


@pytest.fixture(scope="session")
def smoke(tmp_path_factory):
    """models/smoke of a run of all notebooks at smoke size, as run_all.sh makes it."""

    def make(folder):
        with runs_in(folder):
            assert cli.main(["run=smoke", *(f"{name}={value}" for name, value in SMOKE.items())]) == 0

    return shared_folder(tmp_path_factory, "smoke_home", make) / "models/smoke"
