"""Answer `POST /health-data/sync`: readings in, a score for each out, and one JSON line to the log."""

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
MODEL.get()  # while the function starts, so that no wearer waits for it
_cold = True


def handler(event, context):
    """Answer one event. The README describes requests, answers and errors."""
    global _cold
    request_id, began, cold = getattr(context, "aws_request_id", None), time.perf_counter(), _cold
    _cold, detector = False, None

    def log(status, body, facts):
        call = request_log.Call(request_id, 1000 * (time.perf_counter() - began), cold)
        model = detector and (detector.run, detector.sha256)
        print(request_log.line(call, status=status, body=body, facts=facts, model=model))

    try:
        detector, fault = MODEL.get()
        status, body, facts = _scored(event, detector)
        response = answer(event, status, body)
        log(status, body, {"fault": fault} if fault else facts)
        return response
    except Exception as error:  # a defect: the app gets a well-formed answer, the log the place but no value
        body = Problem(500, "defect", "the request could not be answered").body
        with suppress(Exception):  # the log itself may be at fault
            log(500, body, {"defect": _place(error)})
        return answer(event, 500, body)


def _scored(event, detector):
    """(status, body, facts for the log) of an event."""
    try:
        if detector is None:
            raise Problem(503, "no_model", "the model is missing or damaged; the function's log names the file")
        if is_ping(event):
            return 200, {"message": "warm"}, {}
        request = payload(event)
        if is_ping(request):  # over HTTP
            return 200, {"message": "warm"}, {}
        return 200, *answer_body(parse(request, interval_s=detector.interval_s), detector)
    except Problem as problem:
        return problem.status, problem.body, {}


def _place(error):
    """An exception's type and where it was raised."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}"
