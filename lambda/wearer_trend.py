"""Follow a request's one wearer: what their readings do to the trend of resting heart rate."""

import numpy as np

from lib.detector.features import COUNTERS

_STEPS = COUNTERS.index("steps")


def follow(readings):
    """Add a wearer's readings to their trend.

    Parameters
    ----------
    readings : Readings
        Its `trend` learns from the readings. Without timestamps there is nothing to learn from.

    Returns
    -------
    TrendAnswer or None
        None for an envelope, which cannot carry a baseline, and for readings without timestamps.
    """
    places = np.flatnonzero(readings.countable & ~np.isnan(readings.clock_offset))
    if readings.trend is None or not len(places):
        return None
    return readings.trend.add(
        readings.seconds[places],
        readings.heart_rate[places],
        readings.counters[places, _STEPS],
        offset=readings.clock_offset[places],
        cumulative=readings.cumulative,
    )
