"""Wearers followed through their lives, window by window, as the function follows them from request to request."""

from dataclasses import dataclass

import numpy as np

from lib.detector import grid, windows
from lib.detector.baseline import Baseline
from lib.detector.detector import stacked, teaching
from lib.detector.features import FEATURES, channel_sets
from lib.detector.grid import per_minute
from lib.detector.habits import batches
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
    limit_ratio : ndarray
        By how much the wearer's limits lay above the population's before each window.
    channel_set : ndarray of str
        Names of `features.CHANNEL_SETS`.
    descriptors : ndarray, shape (N, 23)
    """

    faults: np.ndarray
    offset: np.ndarray
    minutes: np.ndarray
    limit_ratio: np.ndarray
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
        windows_ = (self.descriptors, self.faults, counted, self.channel_set, detector.sequence_length)
        stranger = stacked([detector.personal(None, counted[0])], [len(counted)]) if len(counted) else {}
        return detector.score_windows(ScoringInput(*windows_, **stranger))


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
    scored = {name: np.empty(len(first)) for name in ("evidence", "error_ratio", "alert_ratio", "scores")}
    offset, minutes, limit_ratio = np.zeros((3, len(first)))
    own = Baseline()
    minute = np.asarray(first) // per_minute(detector.interval_s)
    for batch in batches(owner, minute):
        own = Baseline() if batch.fresh else own
        places = batch.places
        personal = detector.personal(own, counted[places[0]])
        offset[places], minutes[places], limit_ratio[places] = personal.offset, own.total, personal.limit_ratio
        known = stacked([personal], [len(places)])
        windows_ = (descriptors[places], faults[places], counted[places], channel_set[places], detector.sequence_length)
        result = detector.score_windows(ScoringInput(*windows_, **known))
        for name, values in scored.items():
            values[places] = getattr(result, name)
        own = detector.learned(
            own,
            personal,
            first=first[places],
            descriptors=descriptors[places],
            error_ratio=result.error_ratio,
            learns=teaching(result.scores, personal.known) & counted[places, _STEPS],
        )
    return Followed(
        **scored,
        faults=faults,
        offset=offset,
        minutes=minutes,
        limit_ratio=limit_ratio,
        channel_set=channel_set,
        descriptors=descriptors,
    )


def _channel_sets(detector, samples, first):
    """The largest channel set that each window holds in full: its name (N,), and the features that it counts (N, 7)."""
    sets = channel_sets(detector.channels)
    whole = windows.whole(samples, first, length=detector.sequence_length)
    largest = np.argmax([whole[:, counted].all(axis=1) for counted in sets.values()], axis=0)
    return np.array(list(sets), dtype=object)[largest], np.array(list(sets.values()))[largest]
