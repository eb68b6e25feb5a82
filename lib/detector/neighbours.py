"""The evidence that a window is unusual: its distance from windows of normal life. NumPy alone.

Let x be a window's descriptors (`lib.detector.descriptors`) in its wearer's own units (`lib.detector.habits`), and r_1,
r_2, r_3 the three nearest windows of normal life, the reference (Ramaswamy et al. 2000, "Efficient algorithms for
mining outliers from large data sets", SIGMOD). Then

    |x - r|^2   = (x - r)' (C + 0.3 I)^-1 (x - r),      C: the covariance of the reference
    distance    d = (|x - r_1| + |x - r_2| + |x - r_3|) / 3
    raised      z = clip((heart rate - expected heart rate) / spread, 0, 2)
    room        m = log(ceiling / d), never below 0
    evidence    e = d exp(m (1 - exp(-0.8 z / m)))

The covariance (Mahalanobis 1936), shrunk, keeps what several descriptors say in common from counting several times. The
factor of d is the lift: about exp(0.8 z) while d lies far below the ceiling, and never more than ceiling / d. A
fever is not an unusual pattern. It is only a heart faster than hour, steps and wearer explain (Mishra et al. 2020,
"Pre-symptomatic detection of COVID-19 from smartwatch data", Nat Biomed Eng 4). The ceiling, the 95th percentile of
normal distances, keeps a raised heart rate by itself below the alert level: hearts are raised in normal life, too.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from lib.detector import habits, statistics
from lib.detector.descriptors import ERRORS, HEART_RATE, NAMES, NEEDS, STEPS, available, levelled
from lib.detector.features import CHANNELS

NEIGHBOURS = 3
_SHRUNK = 0.3  # added to the covariance's diagonal
_BATCH = 64  # windows: bounds memory
_LIFT, _MOST_RAISED = 0.8, 2.0
_CEILING = 95.0  # percentile of normal windows' distances
_FILE_NAMES = {  # of the attributes, as normal.npz has them
    "curve": "curve",
    "mean": "mean",
    "scale": "scale",
    "descriptors": "columns",
    "spreads": "spreads",
    "ceilings": "ceilings",
    "covariance": "covariance",
}
_WEIGHTS = np.where(np.arange(len(NAMES)) >= ERRORS.start, 0.5, 1.0)  # two errors of a channel say much the same
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
    covariance : ndarray, shape (23, 23)
        Of the descriptors; empty where distances are plain ones.
    fold : ndarray, shape (n_reference,), optional
        What each window belongs to, where limits come from the windows of all other folds. It is not saved.
    """

    curve: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    descriptors: np.ndarray
    spreads: np.ndarray
    ceilings: np.ndarray
    covariance: np.ndarray
    fold: np.ndarray | None
    _whitened: dict = field(default_factory=dict, compare=False)  # of `_white`, by what is known

    @classmethod
    def of(cls, *, descriptors, covariance=None, fold=None, **attributes):
        """A Reference of its public attributes."""
        covariance = np.empty((0, 0)) if covariance is None else covariance
        return cls(descriptors=descriptors, covariance=covariance, fold=fold, **attributes)

    def without(self, fold):
        """This reference without the windows of a fold; as it is where too few would be left."""
        kept = self.fold != fold
        if kept.sum() < NEIGHBOURS:
            return self
        attributes = {
            name: getattr(self, name) for name in ("curve", "mean", "scale", "spreads", "ceilings", "covariance")
        }
        return type(self).of(descriptors=self.descriptors[kept], fold=self.fold[kept], **attributes)

    def apart(self, fold):
        """For windows of folds (N,): pairs of the reference without one of these, and the places of its windows."""
        if self.fold is None:
            return [(self, slice(None))]
        return [(self.without(name), np.flatnonzero(fold == name)) for name in np.unique(fold)]

    def __repr__(self):
        return f"<Reference of {len(self.descriptors)} windows of normal life>"

    @classmethod
    def fit(cls, descriptors, offset, counted, *, curve, at_most, rng, wearer=None, fold=None):
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
        wearer : ndarray, shape (n_windows,), optional
            Whose the windows are: each is translated by its wearer's own mean and spread. Default: one wearer's.
        fold : ndarray, shape (n_windows,), optional
            Of the attribute.

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
        wearer = np.zeros(len(descriptors)) if wearer is None else wearer
        own_level = levelled(descriptors, offset)
        mean, scale = habits.population(own_level, wearer)
        own_units = habits.translated(own_level, habits.whole_levels(own_level, wearer, mean, scale), mean, scale)
        spreads = np.array([_above_expected(values, curve).std() for values in (descriptors, own_units)])
        order = rng.permutation(len(own_units))
        scaled = ((own_units - mean) / scale * _WEIGHTS).astype(np.float32)[order]
        fitted = {"curve": curve, "mean": mean, "scale": scale, "spreads": spreads, "ceilings": np.zeros(len(CHANNELS))}
        fitted["covariance"] = np.cov(scaled.T.astype(np.float64))
        chosen = np.arange(min(len(scaled), at_most))
        if len(scaled) > at_most:
            drawn, others = scaled[: at_most // 2], scaled[at_most // 2 :]
            furthest = cls.of(descriptors=drawn, **fitted)._furthest(others, at_most - len(drawn))
            chosen = np.append(np.arange(len(drawn)), len(drawn) + furthest)
        return cls.of(descriptors=scaled[chosen], fold=None if fold is None else fold[order][chosen], **fitted)

    def _furthest(self, scaled, number):
        """The places of the `number` standardised windows furthest from this reference, the furthest first."""
        batches = np.array_split(scaled, 1 + len(scaled) // _BATCH)
        nearest = np.concatenate([self._squares(batch, 1.0)[:, 0] for batch in batches])
        return np.argsort(-nearest, kind="stable")[:number]

    def with_ceilings(self, descriptors, offset, level=None, fold=None):
        """This reference with the ceilings of normal windows (N, 23), best those of other wearers or folds (N,)."""
        ceilings, distances = [], np.empty(len(descriptors))
        offset = np.broadcast_to(offset, len(descriptors))
        for counted in np.tril(np.ones((len(CHANNELS), len(CHANNELS)), dtype=bool)):
            for others, places in self.apart(fold):
                own = level and tuple(values[places] for values in level)
                distances[places] = others.distances(descriptors[places], counted, offset[places], own)
            ceilings.append(np.percentile(distances, _CEILING))
        return replace(self, ceilings=np.nan_to_num(ceilings))

    def evidence(self, descriptors, counted, offset=0.0, known=False, level=None):
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
        level : pair of ndarray, shape (23,) or (n_windows, 23), optional
            The wearers' own means and spreads, of `Habits.level`. Default: the population's.

        Returns
        -------
        ndarray, shape (n_windows,)
        """
        distances = self.distances(descriptors, counted, offset, level)
        spread = self.spreads[np.asarray(known, dtype=int)]
        above = _above_expected(self._own_units(descriptors, offset, level), self.curve)
        raised = np.nan_to_num(above / spread).clip(0, _MOST_RAISED)
        ceiling = np.where(np.asarray(counted)[..., _STEPS], self.ceilings[np.sum(counted, axis=-1) - 1], 0.0)
        room = np.log(np.maximum(ceiling / np.maximum(distances, 1e-4), 1 + 1e-9))
        return distances * np.exp(-room * np.expm1(-_LIFT * raised / room))

    def distances(self, descriptors, counted, offset=0.0, level=None):
        """The mean distances (N,) to the nearest reference windows; the parameters are those of `evidence`."""
        scaled, known = self._scaled(descriptors, available(counted), offset, level)
        distances = np.empty(len(descriptors))
        for low in range(0, len(descriptors), _BATCH):
            batch = slice(low, low + _BATCH)
            distances[batch] = np.sqrt(self._squares(scaled[batch], known[batch]).clip(0)).mean(axis=1)
        return distances

    def shares(self, descriptors, counted, offset=0.0, level=None):
        """Each channel's share (4,) in one window's distance; a descriptor of two channels counts half for each."""
        known = available(counted)
        scaled, _ = self._scaled(descriptors[None], known, offset, level)
        squares = np.where(known, np.square(scaled[0] - self._nearest(scaled, known)), 0.0)
        by_channel = (squares / NEEDS.sum(axis=1)) @ NEEDS
        return by_channel / max(by_channel.sum(), np.finfo(np.float64).tiny)

    def expected(self, descriptors, counted, offset=0.0, level=None):
        """Heart rate above the usual one (bpm), steps, kcal and m a minute, (4,), in the nearest reference windows.

        For each channel those are the nearest to one window's descriptors (23,) by all other channels.
        """
        expected = np.empty(len(CHANNELS))
        own, spread = (self.mean, self.scale) if level is None else level
        for channel in range(len(CHANNELS)):
            known = available(counted) & ~NEEDS[:, channel]
            nearest = self._nearest(*self._scaled(descriptors[None], known, offset, level)) / _WEIGHTS * spread + own
            expected[channel] = statistics.means(nearest[: len(statistics.NAMES)])[channel]
        expected[0] += offset
        return expected

    def _nearest(self, scaled, known):
        """The mean (23,) of the nearest to one standardised window (1, 23); all windows' mean if nothing is known."""
        if not known.any():
            return np.zeros_like(self.mean)
        nearest = np.argpartition(self._products(scaled, known)[0], NEIGHBOURS - 1)[:NEIGHBOURS]
        return self.descriptors[nearest].mean(axis=0)

    def _own_units(self, descriptors, offset, level):
        """Descriptors (N, 23), each translated from its wearer's own level and spread to the population's."""
        level = (self.mean, self.scale) if level is None else level
        return habits.translated(levelled(descriptors, offset), level, self.mean, self.scale)

    def _scaled(self, descriptors, known, offset, level):
        """Standardised descriptors, 0 where they are not known, and what is known, (N, 23) each."""
        known = np.broadcast_to(known, descriptors.shape)
        scaled = (self._own_units(descriptors, offset, level) - self.mean) / self.scale * _WEIGHTS
        return np.where(known, scaled, 0.0).astype(np.float32), known

    def _squares(self, scaled, known):
        """Squared distances (N, NEIGHBOURS) to the nearest reference windows."""
        return np.partition(self._products(scaled, known), NEIGHBOURS - 1, axis=1)[:, :NEIGHBOURS]

    def _products(self, scaled, known):
        """Squared distances (N, n_reference) by what is known, after whitening: |x|² − 2 x·r + |r|²."""
        known = np.broadcast_to(np.asarray(known, dtype=bool), scaled.shape)
        squares = np.empty((len(scaled), len(self.descriptors)), dtype=np.float32)
        masks, place = (known[:1], np.zeros(len(known), dtype=int)) if (known == known[:1]).all() else _distinct(known)
        for number, mask in enumerate(masks):
            rows, (white, reference, norms) = place == number, self._white(mask)
            asked = scaled[rows] @ white
            squares[rows] = norms - 2 * asked @ reference + np.square(asked).sum(axis=1)[:, None]
        return squares

    def _white(self, mask):
        """What whitens descriptors (23,) known by a mask, the reference whitened, and its squared norms."""
        key = mask.tobytes()
        if key not in self._whitened:
            white = np.diag(mask.astype(np.float32))[:, mask]
            if self.covariance.size:
                values, vectors = np.linalg.eigh(self.covariance[np.ix_(mask, mask)])
                white = (white @ (vectors / np.sqrt(values.clip(0) + _SHRUNK))).astype(np.float32)
            reference = np.ascontiguousarray((self.descriptors @ white).T)
            self._whitened[key] = white, reference, np.square(reference).sum(axis=0)
        return self._whitened[key]

    def save(self, path):
        """Write it as an .npz."""
        with open(path, "wb") as stream:
            np.savez(stream, **{name: getattr(self, attribute) for attribute, name in _FILE_NAMES.items()})

    @classmethod
    def load(cls, path):
        """Read what `save` wrote. Raises ValueError or KeyError for any other file."""
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            return cls.of(**{attribute: arrays[name] for attribute, name in _FILE_NAMES.items()})


def _distinct(known):
    """The different rows of booleans (N, 23), and which of them each row is."""
    masks, place = np.unique(known, axis=0, return_inverse=True)
    return masks, place.reshape(-1)


def _above_expected(descriptors, curve, offset=0.0):
    """bpm (N,) by which the heart rate lies above what hour, steps and the wearer's own level explain."""
    return descriptors[:, HEART_RATE] - offset - curve[-1] * np.nan_to_num(descriptors[:, STEPS])
