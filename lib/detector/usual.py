"""What resting heart rate is usual for a wearer at each clock hour, and how far it spreads. NumPy alone.

Both are learned by small steps of bounded size. While few hours are known they are shrunk: a clock hour's toward the
wearer's, and the wearer's toward the population's.
"""

import numpy as np

from lib.detector.rest import BPM

WINDOW = 28  # days that the usual and the spread remember
HOURS_A_DAY = 14  # at rest, about: how many hours a window of days holds
POPULATION_BPM = 70.0  # resting heart rate before anything is known
POPULATION_SWING = 4.5  # half of the swing over the day; lowest at half past four
POPULATION_SPREAD = 6.0  # bpm, of an hour at rest
SETTLING = 24  # hours at rest, while which the usual is uncertain and hours count less
_MOST_HOURS = 10**9


class Usual:
    """One wearer's usual resting heart rate by clock hour.

    hours : int
        Hours at rest that it rests on.
    """

    def __init__(self):
        self.mean, self.hours, self.variance, self.weight = POPULATION_BPM, 0, 0.0, 0  # of all clock hours
        swing = -POPULATION_SWING * np.cos(2 * np.pi * (np.arange(24) - 4.5) / 24)
        self.offsets, self.counts, self.variances = np.round(swing, 3).tolist(), [0] * 24, [0.0] * 24

    def at(self, clock):
        """Usual bpm at a clock hour."""
        return self.mean + self.offsets[clock]

    def spread(self, clock):
        """Standard deviation in bpm at a clock hour, wider while the usual is uncertain."""
        return (self._variance(clock) * (1 + SETTLING / (self.hours + 1))) ** 0.5

    def _variance(self, clock):
        own = (POPULATION_SPREAD**2 * 20 + self.variance * self.weight) / (20 + self.weight)
        return (own * 5 + self.variances[clock] * self.counts[clock]) / (5 + self.counts[clock])

    def learn(self, clock, bpm):
        """Move the usual and the spread toward an hour's bpm; neighbouring hours move a little, too."""
        residual, spread, variance = bpm - self.at(clock), self.spread(clock), self._variance(clock)
        bounded = min(max(residual, -spread), spread)
        square = 1.15 * min(residual * residual, 4 * variance)  # 1.15: what the bound takes from a normal variance
        self.hours += 1
        count = self.counts[clock] = min(self.counts[clock] + 1, WINDOW)
        gain = max(1 / (self.hours + 0.5), 0.5 / (HOURS_A_DAY * WINDOW))
        self.mean = round(self.mean + gain * bounded, 4)
        if self.hours > 6:
            self.weight = min(self.weight + 1, HOURS_A_DAY * WINDOW)
            self.variance = round(self.variance + (square - self.variance) / self.weight, 3)
            self._move(self.variances, clock, (square - self.variances[clock]) / count)
        if self.hours <= 12:
            return
        self._move(self.offsets, clock, (1 - gain) * bounded / (count + 3))
        for near in ((clock + 1) % 24, (clock - 1) % 24):
            self._move(self.offsets, near, 0.35 * bounded / (self.counts[near] + count + 4))
            self._move(self.variances, near, 0.5 * (square - self.variances[near]) / (self.counts[near] + 1))

    @staticmethod
    def _move(values, place, change):
        values[place] = round(values[place] + change, 3)  # short in JSON, and the same after it

    def forget(self):
        """Learn faster from now on, as of a wearer known for a day."""
        self.hours, self.counts = min(self.hours, SETTLING), [min(count, 2) for count in self.counts]

    def to_json(self):
        """The state as JSON can hold it."""
        return {name: getattr(self, name) for name in _LIMITS}

    @classmethod
    def from_json(cls, value):
        """Restore what `to_json` returned. Raises ValueError for anything else."""
        usual = cls()
        for name, (low, high, length) in _LIMITS.items():
            setattr(usual, name, checked(value.get(name), name, low, high, length=length))
        return usual


_LIMITS = {  # attribute: smallest, largest, length of a list or 0
    "mean": (*BPM, 0),
    "hours": (0, _MOST_HOURS, 0),
    "variance": (0, 1e4, 0),
    "weight": (0, HOURS_A_DAY * WINDOW, 0),
    "offsets": (-BPM[1], BPM[1], 24),
    "counts": (0, WINDOW, 24),
    "variances": (0, 1e4, 24),
}


def checked(value, name, low, high, *, length=0, optional=False):
    """Return a number within limits, or a list of `length` such; None where `optional`. Raises ValueError."""
    values = value if length else [value]
    if not isinstance(values, list) or (length and len(values) != length):
        raise ValueError(f"{name}: expected a list of {length} numbers")
    for number in values:
        if number is None and optional:
            continue
        if isinstance(number, bool) or not isinstance(number, int | float) or not low <= number <= high:
            raise ValueError(f"{name}: expected a number from {low:g} to {high:g}")
    return list(values) if length else value
