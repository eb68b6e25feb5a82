"""The one fit of what is deployed beside the network: usual heart rate, reference windows and limits.

All come from windows of normal life that did not train the autoencoder. A window has one role: others are compared with
it, it gives the limits, or it checks that these hold.

    fit = Fit(describer_of(network, samples, first[compared], ...), samples, channels)
    described = fit.describe(first, wearer)
    reference = fit.reference(described[compared], described[limiting], at_most=4_000, rng=rng)
    limits = fit.limits(reference, described[limiting], (95, 99.9))
"""

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np

from lib.detector import baseline, features, habits, windows
from lib.detector.descriptors import Describer, levelled
from lib.detector.features import CHANNELS
from lib.detector.grid import per_minute
from lib.detector.heart_rate import fit_curve
from lib.detector.neighbours import Reference
from lib.detector.scoring import ScoringInput, WindowScores, score_windows
from lib.training import calibration

COMPARED, LIMITING, CHECKING = range(3)  # the roles of windows
FEWEST_KNOWN = 100  # windows whose wearer's baseline is known: with fewer, there are no limits of their own


@dataclass(frozen=True)
class DescribedWindows:
    """N windows in time order, and what is known of their wearers: arrays of shape (N,).

    Attributes
    ----------
    first : ndarray of int
        The rows of the samples that the windows start at.
    descriptors : ndarray, shape (N, 23)
    faults : ndarray of int
        Of `lib.detector.faults.faults`.
    offset, minutes : ndarray
        bpm of the wearer's baseline before each window, and the still minutes that it rested on.
    wearer : ndarray
        Whose each window is.
    minute : ndarray of int
        The minute that each window starts in.
    fold : ndarray of int
        With few wearers: the day of each window, which is compared with the windows of all other days.
    """

    first: np.ndarray
    descriptors: np.ndarray
    faults: np.ndarray
    offset: np.ndarray
    minutes: np.ndarray
    wearer: np.ndarray
    minute: np.ndarray
    fold: np.ndarray

    @property
    def known(self):
        """Which windows' wearers have a baseline that is known well."""
        return self.minutes >= baseline.KNOWN

    def __len__(self):
        return len(self.first)

    def __getitem__(self, rows):
        return DescribedWindows(*(values[rows] for values in vars(self).values()))


def describer_of(network, samples, first, *, scaler, length, interval_s):
    """The Describer of a network, its usual heart rate fitted to the windows of samples (T, 7) at rows `first`."""
    curve = fit_curve(windows.gather(samples, first, length=length), interval_s=interval_s)
    return Describer(network, scaler, curve, length, interval_s)


@dataclass(frozen=True)
class Fit:
    """The steps of the fit, for one table of samples.

    Attributes
    ----------
    describer : Describer
    samples : ndarray, shape (T, 7)
        Normal life in raw units; NaN for channels that are absent.
    channels : ndarray of bool, shape (7,)
        The features that count.
    map_batches, progress : callable
        Of `Describer.describe`.
    """

    describer: Describer
    samples: np.ndarray
    channels: np.ndarray
    map_batches: Callable = map
    progress: Callable = iter

    def describe(self, first, wearer, *, learns=None, fold=None):
        """Describe windows, and follow each wearer's baseline through them.

        Parameters
        ----------
        first, wearer : ndarray, shape (n_windows,)
            The rows that the windows start at, in time order for each wearer, and whose they are.
        learns : callable, optional
            From the windows' faults to those windows that a baseline may learn from. Default: all.
        fold : ndarray of int, shape (n_windows,), optional
            Of DescribedWindows. Default: all in one.

        Returns
        -------
        DescribedWindows
        """
        loops = {"map_batches": self.map_batches, "progress": self.progress}
        descriptors, faults = self.describer.describe(self.samples, first, counted=self.channels, **loops)
        usable = np.full(len(first), True) if learns is None else learns(faults)
        offset, minutes = baseline.follow(wearer, descriptors, usable, first, interval_s=self.describer.interval_s)
        minute = np.asarray(first) // per_minute(self.describer.interval_s)
        fold = np.zeros(len(first), dtype=int) if fold is None else fold
        return DescribedWindows(
            np.asarray(first), descriptors, faults, offset, minutes, np.asarray(wearer), minute, fold
        )

    def reference(self, compared, limiting, *, at_most, rng, kind=Reference):
        """The reference of at most `at_most` of the windows `compared`, with ceilings of the windows `limiting`."""
        counted, curve = self.channels[: len(CHANNELS)], self.describer.curve
        fold = compared.fold if len(np.unique(compared.fold)) > 1 else None
        options = {"curve": curve, "at_most": at_most, "rng": rng, "wearer": compared.wearer, "fold": fold}
        reference = kind.fit(compared.descriptors, compared.offset, counted, **options)
        level = levels(reference, limiting)
        return reference.with_ceilings(limiting.descriptors, limiting.offset, level, limiting.fold)

    def evidence(self, reference, described, *, known, level=None):
        """The evidence (N,) of whole windows, by the population alone or, if `known`, by each wearer's baseline.

        level : of `levels`, if `known`.
        """
        offset = described.offset if known else np.zeros(len(described))
        counted = self.channels[: len(CHANNELS)]
        return evidence_apart(reference, described.descriptors, described.fold, counted, offset, known, level)

    def evidence_by_channel_set(self, reference, first, sizes, *, offset=0.0, known=False, level=None, fold=None):
        """The evidence of windows cut to fewer samples and channels; each ends where the whole window ends.

        Parameters
        ----------
        reference : Reference
        first : ndarray, shape (n_windows,)
            The rows that the whole windows start at.
        sizes : list of int
            Samples.
        offset, known : float and bool, or ndarrays, shape (n_windows,)
            Of `Reference.evidence`.
        level : pair of ndarray, shape (n_windows, 23), optional
            The same.
        fold : ndarray, shape (n_windows,), optional
            Of DescribedWindows.

        Returns
        -------
        dict of ndarray, shape (n_sizes, n_windows that hold all of the set)
            By channel set.
        """
        sets, offset = features.channel_sets(self.channels), np.broadcast_to(offset, len(first))
        fold = np.zeros(len(first), dtype=int) if fold is None else fold
        whole = windows.whole(self.samples, first, length=self.describer.length)
        holding = {name: whole[:, counted].all(axis=1) for name, counted in sets.items()}
        evidence = {name: np.empty((len(sizes), rows.sum())) for name, rows in holding.items()}
        for name, place in self.progress([(name, place) for name in sets for place in range(len(sizes))]):
            ends = first[holding[name]] + self.describer.length
            window = {"size": np.full(len(ends), sizes[place]), "counted": sets[name], "map_batches": self.map_batches}
            descriptors, _ = self.describer.describe(self.samples, ends - sizes[place], **window)
            counted = sets[name][: len(CHANNELS)]
            rows = holding[name]
            own = level and tuple(values[rows] for values in level)
            evidence[name][place] = evidence_apart(
                reference, descriptors, fold[rows], counted, offset[rows], known, own
            )
        return evidence

    def limits(self, reference, limiting, percentiles, *, short=slice(None), sizes=None):
        """The limits for every size and channel set, without and with a known baseline.

        Parameters
        ----------
        reference : Reference
        limiting : DescribedWindows
        percentiles : pair of float
            Of the evidence: scores 0.3 and 0.7.
        short : ndarray, optional
            Which of the windows also give the limits of fewer samples and channels. Default: all.
        sizes : list of int, optional
            Numbers of samples. Default: those of `calibration.sizes`.

        Returns
        -------
        dict
            Of `calibration.calibrate`. Limits for a known baseline are there if FEWEST_KNOWN windows have one.
        """
        sizes = sizes or calibration.sizes(self.describer.length)
        threshold_percentile = percentiles[0]
        whole, own = self.evidence(reference, limiting, known=False), None
        by_set = self.evidence_by_channel_set(reference, limiting.first[short], sizes, fold=limiting.fold[short])
        drawn = np.zeros(len(limiting), dtype=bool)
        drawn[short] = True
        if (drawn & limiting.known).sum() >= FEWEST_KNOWN:
            own = self._own_evidence(reference, limiting, drawn, sizes, threshold_percentile)
        return calibration.calibrate(by_set, whole, sizes=sizes, percentiles=percentiles, own=own)

    def personal(self, reference, described, limits):
        """What was known of each window's wearer before it: keyword arguments of `scoring.ScoringInput`."""
        number = len(described)
        if "own" not in limits:
            return {"offset": np.zeros(number), "known": np.zeros(number, dtype=bool)}
        level, known, ratio = levels(reference, described), described.known, np.full(number, habits.UNKNOWN)
        threshold = next(iter(limits["own"].values()))["threshold"][-1]
        ratios = self.evidence(reference, described, known=True, level=level)[known] / threshold
        ratio[known] = habits.limit_ratios_so_far(ratios, described.wearer[known], described.minute[known])
        population = reference.mean, reference.scale
        level = tuple(np.where(known[:, None], *pair) for pair in zip(level, population, strict=True))
        return {"offset": described.offset, "known": known, "level": level, "limit_ratio": ratio}

    def score(self, reference, described, limits, *, baselines):
        """The WindowScores of whole windows, each compared with all folds but its own, with or without baselines."""
        personal = {"limit_ratio": np.full(len(described), habits.UNKNOWN if "own" in limits else 1.0)}
        if baselines:
            personal = self.personal(reference, described, limits)
        scores = {field.name: np.empty(len(described)) for field in fields(WindowScores)}
        name, counted = next(iter(features.channel_sets(self.channels).items()))
        whole = {"counted": counted, "channel_set": name, "size": self.describer.length}
        for others, places in reference.apart(described.fold):
            own = {key: values[places] for key, values in personal.items() if key != "level"}
            if "level" in personal:
                own["level"] = tuple(values[places] for values in personal["level"])
            faults, descriptors = described.faults[places], described.descriptors[places]
            result = score_windows(others, limits, ScoringInput(descriptors, faults, **whole, **own))
            for key, values in scores.items():
                values[places] = getattr(result, key)
        return WindowScores(**scores)

    def _own_evidence(self, reference, limiting, drawn, sizes, percentile):
        """The evidence of known wearers' windows over their limit ratios: by channel set, and of whole windows."""
        level = levels(reference, limiting)
        evidence = self.evidence(reference, limiting, known=True, level=level)
        ratio = own_limit_ratios(evidence, limiting, percentile)
        known = limiting.known & drawn
        rows = {"offset": limiting.offset[known], "known": True, "level": tuple(values[known] for values in level)}
        rows["fold"] = limiting.fold[known]
        by_set = self.evidence_by_channel_set(reference, limiting.first[known], sizes, **rows)
        whole = windows.whole(self.samples, limiting.first[known], length=self.describer.length)
        holding = {
            name: whole[:, counted].all(axis=1) for name, counted in features.channel_sets(self.channels).items()
        }
        by_set = {name: values / ratio[known][holding[name]] for name, values in by_set.items()}
        return by_set, (evidence / ratio)[limiting.known]


def evidence_apart(reference, descriptors, fold, counted, offset, known, level=None):
    """The evidence (N,) of windows, each compared with the reference windows of all folds but its own."""
    evidence = np.empty(len(descriptors))
    for others, places in reference.apart(fold):
        own = {} if level is None else {"level": tuple(values[places] for values in level)}
        evidence[places] = others.evidence(descriptors[places], counted, offset[places], known, **own)
    return evidence


def levels(reference, described):
    """Each window's wearer's own means and spreads, as they were known before it: (N, 23) each."""
    values = levelled(described.descriptors, described.offset)
    return habits.levels_so_far(values, described.wearer, described.minute, reference.mean, reference.scale)


def own_limit_ratios(evidence, described, percentile, *, rounds=3):
    """Each window's wearer's limit ratio (N,) as it was known before it, of evidence (N,) by known wearers' own levels.

    It is taken from the threshold, which in turn is a percentile of evidence over the limit ratio: a few rounds settle.
    """
    known = described.known
    ratio = np.ones(len(evidence))
    for _ in range(rounds):
        threshold = np.percentile((evidence / ratio)[known], percentile)
        places = np.flatnonzero(known)
        ratio[places] = habits.limit_ratios_so_far(
            evidence[known] / threshold, described.wearer[known], described.minute[known]
        )
    return ratio
