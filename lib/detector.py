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
from lib.reasons import reasons

MODEL, THRESHOLD, WEIGHTS = "model.json", "threshold.npy", "lstm_weights.npz"
_AT_ONCE = 64  # windows: bounds memory, and larger batches are no faster


class DamagedModel(Exception):
    """A model file is missing, or is not the one that was exported; `file` names it."""

    def __init__(self, file, problem):
        self.file = file
        super().__init__(f"{file}: {problem}")


@dataclass(frozen=True)
class Scored:
    """The scores of T samples and of the N windows they are read from."""

    scores: np.ndarray  # (N,) in 0..1; NaN where the sensor is stuck
    excess: np.ndarray  # (N,) the error over the threshold: 1 scores 0.3
    first: np.ndarray  # (N,) each window's first row
    size: np.ndarray  # (N,) how many samples it rests on
    window: np.ndarray  # (T,) the window that gives each sample, or each of the rows asked for, its score
    channel_set: str  # which of features.CHANNEL_SETS was scored

    @property
    def by_sample(self):
        """Each sample's score, (T,)."""
        return self.scores[self.window]


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

    def score(self, samples, segment, rows=None):
        """What samples (T, 7), in raw units and NaN for a channel that is absent throughout, are worth: a Scored.

        segment (T,): changes at each hole; rows: those samples whose scores are wanted, None for all. A sample's score
        is that of the window that ends at it; those before a segment's first full window share that window's.
        """
        return self.score_each([(samples, segment, rows)])[0]

    def score_each(self, wearers):
        """A Scored for each of the wearers' (samples, segment, rows), which are those of `score`.

        Their windows share the forward passes: as fast for many wearers with few windows as for one with many.
        """
        held = [self._channel_set(samples) for samples, _, _ in wearers]
        laid = [_windows_of(rows, segment, length=self.sequence_length) for _, segment, rows in wearers]
        begin = np.cumsum([0, *(len(samples) for samples, _, _ in wearers)])
        errors, stuck = self._errors(
            np.concatenate([samples for samples, _, _ in wearers]),
            np.concatenate([first + low for (first, _, _), low in zip(laid, begin, strict=False)]),
            np.concatenate([size for _, size, _ in laid]),
            np.repeat([counted for _, counted in held], [len(first) for first, _, _ in laid], axis=0),
        )
        ends = np.cumsum([len(first) for first, _, _ in laid])[:-1]
        parts = zip(held, laid, np.split(errors, ends), np.split(stuck, ends), strict=True)
        return [self._scored(name, *windows, *found) for (name, _), windows, *found in parts]

    def _errors(self, samples, first, size, counted):
        """Errors (N,) over the features `counted` (N, 7) of the windows at rows `first`, and which are stuck (N,)."""
        errors, stuck = np.empty(len(first)), np.empty(len(first), dtype=bool)
        for low in range(0, len(first), _AT_ONCE):
            batch = slice(low, low + _AT_ONCE)
            raw, given, rebuilt = self._rebuild(samples, first[batch], size[batch], counted[batch])
            by_feature = scoring.feature_errors(given, rebuilt, size[batch])
            errors[batch] = scoring.window_errors(by_feature, counted[batch])
            stuck[batch] = scoring.stuck(raw, interval_s=self.interval_s, size=size[batch])
        return errors, stuck

    def _scored(self, channel_set, first, size, window, errors, stuck):
        limits = scoring.limits(self.calibration, channel_set=channel_set, size=size)
        scores = np.where(stuck, np.nan, scoring.anomaly_scores(errors, limits))
        return Scored(scores, errors / limits["threshold"], first, size, window, channel_set)

    def explain(self, samples, first, size):
        """Why the window of samples (T, 7) that starts at row `first` and rests on `size` samples is unusual.

        Returns what `lib.reasons.reasons` does, its stretches as rows of `samples`.
        """
        _, counted = self._channel_set(samples)
        raw, given, rebuilt = self._rebuild(samples, np.array([first]), np.array([size]), counted[None])
        squares = np.where(counted, np.square(given - rebuilt, dtype=np.float64), 0.0)[0, -size:]
        expected = features.unscale(rebuilt, self.scaler)[0, -size:]
        found = reasons(raw[0, -size:], expected, squares, interval_s=self.interval_s)
        return [{**why, "begin": first + why["begin"], "end": first + why["end"]} for why in found]

    def _channel_set(self, samples):
        """The name of the largest channel set that samples (T, 7) hold, and the features (7,) it counts."""
        held = features.present(samples)
        sets = features.channel_sets(self.channels)
        return next((name, counted) for name, counted in sets.items() if held[counted].all())

    def _rebuild(self, samples, first, size, counted):
        """The windows (N, length, 7) in raw units, as the model is given them, and what it makes of them.

        counted (N, 7): the features that are not hidden from it.
        """
        raw = windows.gather(samples, first, length=self.sequence_length, size=size)
        given = features.scale(np.where(counted[:, None], raw, np.nan), self.scaler)
        return raw, given, reconstruct(given, self.weights)


def _windows_of(rows, segment, *, length):
    """The windows that give these rows their scores, by first row and size, and which of them each row's is."""
    first, size = windows.closing(segment, length=length)
    if rows is None:
        rows = np.arange(len(segment))
    used, window = np.unique(np.searchsorted(first + size - 1, rows), return_inverse=True)
    return first[used], size[used], window


def sha256(path):
    """The SHA-256 (hex) of a file's bytes."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _checked_model(folder):
    try:
        model = json.loads((folder / MODEL).read_text(encoding="utf-8"))
        files = dict(model["files"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DamagedModel(MODEL, f"can not be read ({type(error).__name__})") from error
    for name in {THRESHOLD, WEIGHTS, *files}:
        if not (folder / name).is_file():
            raise DamagedModel(name, "is missing")
        if sha256(folder / name) != files.get(name):
            raise DamagedModel(name, "is not the file that was exported")
    return model
