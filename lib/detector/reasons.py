"""Why a window is unusual: which channels made its error, where, and what was expected instead. NumPy alone."""

import numpy as np

from lib.detector.features import CHANNELS, UNITS

LEAST_SHARE = 0.2  # of the window's error: a channel with less is not named, unless it has the most
STRETCH_SHARE = 0.5  # of a channel's error, which the stretch that is shown holds
_SAID = {"heartRate": "Heart rate", "steps": "Steps", "calories": "Calories", "distance": "Distance"}


def reasons(observed, expected, squares, *, interval_s):
    """The channels that made a window's error, the largest share first.

    observed, expected (n, 7): the window and its reconstruction in raw units; squares (n, 7): its squared errors, 0
    for a feature that does not count. Returns dicts: feature, unit, observed and expected (means over the stretch;
    steps, calories and distance a minute), share (of the window's error), begin and end (the stretch's first and last
    sample). A channel of which nothing else is expected than is observed, as far as is shown, is only named first.
    """
    share = squares.sum(axis=0)[: len(CHANNELS)] / max(squares.sum(), np.finfo(np.float64).tiny)
    found = []
    for channel in np.argsort(-share, kind="stable"):
        if found and share[channel] < LEAST_SHARE:
            break
        begin, end = stretch(squares[:, channel])
        per = 1.0 if channel == 0 else 60.0 / interval_s
        held, rebuilt = (float(values[begin : end + 1, channel].mean() * per) for values in (observed, expected))
        rebuilt = rebuilt if channel == 0 else max(rebuilt, 0.0)
        if found and _shown(held) == _shown(rebuilt):
            continue
        found.append(
            {
                "feature": CHANNELS[channel],
                "unit": UNITS[CHANNELS[channel]] + ("" if channel == 0 else "/min"),
                "observed": held,
                "expected": rebuilt,
                "share": float(share[channel]),
                "begin": begin,
                "end": end,
            }
        )
    return found


def stretch(squares):
    """The shortest stretch (first and last index) that holds STRETCH_SHARE of squared errors (n,)."""
    count, total = len(squares), np.concatenate([[0.0], np.cumsum(squares)])
    ends = np.searchsorted(total, total[:-1] + STRETCH_SHARE * total[-1])  # (n,) where it has enough; n + 1: nowhere
    length = np.where(ends > count, count + 1, ends - np.arange(count))
    begin = int(length.argmin())
    return begin, max(begin, int(ends[begin]) - 1)


def sentence(reason):
    """One of `reasons` as people read it on a watch. A mean that is as expected is so for its ups and downs."""
    observed, expected = _shown(reason["observed"]), _shown(reason["expected"])
    why = f"expected {expected}" if observed != expected else "unusual course"
    return f"{_SAID[reason['feature']]} {observed} {reason['unit']}, {why}"


def _shown(value):
    """A number of a sentence: a body burns one or two kcal a minute, so below ten there is a decimal."""
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}".removesuffix(".0")
