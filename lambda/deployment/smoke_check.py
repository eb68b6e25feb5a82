"""Check that a version on Lambda scores the example request as the bundle does here. Not in the bundle.

05_export calls the same bundle in the same way (`lib.export.bundle.call`), and compares its scores with Keras'.
"""

import json
import math

from deployment.refusals import Refused
from lib.export import bundle

EXAMPLE = bundle.HANDLER / "events" / "direct.json"  # 60 readings; the README's curl sends the same
TOLERANCE = 1e-4  # of the score: processors differ by about 1e-6, another model by more than this


def expected(archive):
    """The answer's body to EXAMPLE from the zip `archive`, run here. Raises Refused if it gives no score."""
    try:
        _, (call,) = bundle.call(archive, [json.loads(EXAMPLE.read_text(encoding="utf-8"))])
    except RuntimeError as error:
        reason = " ".join(str(error).split())[-300:]
        raise Refused(f"{archive} does not run here: {reason}; run 05_export again") from None
    return _scored(call["answer"], "the bundle, run here,")


def check(answer, expected_body, *, version):
    """Compare a version's answer with the expected one, and return its score.

    Parameters
    ----------
    answer : object
        Of `version`.
    expected_body : dict or None
        None accepts any score.
    version : str

    Raises
    ------
    Refused
        If the model or the score differs.
    """
    body = _scored(answer, f"version {version}")
    score = body["anomalyScore"]
    if expected_body is None:
        return score
    if body["model"] != expected_body["model"]:
        raise Refused(f"version {version}: expected the model {expected_body['model']}, got {body['model']}")
    expected_score = expected_body["anomalyScore"]
    if not math.isclose(score, expected_score, rel_tol=TOLERANCE):
        raise Refused(f"version {version} scores the example {score:.6f}, and this run {expected_score:.6f}")
    return score


def _scored(answer, source):
    """The body of an answer that has a score. Raises Refused."""
    answer = answer if isinstance(answer, dict) else {}
    status, body = answer.get("statusCode"), answer.get("body")
    body = body if isinstance(body, dict) else {}
    if status == 200 and isinstance(body.get("anomalyScore"), float) and "model" in body:
        return body
    reason = body.get("detail") or answer.get("errorMessage") or answer.get("errorType") or "no score"
    raise Refused(f"{source} answers the example with {status or 'no status'}: {' '.join(str(reason).split())[:300]}")
