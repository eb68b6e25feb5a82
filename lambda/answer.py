"""The answer to a request: a score for each reading, and for an alert its reasons."""

import math

import numpy as np
import wearer_trend
from verdict import verdicts_of

from lib.detector import features, scoring, trend
from lib.detector.reasons import sentence

_ALL_CHANNELS = next(iter(features.CHANNEL_SETS))


def answer_body(wearers, detector):
    """Score the readings of each wearer and write the answer's body.

    Parameters
    ----------
    wearers : list of Readings
        Of `request.parse`.
    detector : Detector

    Returns
    -------
    body : dict
        As `lambda/openapi.yaml` describes it, with one item in `results` for each reading sent.
    facts : dict
        For `request_log.line`: wearers, unknown, seconds, error_ratio, sustained, counts.
    """
    verdicts = verdicts_of(wearers, detector)
    followed = wearer_trend.follow(wearers[0])
    results = _results(wearers, verdicts)
    rejected = sum("error" in result for result in results)
    top = max((result["anomalyScore"] for result in results if result["anomalyScore"] is not None), default=None)
    reasons = [reason for verdict in verdicts for reason in verdict.reasons]
    body = {
        "anomalyDetected": any(verdict.alert for verdict in verdicts),
        "anomalyScore": top,
        "message": _message(verdicts, top, len(results) - rejected, detector) + _restarted(wearers[0]),
        "level": scoring.UNKNOWN if top is None else scoring.level(top),
        "accepted": len(results) - rejected,
        "rejected": rejected,
        "results": results,
        "reasons": reasons,
        "success": True,
        "anomalyReasons": [sentence(reason) for reason in reasons] or None,
        "baseline": _baseline(verdicts[0], wearers[0]),
        "trend": followed and followed.to_json(),
        "model": {"run": detector.run, "sha256": detector.sha256},
    }
    return body, _facts(verdicts, results, detector)


def _baseline(verdict, readings):
    """What was learned about the wearer; nothing for an envelope, which cannot carry it."""
    if verdict.baseline is None:
        return {}
    learned, followed = verdict.baseline.to_json(), readings.trend
    if followed.started:
        learned |= {"asOf": max(learned.get("asOf", 0), 1000 * followed.rest.as_of), "trend": followed.to_json()}
    return learned


def _restarted(readings):
    return f", {trend.RESTARTED}" if readings.trend and readings.trend.restarted else ""


def _results(wearers, verdicts):
    """One item for each reading, in the order sent."""
    results = [None] * sum(len(readings.errors) for readings in wearers)
    for readings, verdict in zip(wearers, verdicts, strict=True):
        outcomes = zip(verdict.scores.tolist(), verdict.unscored, readings.errors, strict=True)
        for index, outcome in zip(readings.index.tolist(), outcomes, strict=True):
            results[index] = _result(index, *outcome)
    return results


def _result(index, score, unscored, error):
    if error is not None:
        return {"index": index, "anomalyScore": None, "level": scoring.UNKNOWN, "error": error}
    if math.isnan(score):
        return {"index": index, "anomalyScore": None, "level": scoring.UNKNOWN, "reason": unscored}
    return {"index": index, "anomalyScore": score, "level": scoring.level(score)}


def _facts(verdicts, results, detector):
    return {
        "wearers": len(verdicts),
        "unknown": sum("reason" in result for result in results),
        "seconds": sum(verdict.new_seconds for verdict in verdicts),
        "error_ratio": np.concatenate([verdict.error_ratio for verdict in verdicts]),
        "sustained": np.max([verdict.sustained for verdict in verdicts], axis=0),
        "counts": {name: sum(verdict.counts.get(name, 0) for verdict in verdicts) for name in detector.population},
    }


def _message(verdicts, top, usable, detector):
    """What the score rests on, or why there is no score."""
    if top is None:
        reason = next((reason for verdict in verdicts for reason in verdict.unscored if reason), None)
        return f"No score: {reason}" if usable else "No reading is usable"
    remarks = ["Anomaly detection completed"]
    scored = [verdict for verdict in verdicts if len(verdict.error_ratio)]
    longest = max(scored, key=lambda verdict: verdict.n_samples)
    if longest.n_samples < detector.sequence_length:
        remarks.append(_short_window(longest, detector.sequence_length))
    remarks += sorted({verdict.channel_set for verdict in scored} - {_ALL_CHANNELS})
    if top >= scoring.ALERT and not any(verdict.alert for verdict in verdicts):
        persistence = detector.persistence
        remarks.append(
            f"no alert: it takes {persistence.k} of the last {persistence.n} windows, {persistence.step_s:g} s apart"
        )
    return ", ".join(remarks)


def _short_window(verdict, length):
    """What the longest window rests on if it is shorter than `length` samples."""
    if verdict.n_readings == verdict.n_samples:
        return f"on {verdict.n_readings} of the {length} readings of a window"
    readings = f"{verdict.n_readings} reading{'s' if verdict.n_readings > 1 else ''}"
    return f"on {readings}, which make {verdict.n_samples} of the {length} samples of a window"
