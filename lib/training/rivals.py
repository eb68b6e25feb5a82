"""Simple detectors that stand beside the autoencoder, fitted on the same windows and measured the same way.

`fit` fits them all on scaled windows of normal life (N, length, 7) and names them; `errors` gives the errors (N,) of
any of them, the larger the stranger, by the `score(windows)` that each has.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from lib.detector import features
from lib.detector.descriptors import log_errors
from lib.detector.features import FEATURES
from lib.detector.statistics import window_statistics
from lib.detector.windows import gather
from lib.training.recent_life import RecentLife

MOST_CALIBRATED = 15_000  # windows of the calibration wearers that give the rivals their thresholds


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
        return np.square(windows - self.rebuild(windows), dtype=np.float64).mean(axis=(1, 2))

    def rebuild(self, windows):
        """Windows (N, length, 7) as the components make them."""
        flat = windows.reshape(len(windows), -1)  # (N, length × 7)
        return self.pca.inverse_transform(self.pca.transform(flat)).reshape(windows.shape)


@dataclass(frozen=True)
class ErrorsByChannel:
    """How unusual a reconstruction's errors are channel by channel, instead of their mean, which one channel rules.

    Each channel's error and that of its changes, in logarithms, are set beside those of the nearest normal windows.
    """

    rebuild: object  # of windows (N, length, 7): what is made of them
    unlike: object  # of `log_errors` (N, 8): (N,), the larger the stranger

    @classmethod
    def fit(cls, windows, rebuild):
        """Beside scaled windows (N, length, 7), best those of wearers that `rebuild` was not fitted on."""
        return cls(rebuild, unlike(cls.columns(windows, rebuild)))

    @staticmethod
    def columns(windows, rebuild):
        """The `log_errors` (N, 8) of windows (N, length, 7)."""
        return log_errors((windows - rebuild(windows))[:, :, : len(features.CHANNELS)].astype(np.float64))

    def score(self, windows):
        """Errors (N,) of scaled windows (N, length, 7)."""
        return self.unlike(self.columns(windows, self.rebuild))


@dataclass(frozen=True)
class OfStatistics:
    """An outlier detector on the standardised fifteen statistics of `lib.detector.statistics`."""

    scaler: dict
    interval_s: float
    standardised: StandardScaler
    outlying: object  # of columns (N, 15): (N,), the larger the stranger

    @classmethod
    def fit(cls, windows, fitted, *, scaler, interval_s):
        """fitted: of columns (N, 15) an `outlying`; windows (N, length, 7): scaled by `scaler`."""
        statistics = window_statistics(features.unscale(windows, scaler), interval_s=interval_s)
        standardised = StandardScaler().fit(statistics)
        return cls(scaler, interval_s, standardised, fitted(standardised.transform(statistics)))

    def score(self, windows):
        """Errors (N,) of scaled windows (N, length, 7)."""
        statistics = window_statistics(features.unscale(windows, self.scaler), interval_s=self.interval_s)
        return self.outlying(self.standardised.transform(statistics))


def isolation(columns, *, seed=0):
    """How early random cuts of columns (N, D) set a point apart: a function of (M, D) that gives (M,).

    Liu, Ting and Zhou (2008), "Isolation forest", ICDM.
    """
    forest = IsolationForest(n_jobs=1, random_state=seed).fit(columns)
    return lambda asked: -forest.score_samples(asked)


def neighbours(columns, *, number=5):
    """The mean distance to the nearest `number` of columns (N, D): a function of (M, D) that gives (M,).

    Ramaswamy, Rastogi and Shim (2000), "Efficient algorithms for mining outliers from large data sets", SIGMOD;
    the mean instead of the last distance: Angiulli and Pizzuti (2002), "Fast outlier detection in high dimensional
    spaces", PKDD.
    """
    known = NearestNeighbors(n_neighbors=min(number, len(columns))).fit(columns)
    return lambda asked: known.kneighbors(asked)[0].mean(axis=1)


def unlike(columns, *, number=3):
    """How far columns (M, D) lie from the nearest of these (N, D), in their spreads: a function that gives (M,).

    A column that is not known (NaN) counts as usual.
    """
    standardised = StandardScaler().fit(np.nan_to_num(columns))
    near = neighbours(standardised.transform(np.nan_to_num(columns)), number=number)
    return lambda asked: near(np.where(np.isnan(asked), 0.0, standardised.transform(np.nan_to_num(asked))))


@dataclass(frozen=True)
class DenseAutoencoder:
    """Mean squared error of windows rebuilt by dense layers with a bottleneck, without a notion of time.

    Hawkins et al. (2002), "Outlier detection using replicator neural networks", DaWaK.
    """

    model: object

    @classmethod
    def fit(cls, windows, *, components, epochs=20, seed=0):
        """Trained on scaled windows (N, length, 7), its bottleneck `components` wide."""
        import keras

        keras.utils.set_random_seed(seed)
        flat = windows.reshape(len(windows), -1)
        widths = [(128, "relu"), (components, "linear"), (128, "relu"), (flat.shape[1], "linear")]
        layers = [keras.layers.Dense(units, activation=name) for units, name in widths]
        model = keras.Sequential([keras.Input((flat.shape[1],)), *layers])
        model.compile(optimizer="adam", loss="mse")
        model.fit(flat, flat, batch_size=128, epochs=epochs, verbose=0)
        return cls(model)

    def score(self, windows):
        """Errors (N,) of scaled windows (N, length, 7)."""
        return np.square(windows - self.rebuild(windows), dtype=np.float64).mean(axis=(1, 2))

    def rebuild(self, windows):
        """Windows (N, length, 7) as the layers make them."""
        flat = windows.reshape(len(windows), -1)  # (N, length × 7)
        return self.model.predict_on_batch(flat).reshape(windows.shape)


class Chance:
    """Random errors: what any method has to beat."""

    def __init__(self, seed=0):
        self.rng = np.random.default_rng(seed)

    def score(self, windows):
        """Errors (N,) in 0..1, of no meaning."""
        return self.rng.random(len(windows))


def fit(windows, compared, *, components, scaler, interval_s):
    """The rivals by name, fitted on scaled windows (N, length, 7).

    windows: what the autoencoder learned from, for all that learn to rebuild; compared: those of other wearers that the
    deployed score compares with, for all that do. components: of PCA and of the dense autoencoder, as many as the
    autoencoder's bottleneck has units. scaler: what the windows are scaled by; interval_s: seconds between their
    samples.
    """
    form = {"scaler": scaler, "interval_s": interval_s}
    pca = PrincipalComponents.fit(windows, components=components)
    dense = DenseAutoencoder.fit(windows, components=components)
    return {
        "heart-rate rule": MeanRule.fit(windows, feature=FEATURES.index("heartRate")),
        "steps rule": MeanRule.fit(windows, feature=FEATURES.index("steps")),
        "rolling z-score": RecentLife(3600, in_spreads=True),
        "moving average": RecentLife(1800, in_spreads=False),
        "PCA": pca,
        "PCA, by channel": ErrorsByChannel.fit(compared, pca.rebuild),
        "dense autoencoder": dense,
        "dense autoencoder, by channel": ErrorsByChannel.fit(compared, dense.rebuild),
        "isolation forest": OfStatistics.fit(compared, isolation, **form),
        "nearest neighbours": OfStatistics.fit(compared, neighbours, **form),
        "random": Chance(),
    }


def errors(rival, samples, first, *, length, wearer, ended=None, batch_size=4096):
    """A fitted rival's errors (N,) of the windows of samples (T, 7), scaled, that start at rows first (N,).

    wearer (N,): whose windows they are; ended (N,): the datetime64 of their last samples, in order for each wearer,
    a minute apart unless given. Windows are gathered a batch at a time, so memory does not grow with their number.
    """
    found = np.empty(len(first))
    for low in range(0, len(first), batch_size):
        windows = gather(samples, first[low : low + batch_size], length=length)
        found[low : low + batch_size] = rival.score(windows)
    if not isinstance(rival, RecentLife):
        return found
    ended = np.arange(len(first)).astype("datetime64[m]") if ended is None else ended
    return rival.follow(found, wearer, ended)
