"""The answer to a request: each reading's score, and for an alert its reasons."""

import math

import numpy as np
from verdict import verdicts_of

from lib.detector import features, scoring
from lib.detector.reasons import sentence

_ALL_CHANNELS = next(iter(features.CHANNEL_SETS))


def answer_body(wearers, detector):
    """The answer's body for each wearer's Readings, and what the log is to say of it: (body, facts)."""
    verdicts = verdicts_of(wearers, detector)
    results = [None] * sum(len(readings.errors) for readings in wearers)
    for readings, verdict in zip(wearers, verdicts, strict=True):
        found = zip(verdict.scores.tolist(), verdict.why, readings.errors, strict=True)
        for index, of_reading in zip(readings.index.tolist(), found, strict=True):
            results[index] = _result(index, *of_reading)
    rejected = sum("error" in result for result in results)
    scores = [result["anomalyScore"] for result in results if result["anomalyScore"] is not None]
    top = max(scores, default=None)
    reasons = [reason for verdict in verdicts for reason in verdict.reasons]
    body = {
        "anomalyDetected": any(verdict.alert for verdict in verdicts),
        "anomalyScore": top,
        "message": _message(verdicts, top, len(results) - rejected, detector),
        "level": scoring.UNKNOWN if top is None else scoring.level(top),
        "accepted": len(results) - rejected,
        "rejected": rejected,
        "results": results,
        "reasons": reasons,
        "success": True,
        "anomalyReasons": [sentence(reason) for reason in reasons] or None,
        "baseline": verdicts[0].own.to_json() if verdicts[0].own else {},
        "model": {"run": detector.run, "sha256": detector.sha256},
    }
    excess = np.concatenate([verdict.excess for verdict in verdicts])
    unknown = sum("reason" in result for result in results)
    counts = {name: sum(verdict.counts.get(name, 0) for verdict in verdicts) for name in detector.population}
    held = np.max([verdict.held for verdict in verdicts], axis=0)
    facts = {"wearers": len(wearers), "unknown": unknown, "seconds": sum(verdict.seconds for verdict in verdicts)}
    return body, facts | {"excess": excess, "held": held, "counts": counts}


def _result(index, score, why, error):
    if error is not None:
        return {"index": index, "anomalyScore": None, "level": scoring.UNKNOWN, "error": error}
    if math.isnan(score):
        return {"index": index, "anomalyScore": None, "level": scoring.UNKNOWN, "reason": why}
    return {"index": index, "anomalyScore": score, "level": scoring.level(score)}


def _message(verdicts, top, usable, detector):
    if top is None:
        reason = next((reason for verdict in verdicts for reason in verdict.why if reason), None)
        return f"No score: {reason}" if usable else "No reading is usable"
    said = ["Anomaly detection completed"]
    scored = [verdict for verdict in verdicts if len(verdict.excess)]
    longest = max(scored, key=lambda verdict: verdict.rests_on)
    if longest.rests_on < detector.sequence_length:
        said.append(_rests_on(longest, detector.sequence_length))
    said += sorted({verdict.channel_set for verdict in scored} - {_ALL_CHANNELS})
    if top >= scoring.ALERT and not any(verdict.alert for verdict in verdicts):
        asked = detector.persistence
        said.append(f"no alert: it takes {asked.k} of the last {asked.n} windows, {asked.step_s:g} s apart")
    return ", ".join(said)


def _rests_on(verdict, length):
    """What the longest window rests on, where it is no whole one."""
    if verdict.readings == verdict.rests_on:
        return f"on {verdict.readings} of the {length} readings of a window"
    readings = f"{verdict.readings} reading{'s' if verdict.readings > 1 else ''}"
    return f"on {readings}, that make {verdict.rests_on} of the {length} samples of a window"
