"""Simple detectors that the evaluation compares with the autoencoder. They see the same windows and the same measures.

To add one, write a subclass of `Rival` and give it a name in `unfitted`. Each is fitted on scaled windows of normal
life, shape (n_windows, length, 7), and returns one error a window: the larger, the more unusual.
"""

from abc import ABC, abstractmethod

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from lib.detector import features
from lib.detector.descriptors import log_errors
from lib.detector.features import FEATURES
from lib.detector.statistics import window_statistics
from lib.detector.windows import gather
from lib.training.outliers import Distance, Neighbours

MOST_CALIBRATED = 15_000  # calibration windows that set the rivals' thresholds
_LEAST_SPREAD = 0.05  # scaled units: about the sensor's own noise
_FEWEST_RECENT = 3  # fewer windows have no useful mean and spread


class Rival(ABC):
    """A detector beside the autoencoder. Subclasses fit on normal windows and score any windows."""

    compares = False  # whether it is fitted on the windows to compare with, not on those to learn from

    @abstractmethod
    def fit(self, windows):
        """Fit on scaled windows of normal life, shape (n_windows, length, 7). Returns self."""

    @abstractmethod
    def score(self, windows):
        """Errors, shape (n_windows,), of scaled windows, shape (n_windows, length, 7)."""

    def in_sequence(self, errors, wearer, ended):
        """Errors of windows in the order of time; a rival that looks back at earlier windows overrides this."""
        return errors

    def errors(self, samples, first, *, length, wearer, ended=None, batch_size=4096):
        """Score windows batch by batch, so that memory does not grow with their number.

        Parameters
        ----------
        samples : ndarray, shape (n_samples, 7)
            Scaled samples.
        first : ndarray of int, shape (n_windows,)
            The row at which each window starts.
        length : int
            Samples per window.
        wearer : ndarray, shape (n_windows,)
            The wearer of each window.
        ended : ndarray of datetime64, shape (n_windows,), optional
            Time of each window's last sample, in order within a wearer. Default: a minute apart.
        batch_size : int

        Returns
        -------
        ndarray, shape (n_windows,)
        """
        errors = np.empty(len(first))
        for low in range(0, len(first), batch_size):
            batch = slice(low, low + batch_size)
            errors[batch] = self.score(gather(samples, first[batch], length=length))
        ended = np.arange(len(first)).astype("datetime64[m]") if ended is None else ended
        return self.in_sequence(errors, wearer, ended)


class MeanRule(Rival):
    """Distance of one feature's window mean from its mean in training, in standard deviations.

    Parameters
    ----------
    feature : int
        Index of the feature among the seven.
    """

    def __init__(self, feature):
        self.feature = feature

    def fit(self, windows):
        """Learn mean and standard deviation of the window means. A standard deviation of 0 becomes 1."""
        means = self._means(windows)
        self.mean, self.deviation = float(means.mean()), float(means.std()) or 1.0
        return self

    def score(self, windows):
        return np.abs(self._means(windows) - self.mean) / self.deviation

    def _means(self, windows):
        return windows[:, :, self.feature].mean(axis=1, dtype=np.float64)


class RecentLife(Rival):
    """Distance of a window's mean heart rate from that of the wearer's windows shortly before it.

    A control chart whose limits follow the wearer: Shewhart (1931), "Economic control of quality of manufactured
    product". Nothing later than the window is used.

    Parameters
    ----------
    before_s : int
        How long before the window the others may have ended, in seconds.
    in_spreads : bool
        Divide by their standard deviation (a rolling z-score), or not (the residual of a moving average).
    """

    def __init__(self, before_s, *, in_spreads):
        self.before_s, self.in_spreads = before_s, in_spreads

    def fit(self, windows):
        """Nothing is learned beforehand. Returns self."""
        return self

    def score(self, windows):
        """Mean scaled heart rate of each window, which `in_sequence` turns into errors."""
        return windows[:, :, 0].mean(axis=1, dtype=np.float64)

    def in_sequence(self, means, wearer, ended):
        """Errors of windows with these mean heart rates, shape (n_windows,).

        An error is 0 where fewer than three of the wearer's windows are recent: at the start and after a long gap.

        Raises
        ------
        ValueError
            If a wearer's windows are not in time order.
        """
        usual, spread = np.full((2, len(means)), np.nan)
        for rows in pd.Series(means).groupby(np.asarray(wearer)).indices.values():
            series = pd.Series(means[rows], index=pd.DatetimeIndex(np.asarray(ended)[rows]))
            if not series.index.is_monotonic_increasing:
                raise ValueError("expected windows in time order, got some that go back: sort by wearer and end time")
            recent = series.rolling(pd.Timedelta(seconds=self.before_s), min_periods=_FEWEST_RECENT, closed="left")
            usual[rows], spread[rows] = recent.mean(), recent.std()
        distance = np.abs(means - usual)
        return np.nan_to_num(distance / (spread + _LEAST_SPREAD) if self.in_spreads else distance)


class Rebuilder(Rival):
    """Mean squared error of windows that the rival rebuilds from a few numbers."""

    @abstractmethod
    def rebuild(self, windows):
        """Rebuilt windows, shape (n_windows, length, 7)."""

    def score(self, windows):
        return np.square(windows - self.rebuild(windows), dtype=np.float64).mean(axis=(1, 2))


class PrincipalComponents(Rebuilder):
    """Windows rebuilt from their first principal components: a linear autoencoder.

    Baldi and Hornik (1989), "Neural networks and principal component analysis", Neural Networks 2(1).

    Parameters
    ----------
    components : int
        At most the number of windows it is fitted on.
    seed : int
    """

    def __init__(self, components, *, seed=0):
        pca = PCA(components, svd_solver="randomized", random_state=seed)
        self.pipeline = make_pipeline(FunctionTransformer(_flat), pca)

    def fit(self, windows):
        self.pipeline.fit(windows)
        return self

    def rebuild(self, windows):
        return self.pipeline.inverse_transform(self.pipeline.transform(windows)).reshape(windows.shape)


class DenseAutoencoder(Rebuilder):
    """Windows rebuilt by dense layers with a bottleneck, which have no notion of time.

    Hawkins et al. (2002), "Outlier detection using replicator neural networks", DaWaK.
    """

    def __init__(self, components, *, epochs=20, seed=0):
        self.components, self.epochs, self.seed = components, epochs, seed

    def fit(self, windows):
        import keras

        keras.utils.set_random_seed(self.seed)
        flat = _flat(windows)
        widths = [(128, "relu"), (self.components, "linear"), (128, "relu"), (flat.shape[1], "linear")]
        layers = [keras.layers.Dense(units, activation=activation) for units, activation in widths]
        self.model = keras.Sequential([keras.Input((flat.shape[1],)), *layers])
        self.model.compile(optimizer="adam", loss="mse")
        self.model.fit(flat, flat, batch_size=128, epochs=self.epochs, verbose=0)
        return self

    def rebuild(self, windows):
        return self.model.predict_on_batch(_flat(windows)).reshape(windows.shape)


class Outliers(Rival):
    """A scikit-learn pipeline from windows to columns to an outlier detector, fitted on the windows to compare with.

    Parameters
    ----------
    steps : estimators
        The last one has `score_samples`, which is the lower, the more unusual.
    """

    compares = True

    def __init__(self, *steps):
        self.pipeline = make_pipeline(*steps)

    def fit(self, windows):
        self.pipeline.fit(windows)
        return self

    def score(self, windows):
        return -self.pipeline.score_samples(windows)


class OfFunction(Rival):
    """A function of windows in raw units: bpm, and steps, kcal and m a sample.

    Parameters
    ----------
    function : callable
        From windows, shape (n_windows, length, 7), to errors, shape (n_windows,): the larger, the more unusual.
    scaler : dict
    """

    def __init__(self, function, *, scaler):
        self.function, self.scaler = function, scaler

    def fit(self, windows):
        """Nothing is learned. Returns self."""
        return self

    def score(self, windows):
        """The function's errors. Raises ValueError unless they are one number a window."""
        errors = np.asarray(self.function(features.unscale(windows, self.scaler)), dtype=np.float64)
        if errors.shape != (len(windows),):
            raise ValueError(f"expected {len(windows)} errors, one a window, got an array of shape {errors.shape}")
        return errors


class Chance(Rival):
    """Random errors in 0..1: what any method has to beat."""

    def __init__(self, seed=0):
        self.rng = np.random.default_rng(seed)

    def fit(self, windows):
        return self

    def score(self, windows):
        return self.rng.random(len(windows))


def _flat(windows):
    return windows.reshape(len(windows), -1)  # (n_windows, length × 7)


def errors_by_channel(rebuild):
    """The rival that tells how unusual another one's reconstruction errors are, channel by channel.

    A mean over channels follows the channel with the largest errors. Here the logarithms of each channel's error and
    of the error of its changes are compared with those of the nearest normal windows.

    Parameters
    ----------
    rebuild : callable
        Rebuilt windows of windows, both of shape (n_windows, length, 7); best fitted on other wearers' windows.
    """
    return Outliers(FunctionTransformer(log_errors_by_channel, kw_args={"rebuild": rebuild}), Distance())


def log_errors_by_channel(windows, *, rebuild):
    """The `log_errors` of windows and of what is rebuilt of them, shape (n_windows, 8)."""
    errors = (windows - rebuild(windows))[:, :, : len(features.CHANNELS)]
    return log_errors(errors.astype(np.float64))


def on_statistics(outliers, *, scaler, interval_s):
    """The rival that applies an outlier detector to the 15 standardised statistics of `lib.detector.statistics`."""
    in_raw_units = FunctionTransformer(features.unscale, kw_args={"scaler": scaler})
    statistics = FunctionTransformer(window_statistics, kw_args={"interval_s": interval_s})
    return Outliers(in_raw_units, statistics, StandardScaler(), outliers)


def of(detector_or_function, *, scaler, interval_s):
    """The unfitted rival of a scikit-learn outlier detector, which is not changed, or of a function of windows.

    Raises
    ------
    ValueError
        If it is neither.
    """
    if hasattr(detector_or_function, "fit"):
        detector = clone(detector_or_function)
        if "novelty" in detector.get_params():  # a local outlier factor of windows that it was not fitted on
            detector.set_params(novelty=True)
        if hasattr(detector, "score_samples"):
            return on_statistics(detector, scaler=scaler, interval_s=interval_s)
    elif callable(detector_or_function):
        return OfFunction(detector_or_function, scaler=scaler)
    raise ValueError(
        f"expected an outlier detector with score_samples, or a function of windows, got {detector_or_function!r}"
    )


def unfitted(*, components, scaler, interval_s):
    """All rivals by name, in the order of the tables. The parameters are those of `fit`."""
    pca, dense = PrincipalComponents(components), DenseAutoencoder(components)
    forest = IsolationForest(n_jobs=1, random_state=0)  # Liu, Ting and Zhou (2008), "Isolation forest", ICDM
    units = {"scaler": scaler, "interval_s": interval_s}
    return {
        "heart-rate rule": MeanRule(FEATURES.index("heartRate")),
        "steps rule": MeanRule(FEATURES.index("steps")),
        "rolling z-score": RecentLife(3600, in_spreads=True),
        "moving average": RecentLife(1800, in_spreads=False),
        "PCA": pca,
        "PCA, by channel": errors_by_channel(pca.rebuild),
        "dense autoencoder": dense,
        "dense autoencoder, by channel": errors_by_channel(dense.rebuild),
        "isolation forest": on_statistics(forest, **units),
        "nearest neighbours": on_statistics(Neighbours(), **units),
        "random": Chance(),
    }


def fit(learned, compared, *, components, scaler, interval_s):
    """Fit all rivals on scaled windows of normal life, shape (n_windows, length, 7).

    Parameters
    ----------
    learned : ndarray
        The windows that the autoencoder learned from.
    compared : ndarray
        Windows of other wearers that the deployed score compares with. Rivals that `compares` are fitted on them.
    components : int
        Components of PCA and units of the dense bottleneck: as many as the autoencoder's bottleneck has.
    scaler : dict
        The scaler of the windows: "mean" and "scale" of each channel.
    interval_s : float
        Seconds between samples.

    Returns
    -------
    dict of str to Rival
    """
    rivals = unfitted(components=components, scaler=scaler, interval_s=interval_s)
    for rival in rivals.values():
        rival.fit(compared if rival.compares else learned)
    return rivals
