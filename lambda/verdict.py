"""Score each wearer's readings: put them on the grid, let the detector score the samples, map scores to readings."""

from dataclasses import dataclass, field

import numpy as np

from lib.detector import grid, histograms, scoring
from lib.detector.baseline import Baseline
from lib.detector.features import calendar
from lib.detector.persistence import IN_A_ROW

MAX_SPACING = 3  # times the model's interval: the model was trained on nothing sparser
_DAY_S = 86_400
_OFF_WRIST = "off the wrist: heartRate is 0"
_LATER_OFF_WRIST = "off the wrist, as a later reading of the same instant says"
_FAULTS = {  # of the sensors: why a window has no score
    grid.STUCK: f"stuck sensor: the heart rate has hardly moved for {grid.STUCK_S / 60:g} minutes",
    grid.IMPLAUSIBLE: "implausible counters: more steps, calories or metres at once than a body can do",
}


@dataclass(frozen=True)
class Verdict:
    """The outcome for one wearer's N readings."""

    scores: np.ndarray  # (N,) in 0..1; NaN without a score
    unscored: list  # (N,) why there is no score, or None
    error_ratio: np.ndarray = field(default_factory=lambda: np.empty(0))  # (windows,) evidence over the threshold
    n_samples: int = 0  # in the longest window
    n_readings: int = 0  # behind that window
    channel_set: str = ""
    reasons: list = field(default_factory=list)  # of an alert
    baseline: Baseline | None = None  # the wearer's, after these readings
    sustained: np.ndarray = field(default_factory=lambda: np.zeros(len(IN_A_ROW)))  # of `_sustained`
    counts: dict = field(default_factory=dict)  # of `histograms.count`
    alert: bool = False  # enough windows reach the alert level
    new_seconds: float = 0.0  # of `_new_seconds`


@dataclass(frozen=True)
class GriddedReadings:
    """One wearer's N readings as T samples on the grid. Without `samples`, `unscored` is the final Verdict."""

    unscored: Verdict
    baseline: Baseline | None = None  # the wearer's, before these readings
    samples: np.ndarray | None = None  # (T, 7)
    segment: np.ndarray | None = None  # (T,)
    seconds: np.ndarray | None = None  # (T,)
    index: np.ndarray | None = None  # (T,) place in the request of the reading behind a sample
    usable: np.ndarray | None = None  # places among the N readings of those without an error
    rows: np.ndarray | None = None  # the sample of each usable reading
    timed: bool = False  # whether `seconds` are those of a clock


def verdicts_of(wearers, detector):
    """Score all wearers' windows together.

    Parameters
    ----------
    wearers : list of Readings
    detector : Detector

    Returns
    -------
    list of Verdict
        One for each wearer.
    """
    gridded = [_gridded(readings, detector) for readings in wearers]
    batches = [(one.samples, one.segment, one.rows, one.baseline) for one in gridded if one.samples is not None]
    scored = iter(detector.score_each(batches) if batches else [])
    return [_verdict(one, next(scored), detector) if one.samples is not None else one.unscored for one in gridded]


def _gridded(readings, detector):
    """Put a wearer's readings in time order and on the grid."""
    no_scores = np.full(len(readings.errors), np.nan)
    usable = np.flatnonzero([error is None for error in readings.errors])
    unscored = [None] * len(no_scores)
    if not len(usable):
        return GriddedReadings(Verdict(no_scores, unscored, baseline=readings.baseline))
    order = _time_order(readings)
    if (spacing := _median_spacing(readings.seconds[order])) > MAX_SPACING * detector.interval_s:
        unscored = [_too_sparse(spacing, detector)] * len(no_scores)
        return GriddedReadings(Verdict(no_scores, unscored, baseline=readings.baseline))
    samples, resampled = _samples(readings, order, detector.interval_s)
    worn = ~np.isnan(resampled.heart_rate)
    seconds = resampled.seconds[worn]
    rows, is_worn = _rows_of(readings.seconds[usable], seconds, detector.interval_s)
    is_worn &= ~np.isnan(readings.heart_rate[usable])
    for place in usable[~is_worn]:
        unscored[place] = _OFF_WRIST if np.isnan(readings.heart_rate[place]) else _LATER_OFF_WRIST
    if not is_worn.any():
        return GriddedReadings(Verdict(no_scores, unscored, baseline=readings.baseline))
    return GriddedReadings(
        unscored=Verdict(no_scores, unscored),
        baseline=readings.baseline,
        samples=samples[worn],
        segment=resampled.segment[worn],
        seconds=seconds,
        index=readings.index[order][resampled.row[worn]],
        usable=usable[is_worn],
        rows=rows[is_worn],
        timed=not np.isnan(readings.clock_offset).all(),
    )


def _time_order(readings):
    """The places of the readings to put on the grid, in time order; of several at one instant, the last sent."""
    order = np.flatnonzero(readings.countable)
    order = order[np.argsort(readings.seconds[order], kind="stable")]
    seconds = readings.seconds[order]
    return order[np.append(seconds[1:] > seconds[:-1], True)]


def _median_spacing(seconds):
    if len(seconds) < 2:
        return 0.0
    return np.sort(seconds[1:] - seconds[:-1])[len(seconds) // 2 - 1]


def _rows_of(reading_s, sample_s, interval_s):
    """For readings at `reading_s`, the rows of their samples, and whether there is such a sample.

    A sample is missing where a later reading of the same instant has no heart rate.
    """
    cell = np.ceil(reading_s / interval_s) * interval_s
    rows = np.searchsorted(sample_s, cell)
    return rows, np.append(sample_s, np.nan)[rows] == cell


def _verdict(gridded, scored, detector):
    """The Verdict on one wearer's readings from the Scored of their samples."""
    scores, unscored = gridded.unscored.scores.copy(), gridded.unscored.unscored.copy()
    scores[gridded.usable] = scored.by_sample
    for place, fault in zip(gridded.usable, scored.faults[scored.window], strict=True):
        unscored[place] = _FAULTS.get(fault)
    error_ratio = scored.error_ratio[~np.isnan(scored.scores)]
    alerting = _alerting(scored, gridded, detector)
    interval_s = detector.interval_s
    longest = int(np.argmax(scored.size))
    first, size = scored.first[longest], int(scored.size[longest])
    return Verdict(
        scores=scores,
        unscored=unscored,
        error_ratio=error_ratio,
        n_samples=size,
        n_readings=int(((gridded.rows >= first) & (gridded.rows < first + size)).sum()),
        channel_set=scored.channel_set,
        reasons=_reasons(scored, alerting, gridded, detector),
        baseline=_learned(scored, gridded, detector),
        sustained=_sustained(_alert_ratios(scored, gridded.segment)),
        counts=histograms.count(
            detector.population, gridded.samples, gridded.segment, error_ratio, interval_s=interval_s
        ),
        alert=bool(alerting.any()),
        new_seconds=_new_seconds(gridded, scored.by_sample, detector),
    )


def _learned(scored, gridded, detector):
    """The wearer's Baseline after these windows; None where none can be carried."""
    if gridded.baseline is None:
        return None
    end_s = gridded.seconds[scored.first + scored.size - 1] if gridded.timed else None
    windows = {name: getattr(scored, name) for name in ("first", "descriptors", "error_ratio", "learns")}
    return detector.learned(gridded.baseline, scored.personal, end_s=end_s, **windows)


def _new_seconds(gridded, scores, detector):
    """Seconds of life that were scored for the first time, as far as one request can tell.

    If there are more samples than a window has, the first window less one sample is taken to be from the batch before,
    as the README advises.
    """
    repeated = detector.sequence_length - 1 if len(gridded.samples) > detector.sequence_length else 0
    rows, place = np.unique(gridded.rows, return_index=True)
    new = rows >= repeated
    samples = np.diff(rows[new], prepend=repeated - 1)
    return detector.interval_s * float(samples[~np.isnan(scores[place[new]])].sum())


def _alerting(scored, gridded, detector):
    """Which windows (N,) alert: they reach the level, and so do enough before them."""
    end_s, segment = gridded.seconds[scored.first + scored.size - 1], gridded.segment[scored.first]
    return detector.persistence.lasting(scored.scores, end_s, segment) >= scoring.ALERT


def _alert_ratios(scored, segment):
    """Each window's evidence over the alert level, 0 without a score, and a 0 between segments."""
    ratios = np.where(np.isnan(scored.scores), 0.0, scored.alert_ratio)
    return np.insert(ratios, np.flatnonzero(np.diff(segment[scored.first])) + 1, 0.0)


def _sustained(ratios):
    """For each number in IN_A_ROW: the highest ratio that as many consecutive windows all reach.

    ratios : (N,) in time order. A number above N gets 0.
    """
    sustained = np.zeros(len(IN_A_ROW))
    lowest, consecutive = ratios, 1  # the minimum of that many windows from each window on
    for place, number in enumerate(IN_A_ROW):
        if number > len(ratios):
            break
        for step in range(consecutive, number):
            lowest = np.minimum(lowest[:-1], ratios[step:])
        sustained[place], consecutive = lowest.max(), number
    return sustained


def _samples(readings, order, interval_s):
    """The seven features (T, 7) on the grid, and the Grid, of the readings at `order`, which are in time order.

    A single reading of cumulative counters does not tell their growth.
    """
    counters, before = readings.counters[order], None
    if not readings.cumulative:
        totals, before = np.cumsum(counters, axis=0), np.zeros(counters.shape[1])
    elif len(order) > 1:
        day = np.nan_to_num((readings.seconds + readings.clock_offset)[order] // _DAY_S)
        totals = np.column_stack([grid.totals(column, day) for column in counters.T])
    else:
        totals = np.full(counters.shape, np.nan)
    resampled = grid.resample(
        readings.seconds[order], readings.heart_rate[order], totals, interval_s=interval_s, before=before
    )
    dates = readings.calendar[order[resampled.row]]
    by_clock = np.isnan(dates[:, 0])  # at the sample's moment, not at the reading's
    dates[by_clock] = calendar(resampled.seconds[by_clock] + readings.clock_offset[order[resampled.row[by_clock]]])
    return np.column_stack([resampled.heart_rate, resampled.amounts, dates]), resampled


def _reasons(scored, alerting, gridded, detector):
    """Why the highest-scoring window that alerts does so; `from` and `to` are places in the request."""
    if not alerting.any():
        return []
    top = int(np.argmax(np.where(alerting, scored.scores, -1.0)))
    first, size = int(scored.first[top]), int(scored.size[top])
    return [
        {
            "index": int(gridded.index[first + size - 1]),
            "feature": reason["feature"],
            "observed": round(reason["observed"], 1),
            "expected": round(reason["expected"], 1),
            "unit": reason["unit"],
            "share": round(reason["share"], 3),
            "from": int(gridded.index[reason["begin"]]),
            "to": int(gridded.index[reason["end"]]),
        }
        for reason in detector.explain(gridded.samples, first, size, scored.personal, scored.descriptors[top])
    ]


def _too_sparse(spacing, detector):
    largest = MAX_SPACING * detector.interval_s
    return (
        f"readings are {spacing:g} s apart; the model reads one every {detector.interval_s:g} s, {largest:g} s at most"
    )
