"""When an alert is on: k of the last n windows reach its level. NumPy alone, shared by the notebooks and the handler.

The n windows are taken at least `step_s` seconds apart, each the latest that ends so long before the next, so that
k of n means the same of windows a reading apart, as the handler has them, and a minute apart, as 04 has them. Where the
next is more than REACH steps away, there is a hole: the watch was off, and what was before it does not count.
"""

from dataclasses import asdict, dataclass, replace

import numpy as np

IN_A_ROW = (1, 3, 6, 12, 24)  # persistences of which the log tells, as k = n windows a reading apart
MOST = 60  # windows that may be looked back at
REACH = 3  # steps from one window to the next
_SLACK = 1e-6  # of a step: moments are floats


@dataclass(frozen=True)
class Persistence:
    """An alert takes k of the last n windows, the present one among them. 1 of 1 is an alert at each by itself.

    Raises ValueError unless 1 <= k <= n <= MOST and step_s is positive.
    """

    k: int = 1
    n: int = 1
    step_s: float = 60.0

    def __post_init__(self):
        whole = all(isinstance(number, int) and not isinstance(number, bool) for number in (self.k, self.n))
        if not (whole and 1 <= self.k <= self.n <= MOST):
            raise ValueError(
                f"an alert at {self.k} of the last {self.n} windows: whole 1 <= k <= n <= {MOST} is wanted"
            )
        if not 0 < self.step_s < np.inf:
            raise ValueError(f"windows {self.step_s} s apart: more than 0 is wanted")

    @classmethod
    def of(cls, calibration):
        """That of model.json's calibration; 1 of 1 where it has none."""
        return cls(**calibration.get("persistence", {}))

    def to_json(self):
        """The dict that `of` reads."""
        return {"persistence": asdict(self)}

    def spaced(self, apart_s):
        """This of windows that are `apart_s` seconds apart: its step is no shorter."""
        return replace(self, step_s=max(self.step_s, float(apart_s)))

    def __str__(self):
        return f"{self.k} of {self.n}"

    def lasting(self, evidence, ended, group):
        """The evidence (N,) that lasts: an alert is on at the windows where it reaches the alert level.

        evidence (N,): the windows', or their scores, 0 or more, NaN for a sensor at fault, which counts as reaching
        nothing and stays NaN; ended (N,): when each ends, s, rising within a group; group (N,): a number or name that
        changes where no window may look back (wearer and segment). At a segment's start there are fewer than n windows,
        of which k are still wanted. What lasts is never more than the evidence.
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
        mine = ended[low:high]
        place = np.searchsorted(mine, mine - (1 - _SLACK) * step_s, side="right") - 1
        near = (place >= 0) & (mine - mine[place] <= (REACH + _SLACK) * step_s)
        before[low:high] = np.where(near, low + place, -1)
    return before
