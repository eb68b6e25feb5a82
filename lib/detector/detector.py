"""The detector as it is deployed: an export folder in, scores of samples out. NumPy and onnxruntime alone."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from lib.detector import baseline, export_folder, faults, features, scoring, windows
from lib.detector.descriptors import HEART_RATE, Describer, levelled, still
from lib.detector.habits import UNKNOWN, once_a_minute
from lib.detector.heart_rate import usual
from lib.detector.neighbours import Reference
from lib.detector.persistence import Persistence
from lib.detector.reasons import reasons
from lib.detector.scoring import ScoringInput

_STEPS = features.FEATURES.index("steps")


@dataclass(frozen=True)
class Scored:
    """The scores of T samples, and of the N windows that give them.

    Attributes
    ----------
    scores, error_ratio, alert_ratio : ndarray, shape (N,)
        Of `scoring.WindowScores`.
    faults : ndarray of int, shape (N,)
        Of `lib.detector.faults.faults`.
    first, size : ndarray, shape (N,)
        Each window's first row, and how many samples it rests on.
    window : ndarray, shape (T,)
        The window that gives each sample, or each of the rows asked for, its score.
    channel_set : str
        The name of the channel set that was scored.
    descriptors : ndarray, shape (N, 23)
    learns : ndarray of bool, shape (N,)
        Of `teaching`, whole windows alone.
    personal : Personal
        What was known of the wearer.
    """

    scores: np.ndarray
    error_ratio: np.ndarray
    alert_ratio: np.ndarray
    faults: np.ndarray
    first: np.ndarray
    size: np.ndarray
    window: np.ndarray
    channel_set: str
    descriptors: np.ndarray
    learns: np.ndarray
    personal: "Personal"

    def __repr__(self):
        return f"<Scored {len(self.window)} samples by {len(self.scores)} windows, {self.channel_set}>"

    @property
    def by_sample(self):
        """Each sample's score, (T,)."""
        return self.scores[self.window]


@dataclass(frozen=True)
class Personal:
    """What is known of one wearer.

    Attributes
    ----------
    offset : float
        bpm by which their resting heart rate lies above the usual one.
    known : bool
        Whether the baseline is known well.
    level : pair of ndarray, shape (23,), or None
        Their own means and spreads, of `Habits.level`. None: the population's.
    limit_ratio : float
        By how much their limits lie above the population's.
    """

    offset: float = 0.0
    known: bool = False
    level: tuple | None = None
    limit_ratio: float = 1.0


def stacked(personal, numbers):
    """Keyword arguments of `ScoringInput` for wearers with so many windows each."""
    own = {
        name: np.repeat([getattr(one, name) for one in personal], numbers)
        for name in ("offset", "known", "limit_ratio")
    }
    levels = [one.level for one in personal if one.level is not None]
    if not levels:
        return own
    return own | {"level": tuple(np.repeat(rows, numbers, axis=0) for rows in zip(*levels, strict=True))}


def teaching(scores, known):
    """Which windows (N,) a baseline may learn from: those with a score and, of a wearer who is known, without alert.

    All of a new wearer's windows teach: a strange watch alerts until it is known.
    """
    return ~np.isnan(scores) & ((scores < scoring.ALERT) | ~np.asarray(known))


@dataclass(frozen=True)
class Detector:
    """A model, its calibration, and what its windows are compared with."""

    describer: Describer
    reference: Reference
    calibration: dict
    channels: np.ndarray  # (7,) booleans: the features that count
    run: str
    sha256: str  # of the network
    population: dict = field(default_factory=dict)  # of `histograms.fit`: the bins in which the log counts
    persistence: Persistence = Persistence()  # how many windows an alert takes

    def __repr__(self):
        return f"<Detector of run {self.run!r}, windows of {self.sequence_length} samples, {self.interval_s:g} s apart>"

    @property
    def sequence_length(self):
        """Samples in a window."""
        return self.describer.length

    @property
    def interval_s(self):
        """Seconds from one sample to the next."""
        return self.describer.interval_s

    @classmethod
    def load(cls, folder):
        """The detector of an export folder. Raises DamagedModel naming the file that is missing or changed."""
        model, describer, reference = export_folder.read(folder)
        try:
            return cls(
                describer=describer,
                reference=reference,
                calibration=model["calibration"],
                channels=np.array(model["channels"], dtype=bool),
                run=str(model["run"]),
                sha256=model["files"][export_folder.NETWORK],
                population=dict(model.get("population", {})),
                persistence=Persistence.of(model["calibration"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise export_folder.DamagedModel(export_folder.MODEL, f"is incomplete ({error})") from error

    def score(self, samples, segment, rows=None, own=None):
        """Score one wearer's samples.

        A sample's score is that of the window that ends at it. Samples before a segment's first full window share that
        window's score.

        Parameters
        ----------
        samples : ndarray, shape (T, 7)
            In raw units; NaN for a channel that is absent throughout.
        segment : ndarray, shape (T,)
            Changes at each hole.
        rows : ndarray of int, optional
            The samples whose scores are asked for. Default: all.
        own : Baseline, optional
            The wearer's.

        Returns
        -------
        Scored
        """
        return self.score_each([(samples, segment, rows, own)])[0]

    def score_each(self, wearers):
        """A Scored for each of the wearers' (samples, segment, rows, own), which are the parameters of `score`.

        Their windows share the forward passes: as fast for many wearers with few windows as for one with many.
        """
        sets = [self.channel_set(samples) for samples, *_ in wearers]
        closing = [_windows_of(rows, segment, length=self.sequence_length) for _, segment, rows, _ in wearers]
        personal = [self.personal(own, counted) for (_, counted), (*_, own) in zip(sets, wearers, strict=True)]
        numbers = [len(first) for first, _, _ in closing]
        begin = np.cumsum([0, *(len(samples) for samples, *_ in wearers)])[:-1]
        samples = np.concatenate([samples for samples, *_ in wearers])
        first = np.concatenate([first + row for (first, _, _), row in zip(closing, begin, strict=True)])
        size = np.concatenate([size for _, size, _ in closing])
        counted = np.repeat([counted for _, counted in sets], numbers, axis=0)
        own = stacked(personal, numbers)
        descriptors, fault = self.describer.describe(samples, first, size=size, counted=counted)
        names = np.repeat([name for name, _ in sets], numbers)
        scored = self.score_windows(ScoringInput(descriptors, fault, counted, names, size, **own))
        learns = teaching(scored.scores, own["known"]) & (size == self.sequence_length) & counted[:, _STEPS]
        ends = np.cumsum(numbers)
        spans = [slice(end - number, end) for end, number in zip(ends, numbers, strict=True)]
        return [
            Scored(
                scored.scores[span],
                scored.error_ratio[span],
                scored.alert_ratio[span],
                fault[span],
                *windows_of_wearer,
                name,
                descriptors[span],
                learns[span],
                one,
            )
            for span, (name, _), windows_of_wearer, one in zip(spans, sets, closing, personal, strict=True)
        ]

    def score_windows(self, windows):
        """The WindowScores of a ScoringInput by this detector's reference and calibration: the one path to a score."""
        return scoring.score_windows(self.reference, self.calibration, windows)

    def score_rebuilt(self, raw, scaled, rebuilt, *, size, channel_set=None, own=None):
        """Score windows that any engine rebuilt: what formats and engines are compared by.

        Parameters
        ----------
        raw, scaled, rebuilt : ndarray, shape (n_windows, length, 7)
            Of `Describer.rebuild`.
        size : ndarray, shape (n_windows,)
        channel_set : str, optional
            Default: the largest.
        own : Baseline, optional

        Returns
        -------
        WindowScores
        """
        name = channel_set or next(iter(self._sets))
        counted = self._sets[name]
        descriptors = self.describer.describe_rebuilt(raw, scaled, rebuilt, size)
        fault = faults.faults(raw, interval_s=self.interval_s, counted=counted, size=size)
        personal = vars(self.personal(own, counted))
        return self.score_windows(ScoringInput(descriptors, fault, counted, name, size, **personal))

    def personal(self, own, counted):
        """The Personal of a Baseline, or of None, where windows count the features `counted` (7,)."""
        if "own" not in self.calibration:
            return Personal()
        population = self.reference.mean, self.reference.scale
        if own is None or not counted[_STEPS] or own.total < baseline.KNOWN:
            offset = own.offset if own is not None and counted[_STEPS] else 0.0
            return Personal(offset, level=population, limit_ratio=UNKNOWN)
        return Personal(own.offset, True, own.habits.level(*population), own.habits.limit_ratio)

    def learned(self, own, personal, *, first, descriptors, error_ratio, learns, end_s=None):
        """A Baseline that has learned from windows, at most one a minute.

        Parameters
        ----------
        own : Baseline
        personal : Personal
            What it told of the wearer when the windows were scored.
        first, error_ratio : ndarray, shape (n_windows,)
        descriptors : ndarray, shape (n_windows, 23)
        learns : ndarray of bool, shape (n_windows,)
            Which windows may be learned from.
        end_s : ndarray, shape (n_windows,), optional
            Unix seconds of the windows' last samples; None without timestamps.

        Returns
        -------
        Baseline
        """

        def learn_habits(habits, minute, new):
            usable = np.flatnonzero(learns & new)
            once = usable[once_a_minute(minute[usable])]
            ratios = error_ratio[once] * personal.limit_ratio if personal.known else np.empty(0)
            values = levelled(descriptors[once], personal.offset)
            return habits.learned(values, ratios, self.reference.mean, self.reference.scale)

        resting = np.where(still(descriptors) & learns, descriptors[:, HEART_RATE], np.nan)
        learn = learn_habits if "own" in self.calibration else None
        return own.updated(first, resting, interval_s=self.interval_s, end_s=end_s, learn_habits=learn)

    def explain(self, samples, first, size, personal=None, descriptors=None):
        """Why a window is unusual.

        Parameters
        ----------
        samples : ndarray, shape (T, 7)
        first, size : int
            The window's first row, and how many samples it rests on.
        personal : Personal, optional
            What is known of the wearer.
        descriptors : ndarray, shape (23,), optional
            The window's, where it was scored already: spares a forward pass.

        Returns
        -------
        list of dict
            Of `lib.detector.reasons.reasons`; stretches are rows of `samples`.
        """
        _, counted = self.channel_set(samples)
        observed = samples[first : first + size]
        if descriptors is None:
            window = {"size": np.array([size]), "counted": counted}
            descriptors = self.describer.describe(samples, np.array([first]), **window)[0][0]
        expected, squares = self._expectation(descriptors, observed, counted, personal or Personal())
        causes = reasons(observed, expected, squares, interval_s=self.interval_s)
        return [{**cause, "begin": first + cause["begin"], "end": first + cause["end"]} for cause in causes]

    def _expectation(self, descriptors, observed, counted, personal):
        """What is expected of a window's samples, and their squared distance from it: (n, 7) each.

        A channel's squares sum up to its share in the evidence.
        """
        known = counted[: len(features.CHANNELS)]
        own = {} if personal.level is None else {"level": personal.level}
        means = self.reference.expected(descriptors, known, personal.offset, **own)
        means[0] += usual(observed[-1:], self.reference.curve)[0]
        means[1:] *= self.interval_s / 60  # from a minute to a sample
        expected, squares = observed.copy(), np.zeros(observed.shape)
        expected[:, : len(means)] = means
        channels = known.nonzero()[0]
        squares[:, channels] = np.square(observed - expected)[:, channels]
        total = np.maximum(squares.sum(axis=0), np.finfo(np.float64).tiny)
        squares[:, : len(means)] *= (
            self.reference.shares(descriptors, known, personal.offset, **own) / total[: len(means)]
        )
        return expected, squares

    def channel_set(self, samples):
        """The name of the largest channel set that samples (T, 7) hold in full, and the features (7,) it counts."""
        complete = ~np.isnan(samples).any(axis=0)
        return next((name, counted) for name, counted in self._sets.items() if complete[counted].all())

    @cached_property
    def _sets(self):
        return features.channel_sets(self.channels)


def _windows_of(rows, segment, *, length):
    """The windows that give these rows their scores, by first row and size, and which of them each row's is."""
    first, size = windows.closing(segment, length=length)
    if rows is None:
        rows = np.arange(len(segment))
    used, window = np.unique(np.searchsorted(first + size - 1, rows), return_inverse=True)
    return first[used], size[used], window
