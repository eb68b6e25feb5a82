"""Sensor faults: windows that get no score, because their readings are none of a body. NumPy alone."""

import numpy as np

from lib.detector.features import AMOUNTS
from lib.detector.grid import IMPLAUSIBLE, OK, PLAUSIBLE_PER_S, STUCK, STUCK_S

MOSTLY_STUCK = 0.9  # one or two of 1,000 windows of real watches are this uniform, simulated ones never
_LUMP_S = 60.0  # some watches report the counts of up to this long at once


def faults(windows, *, interval_s, counted, size=None):
    """The sensor fault of each window.

    Implausible is a window in which a counter grows by more than a body can do in that time. A window shorter than a
    minute may hold a minute's counts, because some watches report in lumps.

    Parameters
    ----------
    windows : ndarray, shape (n_windows, length, 7)
        In raw units; NaN where a channel is absent.
    interval_s : float
    counted : ndarray of bool, shape (7,) or (n_windows, 7)
        The features that count.
    size : ndarray, shape (n_windows,), optional
        How many samples each window rests on. Default: all.

    Returns
    -------
    ndarray of int, shape (n_windows,)
        `grid.OK`, `grid.STUCK` or `grid.IMPLAUSIBLE`.
    """
    size = np.full(len(windows), windows.shape[1]) if size is None else np.asarray(size)
    padding = (windows.shape[1] - size)[:, None] * windows[:, 0, AMOUNTS]  # repeats of the first sample
    possible = np.maximum(size * interval_s, _LUMP_S)[:, None] * PLAUSIBLE_PER_S
    with np.errstate(invalid="ignore"):  # NaN where a channel is absent
        beyond = windows[:, :, AMOUNTS].sum(axis=1) - padding > possible
    implausible = (beyond & np.asarray(counted)[..., AMOUNTS]).any(axis=1)
    return np.where(stuck(windows, interval_s=interval_s, size=size), STUCK, np.where(implausible, IMPLAUSIBLE, OK))


def stuck(windows, *, interval_s, size=None):
    """Which windows (N, length, 7), in raw units, hold one heart rate for STUCK_S or longer, or nearly.

    A flat signal reconstructs well, so its error is low: it needs a check of its own. Nearly: in a whole window of at
    least STUCK_S, MOSTLY_STUCK of the samples are equal. size (N,): how many samples each window rests on.
    """
    heart_rate = windows[:, :, 0]
    number, length = heart_rate.shape
    moves = heart_rate[:, 1:] != heart_rate[:, :-1]
    if (moves.sum(axis=1) > max(length - STUCK_S / interval_s, 2 * (1 - MOSTLY_STUCK) * length) + 1).all():
        return np.zeros(number, dtype=bool)  # the usual case: too lively for the rest to matter
    size = np.full(number, length) if size is None else np.asarray(size)
    place = np.arange(length)
    changed = place <= length - size[:, None]  # (N, length): no run reaches back into the padding
    changed[:, 1:] |= moves
    run = place - np.maximum.accumulate(np.where(changed, place, 0), axis=1)
    constant = (run.max(axis=1) + 1) * interval_s >= STUCK_S
    if length * interval_s < STUCK_S:
        return constant
    middle = np.sort(heart_rate, axis=1)[:, length // 2, None]  # the commonest value, where most samples share one
    return constant | ((size == length) & ((heart_rate == middle).mean(axis=1) >= MOSTLY_STUCK))
