"""Answering a request of `POST /health-data/sync`: readings in, a score for each out, and one JSON line to the log."""

import time
import traceback
from contextlib import suppress
from pathlib import Path

import model_source
import request_log
from answer import answer_body
from http_event import Problem, answer, is_ping, payload
from request import parse

MODEL = model_source.Holder()
MODEL.get()  # while the function starts, not while a wearer waits
_cold = True


def handler(event, context):
    """Answer one event; see the README for requests, answers and errors."""
    global _cold
    asked = {"request_id": getattr(context, "aws_request_id", None), "cold": _cold, "began": time.perf_counter()}
    _cold, detector = False, None
    try:
        detector, fault = MODEL.get()
        status, body, facts = _answered(event, detector)
        said = answer(event, status, body)
        print(_line(asked, detector, status, body, {"fault": fault} if fault else facts))
        return said
    except Exception as error:  # a defect: the app gets a well-formed answer, the log the place but no value
        body = Problem(500, "defect", "the request could not be answered").body
        with suppress(Exception):  # it may be the log's own
            print(_line(asked, detector, 500, body, {"defect": _place(error)}))
        return answer(event, 500, body)


def _line(asked, detector, status, body, facts):
    return request_log.line(
        request_id=asked["request_id"],
        status=status,
        body=body,
        facts=facts,
        duration_ms=1000 * (time.perf_counter() - asked["began"]),
        cold=asked["cold"],
        model=detector and (detector.run, detector.sha256),
    )


def _answered(event, detector):
    """The answer's status and body, and what the log is to say of it."""
    try:
        if detector is None:
            raise Problem(503, "no_model", "the model is missing or damaged; the function's log says which file")
        if is_ping(event):
            return 200, {"message": "warm"}, {}
        return 200, *answer_body(parse(payload(event), interval_s=detector.interval_s), detector)
    except Problem as problem:
        return problem.status, problem.body, {}


def _place(error):
    """An exception's type, and where it was raised."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}"
