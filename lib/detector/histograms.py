"""How many of a population's minutes and windows fall in each bin: all that the log holds of what readings say.

The bins are the deciles of the calibration wearers, so that a count tells where in a population a minute lies, and
no value of anybody. NumPy alone, shared by the notebooks and the handler.

    HeartRate        mean heart rate of a minute
    HeartRateMoving  the same, of minutes with MOVING steps or more
    Steps            steps of a minute; those without a step are a bin of their own
    Errors           a window's error over its threshold
"""

import numpy as np

from lib.detector.features import FEATURES
from lib.detector.grid import per_minute

NAMES = ("HeartRate", "HeartRateMoving", "Steps", "Errors")
MOVING = 60  # steps a minute from which a wearer is on the move
_HEART, _STEPS = FEATURES.index("heartRate"), FEATURES.index("steps")
_DECILES = np.arange(1, 10) / 10
_OF_ERRORS = (*_DECILES, 0.95, 0.99, 0.999)


def minutes(samples, segment, *, interval_s):
    """Mean heart rate, bpm (M,), and steps, (M,), of the whole minutes that samples (T, 7) hold.

    segment (T,): changes at each hole, and a minute begins anew after it.
    """
    whole = per_minute(interval_s)
    begin = np.flatnonzero(np.append(True, segment[1:] != segment[:-1])[: len(segment)])
    place = np.arange(len(segment)) - np.repeat(begin, np.diff(np.append(begin, len(segment))))
    first = np.flatnonzero(place % whole == 0)
    first = first[np.diff(np.append(first, len(segment))) == whole]
    held = samples[first[:, None] + np.arange(whole)]  # (M, whole, 7)
    return held[:, :, _HEART].mean(axis=1), held[:, :, _STEPS].mean(axis=1) * 60 / interval_s


def fit(samples, segment, excess, *, interval_s):
    """The bins that samples (T, 7) and windows' errors over their threshold (N,) show, for model.json.

    Returns {name: {"edges": [...], "shares": [...]}}: bin k holds what is above edge k − 1 and at most edge k, and
    the share of it that these have. A name of which nothing is known is left out.
    """
    values = _by_name(samples, segment, excess, interval_s=interval_s)
    moved = values["Steps"][values["Steps"] > 0]
    edges = {name: np.quantile(found, _DECILES) for name, found in values.items() if name in NAMES[:2] and len(found)}
    if len(moved):
        edges["Steps"] = np.append(0.0, np.quantile(moved, _DECILES))
    if len(excess):
        edges["Errors"] = np.quantile(excess, _OF_ERRORS)
    fitted = {name: np.unique(np.round(cut, 4)) for name, cut in edges.items()}
    return {
        name: {"edges": cut.tolist(), "shares": (_counts(values[name], cut) / len(values[name])).round(6).tolist()}
        for name, cut in fitted.items()
    }


def count(population, samples, segment, excess, *, interval_s):
    """How many of these fall in each bin of what `fit` returned: {name: (bins,) integers}."""
    values = _by_name(samples, segment, excess, interval_s=interval_s)
    return {name: _counts(values[name], np.asarray(bins["edges"])) for name, bins in population.items()}


def _by_name(samples, segment, excess, *, interval_s):
    heart, steps = minutes(samples, segment, interval_s=interval_s)
    of_name = dict(zip(NAMES, (heart, heart[steps >= MOVING], steps, np.asarray(excess)), strict=True))
    return {name: values[~np.isnan(values)] for name, values in of_name.items()}


def _counts(values, edges):
    return np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1)
