"""The detector as it is deployed: a folder of model files in, scores of samples out. NumPy alone.

The folder holds model.json, threshold.npy and lstm_weights.npz; each is checked against the SHA-256 that model.json
lists before it is used.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lib import features, scoring, windows
from lib.inference import Weights, load_weights, reconstruct

MODEL, THRESHOLD, WEIGHTS = "model.json", "threshold.npy", "lstm_weights.npz"
_AT_ONCE = 64  # windows: bounds memory, and larger batches are no faster


class DamagedModel(Exception):
    """A model file is missing, or is not the one that was exported; `file` names it."""

    def __init__(self, file, problem):
        self.file = file
        super().__init__(f"{file}: {problem}")


@dataclass(frozen=True)
class Detector:
    """A model, its scaler, its calibration, and what it takes to be fed."""

    weights: Weights
    scaler: dict
    calibration: dict
    channels: np.ndarray  # (7,) booleans: the features that the error counts
    sequence_length: int
    interval_s: float
    run: str
    sha256: str  # of the weights

    @classmethod
    def load(cls, folder):
        """The detector of an export folder. Raises DamagedModel naming the file that is missing or changed."""
        folder = Path(folder)
        model = _checked_model(folder)
        try:
            calibration = model["calibration"]
            if float(np.load(folder / THRESHOLD, allow_pickle=False)) != calibration["threshold"]:
                raise DamagedModel(THRESHOLD, "is not the threshold of model.json")
            if tuple(model["features"]) != features.FEATURES:
                raise DamagedModel(MODEL, "its features are not those of this code")
            return cls(
                weights=load_weights(folder / WEIGHTS),
                scaler=model["scaler"],
                calibration=calibration,
                channels=np.array(model["channels"], dtype=bool),
                sequence_length=int(model["sequence_length"]),
                interval_s=float(model["interval_s"]),
                run=str(model["run"]),
                sha256=model["files"][WEIGHTS],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DamagedModel(MODEL, f"is incomplete ({error})") from error

    def score(self, samples, segment):
        """Scores (T,) of samples (T, 7) in raw units; NaN where there is none.

        A sample's score is that of the window that ends at it; those before a segment's first full window share that
        window's. NaN: the segment (T,) is shorter than a window, or the sensor is stuck.
        """
        length = self.sequence_length
        scores = np.full(len(samples), np.nan)
        first = windows.starts(segment, length=length)
        if not len(first):
            return scores
        scores[first + length - 1] = self._window_scores(samples, first)
        begins = np.append(True, np.diff(segment[first]) != 0)
        for low in first[begins]:
            scores[low : low + length - 1] = scores[low + length - 1]
        return scores

    def _window_scores(self, samples, first):
        scaled = features.scale(samples, self.scaler)
        errors, stuck = np.empty(len(first)), np.empty(len(first), dtype=bool)
        for low in range(0, len(first), _AT_ONCE):
            rows = first[low : low + _AT_ONCE]
            batch = windows.gather(scaled, rows, length=self.sequence_length)
            by_feature = scoring.feature_errors(batch, reconstruct(batch, self.weights))
            errors[low : low + _AT_ONCE] = scoring.window_errors(by_feature, self.channels)
            raw = windows.gather(samples, rows, length=self.sequence_length)
            stuck[low : low + _AT_ONCE] = scoring.stuck(raw, interval_s=self.interval_s)
        return np.where(stuck, np.nan, scoring.anomaly_scores(errors, self.calibration))


def sha256(path):
    """The SHA-256 (hex) of a file's bytes."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _checked_model(folder):
    try:
        model = json.loads((folder / MODEL).read_text(encoding="utf-8"))
        files = dict(model["files"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedModel(MODEL, f"can not be read ({type(error).__name__})") from error
    for name in {THRESHOLD, WEIGHTS, *files}:
        if not (folder / name).is_file():
            raise DamagedModel(name, "is missing")
        if sha256(folder / name) != files.get(name):
            raise DamagedModel(name, "is not the file that was exported")
    return model
