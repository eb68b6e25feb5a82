"""Does a version on Lambda give the example request the score that the bundle gives it here? Not in the bundle.

05_export calls the same bundle in the same way (`lib.export.bundle.call`), and compares its scores with Keras'.
"""

import json
import math

from deployment.refusals import Refused
from lib.export import bundle

EXAMPLE = bundle.HANDLER / "events" / "direct.json"  # 60 readings, of which the README's curl sends the same
CLOSE = 1e-4  # of the score: processors round differently by about 1e-6, another model is further off


def expected(archive):
    """The answer's body to EXAMPLE of the zip `archive`, run here. Raises Refused when it gives no score."""
    try:
        _, (called,) = bundle.call(archive, [json.loads(EXAMPLE.read_text(encoding="utf-8"))])
    except RuntimeError as error:
        said = " ".join(str(error).split())[-300:]
        raise Refused(f"{archive} does not run here: {said}; 05_export makes it anew") from None
    return _scored(called["answer"], "the bundle, run here,")


def check(answer, body, *, version):
    """Compare what `version` answered (an object) with the expected `body`. Raises Refused where they differ.

    body None: that it gives a score at all is enough.
    """
    got = _scored(answer, f"version {version}")
    if body is None:
        return got["anomalyScore"]
    if got["model"] != body["model"]:
        raise Refused(f"version {version} answers for the model {got['model']}, not {body['model']}")
    if not math.isclose(got["anomalyScore"], body["anomalyScore"], rel_tol=CLOSE):
        raise Refused(
            f"version {version} scores the example {got['anomalyScore']:.6f}, and this run {body['anomalyScore']:.6f}"
        )
    return got["anomalyScore"]


def _scored(answer, who):
    """The body of an answer that has a score. Raises Refused."""
    answer = answer if isinstance(answer, dict) else {}
    status, body = answer.get("statusCode"), answer.get("body")
    body = body if isinstance(body, dict) else {}
    if status == 200 and isinstance(body.get("anomalyScore"), float) and "model" in body:
        return body
    said = body.get("detail") or answer.get("errorMessage") or answer.get("errorType") or "no score"
    raise Refused(f"{who} answers the example with {status or 'no status'}: {' '.join(str(said).split())[:300]}")
