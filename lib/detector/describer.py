"""From samples to the columns that describe their windows, by way of the autoencoder. NumPy and onnxruntime alone."""

from dataclasses import dataclass

import numpy as np

from lib.detector import features, neighbours, scoring, windows
from lib.detector.network import Network

_AT_ONCE = 48  # windows: bounds memory, and larger batches are no faster


@dataclass(frozen=True)
class Describer:
    """An autoencoder, what its samples are scaled with, and the heart rate that is usual at each hour."""

    network: Network
    scaler: dict
    curve: np.ndarray  # of `evidence.fit_curve`; None where windows are only rebuilt
    length: int  # samples in a window
    interval_s: float

    def batches(self, samples, first, *, size=None, counted=None, progress=iter):
        """Yield windows as (which of the N, raw, given, rebuilt, size), some at a time.

        samples (T, 7) in raw units, NaN for a channel that is absent; first (N,): the windows' first rows; size (N,):
        how many samples each rests on, `length` unless given; counted (N, 7) or (7,): the features that are not hidden
        from the autoencoder. raw: (n, length, 7) windows in raw units; given, rebuilt: what the autoencoder is given,
        and what it makes of it. `progress` wraps the loop over batches, as tqdm does.
        """
        rebuilt = self._rebuilder(samples, first, size, counted)
        return (rebuilt(batch) for batch in progress(_parts(len(first))))

    def columns(self, samples, first, *, size=None, counted=None, each=map, progress=iter):
        """The columns (N, 23) of windows, and their `scoring.faults` (N,); the arguments are those of `batches`.

        `each` does a function for every batch, in order: `map`, or that of an executor of threads, for the network lets
        them work side by side.
        """
        rebuilt = self._rebuilder(samples, first, size, counted)
        counted = _of_each(counted, first, samples)

        def described(batch):
            _, raw, given, made, rests_on = rebuilt(batch)
            faults = scoring.faults(raw, interval_s=self.interval_s, counted=counted[batch], size=rests_on)
            return self.described(raw, given, made, rests_on), faults

        columns, faults = np.empty((len(first), len(neighbours.NAMES))), np.empty(len(first), dtype=int)
        parts = _parts(len(first))
        for batch, (made, faulty) in zip(progress(parts), each(described, parts), strict=True):
            columns[batch], faults[batch] = made, faulty
        return columns, faults

    def _rebuilder(self, samples, first, size, counted):
        """What makes one of `batches` of a slice of the windows."""
        size = np.full(len(first), self.length) if size is None else size
        counted = _of_each(counted, first, samples)

        def rebuilt(batch):
            raw = windows.gather(samples, first[batch], length=self.length, size=size[batch])
            given = features.scale(np.where(counted[batch, None], raw, np.nan), self.scaler)
            return batch, raw, given, self.network.reconstruct(given), size[batch]

        return rebuilt

    def described(self, raw, given, rebuilt, size):
        """The columns (n, 23) of one of `batches`."""
        return neighbours.describe(raw, given, rebuilt, size=size, interval_s=self.interval_s, curve=self.curve)


def _of_each(counted, first, samples):
    """The features that count in each window, (N, 7); all, unless given."""
    return np.broadcast_to(True if counted is None else counted, (len(first), samples.shape[1]))


def _parts(number):
    """Slices of so many windows, _AT_ONCE each."""
    return [slice(low, low + _AT_ONCE) for low in range(0, number, _AT_ONCE)]
