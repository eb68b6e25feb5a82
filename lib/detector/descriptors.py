"""A window's descriptors: 15 statistics and 8 logarithms of reconstruction errors. NumPy and onnxruntime alone.

The statistics are those of `lib.detector.statistics`, heart rate taken from the level that is usual at that hour. Of
each channel there is the logarithm of the autoencoder's mean squared error, and that of the error's changes.
"""

from dataclasses import dataclass

import numpy as np

from lib.detector import faults, features, statistics, windows
from lib.detector.features import CHANNELS
from lib.detector.heart_rate import usual
from lib.detector.network import Network

NAMES = (*statistics.NAMES, *(f"{kind} of {name}" for kind in ("error", "error of changes") for name in CHANNELS))
_MADE_OF = (*statistics.CHANNELS, *[(channel,) for channel in range(len(CHANNELS))] * 2)
NEEDS = np.array([[channel in made_of for channel in range(len(CHANNELS))] for made_of in _MADE_OF])  # (23, 4)
HEART_RATE, STEPS = NAMES.index("heart rate"), NAMES.index("steps")
LEVELLED = [NAMES.index(name) for name in ("heart rate", "lowest heart rate", "highest heart rate")]
ERRORS = slice(len(statistics.NAMES), None)  # the places of `log_errors`
_LEAST_ERROR = 1e-4  # scaled units squared: smaller errors count as none
_BATCH = 48  # windows: bounds memory, and larger batches are no faster


def describe(raw, scaled, rebuilt, *, size, interval_s, curve):
    """The descriptors of windows and their reconstructions.

    Parameters
    ----------
    raw : ndarray, shape (n_windows, length, 7)
        In raw units; NaN where a channel is absent.
    scaled, rebuilt : ndarray, shape (n_windows, length, 7)
        The autoencoder's input and output.
    size : ndarray, shape (n_windows,)
        How many samples, at the window's end, each rests on. The padding before them does not count.
    interval_s : float
        Seconds from one sample to the next.
    curve : ndarray, shape (8,)
        Of `heart_rate.fit_curve`.

    Returns
    -------
    ndarray, shape (n_windows, 23)
        In the order of NAMES.
    """
    size = np.asarray(size)
    descriptors = np.empty((len(raw), len(NAMES)))
    for count in set(size.tolist()):
        same = size == count
        samples = raw[same, -count:]
        error = (scaled[same, -count:] - rebuilt[same, -count:])[:, :, : len(CHANNELS)].astype(np.float64)
        level = usual(samples[:, -1], curve)
        plain = statistics.window_statistics(samples, interval_s=interval_s, level=level)
        descriptors[same] = np.concatenate([plain, log_errors(error)], axis=1)
    return descriptors


def log_errors(error):
    """Logarithms of the mean square of errors (N, length, 4) over time, and of that of their changes: (N, 8)."""
    changes = error[:, 1:] - error[:, :-1] if error.shape[1] > 1 else error
    return np.concatenate([_log_squares(error), _log_squares(changes)], axis=1)


def _log_squares(error):
    return np.log(np.einsum("ntc,ntc->nc", error, error) / error.shape[1] + _LEAST_ERROR)


def levelled(descriptors, offset):
    """Descriptors (N, 23) with the heart rate taken from the wearer's level, `offset` (N,) bpm above the usual one."""
    descriptors = descriptors.copy()
    descriptors[:, LEVELLED] -= np.reshape(offset, (-1, 1))
    return descriptors


def available(counted):
    """Which descriptors, (..., 23), are made of the channels `counted` (..., 4) alone."""
    return ~(~np.asarray(counted)[..., None, :] & NEEDS).any(axis=-1)


def still(descriptors):
    """Which windows, by their descriptors (N, 23), hold no step: at rest, as far as a watch can tell."""
    return descriptors[:, STEPS] == 0  # log(0 + 1)


@dataclass(frozen=True)
class Describer:
    """From samples to descriptors: an autoencoder, its scaler, and the usual heart rate by hour."""

    network: Network
    scaler: dict  # of `features.fit_scaler`
    curve: np.ndarray | None  # of `heart_rate.fit_curve`; None where windows are only rebuilt
    length: int  # samples in a window
    interval_s: float  # seconds from one sample to the next

    def describe(self, samples, first, *, size=None, counted=None, map_batches=map, progress=iter):
        """Descriptors and sensor faults of the windows that start at rows `first`.

        Parameters
        ----------
        samples : ndarray, shape (n_samples, 7)
            In raw units; NaN for a channel that is absent.
        first : ndarray, shape (n_windows,)
        size : ndarray, shape (n_windows,), optional
            How many samples each window rests on. Default: `length`.
        counted : ndarray of bool, shape (n_windows, 7) or (7,), optional
            The features that the autoencoder sees. Default: all.
        map_batches : callable
            `map`, or that of an executor of threads: the network lets them work side by side.
        progress : callable
            Wraps the loop over batches, as tqdm does.

        Returns
        -------
        descriptors : ndarray, shape (n_windows, 23)
        faults : ndarray of int, shape (n_windows,)
            Of `faults.faults`.
        """
        size, counted = self._completed(samples, first, size, counted)

        def described(batch):
            raw, scaled, rebuilt = self.rebuild(samples, first[batch], size=size[batch], counted=counted[batch])
            fault = faults.faults(raw, interval_s=self.interval_s, counted=counted[batch], size=size[batch])
            return self.describe_rebuilt(raw, scaled, rebuilt, size[batch]), fault

        descriptors, fault = np.empty((len(first), len(NAMES))), np.empty(len(first), dtype=int)
        batches = _batches(len(first))
        for batch, result in zip(progress(batches), map_batches(described, batches), strict=True):
            descriptors[batch], fault[batch] = result
        return descriptors, fault

    def rebuild(self, samples, first, *, size=None, counted=None):
        """Windows in raw units, scaled, and as the autoencoder rebuilds them: (N, length, 7) each.

        The parameters are those of `describe`. All windows are rebuilt in one forward pass.
        """
        size, counted = self._completed(samples, first, size, counted)
        raw = windows.gather(samples, first, length=self.length, size=size)
        scaled = features.scale(np.where(counted[:, None], raw, np.nan), self.scaler)
        return raw, scaled, self.network.reconstruct(scaled)

    def describe_rebuilt(self, raw, scaled, rebuilt, size):
        """The descriptors (N, 23) of the arrays of `rebuild`, whichever engine rebuilt the windows."""
        return describe(raw, scaled, rebuilt, size=size, interval_s=self.interval_s, curve=self.curve)

    def _completed(self, samples, first, size, counted):
        size = np.full(len(first), self.length) if size is None else size
        return size, np.broadcast_to(True if counted is None else counted, (len(first), samples.shape[1]))


def _batches(number):
    """Slices of so many windows, _BATCH each."""
    return [slice(low, low + _BATCH) for low in range(0, number, _BATCH)]
