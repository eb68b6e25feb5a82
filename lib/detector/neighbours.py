"""The evidence that a window is unusual: how far it lies from the windows of normal life. NumPy alone.

A window is described by 23 columns: its fifteen statistics (`lib.detector.statistics`), heart rate taken from the level
that is usual at that hour, and of each channel the logarithms of how badly the autoencoder rebuilds it and how badly it
rebuilds its changes. The evidence is the mean distance to its nearest neighbours among windows of normal life
(Ramaswamy et al. 2000, "Efficient algorithms for mining outliers from large data sets", SIGMOD).

A fever is no unusual pattern, only a heart somewhat faster than the hour, the steps and the wearer explain (Mishra et
al. 2020, "Pre-symptomatic detection of COVID-19 from smartwatch data", Nat Biomed Eng 4). That lends the evidence
weight, but never beyond a ceiling below the alert level: hearts are raised in normal life, too.
"""

from dataclasses import dataclass, replace

import numpy as np

from lib.detector import statistics as plain
from lib.detector.features import CHANNELS, FEATURES

NAMES = (*plain.NAMES, *(f"{part} of {name}" for part in ("error", "error of changes") for name in CHANNELS))
_MADE_OF = (*plain.CHANNELS, *[(channel,) for channel in range(len(CHANNELS))] * 2)
NEEDS = np.array([[channel in made_of for channel in range(len(CHANNELS))] for made_of in _MADE_OF])  # (23, 4)
HEART_RATE, STEPS = NAMES.index("heart rate"), NAMES.index("steps")
LEVELLED = [NAMES.index(name) for name in ("heart rate", "lowest heart rate", "highest heart rate")]
ERRORS = slice(len(plain.NAMES), None)  # the columns of `log_errors`
NEIGHBOURS = 3
_AT_ONCE = 64  # windows: bounds memory
_HARMONICS = 3  # of a day, in the usual heart rate
_LEAST_ERROR = 1e-4  # scaled units squared: a smaller error is as good as none
_LIFT, _MOST_RAISED = 0.4, 2.0  # of the evidence's logarithm, a spread of the heart rate; and the most spreads
_CEILING = 99.0  # percentile of normal windows' distances that no lift goes beyond
_WRITTEN = ("curve", "mean", "scale", "columns", "spreads", "ceilings")
_STEPS = CHANNELS.index("steps")
_SIN, _COS = FEATURES.index("hour_sin"), FEATURES.index("hour_cos")


def describe(raw, given, rebuilt, *, size, interval_s, curve):
    """The columns (N, 23) of windows that rest on `size` (N,) samples each, as NAMES names them.

    raw (N, length, 7): in raw units, NaN where a channel is absent; given, rebuilt (N, length, 7): what the autoencoder
    was given, and made of it; curve: of `fit_curve`.
    """
    size = np.asarray(size)
    columns = np.empty((len(raw), len(NAMES)))
    for count in set(size.tolist()):
        same = size == count
        last = raw[same, -count:]
        error = (given[same, -count:] - rebuilt[same, -count:])[:, :, : len(CHANNELS)].astype(np.float64)
        level = usual(last[:, -1], curve)
        statistics = plain.window_statistics(last, interval_s=interval_s, level=level)
        columns[same] = np.concatenate([statistics, log_errors(error)], axis=1)
    return columns


def log_errors(error):
    """Logarithms of the mean square, over a window, of errors (N, length, 4), and of that of their changes: (N, 8)."""
    changes = error[:, 1:] - error[:, :-1] if error.shape[1] > 1 else error
    return np.concatenate([_log_squares(error), _log_squares(changes)], axis=1)


def _log_squares(error):
    return np.log(np.einsum("ntc,ntc->nc", error, error) / error.shape[1] + _LEAST_ERROR)


def levelled(columns, offset):
    """Columns (N, 23) with the heart rate taken from the wearer's own level, `offset` (N,) bpm above the usual one."""
    columns = columns.copy()
    columns[:, LEVELLED] -= np.reshape(offset, (-1, 1))
    return columns


def usual(samples, curve):
    """The heart rate, bpm (N,), that is usual at rest at the hour of samples (N, 7)."""
    return _harmonics(samples) @ np.asarray(curve)[:-1]


def _harmonics(samples):
    hour = np.arctan2(samples[:, _SIN], samples[:, _COS])[:, None] * np.arange(1, _HARMONICS + 1)
    return np.concatenate([np.ones((len(samples), 1)), np.sin(hour), np.cos(hour)], axis=1)


def fit_curve(windows, *, interval_s):
    """What the heart rate is by hour and steps, by least squares: the curve (8,) for `usual`.

    windows (N, length, 7): in raw units. The last number is by how many bpm it lies higher for each unit in the
    logarithm of 1 + steps a minute; 0 where steps are absent.
    """
    walked = np.nan_to_num(windows[:, :, FEATURES.index("steps")].mean(axis=1)) * 60 / interval_s
    by = np.column_stack([_harmonics(windows[:, -1]), np.log(walked + 1)])
    return np.linalg.lstsq(by, windows[:, :, 0].mean(axis=1), rcond=None)[0]


def _above(columns, curve, offset=0.0):
    """bpm (N,) by which the heart rate lies above what hour, steps and the wearer's own level explain."""
    return columns[:, HEART_RATE] - offset - curve[-1] * np.nan_to_num(columns[:, STEPS])


def _known(counted):
    """Which columns, (…, 23), are made of channels `counted` (…, 4) alone."""
    return ~(~np.asarray(counted)[..., None, :] & NEEDS).any(axis=-1)


@dataclass(frozen=True)
class Normal:
    """Windows of normal life to compare with: `columns` (M, 23), in units of `scale` (23,) from `mean` (23,)."""

    curve: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    columns: np.ndarray  # float32
    spreads: np.ndarray  # (2,) bpm, of the heart rate about what is expected: without the wearer's own level, and with
    ceilings: np.ndarray  # (4,) the distances that no lift goes beyond, where the first 1, 2, 3 and 4 channels count
    _product: np.ndarray  # (46, M) float32: what the distances are computed with

    @classmethod
    def of(cls, curve, mean, scale, columns, spreads, ceilings):
        """Of float32 columns (M, 23) that are already in units of `scale` from `mean`."""
        product = np.concatenate([-2 * columns, np.square(columns)], axis=1)
        return cls(curve, mean, scale, columns, spreads, ceilings, np.ascontiguousarray(product.T))

    @classmethod
    def fit(cls, columns, offset, counted, *, curve, at_most, rng):
        """Of columns (N, 23): half of them drawn at random, and the half of the others that are furthest from those.

        offset (N,): bpm by which each one's wearer lies above what is usual; counted (4,): the channels that the data
        hold. The rare moments of normal life, a run or a fright, are few among windows drawn at random, and each of
        them would be an alarm. It lifts nothing before it has `ceilings`. Raises ValueError where a column of these
        channels has no value or there are fewer windows than NEIGHBOURS.
        """
        columns = np.where(_known(counted), columns, 0.0)
        if len(columns) < NEIGHBOURS or np.isnan(columns).any():
            absent = f"{np.isnan(columns).sum()} values absent in them"
            raise ValueError(
                f"{len(columns)} windows of normal life, {absent}: {NEIGHBOURS} at least are wanted, whole"
            )
        spreads = np.array([_above(of, curve).std() for of in (columns, levelled(columns, offset))])
        columns = levelled(columns, offset)
        mean, scale = columns.mean(axis=0), columns.std(axis=0)
        scale[scale < 1e-6] = 1.0
        scaled = ((columns - mean) / scale).astype(np.float32)[rng.permutation(len(columns))]
        drawn, others = np.split(scaled, [at_most // 2])
        fitted = {"curve": curve, "mean": mean, "scale": scale, "spreads": spreads, "ceilings": np.zeros(len(CHANNELS))}
        if len(scaled) > at_most:
            first = cls.of(columns=drawn, **fitted)
            parts = np.array_split(others, 1 + len(others) // _AT_ONCE)
            nearest = np.concatenate([first._squares(part, 1.0)[:, 0] for part in parts])
            others = others[np.argsort(-nearest, kind="stable")[: at_most - len(drawn)]]
        return cls.of(columns=np.concatenate([drawn, others]), **fitted)

    def beneath(self, columns, offset):
        """This one with the ceilings that 99 % of normal columns (N, 23), best of other wearers, stay beneath."""
        counted = np.tril(np.ones((len(CHANNELS), len(CHANNELS)), dtype=bool))
        below = [np.percentile(self.distances(columns, first, offset), _CEILING) for first in counted]
        return replace(self, ceilings=np.nan_to_num(below))

    def evidence(self, columns, counted, offset=0.0, known=False):
        """The evidence (N,) of columns (N, 23) by the channels `counted` (N, 4) or (4,).

        offset: bpm, a number or (N,), by which the wearer's own heart rate lies above what is usual; known: whether
        that is known well, one boolean or (N,).
        """
        distances = self.distances(columns, counted, offset)
        spread = self.spreads[np.asarray(known, dtype=int)]
        raised = np.nan_to_num(_above(columns, self.curve, offset) / spread).clip(0, _MOST_RAISED)
        ceiling = np.where(np.asarray(counted)[..., _STEPS], self.ceilings[np.sum(counted, axis=-1) - 1], 0.0)
        room = np.log(np.maximum(ceiling / np.maximum(distances, _LEAST_ERROR), 1 + 1e-9))
        return distances * np.exp(-room * np.expm1(-_LIFT * raised / room))

    def distances(self, columns, counted, offset=0.0):
        """The mean distances (N,) to the nearest of them; the arguments are those of `evidence`."""
        scaled, known = self._scaled(columns, _known(counted), offset)
        distances = np.empty(len(columns))
        for low in range(0, len(columns), _AT_ONCE):
            batch = slice(low, low + _AT_ONCE)
            distances[batch] = np.sqrt(self._squares(scaled[batch], known[batch]).clip(0)).mean(axis=1)
        return distances

    def shares(self, columns, counted, offset=0.0):
        """The share (4,) of each channel in the evidence of one window's columns (23,); the columns of two share it."""
        known = _known(counted)
        scaled, _ = self._scaled(columns[None], known, offset)
        squares = np.where(known, np.square(scaled[0] - self._nearest(scaled, known)), 0.0)
        by_channel = (squares / NEEDS.sum(axis=1)) @ NEEDS
        return by_channel / max(by_channel.sum(), np.finfo(np.float64).tiny)

    def expected(self, columns, counted, offset=0.0):
        """Heart rate above what is usual (bpm), steps, kcal and m a minute, (4,), as in the nearest windows.

        Those of each channel are the nearest to one window's columns (23,) by all that the other channels tell.
        """
        made = np.empty(len(CHANNELS))
        for channel in range(len(CHANNELS)):
            known = _known(counted) & ~NEEDS[:, channel]
            nearest = self._nearest(*self._scaled(columns[None], known, offset)) * self.scale + self.mean
            made[channel] = plain.means(nearest[: len(plain.NAMES)])[channel]
        made[0] += offset
        return made

    def _nearest(self, scaled, known):
        """The mean (23,) of the nearest to one window's scaled columns (1, 23); normal life's if nothing is known."""
        if not known.any():
            return np.zeros_like(self.mean)
        nearest = np.argpartition(self._products(scaled, known)[0], NEIGHBOURS - 1)[:NEIGHBOURS]
        return self.columns[nearest].mean(axis=0)

    def _scaled(self, columns, known, offset):
        """Columns in this one's units, 0 where they are not known, and what is known."""
        known = np.broadcast_to(known, columns.shape)
        scaled = (levelled(columns, offset) - self.mean) / self.scale
        return np.where(known, scaled, 0.0).astype(np.float32), known

    def _squares(self, scaled, known):
        """Squared distances (N, NEIGHBOURS) to the nearest ones."""
        return np.partition(self._products(scaled, known), NEIGHBOURS - 1, axis=1)[:, :NEIGHBOURS]

    def _products(self, scaled, known):
        """Squared distances (N, M) by what is known: |x|² − 2 x·r + |r|²."""
        known = np.broadcast_to(np.asarray(known, dtype=np.float32), scaled.shape)
        return np.concatenate([scaled, known], axis=1) @ self._product + np.square(scaled).sum(axis=1)[:, None]

    def save(self, path):
        """Write it as an .npz."""
        with open(path, "wb") as stream:
            np.savez(stream, **{name: getattr(self, name) for name in _WRITTEN})

    @classmethod
    def load(cls, path):
        """What `save` wrote. Raises ValueError or KeyError for another file."""
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            return cls.of(*(arrays[name] for name in _WRITTEN))
