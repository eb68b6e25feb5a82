"""Wearers followed through their lives, window by window, as the function follows them from request to request."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lib import baseline, scoring
from lib.features import CHANNELS, FEATURES

_STEPS = FEATURES.index("steps")


@dataclass(frozen=True)
class Followed:
    """What N windows are worth, each read against all that was known of its wearer before it."""

    evidence: np.ndarray  # (N,)
    excess: np.ndarray  # (N,) the evidence over the threshold: 1 scores 0.3
    scores: np.ndarray  # (N,) in 0..1; NaN where the sensor is stuck
    stuck: np.ndarray  # (N,) booleans
    minutes: np.ndarray  # (N,) still minutes that the wearer's baseline rests on
    channel_set: np.ndarray  # (N,) names of features.CHANNEL_SETS
    columns: np.ndarray  # (N, 23) of `evidence.describe`


def follow(detector, samples, first, wearer, *, baselines=True, described=None, progress=iter):
    """The Followed of whole windows of samples (T, 7), in raw units, that start at rows first (N,), in time order.

    wearer (T,): whose each sample is; baselines: whether each one's own baseline is learnt on the way, from the windows
    up to the one before: best a minute apart; described: the windows' columns (N, 23) and which are stuck (N,), where
    they are known already. `progress` wraps the loop over batches.
    """
    code, _ = pd.factorize(np.asarray(wearer))
    whose, owner = np.unique(code[first], return_inverse=True)
    rows = np.split(np.argsort(code, kind="stable"), np.cumsum(np.bincount(code))[:-1])  # of each wearer
    held = [detector.channel_set(samples[rows[number]]) for number in whose]
    counted = np.array([channels for _, channels in held])[owner]  # (N, 7)
    if described is None:
        described = detector.describer.columns(samples, first, counted=counted, progress=progress)
    columns, stuck = described
    learns = ~stuck & counted[:, _STEPS] & baselines & ("own" in detector.calibration)
    offset, minutes = baseline.follow(owner, columns, learns)
    channel_set, known = np.array([name for name, _ in held], dtype=object)[owner], minutes >= baseline.KNOWN
    found = detector.normal.evidence(columns, counted[:, : len(CHANNELS)], offset, known)
    excess, scores = np.empty((2, len(first)))
    for name in np.unique(channel_set):
        for own in (False, True):
            mine = (channel_set == name) & (known == own)
            if mine.any():
                size = np.full(mine.sum(), detector.sequence_length)
                limits = scoring.limits(detector.calibration, channel_set=name, size=size, own=own)
                excess[mine] = found[mine] / limits["threshold"]
                scores[mine] = scoring.anomaly_scores(found[mine], limits)
    scores[stuck] = np.nan
    return Followed(found, excess, scores, stuck, minutes, channel_set, columns)
