"""What each wearer's readings are worth: laid on the grid, scored by the detector, and back to the readings."""

from dataclasses import dataclass, field

import numpy as np

from lib.detector import grid, histograms, scoring
from lib.detector.baseline import Baseline
from lib.detector.features import calendar
from lib.detector.persistence import IN_A_ROW

MOST_SPACING = 3  # times the model's interval: readings further apart are not what it learned from
_DAY_S = 86_400
_OFF_WRIST = "off the wrist, as a later reading of the same instant says"
_FAULTS = {  # of the sensors: why a window has no score
    grid.STUCK: f"stuck sensor: the heart rate has hardly moved for {grid.STUCK_S / 60:g} minutes",
    grid.IMPLAUSIBLE: "implausible counters: more steps, calories or metres at once than a body can do",
}


@dataclass(frozen=True)
class Verdict:
    """What one wearer's N readings got."""

    scores: np.ndarray  # (N,) NaN for none
    why: list  # (N,) why there is none, or None
    excess: np.ndarray = field(default_factory=lambda: np.empty(0))  # (windows,) each window's error over its threshold
    rests_on: int = 0  # samples in the longest window
    readings: int = 0  # of which that window was made
    channel_set: str = ""
    reasons: list = field(default_factory=list)
    own: Baseline | None = None  # the wearer's baseline after these readings
    held: np.ndarray = field(default_factory=lambda: np.zeros(len(IN_A_ROW)))  # of `_held`
    counts: dict = field(default_factory=dict)  # of `population.count`
    alert: bool = False  # whether enough windows reach the level
    seconds: float = 0.0  # of `_newly_scored`


@dataclass(frozen=True)
class Laid:
    """One wearer's N readings on the grid; or, where none is to be scored, the Verdict `without` scores."""

    without: Verdict
    own: Baseline | None = None  # the wearer's, before these readings
    samples: np.ndarray | None = None  # (T, 7)
    segment: np.ndarray | None = None  # (T,)
    seconds: np.ndarray | None = None  # (T,)
    index: np.ndarray | None = None  # (T,) the place in the request of the reading a sample rests on
    usable: np.ndarray | None = None  # which of the N readings have no error
    rows: np.ndarray | None = None  # the sample of each of those


def verdicts_of(wearers, detector):
    """A Verdict for each wearer's Readings, all of whose windows are scored together."""
    laid = [_laid(readings, detector) for readings in wearers]
    asked = [(lay.samples, lay.segment, lay.rows, lay.own) for lay in laid if lay.samples is not None]
    scored = iter(detector.score_each(asked) if asked else [])
    return [_verdict(lay, next(scored), detector) if lay.samples is not None else lay.without for lay in laid]


def _laid(readings, detector):
    """A wearer's readings in time order and on the grid: a Laid."""
    nothing = np.full(len(readings.errors), np.nan)
    usable = np.flatnonzero([error is None for error in readings.errors])
    if not len(usable):
        return Laid(Verdict(nothing, [None] * len(nothing), own=readings.own))
    why = [None] * len(nothing)
    order = np.flatnonzero(readings.counts)
    order = order[np.argsort(readings.seconds[order], kind="stable")]
    moments = readings.seconds[order]
    order = order[np.append(moments[1:] > moments[:-1], True)]  # of readings of one instant, the last
    moments = readings.seconds[order]
    spacing = np.sort(moments[1:] - moments[:-1])[len(order) // 2 - 1] if len(order) > 1 else 0.0  # the median
    if spacing > MOST_SPACING * detector.interval_s:
        return Laid(Verdict(nothing, [_too_sparse(spacing, detector)] * len(nothing), own=readings.own))
    samples, on_grid = _samples(readings, order, detector.interval_s)
    worn = ~np.isnan(on_grid.heart_rate)
    seconds = on_grid.seconds[worn]
    cell = np.ceil(readings.seconds[usable] / detector.interval_s) * detector.interval_s
    rows = np.searchsorted(seconds, cell)
    there = np.append(seconds, np.nan)[rows] == cell  # all, unless a later reading of one's instant has no heart rate
    for index in usable[~there]:
        why[index] = _OFF_WRIST
    if not there.any():
        return Laid(Verdict(nothing, why, own=readings.own))
    return Laid(
        without=Verdict(nothing, why),
        own=readings.own,
        samples=samples[worn],
        segment=on_grid.segment[worn],
        seconds=seconds,
        index=readings.index[order][on_grid.row[worn]],
        usable=usable[there],
        rows=rows[there],
    )


def _verdict(laid, scored, detector):
    """What a wearer's readings got, of the Scored of the samples they were laid to."""
    scores, why = laid.without.scores.copy(), laid.without.why.copy()
    scores[laid.usable] = scored.by_sample
    for index, fault in zip(laid.usable, scored.faults[scored.window], strict=True):
        why[index] = _FAULTS.get(fault)
    kept = scored.error_ratio[~np.isnan(scored.scores)]
    alerting = _alerting(scored, laid, detector)
    found = _reasons(scored, alerting, laid, detector)
    own = laid.own and laid.own.updated(scored.first, scored.resting, interval_s=detector.interval_s)
    of_minutes = histograms.count(detector.population, laid.samples, laid.segment, kept, interval_s=detector.interval_s)
    apart = np.flatnonzero(np.diff(laid.segment[scored.first])) + 1
    ratio = np.where(np.isnan(scored.scores), 0.0, scored.alert_ratio)
    held = _held(np.insert(ratio, apart, 0.0))  # none across a hole
    longest = int(np.argmax(scored.size))
    first, size = scored.first[longest], int(scored.size[longest])
    of_longest = int(((laid.rows >= first) & (laid.rows < first + size)).sum())
    form = {"reasons": found, "own": own, "held": held, "counts": of_minutes, "alert": bool(alerting.any())}
    form["seconds"] = _newly_scored(laid, scored.by_sample, detector)
    return Verdict(scores, why, kept, size, of_longest, scored.channel_set, **form)


def _newly_scored(laid, scores, detector):
    """Seconds of life that got a score, (rows,) `scores`, for the first time, as far as one request can tell.

    More than a window's samples begin with a window less one that the batch before held, as the README advises.
    """
    before = detector.sequence_length - 1 if len(laid.samples) > detector.sequence_length else 0
    rows, place = np.unique(laid.rows, return_index=True)
    new = rows >= before
    samples = np.diff(rows[new], prepend=before - 1)
    return detector.interval_s * float(samples[~np.isnan(scores[place[new]])].sum())


def _alerting(scored, laid, detector):
    """Which windows (N,) alert: they reach the level, and enough before them do."""
    ended, group = laid.seconds[scored.first + scored.size - 1], laid.segment[scored.first]
    return detector.persistence.lasting(scored.scores, ended, group) >= scoring.ALERT


def _held(over_alert):
    """The largest that so many windows in a row, of IN_A_ROW, reach of (N,) in time order; 0 where they are fewer."""
    held = np.zeros(len(IN_A_ROW))
    lowest, rows = over_alert, 1  # of so many windows in a row, from each on
    for place, number in enumerate(IN_A_ROW):
        if number > len(over_alert):
            break
        for step in range(rows, number):
            lowest = np.minimum(lowest[:-1], over_alert[step:])
        held[place], rows = lowest.max(), number
    return held


def _samples(readings, rows, interval_s):
    """The seven features (T, 7) on the grid, and the Grid, of the readings `rows` in time order.

    Of a single reading, a cumulative counter's growth is not known.
    """
    counters = readings.counters[rows]
    if not readings.cumulative:
        running, before = np.cumsum(counters, axis=0), np.zeros(counters.shape[1])
    elif len(rows) > 1:
        day = np.nan_to_num((readings.seconds + readings.ahead)[rows] // _DAY_S)
        running, before = np.column_stack([grid.totals(column, day) for column in counters.T]), None
    else:
        running, before = np.full(counters.shape, np.nan), None
    laid = grid.resample(
        readings.seconds[rows], readings.heart_rate[rows], running, interval_s=interval_s, before=before
    )
    given = readings.calendar[rows[laid.row]]
    told = np.isnan(given[:, 0])  # by the wall clock at the sample's moment, not at the reading's
    given[told] = calendar(laid.seconds[told] + readings.ahead[rows[laid.row[told]]])
    return np.column_stack([laid.heart_rate, laid.amounts, given]), laid


def _reasons(scored, alerting, laid, detector):
    """Why the highest of the windows that alert does, its stretches as indices of the readings sent; else nothing."""
    if not alerting.any():
        return []
    top = int(np.argmax(np.where(alerting, scored.scores, -1.0)))
    offset, _ = detector.personal(laid.own, detector.channel_set(laid.samples)[1])
    first, size = int(scored.first[top]), int(scored.size[top])
    return [
        {
            "index": int(laid.index[first + size - 1]),
            "feature": why["feature"],
            "observed": round(why["observed"], 1),
            "expected": round(why["expected"], 1),
            "unit": why["unit"],
            "share": round(why["share"], 3),
            "from": int(laid.index[why["begin"]]),
            "to": int(laid.index[why["end"]]),
        }
        for why in detector.explain(laid.samples, first, size, offset, scored.descriptors[top])
    ]


def _too_sparse(spacing, detector):
    most = MOST_SPACING * detector.interval_s
    return f"readings are {spacing:g} s apart; the model reads one every {detector.interval_s:g} s, {most:g} s at most"
