"""The answer to a request: each reading's score, and for an alert its reasons."""

from dataclasses import dataclass, field

import numpy as np

from lib import features, grid, scoring

MOST_SPACING = 3  # times the model's interval: readings further apart are not what it learned from
_ALL_CHANNELS = next(iter(features.CHANNEL_SETS))
_NAMES = {"heartRate": "Heart rate", "steps": "Steps", "calories": "Calories", "distance": "Distance"}


@dataclass(frozen=True)
class Verdict:
    """What one wearer's N readings got."""

    scores: np.ndarray  # (N,) NaN for none
    why: list  # (N,) why there is none, or None
    excess: np.ndarray = field(default_factory=lambda: np.empty(0))  # (windows,) each window's error over its threshold
    rests_on: int = 0  # samples in the longest window
    channel_set: str = ""
    reasons: list = field(default_factory=list)


def answer_body(wearers, detector):
    """The answer's body for each wearer's Readings, and what the log is to say of it: (body, facts)."""
    verdicts = [_verdict(readings, detector) for readings in wearers]
    results = [None] * sum(len(readings.errors) for readings in wearers)
    for readings, verdict in zip(wearers, verdicts, strict=True):
        for index, *found in zip(readings.index.tolist(), verdict.scores, verdict.why, readings.errors, strict=True):
            results[index] = _result(index, *found)
    rejected = sum("error" in result for result in results)
    scores = [result["anomalyScore"] for result in results if result["anomalyScore"] is not None]
    top = max(scores, default=None)
    reasons = [reason for verdict in verdicts for reason in verdict.reasons]
    body = {
        "anomalyDetected": top is not None and top >= scoring.ALERT,
        "anomalyScore": top,
        "message": _message(verdicts, top, len(results) - rejected, detector),
        "level": scoring.UNKNOWN if top is None else scoring.level(top),
        "accepted": len(results) - rejected,
        "rejected": rejected,
        "results": results,
        "reasons": reasons,
        "success": True,
        "anomalyReasons": [_sentence(reason) for reason in reasons] or None,
        "baseline": {},
        "model": {"run": detector.run, "sha256": detector.sha256},
    }
    excess = np.concatenate([verdict.excess for verdict in verdicts])
    unknown = sum("reason" in result for result in results)
    return body, {"wearers": len(wearers), "unknown": unknown, "excess": excess}


def _result(index, score, why, error):
    if error is not None:
        return {"index": index, "anomalyScore": None, "level": scoring.UNKNOWN, "error": error}
    if np.isnan(score):
        return {"index": index, "anomalyScore": None, "level": scoring.UNKNOWN, "reason": why}
    return {"index": index, "anomalyScore": float(score), "level": scoring.level(score)}


def _verdict(readings, detector):
    """Scores of one wearer's readings: in time order, on the grid, by windows, and back to the readings."""
    scores, why = np.full(len(readings.errors), np.nan), [None] * len(readings.errors)
    usable = np.flatnonzero([error is None for error in readings.errors])
    if not len(usable):
        return Verdict(scores, why)
    order = usable[np.argsort(readings.seconds[usable], kind="stable")]
    order = order[np.append(np.diff(readings.seconds[order]) > 0, True)]  # of readings of one instant, the last
    spacing = np.median(np.diff(readings.seconds[order])) if len(order) > 1 else 0.0
    if spacing > MOST_SPACING * detector.interval_s:
        return Verdict(scores, [_too_sparse(spacing, detector)] * len(why))
    samples, laid = _samples(readings, order, detector.interval_s)
    cell = np.ceil(readings.seconds[usable] / detector.interval_s) * detector.interval_s
    scored = detector.score(samples, laid.segment, np.searchsorted(laid.seconds, cell))  # not between two readings
    scores[usable] = scored.by_sample
    for index in usable[np.isnan(scores[usable])]:
        why[index] = f"stuck sensor: the heart rate has not moved for {grid.STUCK_S / 60:g} minutes"
    kept = scored.excess[~np.isnan(scored.scores)]
    found = _reasons(scored, samples, readings.index[order][laid.row], detector)
    return Verdict(scores, why, kept, int(scored.size.max()), scored.channel_set, found)


def _samples(readings, rows, interval_s):
    """The seven features (T, 7) on the grid, and the Grid, of the readings `rows` in time order.

    Of a single reading, a cumulative counter's growth is not known.
    """
    counters = readings.counters[rows]
    if not readings.cumulative:
        running, before = np.cumsum(counters, axis=0), np.zeros(counters.shape[1])
    elif len(rows) > 1:
        running, before = np.column_stack([grid.totals(column) for column in counters.T]), None
    else:
        running, before = np.full(counters.shape, np.nan), None
    laid = grid.resample(
        readings.seconds[rows], readings.heart_rate[rows], running, interval_s=interval_s, before=before
    )
    calendar = readings.calendar[rows][laid.row]
    return np.column_stack([laid.heart_rate, laid.amounts, calendar]), laid


def _reasons(scored, samples, index, detector):
    """Why the highest window alerts, its stretches as indices of the readings sent; else nothing."""
    if np.isnan(scored.scores).all():
        return []
    top = int(np.nanargmax(scored.scores))
    if scored.scores[top] < scoring.ALERT:
        return []
    first, size = int(scored.first[top]), int(scored.size[top])
    return [
        {
            "index": int(index[first + size - 1]),
            "feature": why["feature"],
            "observed": round(why["observed"], 1),
            "expected": round(why["expected"], 1),
            "unit": why["unit"],
            "share": round(why["share"], 3),
            "from": int(index[why["begin"]]),
            "to": int(index[why["end"]]),
        }
        for why in detector.explain(samples, first, size)
    ]


def _sentence(reason):
    """A reason as people read it on a watch."""
    return f"{_NAMES[reason['feature']]} {reason['observed']:.0f} {reason['unit']}, expected {reason['expected']:.0f}"


def _too_sparse(spacing, detector):
    most = MOST_SPACING * detector.interval_s
    return f"readings are {spacing:g} s apart; the model reads one every {detector.interval_s:g} s, {most:g} s at most"


def _message(verdicts, top, usable, detector):
    if top is None:
        reason = next((reason for verdict in verdicts for reason in verdict.why if reason), None)
        return f"No score: {reason}" if usable else "No reading is usable"
    said = ["Anomaly detection completed"]
    scored = [verdict for verdict in verdicts if len(verdict.excess)]
    longest = max(verdict.rests_on for verdict in scored)
    if longest < detector.sequence_length:
        said.append(f"on {longest} of the {detector.sequence_length} readings of a window")
    said += sorted({verdict.channel_set for verdict in scored} - {_ALL_CHANNELS})
    return ", ".join(said)
