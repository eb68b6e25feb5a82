"""The usual resting heart rate by hour of day, and what steps add to it. NumPy alone.

usual(h) = c0 + sum over k = 1..3 of a_k sin(k h) + b_k cos(k h),        h: the hour as an angle
expected(h, s) = usual(h) + g log(1 + s),                               s: steps a minute
"""

import numpy as np

from lib.detector.features import FEATURES

_HARMONICS = 3  # of a day
_STEPS = FEATURES.index("steps")
_SIN, _COS = FEATURES.index("hour_sin"), FEATURES.index("hour_cos")


def fit_curve(windows, *, interval_s):
    """Fit the mean heart rate of windows by hour and steps, by least squares.

    Parameters
    ----------
    windows : ndarray, shape (n_windows, length, 7)
        Samples in raw units, of all hours.
    interval_s : float
        Seconds from one sample to the next.

    Returns
    -------
    ndarray, shape (8,)
        c0, a_1..a_3, b_1..b_3 in bpm, and g in bpm per unit of log(1 + steps a minute). g is 0 where steps are absent.
    """
    steps = np.nan_to_num(windows[:, :, _STEPS].mean(axis=1)) * 60 / interval_s
    predictors = np.column_stack([_harmonics(windows[:, -1]), np.log(steps + 1)])
    return np.linalg.lstsq(predictors, windows[:, :, 0].mean(axis=1), rcond=None)[0]


def usual(samples, curve):
    """The usual resting heart rate, bpm (N,), at the hour of samples (N, 7); curve: of `fit_curve`."""
    return _harmonics(samples) @ np.asarray(curve)[:-1]


def _harmonics(samples):
    hour = np.arctan2(samples[:, _SIN], samples[:, _COS])[:, None] * np.arange(1, _HARMONICS + 1)
    return np.concatenate([np.ones((len(samples), 1)), np.sin(hour), np.cos(hour)], axis=1)
