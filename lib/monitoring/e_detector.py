"""Sequential change detection with a guaranteed rate of false calls.

Shin, Ramdas and Rinaldo (2024), "E-detectors: a nonparametric framework for sequential change detection", The New
England Journal of Statistics in Data Science 2. For observations X_t in [0, 1] whose mean, given the past, is at most
m before a change:

    L_t = 1 + λ (X_t − m),  0 < λ < 1/m        a bet against "the mean is at most m"
    M_t = L_t · max(1, M_{t−1}),  M_0 = 1      the evidence for a change

A change is called when M_t reaches A. Before a change this takes at least A observations on average. An average of
several M_t, over λ and over features, keeps this guarantee.
"""

import numpy as np

BETS = (0.5, 0.9)  # λ · m: small bets gather slow changes, large ones call sudden changes
MEMORY = 7  # observations after which a call ends if the evidence has fallen since
_LARGEST = 1e200  # evidence is cut off here, against overflow


class EDetector:
    """Gathers evidence of a change, one observation at a time.

    A lasting change is one call: it ends when the evidence is lower than MEMORY observations before.

    Parameters
    ----------
    mean : ndarray, shape (n_features,)
        m, the largest mean before a change, above 0.
    limit : float
        A, at least the average number of observations up to a false call.
    bets : sequence of float
        λ · m, each above 0 and below 1.

    Attributes
    ----------
    is_called : bool
    """

    def __init__(self, mean, *, limit, bets=BETS):
        self._mean, self._limit, self._bets = mean, limit, np.asarray(bets)[:, None]
        self._current = np.ones((len(bets), len(mean)))
        self._history = []
        self.is_called = False

    @property
    def by_feature(self):
        """Evidence of each feature, (n_features,)."""
        return self._current.mean(axis=0)

    @property
    def evidence(self):
        """Evidence averaged over features."""
        return self._current.mean()

    def update(self, observation):
        """Take the next observation, (n_features,) in [0, 1]. NaN leaves a feature's evidence as it is."""
        is_known = ~np.isnan(observation)
        if not is_known.any():
            return
        factor = 1 + self._bets * (observation / self._mean - 1)
        updated = np.minimum(factor * np.maximum(1, self._current), _LARGEST)
        self._current = np.where(is_known, updated, self._current)
        self._history.append(self.evidence)
        if not self.is_called:
            self.is_called = self.evidence >= self._limit
        elif len(self._history) > MEMORY and self._history[-1] < self._history[-1 - MEMORY]:
            self._current, self._history, self.is_called = np.ones_like(self._current), [], False
