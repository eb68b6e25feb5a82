"""The detector as it is deployed: a folder of model files in, scores of samples out. NumPy and onnxruntime alone.

The folder holds model.json, threshold.npy, lstm_model.onnx and normal.npz; each is checked against the SHA-256 that
model.json lists before it is used. A model of old, without normal.npz, is scored by its plain reconstruction error.
"""

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from lib.detector import baseline, features, grid, neighbours, scoring, windows
from lib.detector.checksums import sha256
from lib.detector.describer import Describer
from lib.detector.network import Network
from lib.detector.persistence import Persistence
from lib.detector.reasons import reasons

MODEL, THRESHOLD, NETWORK, NORMAL = "model.json", "threshold.npy", "lstm_model.onnx", "normal.npz"
_STEPS = features.FEATURES.index("steps")


class DamagedModel(Exception):
    """A model file is missing, or is not the one that was exported; `file` names it."""

    def __init__(self, file, problem):
        self.file, self.problem = file, problem
        super().__init__(f"{file}: {problem}")

    def __reduce__(self):  # a worker's error reaches the one who asked
        return type(self), (self.file, self.problem)


@dataclass(frozen=True)
class Scored:
    """The scores of T samples and of the N windows they are read from."""

    scores: np.ndarray  # (N,) in 0..1; NaN where a sensor is at fault
    excess: np.ndarray  # (N,) the evidence over the threshold: 1 scores 0.3
    first: np.ndarray  # (N,) each window's first row
    size: np.ndarray  # (N,) how many samples it rests on
    window: np.ndarray  # (T,) the window that gives each sample, or each of the rows asked for, its score
    channel_set: str  # which of features.CHANNEL_SETS was scored
    rest: np.ndarray  # (N,) bpm above what is usual, of whole windows at rest; NaN for others
    over_alert: np.ndarray  # (N,) the evidence over the alert level: 1 scores 0.7
    columns: np.ndarray  # (N, 23) of `evidence.describe`; (N, 0) of a model that has no windows of normal life
    faults: np.ndarray  # (N,) of `scoring.faults`

    @property
    def by_sample(self):
        """Each sample's score, (T,)."""
        return self.scores[self.window]


@dataclass(frozen=True)
class Detector:
    """A model, its calibration, and what it takes to be fed."""

    describer: Describer
    calibration: dict
    channels: np.ndarray  # (7,) booleans: the features that count
    run: str
    sha256: str  # of the network
    normal: neighbours.Normal | None = (
        None  # what windows are compared with; None: they are scored by their plain error
    )
    population: dict = field(default_factory=dict)  # the bins in which the log counts, of `population.fit`
    persistence: Persistence = Persistence()  # what an alert takes

    @property
    def sequence_length(self):
        """Samples in a window."""
        return self.describer.length

    @property
    def interval_s(self):
        """Seconds from one sample to the next."""
        return self.describer.interval_s

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
            normal = neighbours.Normal.load(folder / NORMAL) if NORMAL in model["files"] else None
            describer = Describer(
                network=Network.load(folder / NETWORK),
                scaler=_checked_scaler(model["scaler"]),
                curve=normal and normal.curve,
                length=int(model["sequence_length"]),
                interval_s=float(model["interval_s"]),
            )
            if not (describer.length >= 1 and describer.interval_s > 0):
                raise DamagedModel(MODEL, "its sequence_length or interval_s is not positive")
            if (shape := describer.network.shape) != (describer.length, len(features.FEATURES)):
                raise DamagedModel(
                    MODEL, f"its sequence_length is {describer.length}, and its network's windows {shape}"
                )
            return cls(
                describer=describer,
                calibration=calibration,
                channels=np.array(model["channels"], dtype=bool),
                run=str(model["run"]),
                sha256=model["files"][NETWORK],
                normal=normal,
                population=dict(model.get("population", {})),
                persistence=Persistence.of(calibration),
            )
        except (KeyError, TypeError, ValueError, EOFError, BadZipFile) as error:
            raise DamagedModel(MODEL, f"is incomplete ({error})") from error
        except OSError as error:
            raise _unreadable(error.filename or NETWORK, error) from error

    def score(self, samples, segment, rows=None, own=None):
        """What samples (T, 7), in raw units and NaN for a channel that is absent throughout, are worth: a Scored.

        segment (T,): changes at each hole; rows: those samples whose scores are wanted, None for all; own: the wearer's
        Baseline, None where there is none. A sample's score is that of the window that ends at it; those before a
        segment's first full window share that window's.
        """
        return self.score_each([(samples, segment, rows, own)])[0]

    def score_each(self, wearers):
        """A Scored for each of the wearers' (samples, segment, rows, own), which are those of `score`.

        Their windows share the forward passes: as fast for many wearers with few windows as for one with many.
        """
        held = [self.channel_set(samples) for samples, *_ in wearers]
        laid = [_windows_of(rows, segment, length=self.sequence_length) for _, segment, rows, _ in wearers]
        begin = np.cumsum([0, *(len(samples) for samples, *_ in wearers)])
        personal = [self.personal(own, counted) for (_, counted), (*_, own) in zip(held, wearers, strict=True)]
        numbers = [len(first) for first, _, _ in laid]
        found = self._evidence(
            np.concatenate([samples for samples, *_ in wearers]),
            np.concatenate([first + low for (first, _, _), low in zip(laid, begin, strict=False)]),
            np.concatenate([size for _, size, _ in laid]),
            np.repeat([counted for _, counted in held], numbers, axis=0),
            *(np.repeat(of, numbers) for of in zip(*personal, strict=True)),
        )
        ends = np.cumsum(numbers)
        spans = [slice(end - number, end) for end, number in zip(ends, numbers, strict=True)]
        each = zip(held, laid, personal, spans, strict=True)
        return [
            self._scored(name, known, *laid, *(of[span] for of in found)) for (name, _), laid, (_, known), span in each
        ]

    def personal(self, own, counted):
        """bpm that a wearer's heart rate at rest lies above what is usual, and whether that is known well.

        own: a Baseline or None; counted (7,): the features that count. (0, False) where there is nothing to tell it.
        """
        if own is None or "own" not in self.calibration or not counted[_STEPS]:
            return 0.0, False
        return own.offset, own.total >= baseline.KNOWN

    def _evidence(self, samples, first, size, counted, offset, known):
        """Of the windows at rows `first`: their evidence, faults, `rest`, (N,) each, and columns."""
        if self.normal is None:
            return self._plain_errors(samples, first, size, counted)
        columns, faults = self.describer.columns(samples, first, size=size, counted=counted)
        found = self.normal.evidence(columns, counted[:, : len(features.CHANNELS)], offset, known)
        lives = baseline.still(columns) & (faults == grid.OK) & (size == self.sequence_length)
        return found, faults, np.where(lives, columns[:, neighbours.HEART_RATE], np.nan), columns

    def _plain_errors(self, samples, first, size, counted):
        found, faults = np.empty(len(first)), np.empty(len(first), dtype=int)
        for batch, raw, given, rebuilt, rests_on in self.describer.batches(samples, first, size=size, counted=counted):
            by_feature = scoring.feature_errors(given, rebuilt, rests_on)
            found[batch] = scoring.window_errors(by_feature, counted[batch])
            form = {"interval_s": self.interval_s, "counted": counted[batch], "size": rests_on}
            faults[batch] = scoring.faults(raw, **form)
        return found, faults, np.full(len(first), np.nan), np.empty((len(first), 0))

    def _scored(self, channel_set, known, first, size, window, found, faults, rest, columns):
        limits = scoring.limits(self.calibration, channel_set=channel_set, size=size, own=known)
        scores = np.where(faults == grid.OK, scoring.anomaly_scores(found, limits), np.nan)
        excess, over_alert = (found / limits[level] for level in ("threshold", "alert"))
        return Scored(scores, excess, first, size, window, channel_set, rest, over_alert, columns, faults)

    def explain(self, samples, first, size, offset=0.0, columns=None):
        """Why the window of samples (T, 7) that starts at row `first` and rests on `size` samples is unusual.

        offset: bpm, of `personal`; columns: its (23,) where it was scored already, which spares a forward pass. Returns
        what `lib.detector.reasons.reasons` does, its stretches as rows of `samples`.
        """
        _, counted = self.channel_set(samples)
        window = {"first": np.array([first]), "size": np.array([size]), "counted": counted}
        observed = samples[first : first + size]
        if self.normal is None:
            expected, squares = self._by_reconstruction(samples, **window)
        else:
            columns = self.describer.columns(samples, **window)[0][0] if columns is None else columns
            expected, squares = self._by_neighbours(columns, observed, counted, offset)
        found = reasons(observed, expected, squares, interval_s=self.interval_s)
        return [{**why, "begin": first + why["begin"], "end": first + why["end"]} for why in found]

    def _by_reconstruction(self, samples, first, size, counted):
        """What `_by_neighbours` returns, by the autoencoder alone."""
        ((_, _, given, rebuilt, _),) = self.describer.batches(samples, first, size=size, counted=counted)
        squares = np.where(counted, np.square(given - rebuilt, dtype=np.float64), 0.0)
        whole = slice(-int(size[0]), None)
        return features.unscale(rebuilt, self.describer.scaler)[0, whole], squares[0, whole]

    def _by_neighbours(self, columns, observed, counted, offset):
        """What is expected of a window's samples (n, 7) and their squared distance to it: (n, 7) each.

        Each channel's squares sum up to its share in the evidence.
        """
        known = counted[: len(features.CHANNELS)]
        means = self.normal.expected(columns, known, offset)
        means[0] += neighbours.usual(observed[-1:], self.normal.curve)[0]
        means[1:] *= self.interval_s / 60  # of a sample
        expected, squares = observed.copy(), np.zeros(observed.shape)
        expected[:, : len(means)] = means
        squares[:, known.nonzero()[0]] = np.square(observed - expected)[:, known.nonzero()[0]]
        total = np.maximum(squares.sum(axis=0), np.finfo(np.float64).tiny)
        squares[:, : len(means)] *= self.normal.shares(columns, known, offset) / total[: len(means)]
        return expected, squares

    def channel_set(self, samples):
        """The name of the largest channel set that samples (T, 7) hold in full, and the features (7,) it counts."""
        held = ~np.isnan(samples).any(axis=0)
        return next((name, counted) for name, counted in self._sets.items() if held[counted].all())

    @cached_property
    def _sets(self):
        return features.channel_sets(self.channels)


def _windows_of(rows, segment, *, length):
    """The windows that give these rows their scores, by first row and size, and which of them each row's is."""
    first, size = windows.closing(segment, length=length)
    if rows is None:
        rows = np.arange(len(segment))
    used, window = np.unique(np.searchsorted(first + size - 1, rows), return_inverse=True)
    return first[used], size[used], window


def _checked_model(folder):
    try:
        model = json.loads((folder / MODEL).read_text(encoding="utf-8"))
        files = dict(model["files"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DamagedModel(MODEL, f"can not be read ({type(error).__name__})") from error
    for name in {THRESHOLD, NETWORK, *files}:
        try:
            found = sha256(folder / name) if (folder / name).is_file() else None
        except OSError as error:
            raise _unreadable(name, error) from error
        if found is None:
            raise DamagedModel(name, "is missing")
        if found != files.get(name):
            raise DamagedModel(name, "is not the file that was exported")
    return model


def _checked_scaler(scaler):
    """The scaler of model.json. Raises ValueError unless it has a mean and a positive scale of each channel."""
    mean, scale = (np.asarray(scaler[name], dtype=np.float64) for name in ("mean", "scale"))
    if not (mean.shape == scale.shape == (len(features.CHANNELS),) and np.isfinite(mean).all() and (scale > 0).all()):
        raise ValueError("scaler: a mean and a positive scale of each channel are wanted")
    return scaler


def _unreadable(name, error):
    return DamagedModel(Path(name).name, f"can not be read ({type(error).__name__})")
