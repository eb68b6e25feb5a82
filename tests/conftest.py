"""What several test modules share: a table of samples, an untrained model's export folder, a run at smoke size."""

import os
from contextlib import contextmanager

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest

from lib import bundle, calibration, features, inference, pipeline, silence
from lib.runs import ROOT

pytest_plugins = ["s3"]

SCALER = {"mean": [75.0, 0.7, 0.17, 0.5], "scale": [15.0, 2.0, 0.15, 1.5]}

SMOKE = {
    "samples": 4000,
    "wearers": 4,
    "calibration_wearers": 2,
    "test_wearers": 2,
    "test_days": 1,
    "train_windows": 200,
    "epochs": 1,
    "score_stride": 48,
    "lambda_python": "local",
}
OURS = ["__main__", *(f"lib.{path.stem}" for path in (ROOT / "lib").glob("*.py"))]  # modules of a notebook's kernel
WARNINGS_ARE_ERRORS = ",".join(f"error:::{module}" for module in OURS)


def life(count, *, seed=0):
    """(count, 7) samples in raw units that move as a wearer's do."""
    rng = np.random.default_rng(seed)
    steps = rng.poisson(3, count).astype(float)
    heart = 70 + np.cumsum(rng.normal(0, 0.5, count)).clip(-20, 60) + rng.normal(0, 1, count)
    when = features.calendar(1_772_434_800 + 5.0 * np.arange(count))
    return np.column_stack([heart.round().clip(40, 180), steps, 0.1 + 0.02 * steps, 0.7 * steps, when])


@pytest.fixture(scope="session")
def model():
    """The untrained autoencoder at its full size."""
    with silence.stderr():
        import keras

        from lib import autoencoder
    keras.utils.set_random_seed(3)
    return autoencoder.build()


@pytest.fixture(scope="session")
def model_json(model):
    """What model.json says of it, calibrated on its own errors."""
    from lib import autoencoder
    from lib.windows import starts

    samples = features.scale(life(600, seed=9), SCALER)
    last = starts(np.zeros(600), length=60) + 59
    sizes, sets = calibration.sizes(60), features.channel_sets([True] * 7)
    errors = autoencoder.errors_by_channel_set(model, samples, last, length=60, sizes=sizes, sets=sets)
    whole = errors["all channels"][-1]
    percentiles = {"threshold_percentile": 95.0, "alert_percentile": 99.9}
    return {
        "run": "test",
        "features": list(features.FEATURES),
        "sequence_length": 60,
        "interval_s": 5,
        "scaler": SCALER,
        "channels": [True] * 7,
        "calibration": calibration.calibrate(errors, sizes=sizes, whole=whole, **percentiles),
    }


@pytest.fixture(scope="session")
def export(tmp_path_factory, model, model_json):
    """An export folder with the handler and its zip for this Python, but without the other formats."""
    folder = tmp_path_factory.mktemp("export")
    inference.export_weights(model, folder / "lstm_weights.npz")
    np.save(folder / "threshold.npy", np.float64(model_json["calibration"]["threshold"]))
    bundle.write_export(folder, model_json, target="local")
    return folder


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
    with runs_in(tmp_path_factory.mktemp("home")) as home:
        assert pipeline.main(["run=smoke", *(f"{name}={value}" for name, value in SMOKE.items())]) == 0
    return home / "models" / "smoke"
