"""Simple detectors that stand beside the autoencoder, fitted on the same windows and measured the same way.

`fit` fits them on scaled training windows (N, length, 7); the `score(windows)` of each gives errors (N,), the larger
the stranger.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import PCA

from lib.features import FEATURES
from lib.windows import gather


@dataclass(frozen=True)
class MeanRule:
    """How far one feature's mean over a window is from that of the training windows, in standard deviations."""

    feature: int  # its place among the seven
    mean: float
    deviation: float

    @classmethod
    def fit(cls, windows, *, feature):
        """The rule of scaled windows (N, length, 7); windows that are all alike get deviation 1."""
        by_window = windows[:, :, feature].mean(axis=1, dtype=np.float64)
        return cls(feature, float(by_window.mean()), float(by_window.std()) or 1.0)

    def score(self, windows):
        """Errors (N,) of scaled windows (N, length, 7)."""
        by_window = windows[:, :, self.feature].mean(axis=1, dtype=np.float64)
        return np.abs(by_window - self.mean) / self.deviation


@dataclass(frozen=True)
class PrincipalComponents:
    """Mean squared error of windows rebuilt from their first principal components: a linear autoencoder.

    Baldi and Hornik (1989), "Neural networks and principal component analysis", Neural Networks 2(1).
    """

    pca: PCA

    @classmethod
    def fit(cls, windows, *, components, seed=0):
        """The first components of scaled windows (N, length, 7).

        Raises ValueError when there are fewer windows than components.
        """
        pca = PCA(components, svd_solver="randomized", random_state=seed)
        return cls(pca.fit(windows.reshape(len(windows), -1)))

    def score(self, windows):
        """Errors (N,) of scaled windows (N, length, 7)."""
        flat = windows.reshape(len(windows), -1)  # (N, length × 7)
        rebuilt = self.pca.inverse_transform(self.pca.transform(flat))
        return np.square(flat - rebuilt, dtype=np.float64).mean(axis=1)


def fit(windows, *, components):
    """The rivals by name, fitted on scaled windows (N, length, 7): two rules of one feature each, and PCA.

    components: of PCA, as many as the autoencoder's bottleneck has units.
    """
    return {
        "heart-rate rule": MeanRule.fit(windows, feature=FEATURES.index("heartRate")),
        "steps rule": MeanRule.fit(windows, feature=FEATURES.index("steps")),
        "PCA": PrincipalComponents.fit(windows, components=components),
    }


def errors(rival, samples, first, *, length, batch_size=4096):
    """A fitted rival's errors (N,) of the windows of samples (T, 7), scaled, that start at rows first (N,).

    Windows are gathered a batch at a time, so memory does not grow with their number.
    """
    found = np.empty(len(first))
    for low in range(0, len(first), batch_size):
        windows = gather(samples, first[low : low + batch_size], length=length)
        found[low : low + batch_size] = rival.score(windows)
    return found
