"""When an alert is on: k of the last n windows reach its level. NumPy alone, shared by the notebooks and the handler.

The n windows are at least `step_s` seconds apart: each is the latest that ends that long before the next. So k of n
means the same for windows a reading apart (the handler's) and a minute apart (04's). A gap of more than REACH steps is
a hole: the watch was off, and windows before it do not count.
"""

from dataclasses import asdict, dataclass, replace

import numpy as np

IN_A_ROW = (1, 3, 6, 12, 24)  # persistences that the log reports: k = n windows, a reading apart
MOST = 60  # the most windows to look back at
REACH = 3  # steps from one window to the next
_SLACK = 1e-6  # of a step: moments are floats


@dataclass(frozen=True)
class Persistence:
    """An alert takes k of the last n windows, including the present one. 1 of 1 alerts at each window by itself.

    Raises ValueError unless 1 <= k <= n <= MOST and step_s is positive.
    """

    k: int = 1
    n: int = 1
    step_s: float = 60.0

    def __post_init__(self):
        whole = all(isinstance(number, int) and not isinstance(number, bool) for number in (self.k, self.n))
        if not (whole and 1 <= self.k <= self.n <= MOST):
            raise ValueError(
                f"expected whole numbers 1 <= k <= n <= {MOST}, got an alert at {self.k} of the last {self.n} windows"
            )
        if not 0 < self.step_s < np.inf:
            raise ValueError(f"expected windows more than 0 s apart, got {self.step_s}")

    @classmethod
    def of(cls, calibration):
        """The Persistence in model.json's calibration; 1 of 1 if there is none."""
        return cls(**calibration.get("persistence", {}))

    def to_json(self):
        """The dict that `of` reads."""
        return {"persistence": asdict(self)}

    def spaced(self, apart_s):
        """This rule for windows `apart_s` seconds apart: its step is at least that."""
        return replace(self, step_s=max(self.step_s, float(apart_s)))

    def __str__(self):
        return f"{self.k} of {self.n}"

    def lasting(self, evidence, ended, group):
        """The evidence that k of n windows reach: an alert is on where it reaches the alert level.

        Parameters
        ----------
        evidence : ndarray, shape (N,)
            Of the windows, or their scores: 0 or more. NaN for a sensor at fault: it counts as 0 and stays NaN.
        ended : ndarray, shape (N,)
            When each window ends, s, ascending within a group.
        group : ndarray, shape (N,)
            Changes where no window may look back (wearer and segment).

        Returns
        -------
        ndarray, shape (N,)
            The k-th largest of the last n, and at most the window's own. A segment's first windows need k as well.
        """
        evidence = np.asarray(evidence, dtype=np.float64)
        if self.k == 1:
            return evidence
        before = _before(np.asarray(ended, dtype=np.float64), np.asarray(group), self.step_s)
        reached = np.append(np.nan_to_num(evidence), 0.0)  # the last stands for no window
        place, seen = np.arange(len(evidence)), np.empty((self.n, len(evidence)))
        for row in seen:
            row[:] = reached[place]
            place = before[place]
        return np.minimum(evidence, np.partition(seen, self.n - self.k, axis=0)[self.n - self.k])


def _before(ended, group, step_s):
    """For each window the last of its group that ends a step before it, (N + 1,); -1 for none and of none."""
    edges = np.flatnonzero(group[1:] != group[:-1]) + 1
    before = np.full(len(ended) + 1, -1)
    for low, high in zip([0, *edges], [*edges, len(ended)], strict=True):
        ends = ended[low:high]
        place = np.searchsorted(ends, ends - (1 - _SLACK) * step_s, side="right") - 1
        near = (place >= 0) & (ends - ends[place] <= (REACH + _SLACK) * step_s)
        before[low:high] = np.where(near, low + place, -1)
    return before
