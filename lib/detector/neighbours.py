"""The evidence that a window is unusual: its distance from windows of normal life. NumPy alone.

Let x be a window's descriptors (`lib.detector.descriptors`), standardised, and r_1, r_2, r_3 the three nearest windows
of normal life, the reference (Ramaswamy et al. 2000, "Efficient algorithms for mining outliers from large data sets",
SIGMOD). Then

    distance    d = (|x - r_1| + |x - r_2| + |x - r_3|) / 3
    raised      z = clip((heart rate - expected heart rate) / spread, 0, 2)
    room        m = log(ceiling / d), never below 0
    evidence    e = d exp(m (1 - exp(-0.4 z / m)))

The factor of d is the lift: about exp(0.4 z) while d lies far below the ceiling, and never more than ceiling / d. A
fever is not an unusual pattern. It is only a heart faster than hour, steps and wearer explain (Mishra et al. 2020,
"Pre-symptomatic detection of COVID-19 from smartwatch data", Nat Biomed Eng 4). The ceiling, the 99th percentile of
normal distances, keeps a raised heart rate by itself below the alert level: hearts are raised in normal life, too.
"""

from dataclasses import dataclass, replace

import numpy as np

from lib.detector import statistics
from lib.detector.descriptors import HEART_RATE, NEEDS, STEPS, available, levelled
from lib.detector.features import CHANNELS

NEIGHBOURS = 3
_BATCH = 64  # windows: bounds memory
_LIFT, _MOST_RAISED = 0.4, 2.0
_CEILING = 99.0  # percentile of normal windows' distances
_FILE_NAMES = {  # of the attributes, as normal.npz has them
    "curve": "curve",
    "mean": "mean",
    "scale": "scale",
    "descriptors": "columns",
    "spreads": "spreads",
    "ceilings": "ceilings",
}
_STEPS = CHANNELS.index("steps")


@dataclass(frozen=True)
class Reference:
    """Windows of normal life to compare with.

    Attributes
    ----------
    curve : ndarray, shape (8,)
        Of `heart_rate.fit_curve`.
    mean, scale : ndarray, shape (23,)
        The descriptors' mean and standard deviation.
    descriptors : ndarray of float32, shape (n_reference, 23)
        Standardised; the heart rate is taken from each wearer's own level.
    spreads : ndarray, shape (2,)
        bpm: the heart rate's standard deviation about its expectation, without and with the wearer's own level.
    ceilings : ndarray, shape (4,)
        For 1, 2, 3 and 4 counted channels.
    """

    curve: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    descriptors: np.ndarray
    spreads: np.ndarray
    ceilings: np.ndarray
    _product: np.ndarray  # (46, n_reference) float32: what the distances are computed with

    @classmethod
    def of(cls, *, descriptors, **attributes):
        """A Reference of its public attributes."""
        product = np.concatenate([-2 * descriptors, np.square(descriptors)], axis=1)
        return cls(descriptors=descriptors, **attributes, _product=np.ascontiguousarray(product.T))

    def __repr__(self):
        return f"<Reference of {len(self.descriptors)} windows of normal life>"

    @classmethod
    def fit(cls, descriptors, offset, counted, *, curve, at_most, rng):
        """Choose reference windows: half at random, and the half of the others that lie furthest from those.

        The rare moments of normal life, such as a run or a fright, are few among windows drawn at random. Without
        them, each would be an alarm. The result lifts nothing until `with_ceilings`.

        Parameters
        ----------
        descriptors : ndarray, shape (n_windows, 23)
        offset : ndarray, shape (n_windows,)
            bpm by which each window's wearer lies above the usual heart rate.
        counted : sequence of bool, length 4
            The channels that the data hold.
        curve : ndarray, shape (8,)
        at_most : int
            The largest number of reference windows.
        rng : Generator

        Raises
        ------
        ValueError
            If there are fewer than NEIGHBOURS windows, or one lacks a value in the counted channels.
        """
        descriptors = np.where(available(counted), descriptors, 0.0)
        if len(descriptors) < NEIGHBOURS or np.isnan(descriptors).any():
            raise ValueError(
                f"expected at least {NEIGHBOURS} windows of normal life without a missing value, "
                f"got {len(descriptors)} with {np.isnan(descriptors).sum()} missing: more wearers or days may help"
            )
        own_level = levelled(descriptors, offset)
        spreads = np.array([_above_expected(values, curve).std() for values in (descriptors, own_level)])
        mean, scale = own_level.mean(axis=0), own_level.std(axis=0)
        scale[scale < 1e-6] = 1.0
        scaled = ((own_level - mean) / scale).astype(np.float32)[rng.permutation(len(own_level))]
        drawn, others = np.split(scaled, [at_most // 2])
        fitted = {"curve": curve, "mean": mean, "scale": scale, "spreads": spreads, "ceilings": np.zeros(len(CHANNELS))}
        if len(scaled) > at_most:
            others = cls.of(descriptors=drawn, **fitted)._furthest(others, at_most - len(drawn))
        return cls.of(descriptors=np.concatenate([drawn, others]), **fitted)

    def _furthest(self, scaled, number):
        """The `number` standardised windows furthest from this reference, the furthest first."""
        batches = np.array_split(scaled, 1 + len(scaled) // _BATCH)
        nearest = np.concatenate([self._squares(batch, 1.0)[:, 0] for batch in batches])
        return scaled[np.argsort(-nearest, kind="stable")[:number]]

    def with_ceilings(self, descriptors, offset):
        """This reference with the ceilings of normal windows (N, 23), best those of other wearers."""
        counted = np.tril(np.ones((len(CHANNELS), len(CHANNELS)), dtype=bool))
        ceilings = [np.percentile(self.distances(descriptors, first, offset), _CEILING) for first in counted]
        return replace(self, ceilings=np.nan_to_num(ceilings))

    def evidence(self, descriptors, counted, offset=0.0, known=False):
        """The evidence against windows.

        Parameters
        ----------
        descriptors : ndarray, shape (n_windows, 23)
        counted : ndarray of bool, shape (4,) or (n_windows, 4)
            The channels that count.
        offset : float or ndarray, shape (n_windows,)
            bpm by which the wearer's heart rate lies above the usual one.
        known : bool or ndarray of bool, shape (n_windows,)
            Whether that offset is known well.

        Returns
        -------
        ndarray, shape (n_windows,)
        """
        distances = self.distances(descriptors, counted, offset)
        spread = self.spreads[np.asarray(known, dtype=int)]
        raised = np.nan_to_num(_above_expected(descriptors, self.curve, offset) / spread).clip(0, _MOST_RAISED)
        ceiling = np.where(np.asarray(counted)[..., _STEPS], self.ceilings[np.sum(counted, axis=-1) - 1], 0.0)
        room = np.log(np.maximum(ceiling / np.maximum(distances, 1e-4), 1 + 1e-9))
        return distances * np.exp(-room * np.expm1(-_LIFT * raised / room))

    def distances(self, descriptors, counted, offset=0.0):
        """The mean distances (N,) to the nearest reference windows; the parameters are those of `evidence`."""
        scaled, known = self._scaled(descriptors, available(counted), offset)
        distances = np.empty(len(descriptors))
        for low in range(0, len(descriptors), _BATCH):
            batch = slice(low, low + _BATCH)
            distances[batch] = np.sqrt(self._squares(scaled[batch], known[batch]).clip(0)).mean(axis=1)
        return distances

    def shares(self, descriptors, counted, offset=0.0):
        """Each channel's share (4,) in one window's distance; a descriptor of two channels counts half for each."""
        known = available(counted)
        scaled, _ = self._scaled(descriptors[None], known, offset)
        squares = np.where(known, np.square(scaled[0] - self._nearest(scaled, known)), 0.0)
        by_channel = (squares / NEEDS.sum(axis=1)) @ NEEDS
        return by_channel / max(by_channel.sum(), np.finfo(np.float64).tiny)

    def expected(self, descriptors, counted, offset=0.0):
        """Heart rate above the usual one (bpm), steps, kcal and m a minute, (4,), in the nearest reference windows.

        For each channel those are the nearest to one window's descriptors (23,) by all other channels.
        """
        expected = np.empty(len(CHANNELS))
        for channel in range(len(CHANNELS)):
            known = available(counted) & ~NEEDS[:, channel]
            nearest = self._nearest(*self._scaled(descriptors[None], known, offset)) * self.scale + self.mean
            expected[channel] = statistics.means(nearest[: len(statistics.NAMES)])[channel]
        expected[0] += offset
        return expected

    def _nearest(self, scaled, known):
        """The mean (23,) of the nearest to one standardised window (1, 23); all windows' mean if nothing is known."""
        if not known.any():
            return np.zeros_like(self.mean)
        nearest = np.argpartition(self._products(scaled, known)[0], NEIGHBOURS - 1)[:NEIGHBOURS]
        return self.descriptors[nearest].mean(axis=0)

    def _scaled(self, descriptors, known, offset):
        """Standardised descriptors, 0 where they are not known, and what is known, (N, 23) each."""
        known = np.broadcast_to(known, descriptors.shape)
        scaled = (levelled(descriptors, offset) - self.mean) / self.scale
        return np.where(known, scaled, 0.0).astype(np.float32), known

    def _squares(self, scaled, known):
        """Squared distances (N, NEIGHBOURS) to the nearest reference windows."""
        return np.partition(self._products(scaled, known), NEIGHBOURS - 1, axis=1)[:, :NEIGHBOURS]

    def _products(self, scaled, known):
        """Squared distances (N, n_reference) by what is known: |x|² − 2 x·r + |r|²."""
        known = np.broadcast_to(np.asarray(known, dtype=np.float32), scaled.shape)
        return np.concatenate([scaled, known], axis=1) @ self._product + np.square(scaled).sum(axis=1)[:, None]

    def save(self, path):
        """Write it as an .npz."""
        with open(path, "wb") as stream:
            np.savez(stream, **{name: getattr(self, attribute) for attribute, name in _FILE_NAMES.items()})

    @classmethod
    def load(cls, path):
        """Read what `save` wrote. Raises ValueError or KeyError for any other file."""
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            return cls.of(**{attribute: arrays[name] for attribute, name in _FILE_NAMES.items()})


def _above_expected(descriptors, curve, offset=0.0):
    """bpm (N,) by which the heart rate lies above what hour, steps and the wearer's own level explain."""
    return descriptors[:, HEART_RATE] - offset - curve[-1] * np.nan_to_num(descriptors[:, STEPS])
