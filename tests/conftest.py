"""What several test modules share: a table of samples, an untrained model's export folder, a run at smoke size."""

import os
import shutil
from contextlib import contextmanager
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest
from processes import SHARE_A_RUN, ByFile

from lib import silence
from lib.data import clean
from lib.data.readings import parse
from lib.detector import features, neighbours, scoring, windows
from lib.detector.describer import Describer
from lib.detector.network import Network
from lib.export import bundle
from lib.files import ROOT
from lib.simulation.watch import record_days
from lib.training import calibration, onnx_graph
from lib.workflow import cli

pytest_plugins = ["s3"]

FITBIT = Path(
    os.environ.get("FITBIT_DATA") or ROOT.parent / "shared/data/fitbit"
)  # real wearers: README, "Dependencies"
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
    """How several processes share the files out, whatever --dist says."""
    return ByFile(config, log)


def life(count, *, seed=0):
    """(count, 7) samples in raw units that move as a wearer's do."""
    rng = np.random.default_rng(seed)
    steps = rng.poisson(3, count).astype(float)
    heart = 70 + np.cumsum(rng.normal(0, 0.5, count)).clip(-20, 60) + rng.normal(0, 1, count)
    when = features.calendar(1_772_434_800 + 5.0 * np.arange(count))
    return np.column_stack([heart.round().clip(40, 180), steps, 0.1 + 0.02 * steps, 0.7 * steps, when])


def normal_life():
    """Samples (T, 7) of whole days of simulated wearers and an hour of `life`, and their windows' first rows (N,).

    Of all hours, for else the heart rate that is usual at the others would be anything; in random order.
    """
    table, _ = clean.clean(parse(record_days(wearers=3, days=1, interval_s=5, seed=9, first_id=0)), interval_s=5)
    here = life(720, seed=9)
    group = np.append(clean.groups(table), np.full(len(here), -1))
    known = np.append(clean.trusted(table), np.full(len(here), True))
    first = windows.starts(group, length=60, stride=80, trusted=known)
    samples = np.concatenate([clean.samples(table), here])
    return samples, np.random.default_rng(9).permutation(first)


@pytest.fixture(scope="session")
def model():
    """The untrained autoencoder at its full size."""
    with silence.stderr():
        import keras

        from lib.training import autoencoder
    keras.utils.set_random_seed(3)
    return autoencoder.build()


def calibrated(network, samples, first, *, length, interval_s, scaler):
    """What 03 makes of windows of normal life, all at once: what to compare with, and model.json's calibration."""
    curve = neighbours.fit_curve(windows.gather(samples, first, length=length), interval_s=interval_s)
    describer = Describer(network, scaler, curve, length, interval_s)
    compared, limiting = np.array_split(first, 2)
    columns, _ = describer.columns(samples, compared)
    at_home = np.zeros(len(columns))
    form = {"curve": curve, "at_most": len(compared), "rng": np.random.default_rng(0)}
    normal = neighbours.Normal.fit(columns, at_home, [True] * 4, **form)
    normal = normal.beneath(describer.columns(samples, limiting)[0], 0.0)
    sizes, sets = sorted({1, length // 4, length}), features.channel_sets([True] * 7)
    where = {"last": limiting + length - 1, "sizes": sizes, "sets": sets}
    found, own = (
        calibration.by_channel_set(describer, normal, samples, offset=of, known=of > 0, **where) for of in (0.0, 5.0)
    )
    whole, own_whole = (by_set["all channels"][-1] for by_set in (found, own))
    form = {"sizes": sizes, "whole": whole, "own": own, "own_whole": own_whole}
    return normal, calibration.calibrate(found, **form, threshold_percentile=95.0, alert_percentile=99.9)


@pytest.fixture(scope="session")
def trained(tmp_path_factory, model):
    """A folder with what 03 leaves of the model, and what model.json is to say of it."""
    folder = tmp_path_factory.mktemp("trained")
    onnx_graph.save(model, folder / "lstm_model.onnx")
    form = {"length": 60, "interval_s": 5, "scaler": SCALER}
    normal, limits = calibrated(Network.load(folder / "lstm_model.onnx"), *normal_life(), **form)
    normal.save(folder / "normal.npz")
    np.save(folder / "threshold.npy", np.float64(limits["threshold"]))
    described = {"run": "test", "features": list(features.FEATURES), "sequence_length": 60, "interval_s": 5}
    return folder, described | {"scaler": SCALER, "channels": [True] * 7, "calibration": limits}


@pytest.fixture(scope="session")
def model_json(trained):
    """What model.json is to say of the model."""
    return trained[1]


@pytest.fixture(scope="session")
def export(tmp_path_factory, trained):
    """An export folder with the handler and its zip for this Python, but without the other formats."""
    folder, described = trained
    folder = shutil.copytree(folder, tmp_path_factory.mktemp("export") / "lambda_export")
    bundle.write_export(folder, described, target="local")
    return folder


def keras_scores(model, detector, samples, first, size, *, name="all channels", own=None):
    """The scores (N,) that the notebooks would give windows of a channel set: by Keras' reconstructions."""
    counted = features.channel_sets([True] * 7)[name]
    raw = windows.gather(samples, first, length=detector.sequence_length, size=size)
    given = features.scale(np.where(counted, raw, np.nan), detector.describer.scaler)
    columns = detector.describer.described(raw, given, model.predict_on_batch(given), size)
    offset, known = detector.personal(own, counted)
    found = detector.normal.evidence(columns, counted[:4], offset, known)
    limits = scoring.limits(detector.calibration, channel_set=name, size=size, own=known)
    return scoring.anomaly_scores(found, limits)


@contextmanager
def runs_in(home):
    """Runs lie in `home`, and in their kernels a warning of our own modules is an error."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNS_HOME", str(home))
        patch.setenv("PYTHONWARNINGS", WARNINGS_ARE_ERRORS)
        yield home


@pytest.fixture(scope="session")
def smoke(request, tmp_path_factory):
    """models/smoke of a run of all notebooks at smoke size, as run_all.sh makes it."""
    users = {item.path.stem for item in request.session.items if "smoke" in item.fixturenames}
    assert users <= set(SHARE_A_RUN), "else another process makes it, too: tests/processes.py"
    with runs_in(tmp_path_factory.mktemp("home")) as home:
        assert cli.main(["run=smoke", *(f"{name}={value}" for name, value in SMOKE.items())]) == 0
    return home / "models" / "smoke"
