"""Fifteen plain statistics of a window: what a reader would look at first. NumPy alone.

The mean, spread, extremes and changes of the heart rate; the mean, largest and spread of steps, the mean and largest of
calories, the mean of distance, all a minute; and what does not go together: distance and calories for the steps, and a
heart rate that equals the cadence. All but three are in logarithms, so that twice as much is as far from usual in a
quiet window as in a busy one.
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
CHANNELS = (  # of which channels each is made
    *[(_HEART,)] * 6,
    *[(_STEPS,)] * 3,
    *[(_CALORIES,)] * 2,
    (_DISTANCE,),
    (_DISTANCE, _STEPS),
    (_CALORIES, _STEPS),
    (_HEART, _STEPS),
)
_STEP_M, _STEP_KCAL = 0.7, 0.04  # of a usual adult's step
_LEAST_KCAL, _LEAST_M = 0.02, 0.2  # a minute: below these, differences tell nothing


def window_statistics(windows, *, interval_s, level=0.0):
    """Statistics (N, 15), in the order of NAMES, of windows (N, length, 7) in raw units.

    level: bpm, a number or (N,), from which mean, lowest and highest heart rate are taken. NaN where a window lacks one
    of the statistic's CHANNELS.
    """
    amounts = np.array([1.0, *[60 / interval_s] * 3])[:, None, None]  # a minute; of the heart rate as it is
    channels = windows[:, :, : _DISTANCE + 1].transpose(2, 0, 1) * amounts  # (4, N, length)
    heart = channels[_HEART]
    change = np.abs(heart[:, 1:] - heart[:, :-1]) if heart.shape[1] > 1 else np.zeros_like(heart)
    (mean, walked, burnt, covered), most = channels.mean(axis=2), channels.max(axis=2)
    heart_spread, steps_spread = channels[[_HEART, _STEPS]].std(axis=2)
    in_logarithms = [
        heart_spread + 1,
        change.mean(axis=1) + 1,
        change.max(axis=1) + 1,
        walked + 1,
        most[_STEPS] + 1,
        steps_spread + 1,
        burnt + _LEAST_KCAL,
        most[_CALORIES] + _LEAST_KCAL,
        covered + _LEAST_M,
        (covered + _LEAST_M) / (_STEP_M * walked + _LEAST_M),
        (burnt + 0.2) / (_STEP_KCAL * walked + 1),
        np.abs(mean - walked) + 1,
    ]
    spread, *others = np.log(in_logarithms)
    return np.array([mean - level, spread, heart.min(axis=1) - level, most[_HEART] - level, *others]).T


def means(statistics):
    """Heart rate above its level (bpm), steps, kcal and m a minute, (4,), that one window's statistics (15,) tell."""
    heart, steps, calories, distance = statistics[
        [NAMES.index(n) for n in ("heart rate", "steps", "calories", "distance")]
    ]
    amounts = np.exp([steps, calories, distance]) - (1, _LEAST_KCAL, _LEAST_M)
    return np.array([heart, *amounts.clip(0)])
