"""From a window's descriptors to a score in 0..1: the one path of notebooks, batch scoring and handler. NumPy alone.

    descriptors -> evidence (`neighbours.Reference.evidence`) -> ratios to the two limits -> score

With evidence e, threshold t and alert level a,

    score = 0.3 e / t                        for e <= t
    score = 0.3 + 0.4 (e - t) / (a - t)      for t < e <= a
    score = 1 - 0.3 a / e                    beyond

One sample alone never alerts: its evidence is at most ALONE times a. A single reading after a hole, or one with a wrong
clock, says too little.
"""

import math
from dataclasses import dataclass

import numpy as np

from lib.detector import grid
from lib.detector.features import CHANNELS

BORDERLINE, ALERT = 0.3, 0.7  # the scores at which the levels begin
ALONE = 0.999  # of the alert level: the most evidence of one sample
LEVELS = ("normal", "borderline", "anomaly")
UNKNOWN = "unknown"


@dataclass(frozen=True)
class WindowScores:
    """The scores of N windows, and what they come from: arrays of shape (N,).

    Attributes
    ----------
    evidence : ndarray
    error_ratio : ndarray
        Evidence over the threshold: 1 scores 0.3.
    alert_ratio : ndarray
        Evidence over the alert level: 1 scores 0.7.
    scores : ndarray
        In 0..1; NaN where a sensor is at fault.
    """

    evidence: np.ndarray
    error_ratio: np.ndarray
    alert_ratio: np.ndarray
    scores: np.ndarray


@dataclass(frozen=True)
class ScoringInput:
    """What the scores of N windows rest on. Values that all windows share need not be repeated.

    Attributes
    ----------
    descriptors : ndarray, shape (N, 23)
    faults : ndarray of int, shape (N,)
        Of `lib.detector.faults.faults`.
    counted : ndarray of bool, shape (7,) or (N, 7)
        The features that count.
    channel_set : str or ndarray of str, shape (N,)
        The name of each window's channel set.
    size : int or ndarray, shape (N,)
        How many samples each window rests on.
    offset : float or ndarray, shape (N,)
        bpm by which the wearer lies above the usual heart rate.
    known : bool or ndarray of bool, shape (N,)
        Whether that is known well.
    level : pair of ndarray, shape (23,) or (N, 23), or None
        The wearers' own means and spreads, of `habits.Habits.level`. None: the population's.
    limit_ratio : float or ndarray, shape (N,)
        By how much the wearer's limits lie above the population's.
    """

    descriptors: np.ndarray
    faults: np.ndarray
    counted: np.ndarray
    channel_set: str | np.ndarray
    size: int | np.ndarray
    offset: float | np.ndarray = 0.0
    known: bool | np.ndarray = False
    level: tuple | None = None
    limit_ratio: float | np.ndarray = 1.0


def score_windows(reference, calibration, windows):
    """The WindowScores of a ScoringInput.

    Parameters
    ----------
    reference : neighbours.Reference
    calibration : dict
        Of `lib.training.calibration.calibrate`.
    windows : ScoringInput

    Returns
    -------
    WindowScores
    """
    counted = np.asarray(windows.counted)[..., : len(CHANNELS)]
    own = {} if windows.level is None else {"level": windows.level}
    evidence = reference.evidence(windows.descriptors, counted, windows.offset, windows.known, **own)
    each = {name: np.broadcast_to(getattr(windows, name), len(evidence)) for name in ("channel_set", "size", "known")}
    at = {name: values * windows.limit_ratio for name, values in limits_of_each(calibration, **each).items()}
    evidence = capped(evidence, at["alert"], each["size"])
    scores = np.where(windows.faults == grid.OK, anomaly_scores(evidence, at), np.nan)
    return WindowScores(evidence, evidence / at["threshold"], evidence / at["alert"], scores)


def capped(evidence, alert, size):
    """Evidence (N,), below the alert level for a window of one sample: one reading alone never alerts."""
    return np.where(size == 1, np.minimum(evidence, ALONE * alert), evidence)


def check_percentiles(threshold, alert):
    """Raise ValueError, naming both, for percentiles of calibration errors that cannot anchor the two levels."""
    if not 0 < threshold < alert < 100:
        raise ValueError(
            f"expected 0 < threshold_percentile < alert_percentile < 100, "
            f"got threshold_percentile={threshold:g} and alert_percentile={alert:g}"
        )


def limits_of_each(calibration, *, channel_set, size, known):
    """The evidence at which each window scores 0.3 and 0.7: {"threshold": (N,), "alert": (N,)}.

    channel_set, size, known: (N,) each. Where there are no limits for a known baseline, those of others hold.
    """
    known = known & ("own" in calibration)
    if len(size) and (channel_set == channel_set[0]).all() and (known == known[0]).all():  # one wearer, as a rule
        return limits(calibration, channel_set=channel_set[0], size=size, known=known[0])
    values = {level: np.empty(len(size)) for level in ("threshold", "alert")}
    for name in np.unique(channel_set):
        for is_known in (False, True):
            rows = (channel_set == name) & (known == is_known)
            if rows.any():
                for level, at in limits(calibration, channel_set=name, size=size[rows], known=is_known).items():
                    values[level][rows] = at
    return values


def limits(calibration, *, channel_set, size, known=False):
    """The evidence at which windows of one channel set score 0.3 and 0.7.

    Parameters
    ----------
    calibration : dict
        Of `lib.training.calibration.calibrate`. Between its sizes, limits are interpolated in logarithms.
    channel_set : str
    size : ndarray, shape (n_windows,)
        How many samples each window rests on.
    known : bool
        Whether the wearer's baseline is known.

    Returns
    -------
    dict of ndarray, shape (n_windows,)
        "threshold" and "alert".
    """
    by_size = calibration["own" if known else "sets"][channel_set]
    if np.all(size == calibration["sizes"][-1]):  # whole windows, as most are
        return {level: np.full(len(size), by_size[level][-1]) for level in ("threshold", "alert")}
    sizes, at = np.log(calibration["sizes"]), np.log(size)
    return {level: np.exp(np.interp(at, sizes, np.log(by_size[level]))) for level in ("threshold", "alert")}


def anomaly_scores(evidence, limits):
    """Scores (N,) in 0..1 of evidence (N,); limits: {"threshold", "alert"}, numbers or arrays (N,)."""
    evidence = np.asarray(evidence, dtype=np.float64)
    threshold, alert = (np.asarray(limits[level], dtype=np.float64) for level in ("threshold", "alert"))
    low = BORDERLINE * np.minimum(evidence / threshold, 1)
    middle = (ALERT - BORDERLINE) * np.clip((evidence - threshold) / (alert - threshold), 0, 1)
    return np.where(evidence <= alert, low + middle, 1 - (1 - ALERT) * alert / np.maximum(evidence, alert))


def level(score):
    """The level of one score; "unknown" for NaN."""
    if math.isnan(score):
        return UNKNOWN
    return LEVELS[int(score >= BORDERLINE) + int(score >= ALERT)]


def levels(scores):
    """The levels of scores (N,), as an array of objects."""
    reached = (scores >= BORDERLINE).astype(int) + (scores >= ALERT)
    return np.where(np.isnan(scores), UNKNOWN, np.array(LEVELS, dtype=object)[reached])
