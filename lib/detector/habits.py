"""A wearer's habits: what their own windows usually look like, and how much evidence their own life gives. NumPy alone.

People and watches differ more from each other than a wearer does from one day to the next. Let x be a window's
descriptors, n the windows learned from, and m and s the mean and the spread of the wearer's own windows, shrunk toward
the population's mu and sigma:

    m = (sum of x + K mu) / (n + K)
    s^2 = (sum of (x - m)^2 + K sigma^2) / (n + K),     K = SHRUNK windows
    own units     z = (x - m) / s, beyond CLIP: sign(z) (CLIP + log(1 + |z| - CLIP))
    translated    x' = mu + sigma z

Translated descriptors are compared with a reference that is translated, too. What remains different is how restless a
wearer's life is, so the limits move with the wearer's own percentile q of evidence e, here over its usual value t:

    limit ratio   g = clip(exp(n / (n + K_LIMIT) log(q(e / t))), LEAST, MOST)

Empirical Bayes shrinkage: Efron and Morris (1975), "Data analysis using Stein's estimator", JASA 70(350). One window
moves m by at most WINSORISED spreads, and a known wearer's windows that reach the alert level are not learned from.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from lib.detector.descriptors import NAMES

SHRUNK = 600  # windows, a minute apart, that weigh as much as the population
SHRUNK_LIMIT = 720  # the same for the limit ratio: half a worn day
CLIP = 3.0  # spreads beyond which a difference counts by its logarithm
LEAST, MOST = 0.6, 2.5  # of the limit ratio: no baseline, however made, moves a limit further
UNKNOWN = 1.25  # the limit ratio of a wearer who is not known yet: made-up calm readings must not alert
PERCENTILE = 95.0  # of the wearer's evidence
FORGETS = 20_160  # windows past which all sums are halved: about a fortnight
_WINSORISED = 4.0  # spreads: a stranger window is learned from as if it were no stranger
_FIRST = 200  # windows that are learned from as they are: nothing is known yet
_SMALLEST = 0.05  # of the population's spread
_NO_SPREAD = 1e-4  # rounding of sums: a smaller spread is written as 0, so that what is read is written again
_BATCH_MINUTES = 15  # of one wearer that are scored before any is learned from
_EDGES = np.linspace(-2.5, 2.5, 41)  # of the histogram of log(e / t)
BINS = len(_EDGES) + 1
WIDTH = len(NAMES)


@dataclass
class Habits:
    """The sums over one wearer's windows.

    Attributes
    ----------
    windows : float
        How many were learned from.
    total, squares : ndarray, shape (23,)
        Sums of the descriptors and of their squares.
    evidence : ndarray, shape (BINS,)
        How many windows had evidence in each bin of log(e / t).
    """

    windows: float = 0.0
    total: np.ndarray = field(default_factory=lambda: np.zeros(WIDTH))
    squares: np.ndarray = field(default_factory=lambda: np.zeros(WIDTH))
    evidence: np.ndarray = field(default_factory=lambda: np.zeros(BINS))

    def level(self, mean, scale):
        """The wearer's own mean and spread (23,), shrunk toward the population's."""
        weight = self.windows + SHRUNK
        own = (self.total + SHRUNK * mean) / weight
        variance = (self.squares - 2 * own * self.total + self.windows * own**2 + SHRUNK * scale**2) / weight
        return own, np.sqrt(np.maximum(variance, (_SMALLEST * scale) ** 2))

    @property
    def limit_ratio(self):
        """By how much the wearer's limits lie above the population's."""
        number = self.evidence.sum()
        if not number:
            return 1.0
        below = np.concatenate([[0.0], np.cumsum(self.evidence)]) / number
        place = int(np.clip(np.searchsorted(below, PERCENTILE / 100) - 1, 1, len(_EDGES) - 1))
        within = np.clip((PERCENTILE / 100 - below[place]) / max(below[place + 1] - below[place], 1e-9), 0, 1)
        log_ratio = _EDGES[place - 1] + within * (_EDGES[1] - _EDGES[0])
        return float(np.clip(np.exp(number / (number + SHRUNK_LIMIT) * log_ratio), LEAST, MOST))

    def learned(self, descriptors, ratios, mean, scale):
        """A copy that has learned from windows (N, 23), a minute apart, with these ratios e / t (N,).

        A descriptor without a value counts as the population's mean, with its spread.
        """
        known = ~np.isnan(descriptors)
        values = np.where(known, descriptors, mean)
        if self.windows >= _FIRST:
            own, spread = self.level(mean, scale)
            reach = _WINSORISED * np.maximum(spread, scale)
            values = values.clip(own - reach, own + reach)
        squares = np.where(known, values**2, mean**2 + scale**2)
        total, squares = self.total + values.sum(axis=0), self.squares + squares.sum(axis=0)
        learned = replace(self.counted(ratios), windows=self.windows + len(values), total=total, squares=squares)
        return learned._halved() if learned.windows > FORGETS else learned

    def counted(self, ratios):
        """A copy that has counted windows' evidence, e / t (N,), and learned nothing else."""
        bins = np.searchsorted(_EDGES, np.log(np.maximum(ratios, 1e-6)))
        return replace(self, evidence=self.evidence + np.bincount(bins, minlength=BINS))

    def _halved(self):
        return Habits(self.windows / 2, self.total / 2, self.squares / 2, self.evidence / 2)

    def to_json(self):
        """A dict that JSON can hold in less than 1 KB."""
        mean = self.total / max(self.windows, 1)
        spread = np.sqrt(np.maximum(self.squares / max(self.windows, 1) - mean**2, 0))
        return {
            "windows": round(self.windows, 1),
            "mean": [_short(value) for value in mean],
            "spread": [_short(value) if value > _NO_SPREAD else 0.0 for value in spread],
            "evidence": [round(count) for count in self.evidence.tolist()],
        }

    @classmethod
    def from_json(cls, value):
        """The Habits that `to_json` wrote. Raises ValueError for anything else."""
        if not isinstance(value, dict):
            raise ValueError("habits is not an object")
        windows = _numbers([value.get("windows")], 1, "habits.windows", low=0, high=FORGETS)[0]
        mean = _numbers(value.get("mean"), WIDTH, "habits.mean", low=-1e4, high=1e4)
        spread = _numbers(value.get("spread"), WIDTH, "habits.spread", low=0, high=1e4)
        evidence = _numbers(value.get("evidence"), BINS, "habits.evidence", low=0, high=FORGETS)
        if evidence.sum() > windows + BINS:  # more than were learned from, as nothing writes it: weighs no more
            evidence *= windows / evidence.sum()
        return cls(float(windows), windows * mean, windows * (mean**2 + spread**2), evidence)


def _short(value):
    return float(f"{value:.4g}")


def _numbers(values, count, name, *, low, high):
    is_list = isinstance(values, list) and len(values) == count
    if not is_list or not all(type(number) in (int, float) and low <= number <= high for number in values):
        raise ValueError(f"{name} is not {count} numbers from {low:g} to {high:g}")
    return np.array(values, dtype=np.float64)


def translated(descriptors, level, mean, scale):
    """Descriptors (N, 23) in the population's units; NaN stays NaN.

    level : the wearers' own means and spreads, (23,) or (N, 23) each; mean, scale : (23,), the population's.
    """
    own, spread = level
    z = (descriptors - own) / spread
    beyond = np.maximum(np.abs(z) - CLIP, 0)
    return mean + scale * np.sign(z) * (np.minimum(np.abs(z), CLIP) + np.log1p(beyond))


def population(descriptors, wearer):
    """The mean, and the spread within a wearer, (23,) each, of descriptors (N, 23) of wearers (N,); 0 for no value."""
    values = [descriptors[wearer == name] for name in np.unique(wearer)]
    mean = np.mean([own.mean(axis=0) for own in values], axis=0)
    scale = np.sqrt(np.mean([own.var(axis=0) for own in values], axis=0))
    return mean, np.where(scale < 1e-6, 1.0, scale)


def whole_levels(descriptors, wearer, mean, scale):
    """The mean and spread of all windows of each window's wearer: (N, 23) each, shrunk as those of Habits."""
    own, spread = np.empty((2, *descriptors.shape))
    for name in np.unique(wearer):
        rows = wearer == name
        values = descriptors[rows]
        learned = Habits().learned(values, np.ones(len(values)), mean, scale)
        own[rows], spread[rows] = learned.level(mean, scale)
    return own, spread


def levels_so_far(descriptors, wearer, minute, mean, scale):
    """For each window, its wearer's mean and spread as they were known before it: (N, 23) each.

    descriptors (N, 23) in time order for each wearer; minute (N,): the minute that each window starts in.
    """
    own, spread = np.empty((2, *descriptors.shape))
    for rows in batches(wearer, minute):
        if rows.fresh:
            habits = Habits()
        own[rows.places], spread[rows.places] = habits.level(mean, scale)
        once = rows.places[once_a_minute(minute[rows.places])]
        habits = habits.learned(descriptors[once], np.ones(len(once)), mean, scale)
    return own, spread


def limit_ratios_so_far(ratios, wearer, minute):
    """For each window, its wearer's limit ratio (N,) as it was known before it; ratios (N,): evidence e / t."""
    found = np.empty(len(ratios))
    for rows in batches(wearer, minute):
        if rows.fresh:
            habits = Habits()
        found[rows.places] = habits.limit_ratio
        once = rows.places[once_a_minute(minute[rows.places])]
        habits = habits.counted(ratios[once])
    return found


@dataclass(frozen=True)
class Batch:
    """Some consecutive windows of one wearer: their places, and whether they are the wearer's first."""

    places: np.ndarray
    fresh: bool


def batches(wearer, minute):
    """The windows of each wearer (N,), in time order, a quarter of an hour at a time."""
    for name in np.unique(wearer):
        places = np.flatnonzero(wearer == name)
        begins = np.flatnonzero(np.diff(minute[places] // _BATCH_MINUTES)) + 1
        for number, chunk in enumerate(np.split(places, begins)):
            yield Batch(chunk, number == 0)


def once_a_minute(minute):
    """The places of the first window of each minute (N,)."""
    return np.unique(minute, return_index=True)[1]
