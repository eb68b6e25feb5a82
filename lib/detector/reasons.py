"""Why a window is unusual: which channels, where, and what was expected instead. NumPy alone."""

import numpy as np

from lib.detector.features import CHANNELS, UNITS

LEAST_SHARE = 0.2  # of the window's error: a channel with less is named only if it has the most
STRETCH_SHARE = 0.5  # of a channel's error: what the stretch that is named holds
_WORDS = {"heartRate": "Heart rate", "steps": "Steps", "calories": "Calories", "distance": "Distance"}


def reasons(observed, expected, squares, *, interval_s):
    """The channels that make a window unusual, the largest share first.

    Parameters
    ----------
    observed, expected : ndarray, shape (n_samples, 7)
        The window, and what was expected of it, in raw units.
    squares : ndarray, shape (n_samples, 7)
        Squared errors; 0 for a feature that does not count.
    interval_s : float

    Returns
    -------
    list of dict
        feature, unit, observed and expected (means over the stretch; amounts a minute), share of the window's error,
        begin and end (the stretch's first and last sample). A second channel is left out if its observed and expected
        values read the same.
    """
    share = squares.sum(axis=0)[: len(CHANNELS)] / max(squares.sum(), np.finfo(np.float64).tiny)
    causes = []
    for channel in np.argsort(-share, kind="stable"):
        if causes and share[channel] < LEAST_SHARE:
            break
        begin, end = stretch(squares[:, channel])
        per_unit = 1.0 if channel == 0 else 60.0 / interval_s
        means = [float(values[begin : end + 1, channel].mean() * per_unit) for values in (observed, expected)]
        if channel != 0:
            means[1] = max(means[1], 0.0)
        if causes and _rounded(means[0]) == _rounded(means[1]):
            continue
        causes.append(
            {
                "feature": CHANNELS[channel],
                "unit": UNITS[CHANNELS[channel]] + ("" if channel == 0 else "/min"),
                "observed": means[0],
                "expected": means[1],
                "share": float(share[channel]),
                "begin": begin,
                "end": end,
            }
        )
    return causes


def stretch(squares):
    """First and last index of the shortest stretch that holds STRETCH_SHARE of squared errors (n,)."""
    count, total = len(squares), np.concatenate([[0.0], np.cumsum(squares)])
    ends = np.searchsorted(total, total[:-1] + STRETCH_SHARE * total[-1])  # (n,) the first index past it; n + 1: none
    length = np.where(ends > count, count + 1, ends - np.arange(count))
    begin = int(length.argmin())
    return begin, max(begin, int(ends[begin]) - 1)


def sentence(reason):
    """One of `reasons` for people. If the mean is as expected, its course is what is unusual."""
    observed, expected = _rounded(reason["observed"]), _rounded(reason["expected"])
    comparison = f"expected {expected}" if observed != expected else "unusual course"
    return f"{_WORDS[reason['feature']]} {observed} {reason['unit']}, {comparison}"


def _rounded(value):
    """A number of a sentence. Below ten it has a decimal, because a body burns one or two kcal a minute."""
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}".removesuffix(".0")
