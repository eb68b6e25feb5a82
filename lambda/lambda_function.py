"""The function that AWS Lambda calls: `lambda_function.lambda_handler`. It answers as `answering` does.

A damaged module may do anything, so a bundle's files are checked against its SHA256SUMS before any of them but the
check itself is imported. Where one is damaged, nothing else is imported, and every request gets 503.
"""

import json
import time
from pathlib import Path

from lib.detector import checksums

_HERE = Path(__file__).parent


def _damage():
    """What is wrong with the bundle this file is in, or None; also None in the source tree, which is no bundle."""
    if not any((_HERE / name).exists() for name in (checksums.SUMS, "numpy")):
        return None
    try:
        checksums.check(_HERE)
    except checksums.DamagedFile as error:
        return str(error)


def _line(request_id, *, began, cold):
    """The log's line, as `request_log` would write it if it could be relied on."""
    metrics = [{"Name": "DurationMs", "Unit": "Milliseconds"}, {"Name": "ColdStart", "Unit": "Count"}]
    directive = {"Namespace": "HealthAnomalyDetector", "Dimensions": [["Model"]], "Metrics": metrics}
    said = {"_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}}
    said |= {"Model": "none", "ModelSha256": "none", "Status": 503, "Code": "no_model", "Fault": DAMAGE}
    said |= {"RequestId": request_id} if request_id is not None else {}
    return json.dumps(said | {"DurationMs": round(1000 * (time.perf_counter() - began), 2), "ColdStart": int(cold)})


DAMAGE = _damage()
if DAMAGE is None:
    from answering import handler
else:
    _cold = True

    def handler(event, context):
        """Refuse any event with 503, in a form that direct callers and HTTP both read; the log names the file."""
        global _cold
        print(_line(getattr(context, "aws_request_id", None), began=time.perf_counter(), cold=_cold))
        _cold = False
        problem = {"type": "about:blank", "title": "Service Unavailable", "status": 503, "code": "no_model"}
        problem["detail"] = "the function's files are damaged; its log says which"
        if not (isinstance(event, dict) and event.keys() & {"requestContext", "httpMethod", "body"}):
            return {"statusCode": 503, "body": problem}
        headers = {"Content-Type": "application/problem+json"}
        return {"statusCode": 503, "headers": headers, "body": json.dumps(problem), "isBase64Encoded": False}


lambda_handler = handler
