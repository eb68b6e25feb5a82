"""The entry point that AWS Lambda calls: `lambda_function.lambda_handler`. `answering.handler` does the work.

A damaged module may do anything. Before anything else is imported, the bundle's files are therefore checked against
its SHA256SUMS. If one is damaged, nothing else is imported, and every request gets 503.
"""

import json
import time
from pathlib import Path

from lib.detector import checksums

_HERE = Path(__file__).parent


def _damage():
    """Describe the damage to the bundle that holds this file, or return None. The source tree is not a bundle."""
    if not any((_HERE / name).exists() for name in (checksums.SUMS, "numpy")):
        return None
    try:
        checksums.check(_HERE)
    except checksums.DamagedFile as error:
        return str(error)


def _log_line(request_id, *, began, cold):
    """The log line that `request_log` would write. That module cannot be relied on here."""
    metrics = [{"Name": "DurationMs", "Unit": "Milliseconds"}, {"Name": "ColdStart", "Unit": "Count"}]
    directive = {"Namespace": "HealthAnomalyDetector", "Dimensions": [["Model"]], "Metrics": metrics}
    fields = {"_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}}
    fields |= {"Model": "none", "ModelSha256": "none", "Status": 503, "Code": "no_model", "Fault": DAMAGE}
    fields |= {"RequestId": request_id} if request_id is not None else {}
    return json.dumps(fields | {"DurationMs": round(1000 * (time.perf_counter() - began), 2), "ColdStart": int(cold)})


DAMAGE = _damage()
if DAMAGE is None:
    from answering import handler
else:
    _cold = True

    def handler(event, context):
        """Refuse any event with 503, in a form that direct callers and HTTP both read. The log names the file."""
        global _cold
        print(_log_line(getattr(context, "aws_request_id", None), began=time.perf_counter(), cold=_cold))
        _cold = False
        problem = {"type": "about:blank", "title": "Service Unavailable", "status": 503, "code": "no_model"}
        problem["detail"] = "the function's files are damaged; its log names the file"
        if not (isinstance(event, dict) and event.keys() & {"requestContext", "httpMethod", "body"}):
            return {"statusCode": 503, "body": problem}
        headers = {"Content-Type": "application/problem+json"}
        return {"statusCode": 503, "headers": headers, "body": json.dumps(problem), "isBase64Encoded": False}


lambda_handler = handler
