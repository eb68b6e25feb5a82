"""The AWS Lambda handler behind `POST /health-data/sync`: readings in, a score for each out.

The model lies beside this file; MODEL_DIR names another folder. One JSON line a request goes to the log.
"""

import os
import time
import traceback
from pathlib import Path

import request_log
from http_event import Problem, answer, is_ping, payload
from sync_answer import answer_body
from sync_request import parse

from lib.detector import DamagedModel, Detector


def _load():
    try:
        return Detector.load(os.environ.get("MODEL_DIR") or Path(__file__).parent), None
    except DamagedModel as error:
        return None, str(error)


DETECTOR, DAMAGE = _load()
_cold = True


def handler(event, context):
    """Answer one event; see the README for requests, answers and errors."""
    global _cold
    began, cold, _cold = time.perf_counter(), _cold, False
    status, body, facts = _answered(event)
    line = request_log.line(
        request_id=getattr(context, "aws_request_id", None),
        status=status,
        body=body,
        facts=facts,
        duration_ms=1000 * (time.perf_counter() - began),
        cold=cold,
        model=DETECTOR and (DETECTOR.run, DETECTOR.sha256),
    )
    print(line)
    return answer(event, status, body)


lambda_handler = handler


def _answered(event):
    """The answer's status and body, and what the log is to say of it."""
    try:
        if is_ping(event):
            return 200, {"message": "warm"}, {}
        if DETECTOR is None:
            raise Problem(503, "no_model", f"the model can not be used: {DAMAGE}")
        return 200, *answer_body(parse(payload(event), interval_s=DETECTOR.interval_s), DETECTOR)
    except Problem as problem:
        return problem.status, problem.body, {}
    except Exception as error:  # a defect: the app gets a well-formed answer, the log the place but no value
        place = traceback.extract_tb(error.__traceback__)[-1]
        defect = f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}"
        return 500, Problem(500, "defect", "the request could not be answered").body, {"defect": defect}
