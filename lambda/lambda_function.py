"""The AWS Lambda handler behind `POST /health-data/sync`: readings in, a score for each out.

The model lies beside this file; MODEL_DIR names another folder. One JSON line a request goes to the log, in which
there is nothing of a reading and nothing of a wearer.
"""

import json
import os
import time
from pathlib import Path

import numpy as np
from http_event import Problem, answer, payload
from sync_request import parse

from lib import features, grid, scoring
from lib.detector import DamagedModel, Detector


def _load():
    try:
        return Detector.load(os.environ.get("MODEL_DIR") or Path(__file__).parent), None
    except DamagedModel as error:
        return None, str(error)


DETECTOR, DAMAGE = _load()


def handler(event, context):
    """Answer one event; see the README for requests, answers and errors."""
    began = time.perf_counter()
    try:
        if DETECTOR is None:
            raise Problem(503, "no_model", f"the model can not be used: {DAMAGE}")
        status, body = 200, detect(payload(event), DETECTOR)
    except Problem as problem:
        status, body = problem.status, problem.body
    facts = {name: body.get(name) for name in ("accepted", "rejected", "level", "code") if name in body}
    print(json.dumps({"status": status, **facts, "ms": round(1000 * (time.perf_counter() - began), 2)}))
    return answer(event, status, body)


lambda_handler = handler


def detect(request, detector):
    """The answer's body for a request. Raises Problem for one that can not be answered."""
    readings = parse(request, interval_s=detector.interval_s)
    scores, why = _score(readings, detector)
    results = [_result(index, scores[index], why[index], error) for index, error in enumerate(readings.errors)]
    rejected = sum(error is not None for error in readings.errors)
    scored = scores[~np.isnan(scores)]
    top = float(scored.max()) if len(scored) else None
    return {
        "anomalyDetected": top is not None and top >= scoring.ALERT,
        "anomalyScore": top,
        "message": _message(len(readings.errors) - rejected, why, top, detector),
        "level": scoring.UNKNOWN if top is None else scoring.level(top),
        "accepted": len(results) - rejected,
        "rejected": rejected,
        "results": results,
        "reasons": [],
        "success": True,
        "anomalyReasons": None,
        "baseline": {},
        "model": {"run": detector.run, "sha256": detector.sha256},
    }


def _score(readings, detector):
    """Scores (N,) of the readings, NaN for none, and (N,) why there is none (or None)."""
    scores, why = np.full(len(readings.errors), np.nan), [None] * len(readings.errors)
    usable = np.flatnonzero([error is None for error in readings.errors])
    absent = np.isnan(readings.counters[usable]).all(axis=0) & detector.channels[1:4]
    if not len(usable):
        return scores, why
    if absent.any():
        names = ", ".join(np.array(features.CHANNELS[1:])[absent])
        return scores, [f"{names} absent, which this model scores"] * len(why)
    order = usable[np.argsort(readings.seconds[usable], kind="stable")]
    last = np.append(np.diff(readings.seconds[order]) > 0, True)  # of readings of one instant, the last
    samples, laid = _samples(readings, order[last], detector.interval_s)
    by_sample = detector.score(samples, laid.segment)
    size = np.bincount(laid.segment)[laid.segment]
    cell = np.ceil(readings.seconds[usable] / detector.interval_s) * detector.interval_s
    place = np.searchsorted(laid.seconds, cell)
    scores[usable] = by_sample[place]
    for index, at in zip(usable, place, strict=True):
        if np.isnan(by_sample[at]):
            short = size[at] < detector.sequence_length
            why[index] = _too_few(size[at], detector) if short else "stuck sensor: the heart rate does not move"
    return scores, why


def _samples(readings, rows, interval_s):
    """The seven features (T, 7) on the grid, and the Grid, of the readings `rows` in time order."""
    counters = readings.counters[rows]
    if readings.cumulative:
        running, before = np.column_stack([grid.totals(column) for column in counters.T]), None
    else:
        running, before = np.cumsum(counters, axis=0), np.zeros(counters.shape[1])
    laid = grid.resample(
        readings.seconds[rows], readings.heart_rate[rows], running, interval_s=interval_s, before=before
    )
    calendar = readings.calendar[rows][laid.row]
    return np.column_stack([laid.heart_rate, laid.amounts, calendar]), laid


def _too_few(samples, detector):
    return f"{samples} samples without a hole; a score needs {detector.sequence_length}"


def _result(index, score, why, error):
    if error is not None:
        return {"index": index, "anomalyScore": None, "level": scoring.UNKNOWN, "error": error}
    if np.isnan(score):
        return {"index": index, "anomalyScore": None, "level": scoring.UNKNOWN, "reason": why}
    return {"index": index, "anomalyScore": float(score), "level": scoring.level(score)}


def _message(usable, why, top, detector):
    if top is not None:
        return "Anomaly detection completed"
    if not usable:
        return "No reading is usable"
    return f"No score: {usable} readings; {next(reason for reason in why if reason)}"
