"""Fifteen statistics of a window: what a reader would look at first. NumPy alone.

Heart rate: mean, spread, extremes and changes. Steps, calories and distance, a minute: means, maxima, spread. And what
does not go together: distance and calories for the steps, and a heart rate that equals the cadence. All but three are
logarithms, so that a factor of two counts the same in a quiet window and in a busy one.
"""

import numpy as np

from lib.detector.features import FEATURES

NAMES = (
    "heart rate",
    "heart rate spread",
    "lowest heart rate",
    "highest heart rate",
    "heart rate change",
    "largest heart rate change",
    "steps",
    "most steps",
    "steps spread",
    "calories",
    "most calories",
    "distance",
    "distance for the steps",
    "calories for the steps",
    "heart rate off the cadence",
)
_HEART, _STEPS, _CALORIES, _DISTANCE = (FEATURES.index(name) for name in ("heartRate", "steps", "calories", "distance"))
CHANNELS = (  # the channels that each statistic is made of
    *[(_HEART,)] * 6,
    *[(_STEPS,)] * 3,
    *[(_CALORIES,)] * 2,
    (_DISTANCE,),
    (_DISTANCE, _STEPS),
    (_CALORIES, _STEPS),
    (_HEART, _STEPS),
)
_STEP_M, _STEP_KCAL = 0.7, 0.04  # of a typical adult's step
_LEAST_KCAL, _LEAST_M = 0.02, 0.2  # a minute: smaller differences carry no information


def window_statistics(windows, *, interval_s, level=0.0):
    """The fifteen statistics of each window, in the order of NAMES.

    Parameters
    ----------
    windows : ndarray, shape (n_windows, length, 7)
        Samples in raw units; NaN where a channel is absent.
    interval_s : float
        Seconds from one sample to the next.
    level : float or ndarray, shape (n_windows,)
        bpm subtracted from the mean, lowest and highest heart rate.

    Returns
    -------
    ndarray, shape (n_windows, 15)
        NaN where a window lacks one of the statistic's CHANNELS.
    """
    per_minute = np.array([1.0, *[60 / interval_s] * 3])[:, None, None]  # the heart rate is no amount
    channels = windows[:, :, : _DISTANCE + 1].transpose(2, 0, 1) * per_minute  # (4, n_windows, length)
    heart = channels[_HEART]
    change = np.abs(heart[:, 1:] - heart[:, :-1]) if heart.shape[1] > 1 else np.zeros_like(heart)
    (mean, steps, calories, distance), most = channels.mean(axis=2), channels.max(axis=2)
    heart_spread, steps_spread = channels[[_HEART, _STEPS]].std(axis=2)
    in_logarithms = [
        heart_spread + 1,
        change.mean(axis=1) + 1,
        change.max(axis=1) + 1,
        steps + 1,
        most[_STEPS] + 1,
        steps_spread + 1,
        calories + _LEAST_KCAL,
        most[_CALORIES] + _LEAST_KCAL,
        distance + _LEAST_M,
        (distance + _LEAST_M) / (_STEP_M * steps + _LEAST_M),
        (calories + 0.2) / (_STEP_KCAL * steps + 1),
        np.abs(mean - steps) + 1,
    ]
    spread, *others = np.log(in_logarithms)
    return np.array([mean - level, spread, heart.min(axis=1) - level, most[_HEART] - level, *others]).T


def means(statistics):
    """Heart rate above its level (bpm), steps, kcal and m a minute, (4,), from one window's statistics (15,)."""
    heart, steps, calories, distance = statistics[
        [NAMES.index(name) for name in ("heart rate", "steps", "calories", "distance")]
    ]
    amounts = np.exp([steps, calories, distance]) - (1, _LEAST_KCAL, _LEAST_M)
    return np.array([heart, *amounts.clip(0)])
