"""The one fit of what is deployed beside the network: usual heart rate, reference windows and limits.

All come from windows of normal life that did not train the autoencoder. A window has one role: others are compared with
it, it gives the limits, or it checks that these hold.

    fit = Fit(describer_of(network, samples, first[compared], ...), samples, channels)
    described = fit.describe(first, wearer)
    reference = fit.reference(described[compared], described[limiting], at_most=4_000, rng=rng)
    limits = fit.limits(reference, described[limiting], (95, 99.9))
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lib.detector import baseline, features, windows
from lib.detector.descriptors import Describer
from lib.detector.features import CHANNELS
from lib.detector.heart_rate import fit_curve
from lib.detector.neighbours import Reference
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
    """

    first: np.ndarray
    descriptors: np.ndarray
    faults: np.ndarray
    offset: np.ndarray
    minutes: np.ndarray

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

    def describe(self, first, wearer, *, learns=None):
        """Describe windows, and follow each wearer's baseline through them.

        Parameters
        ----------
        first, wearer : ndarray, shape (n_windows,)
            The rows that the windows start at, in time order for each wearer, and whose they are.
        learns : callable, optional
            From the windows' faults to those windows that a baseline may learn from. Default: all.

        Returns
        -------
        DescribedWindows
        """
        loops = {"map_batches": self.map_batches, "progress": self.progress}
        descriptors, faults = self.describer.describe(self.samples, first, counted=self.channels, **loops)
        usable = np.full(len(first), True) if learns is None else learns(faults)
        offset, minutes = baseline.follow(wearer, descriptors, usable, first, interval_s=self.describer.interval_s)
        return DescribedWindows(np.asarray(first), descriptors, faults, offset, minutes)

    def reference(self, compared, limiting, *, at_most, rng, kind=Reference):
        """The reference of at most `at_most` of the windows `compared`, with ceilings of the windows `limiting`."""
        counted, curve = self.channels[: len(CHANNELS)], self.describer.curve
        reference = kind.fit(compared.descriptors, compared.offset, counted, curve=curve, at_most=at_most, rng=rng)
        return reference.with_ceilings(limiting.descriptors, limiting.offset)

    def evidence(self, reference, described, *, known):
        """The evidence (N,) of whole windows, by the population alone or, if `known`, by each wearer's baseline."""
        offset = described.offset if known else 0.0
        return reference.evidence(described.descriptors, self.channels[: len(CHANNELS)], offset, known)

    def evidence_by_channel_set(self, reference, first, sizes, *, offset=0.0, known=False):
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

        Returns
        -------
        dict of ndarray, shape (n_sizes, n_windows that hold all of the set)
            By channel set.
        """
        sets, offset = features.channel_sets(self.channels), np.broadcast_to(offset, len(first))
        whole = windows.whole(self.samples, first, length=self.describer.length)
        holding = {name: whole[:, counted].all(axis=1) for name, counted in sets.items()}
        evidence = {name: np.empty((len(sizes), rows.sum())) for name, rows in holding.items()}
        for name, place in self.progress([(name, place) for name in sets for place in range(len(sizes))]):
            ends = first[holding[name]] + self.describer.length
            window = {"size": np.full(len(ends), sizes[place]), "counted": sets[name], "map_batches": self.map_batches}
            descriptors, _ = self.describer.describe(self.samples, ends - sizes[place], **window)
            counted = sets[name][: len(CHANNELS)]
            evidence[name][place] = reference.evidence(descriptors, counted, offset[holding[name]], known)
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
        drawn = limiting[short]
        known, own = drawn[drawn.known], None
        by_set = self.evidence_by_channel_set(reference, drawn.first, sizes)
        if len(known) >= FEWEST_KNOWN:
            baselines = {"offset": known.offset, "known": True}
            whole_known = self.evidence(reference, limiting[limiting.known], known=True)
            own = (self.evidence_by_channel_set(reference, known.first, sizes, **baselines), whole_known)
        whole = self.evidence(reference, limiting, known=False)
        return calibration.calibrate(by_set, whole, sizes=sizes, percentiles=percentiles, own=own)
