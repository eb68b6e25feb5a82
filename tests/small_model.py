"""A handmade model that always reconstructs the training mean, so that its scores can be computed by hand.

In the model's units its reconstruction is 0. A channel at its mean adds nothing to a window's error. One that is k
scales away for a share p of the samples adds p·k². The calendar adds 1. `PlainError` stands for the reference: the
evidence is their sum over the number of features that count.
"""

import json
from dataclasses import replace

import numpy as np

from lib.detector import descriptors, features, scoring
from lib.detector.checksums import sha256
from lib.detector.detector import Detector
from lib.detector.neighbours import Reference
from lib.training import onnx_graph

LENGTH = 20  # samples of a window
MEAN, SCALE = (70.0, 10.0, 1.0, 8.0), (10.0, 10.0, 1.0, 8.0)  # heart rate; steps, kcal and m of one sample
MONDAY_7H = 1_772_434_800  # 2026-03-02T07:00:00Z
LIMITS = {"threshold": [1.0, 1.0], "alert": [4.0, 4.0]}


WIDTH = len(descriptors.NAMES)


class PlainError:
    """Stands for a Reference: the evidence is the plain reconstruction error."""

    curve = np.zeros(8)

    def evidence(self, values, counted, offset=0.0, known=False):
        counted = np.broadcast_to(counted, (len(values), len(features.CHANNELS)))
        return (np.where(counted, _squares(values), 0).sum(axis=1) + 1) / (counted.sum(axis=1) + 3)

    def shares(self, values, counted, offset=0.0):
        squares = np.where(counted, _squares(values), 0)
        return squares / max(squares.sum(), 1e-12)

    def expected(self, values, counted, offset=0.0):
        return np.array(MEAN) * [1, 12, 12, 12]  # a minute, of samples 5 s apart


def _squares(values):
    """Each channel's mean squared error, (..., 4), of descriptors (..., 23)."""
    return np.exp(values[..., descriptors.ERRORS][..., : len(features.CHANNELS)]) - 1e-4


def write(folder, *, length=LENGTH, interval_s=5, limits=LIMITS):
    """Write the files that the handler needs to `folder`; limits: of windows with one sample and with `length`."""
    width = len(features.FEATURES)
    arrays = {"repeat": 1, "dense_kernel": np.zeros((1, width)), "dense_bias": np.zeros(width)}
    for layer, inputs in enumerate((width, 1)):
        arrays |= {f"{layer}_kernel": np.ones((inputs, 4)), f"{layer}_recurrent": np.ones((1, 4))}
        arrays[f"{layer}_bias"] = np.zeros(4)
    onnx_graph.write(arrays, folder / "lstm_model.onnx", length=length)
    np.save(folder / "threshold.npy", np.float64(limits["threshold"][-1]))
    zero, rows = np.zeros(WIDTH), np.zeros((3, WIDTH), dtype=np.float32)
    arrays = {"curve": np.zeros(8), "spreads": np.ones(2), "ceilings": np.zeros(4)}
    Reference.of(descriptors=rows, mean=zero, scale=zero + 1, **arrays).save(folder / "normal.npz")
    sets = dict.fromkeys(features.CHANNEL_SETS, limits)
    calibration = {"threshold": limits["threshold"][-1], "alert": limits["alert"][-1]}
    model = {
        "run": "by hand",
        "features": list(features.FEATURES),
        "sequence_length": length,
        "interval_s": interval_s,
        "scaler": {"mean": MEAN, "scale": SCALE},
        "channels": [True] * width,
        "calibration": {**calibration, "sizes": [1, length], "sets": sets},
        "files": {name: sha256(folder / name) for name in ("lstm_model.onnx", "normal.npz", "threshold.npy")},
    }
    (folder / "model.json").write_text(json.dumps(model), encoding="utf-8")
    return folder


def detector(folder, **options):
    """The Detector of `write`'s files, with the plain error as its evidence."""
    return load(write(folder, **options))


def load(folder):
    """The Detector in a folder, with the plain error as its evidence."""
    return replace(Detector.load(folder), reference=PlainError())


def metrics(count, *, spacing=5, start=MONDAY_7H, **changes):
    """`count` readings at the means: interval counters, with Unix ms timestamps `spacing` seconds apart.

    changes: of each reading, such as distance=0; None leaves the field out.
    """
    fields = dict(zip(features.CHANNELS, MEAN, strict=True)) | changes
    fields = {name: value for name, value in fields.items() if value is not None}
    return [{"timestamp": 1000 * (start + spacing * place), **fields} for place in range(count)]


def error(squares=0.0, *, features_counted=7):
    """A window's error, computed by hand; squares: what its channels add."""
    return (squares + 1) / features_counted


def score(window_error, threshold=1.0, alert=4.0):
    """The score of a window's error."""
    return float(scoring.anomaly_scores([window_error], {"threshold": threshold, "alert": alert})[0])


def scores(body):
    """The score of each reading in an answer."""
    return [item["anomalyScore"] for item in body["results"]]


def envelope(readings, user="ada", device="watch"):
    """The Wear app's form of readings."""
    items = [dict(metric) for metric in readings]
    return [{"userId": user, "deviceId": device, "timestamp": item.pop("timestamp"), "metrics": item} for item in items]


def running(readings):
    """The same readings with cumulative counters."""
    totals = np.cumsum([[metric[name] for name in features.COUNTERS] for metric in readings], axis=0)
    return [
        metric | dict(zip(features.COUNTERS, row, strict=True))
        for metric, row in zip(readings, totals.tolist(), strict=True)
    ]


def moving(count, **options):
    """Readings at the means except for a heart rate that changes, so that each window has another score."""
    readings = metrics(count, **options)
    for place, metric in enumerate(readings):
        metric["heartRate"] = 70 + place % 7 + place / 16
    return readings
