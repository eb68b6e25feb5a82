"""From samples to the columns that describe their windows, by way of the autoencoder. NumPy alone."""

from dataclasses import dataclass

import numpy as np

from lib import evidence, features, scoring, windows
from lib.inference import Weights, reconstruct

_AT_ONCE = 64  # windows: bounds memory, and larger batches are no faster


@dataclass(frozen=True)
class Describer:
    """An autoencoder, what its samples are scaled with, and the heart rate that is usual at each hour."""

    weights: Weights
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
        size = np.full(len(first), self.length) if size is None else size
        counted = np.broadcast_to(True if counted is None else counted, (len(first), samples.shape[1]))
        for low in progress(range(0, len(first), _AT_ONCE)):
            batch = slice(low, low + _AT_ONCE)
            raw = windows.gather(samples, first[batch], length=self.length, size=size[batch])
            given = features.scale(np.where(counted[batch, None], raw, np.nan), self.scaler)
            yield batch, raw, given, reconstruct(given, self.weights), size[batch]

    def columns(self, samples, first, **form):
        """The columns (N, 23) of windows, and which are stuck (N,); the arguments are those of `batches`."""
        columns, stuck = np.empty((len(first), len(evidence.NAMES))), np.empty(len(first), dtype=bool)
        for batch, raw, given, rebuilt, size in self.batches(samples, first, **form):
            columns[batch] = self.described(raw, given, rebuilt, size)
            stuck[batch] = scoring.stuck(raw, interval_s=self.interval_s, size=size)
        return columns, stuck

    def described(self, raw, given, rebuilt, size):
        """The columns (n, 23) of one of `batches`."""
        return evidence.describe(raw, given, rebuilt, size=size, interval_s=self.interval_s, curve=self.curve)
