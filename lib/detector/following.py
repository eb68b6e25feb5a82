"""Wearers followed through their lives, window by window, as the function follows them from request to request."""

from dataclasses import dataclass

import numpy as np

from lib.detector import baseline, grid, scoring, windows
from lib.detector.features import CHANNELS, FEATURES, channel_sets

_STEPS = FEATURES.index("steps")


@dataclass(frozen=True)
class Followed:
    """What N windows are worth, each read against all that was known of its wearer before it."""

    evidence: np.ndarray  # (N,)
    excess: np.ndarray  # (N,) the evidence over the threshold: 1 scores 0.3
    scores: np.ndarray  # (N,) in 0..1; NaN where a sensor is at fault
    faults: np.ndarray  # (N,) of `scoring.faults`
    offset: np.ndarray  # (N,) bpm, the wearer's baseline as it was known before each window
    minutes: np.ndarray  # (N,) still minutes that the wearer's baseline rests on
    channel_set: np.ndarray  # (N,) names of features.CHANNEL_SETS
    columns: np.ndarray  # (N, 23) of `evidence.describe`

    @property
    def faulty(self):
        """Which windows (N,) get no score: a sensor is at fault."""
        return self.faults != grid.OK


def follow(detector, samples, first, wearer, *, baselines=True, described=None, progress=iter):
    """The Followed of whole windows of samples (T, 7), in raw units, that start at rows first (N,), in time order.

    wearer (T,): whose each sample is; baselines: whether each one's own baseline is learnt on the way, from the windows
    up to the one before; described: the windows' columns (N, 23) and faults (N,), where they are
    known already. `progress` wraps the loop over batches.
    """
    _, owner = np.unique(np.asarray(wearer)[first], return_inverse=True)
    channel_set, counted = _channel_sets(detector, samples, first)
    if described is None:
        described = detector.describer.columns(samples, first, counted=counted, progress=progress)
    columns, faults = described
    learns = (faults == grid.OK) & counted[:, _STEPS] & baselines & ("own" in detector.calibration)
    offset, minutes = baseline.follow(owner, columns, learns, first, interval_s=detector.interval_s)
    known = minutes >= baseline.KNOWN
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
    scores[faults != grid.OK] = np.nan
    return Followed(found, excess, scores, faults, offset, minutes, channel_set, columns)


def _channel_sets(detector, samples, first):
    """The largest channel set that each window holds in full: its name (N,), and the features that it counts (N, 7)."""
    sets = channel_sets(detector.channels)
    whole = windows.whole(samples, first, length=detector.sequence_length)
    largest = np.argmax([whole[:, counted].all(axis=1) for counted in sets.values()], axis=0)
    return np.array(list(sets), dtype=object)[largest], np.array(list(sets.values()))[largest]
