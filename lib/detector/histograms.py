"""Histograms of minutes and windows: all that the log says about readings. NumPy alone.

The bins are the deciles of the calibration wearers. A count says where in a population a minute lies, and not what
anybody's value was.

    HeartRate        mean heart rate of a minute
    HeartRateMoving  the same, in minutes with at least MOVING steps
    Steps            steps of a minute; minutes without a step have a bin of their own
    Errors           a window's error ratio
"""

import numpy as np

from lib.detector.features import FEATURES
from lib.detector.grid import per_minute

NAMES = ("HeartRate", "HeartRateMoving", "Steps", "Errors")
MOVING = 60  # steps in a minute of a wearer who walks or runs
_HEART, _STEPS = FEATURES.index("heartRate"), FEATURES.index("steps")
_DECILES = np.arange(1, 10) / 10
_ERROR_QUANTILES = (*_DECILES, 0.95, 0.99, 0.999)


def minutes(samples, segment, *, interval_s):
    """Mean heart rate, bpm (M,), and steps (M,) of the whole minutes in samples (T, 7).

    segment (T,): changes at each hole; the first minute after a hole starts there.
    """
    whole = per_minute(interval_s)
    begin = np.flatnonzero(np.append(True, segment[1:] != segment[:-1])[: len(segment)])
    place = np.arange(len(segment)) - np.repeat(begin, np.diff(np.append(begin, len(segment))))
    first = np.flatnonzero(place % whole == 0)
    first = first[np.diff(np.append(first, len(segment))) == whole]
    minute = samples[first[:, None] + np.arange(whole)]  # (M, whole, 7)
    return minute[:, :, _HEART].mean(axis=1), minute[:, :, _STEPS].mean(axis=1) * 60 / interval_s


def fit(samples, segment, error_ratio, *, interval_s):
    """The bins of a population, for model.json.

    Parameters
    ----------
    samples : ndarray, shape (T, 7)
        In raw units.
    segment : ndarray, shape (T,)
    error_ratio : ndarray, shape (n_windows,)
    interval_s : float

    Returns
    -------
    dict
        {name: {"edges": [...], "shares": [...]}}. Bin k holds values above edge k − 1 and up to edge k; its share is
        the population's. A name without values is left out.
    """
    values = _by_name(samples, segment, error_ratio, interval_s=interval_s)
    moved = values["Steps"][values["Steps"] > 0]
    edges = {name: np.quantile(values[name], _DECILES) for name in NAMES[:2] if len(values[name])}
    if len(moved):
        edges["Steps"] = np.append(0.0, np.quantile(moved, _DECILES))
    if len(error_ratio):
        edges["Errors"] = np.quantile(error_ratio, _ERROR_QUANTILES)
    fitted = {name: np.unique(np.round(cut, 4)) for name, cut in edges.items()}
    return {
        name: {"edges": cut.tolist(), "shares": (_counts(values[name], cut) / len(values[name])).round(6).tolist()}
        for name, cut in fitted.items()
    }


def count(population, samples, segment, error_ratio, *, interval_s):
    """How many minutes and windows fall in each bin of a population of `fit`: {name: (n_bins,) integers}."""
    values = _by_name(samples, segment, error_ratio, interval_s=interval_s)
    return {name: _counts(values[name], np.asarray(bins["edges"])) for name, bins in population.items()}


def _by_name(samples, segment, error_ratio, *, interval_s):
    heart, steps = minutes(samples, segment, interval_s=interval_s)
    by_name = dict(zip(NAMES, (heart, heart[steps >= MOVING], steps, np.asarray(error_ratio)), strict=True))
    return {name: values[~np.isnan(values)] for name, values in by_name.items()}


def _counts(values, edges):
    return np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1)
