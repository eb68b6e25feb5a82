"""From a window and its reconstruction to a score in 0..1: NumPy alone, shared by the notebooks and the handler."""

import math

import numpy as np

from lib.detector.features import AMOUNTS
from lib.detector.grid import IMPLAUSIBLE, OK, PLAUSIBLE_PER_S, STUCK, STUCK_S

BORDERLINE, ALERT = 0.3, 0.7  # the scores at which the levels begin
MOSTLY_STUCK = 0.9  # real watches' readings are so much alike in 1 or 2 of 1,000 windows, simulated ones in none
_LUMP_S = 60.0  # within which a watch may count all at once what was done before
LEVELS = ("normal", "borderline", "anomaly")
UNKNOWN = "unknown"


def check_percentiles(threshold, alert):
    """Raise ValueError, naming both, for percentiles of calibration errors that can not anchor the two levels."""
    if not 0 < threshold < alert < 100:
        raise ValueError(
            f"threshold_percentile={threshold:g} and alert_percentile={alert:g}: "
            "0 < threshold_percentile < alert_percentile < 100 is wanted"
        )


def feature_errors(windows, reconstructed, size=None):
    """Mean squared error of each feature, (N, 7), of scaled windows and their reconstructions (N, length, 7).

    size (N,): how many samples each window rests on; the padding before them does not count. All, unless given.
    """
    squares = np.square(windows - reconstructed, dtype=np.float64)
    if size is None:
        return squares.mean(axis=1)
    size, length = np.asarray(size)[:, None], windows.shape[1]
    real = np.arange(length) >= length - size  # (N, length)
    return (squares * real[:, :, None]).sum(axis=1) / size


def window_errors(by_feature, present):
    """A window's reconstruction error, (N,): the mean of its features' errors (N, 7) over those `present`.

    present: booleans, (7,) of all windows or (N, 7) of each.
    """
    counted = np.asarray(present, dtype=np.float64)
    return (by_feature * counted).sum(axis=1) / counted.sum(axis=-1)


def limits(calibration, *, channel_set, size, own=False):
    """The errors at which windows that rest on `size` (N,) samples of a channel set score 0.3 and 0.7.

    calibration: of `lib.training.calibration.calibrate`; limits are interpolated between its sizes, in logarithms;
    own: whether the wearer's baseline is known. Returns {"threshold": (N,), "alert": (N,)}.
    """
    known = calibration["own" if own else "sets"][channel_set]
    if np.all(size == calibration["sizes"][-1]):  # whole windows, as most are
        return {name: np.full(len(size), known[name][-1]) for name in ("threshold", "alert")}
    sizes, at = np.log(calibration["sizes"]), np.log(size)
    return {name: np.exp(np.interp(at, sizes, np.log(known[name]))) for name in ("threshold", "alert")}


def anomaly_scores(errors, limits):
    """Scores in 0..1 of errors (N,): 0.3 at the threshold, 0.7 at the alert level, and nearing 1 beyond it.

    limits: {"threshold", "alert"}, numbers or arrays (N,). Continuous and rising: linear up to the alert level, then
    1 − 0.3 · alert / error.
    """
    errors = np.asarray(errors, dtype=np.float64)
    threshold, alert = (np.asarray(limits[name], dtype=np.float64) for name in ("threshold", "alert"))
    low = BORDERLINE * np.minimum(errors / threshold, 1)
    middle = (ALERT - BORDERLINE) * np.clip((errors - threshold) / (alert - threshold), 0, 1)
    return np.where(errors <= alert, low + middle, 1 - (1 - ALERT) * alert / np.maximum(errors, alert))


def level(score):
    """The level's name of one score; `unknown` for NaN."""
    if math.isnan(score):
        return UNKNOWN
    return LEVELS[int(score >= BORDERLINE) + int(score >= ALERT)]


def levels(scores):
    """The same of scores (N,), an array of objects."""
    reached = (scores >= BORDERLINE).astype(int) + (scores >= ALERT)
    return np.where(np.isnan(scores), UNKNOWN, np.array(LEVELS, dtype=object)[reached])


def faults(windows, *, interval_s, counted, size=None):
    """What is wrong with the sensors in windows (N, length, 7), in raw units: (N,) of `grid`'s OK, STUCK, IMPLAUSIBLE.

    A window with a fault gets no score. Implausible is one in which a counter grew by more than a body can do in that
    time, or in a minute where it is shorter: some watches count in lumps. counted, (7,) or (N, 7) booleans: the
    features that count; size (N,): how many samples each window rests on; all, unless given.
    """
    size = np.full(len(windows), windows.shape[1]) if size is None else np.asarray(size)
    padding = (windows.shape[1] - size)[:, None] * windows[:, 0, AMOUNTS]  # it repeats the first sample
    possible = np.maximum(size * interval_s, _LUMP_S)[:, None] * PLAUSIBLE_PER_S
    with np.errstate(invalid="ignore"):  # NaN where a channel is absent
        beyond = windows[:, :, AMOUNTS].sum(axis=1) - padding > possible
    implausible = (beyond & np.asarray(counted)[..., AMOUNTS]).any(axis=1)
    return np.where(stuck(windows, interval_s=interval_s, size=size), STUCK, np.where(implausible, IMPLAUSIBLE, OK))


def stuck(windows, *, interval_s, size=None):
    """Which windows (N, length, 7), in raw units, hold one heart rate for `STUCK_S` or longer, or nearly.

    A flat signal reconstructs well, so its error says nothing: such a window gets no score. Nearly: of a whole window
    that is so long, `MOSTLY_STUCK` of the samples have it. size (N,): how many samples each window rests on; all,
    unless given.
    """
    heart_rate = windows[:, :, 0]
    number, length = heart_rate.shape
    moves = heart_rate[:, 1:] != heart_rate[:, :-1]
    if (moves.sum(axis=1) > max(length - STUCK_S / interval_s, 2 * (1 - MOSTLY_STUCK) * length) + 1).all():
        return np.zeros(number, dtype=bool)  # too lively to be looked at closely, as most are
    size = np.full(number, length) if size is None else np.asarray(size)
    place = np.arange(length)
    changed = place <= length - size[:, None]  # (N, length): no run reaches back into the padding
    changed[:, 1:] |= moves
    since = place - np.maximum.accumulate(np.where(changed, place, 0), axis=1)
    held = (since.max(axis=1) + 1) * interval_s >= STUCK_S
    if length * interval_s < STUCK_S:
        return held
    middle = np.sort(heart_rate, axis=1)[:, length // 2, None]  # what most have, where most have the same
    return held | ((size == length) & ((heart_rate == middle).mean(axis=1) >= MOSTLY_STUCK))
