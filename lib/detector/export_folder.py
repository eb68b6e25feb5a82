"""An export folder: model.json and the files it lists, each checked before use. NumPy and onnxruntime alone."""

import json
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from lib.detector import features
from lib.detector.checksums import sha256
from lib.detector.descriptors import Describer
from lib.detector.neighbours import Reference
from lib.detector.network import Network

MODEL, THRESHOLD, NETWORK, NORMAL = "model.json", "threshold.npy", "lstm_model.onnx", "normal.npz"


class DamagedModel(Exception):
    """A model file is missing, or is not the one that was exported; `file` names it."""

    def __init__(self, file, problem):
        self.file, self.problem = file, problem
        super().__init__(f"{file}: {problem}")

    def __reduce__(self):  # so that it survives the way from a worker process
        return type(self), (self.file, self.problem)


def read(folder):
    """What an export folder holds.

    Returns
    -------
    model : dict
        Of model.json.
    describer : Describer
    reference : Reference

    Raises
    ------
    DamagedModel
        Naming the file that is missing, changed or incomplete.
    """
    folder = Path(folder)
    model = _checked_model(folder)
    try:
        if float(np.load(folder / THRESHOLD, allow_pickle=False)) != model["calibration"]["threshold"]:
            raise DamagedModel(THRESHOLD, "is not the threshold of model.json")
        if tuple(model["features"]) != features.FEATURES:
            raise DamagedModel(MODEL, f"expected the features {features.FEATURES}, got {model['features']}")
        reference = Reference.load(folder / NORMAL)
        describer = _describer(folder, model, reference.curve)
        check_calibration(model["calibration"], length=describer.length)
        return model, describer, reference
    except (KeyError, TypeError, ValueError, EOFError, BadZipFile) as error:
        raise DamagedModel(MODEL, f"is incomplete ({error})") from error
    except OSError as error:
        raise _unreadable(error.filename or NETWORK, error) from error


def _describer(folder, model, curve):
    describer = Describer(
        network=Network.load(folder / NETWORK),
        scaler=_checked_scaler(model["scaler"]),
        curve=curve,
        length=int(model["sequence_length"]),
        interval_s=float(model["interval_s"]),
    )
    if not (describer.length >= 1 and describer.interval_s > 0):
        raise DamagedModel(MODEL, "its sequence_length or interval_s is not positive")
    if (shape := describer.network.shape) != (describer.length, len(features.FEATURES)):
        raise DamagedModel(MODEL, f"its sequence_length is {describer.length}, but its network reads windows {shape}")
    return describer


def _checked_model(folder):
    """The content of model.json, after each file that it lists was compared with its SHA-256."""
    try:
        model = json.loads((folder / MODEL).read_text(encoding="utf-8"))
        sums = dict(model["files"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DamagedModel(MODEL, f"cannot be read ({type(error).__name__})") from error
    if NORMAL not in sums:
        raise DamagedModel(NORMAL, "is missing: a model of an older version; train it again")
    for name in {THRESHOLD, NETWORK, *sums}:
        try:
            actual = sha256(folder / name) if (folder / name).is_file() else None
        except OSError as error:
            raise _unreadable(name, error) from error
        if actual is None:
            raise DamagedModel(name, "is missing")
        if actual != sums.get(name):
            raise DamagedModel(name, "is not the file that was exported")
    return model


def check_calibration(calibration, *, length):
    """Check the limits of model.json, so that a score is in 0..1 and rises with the evidence.

    Parameters
    ----------
    calibration : dict
        Of `lib.training.calibration.calibrate`.
    length : int
        Samples in a whole window.

    Raises
    ------
    ValueError
        Unless each set of channels has limits 0 < threshold < alert for each size, the sizes rise from 1 to `length`,
        and the two limits at the top are those of whole windows with all channels.
    """
    sizes = list(calibration["sizes"])
    if sizes != sorted(set(sizes)) or sizes[:1] != [1] or sizes[-1:] != [length]:
        raise ValueError(f"calibration: expected sizes that rise from 1 to {length}, got {sizes}")
    for known in ("sets", "own") if "own" in calibration else ("sets",):
        if missing := set(features.CHANNEL_SETS) - calibration[known].keys():
            raise ValueError(f"calibration: expected limits for {sorted(missing)}, got none in {known}")
        for name, by_size in calibration[known].items():
            threshold, alert = (np.asarray(by_size[level], dtype=np.float64) for level in ("threshold", "alert"))
            in_order = (threshold > 0) & (threshold < alert) & (alert < np.inf)
            if not (threshold.shape == alert.shape == (len(sizes),) and in_order.all()):
                raise ValueError(f"calibration: expected 0 < threshold < alert for each size, got others for {name}")
    whole = calibration["sets"][next(iter(features.CHANNEL_SETS))]
    if any(calibration[level] != whole[level][-1] for level in ("threshold", "alert")):
        raise ValueError("calibration: expected the limits of whole windows at the top, got others")


def _checked_scaler(scaler):
    """The scaler of model.json. Raises ValueError unless it has a mean and a positive scale of each channel."""
    mean, scale = (np.asarray(scaler[name], dtype=np.float64) for name in ("mean", "scale"))
    if not (mean.shape == scale.shape == (len(features.CHANNELS),) and np.isfinite(mean).all() and (scale > 0).all()):
        raise ValueError("scaler: expected a mean and a positive scale for each channel")
    return scaler


def _unreadable(name, error):
    return DamagedModel(Path(name).name, f"cannot be read ({type(error).__name__})")
