"""Wearers followed through their lives, window by window, as the function follows them from request to request."""

from dataclasses import dataclass

import numpy as np

from lib.detector import baseline, grid, windows
from lib.detector.features import FEATURES, channel_sets
from lib.detector.scoring import ScoringInput, WindowScores

_STEPS = FEATURES.index("steps")


@dataclass(frozen=True)
class Followed(WindowScores):
    """The scores of N windows, each judged by what was known of its wearer before it: arrays of shape (N,).

    Attributes
    ----------
    faults : ndarray of int
        Of `lib.detector.faults.faults`.
    offset : ndarray
        bpm: the wearer's baseline before each window.
    minutes : ndarray
        Still minutes that the baseline rested on.
    channel_set : ndarray of str
        Names of `features.CHANNEL_SETS`.
    descriptors : ndarray, shape (N, 23)
    """

    faults: np.ndarray
    offset: np.ndarray
    minutes: np.ndarray
    channel_set: np.ndarray
    descriptors: np.ndarray

    def __repr__(self):
        return f"<Followed {len(self.scores)} windows, {int(self.faulty.sum())} of them faulty>"

    @property
    def faulty(self):
        """Which windows (N,) get no score because a sensor is at fault."""
        return self.faults != grid.OK

    def without_baselines(self, detector):
        """The WindowScores of the same windows if no wearer's baseline were known."""
        sets = channel_sets(detector.channels)
        counted = np.array([sets[name] for name in self.channel_set]).reshape(-1, len(FEATURES))
        size = detector.sequence_length
        return detector.score_windows(ScoringInput(self.descriptors, self.faults, counted, self.channel_set, size))


def follow(detector, samples, first, wearer, *, progress=iter):
    """Score whole windows in time order, learning each wearer's baseline on the way.

    Parameters
    ----------
    detector : Detector
    samples : ndarray, shape (n_samples, 7)
        In raw units.
    first : ndarray, shape (n_windows,)
        The rows that the windows start at.
    wearer : sequence, length n_samples
    progress : callable
        Wraps the loop over batches.

    Returns
    -------
    Followed
    """
    _, owner = np.unique(np.asarray(wearer)[first], return_inverse=True)
    channel_set, counted = _channel_sets(detector, samples, first)
    descriptors, faults = detector.describer.describe(samples, first, counted=counted, progress=progress)
    learns = (faults == grid.OK) & counted[:, _STEPS] & ("own" in detector.calibration)
    offset, minutes = baseline.follow(owner, descriptors, learns, first, interval_s=detector.interval_s)
    known, size = minutes >= baseline.KNOWN, detector.sequence_length
    scored = detector.score_windows(ScoringInput(descriptors, faults, counted, channel_set, size, offset, known))
    return Followed(
        **vars(scored), faults=faults, offset=offset, minutes=minutes, channel_set=channel_set, descriptors=descriptors
    )


def _channel_sets(detector, samples, first):
    """The largest channel set that each window holds in full: its name (N,), and the features that it counts (N, 7)."""
    sets = channel_sets(detector.channels)
    whole = windows.whole(samples, first, length=detector.sequence_length)
    largest = np.argmax([whole[:, counted].all(axis=1) for counted in sets.values()], axis=0)
    return np.array(list(sets), dtype=object)[largest], np.array(list(sets.values()))[largest]
