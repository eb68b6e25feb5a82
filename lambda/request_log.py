"""Write one JSON line per request, in CloudWatch's embedded metric format: numbers become metrics without an agent.

The line holds no reading and does not tell whose readings they were. Its fields are those of METRICS, if known, and:

HeartRate, HeartRateMoving, Steps, Errors: how many minutes and windows fall in each bin of the population, see
`lib.detector.histograms`;
Held: the largest ratio of evidence to alert level that 1, 3, 6, 12 and 24 consecutive windows all reach;
Seconds: of life scored for the first time (not a metric, because CloudWatch charges for each);
Model (the run), ModelSha256, RequestId, Status (of HTTP), Code (of a problem), Level (of the whole answer);
Defect: for a 500, the exception's type and where it was raised;
Fault: for a 503, the model's file or object and what is wrong with it.

Format: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
import time
from dataclasses import dataclass

import numpy as np

NAMESPACE = "HealthAnomalyDetector"
METRICS = {  # name: unit
    "Readings": "Count",  # sent
    "Rejected": "Count",  # with an error
    "Unknown": "Count",  # sound, but without a score
    "Wearers": "Count",
    "Windows": "Count",  # scored
    "Alerts": "Count",  # 1 if the answer is an alert, else 0
    "LargestScore": "None",
    "TrendAlerts": "Count",  # 1 if the answer's trend alerts, else 0
    "TrendScore": "None",
    "ErrorP50": "None",  # of the windows' evidence over the threshold: 1 scores 0.3
    "ErrorP90": "None",
    "ErrorMax": "None",
    "DurationMs": "Milliseconds",
    "ColdStart": "Count",  # 1 for a process' first request, else 0
}


@dataclass(frozen=True)
class Call:
    """One invocation of the handler."""

    request_id: str | None
    duration_ms: float
    cold: bool  # whether it is the process' first


def line(call, *, status, body, facts, model):
    """Write the line of one request, without a line break.

    Parameters
    ----------
    call : Call
    status : int
        Of HTTP.
    body : dict
        The answer's.
    facts : dict
        Of `answer.answer_body`; {} if nothing was scored; {"defect": type and place}; or {"fault": of the model}.
    model : (str, str) or None
        Run and SHA-256 of the model that answered.
    """
    values = {"DurationMs": round(call.duration_ms, 2), "ColdStart": int(call.cold)}
    if "error_ratio" in facts:
        values |= _counts(body, facts) | _quantiles(facts["error_ratio"])
    metrics = [{"Name": name, "Unit": METRICS[name]} for name in values]
    run, sha256 = model or ("none", "none")
    directive = {"Namespace": NAMESPACE, "Dimensions": [["Model"]], "Metrics": metrics}
    text = {"Model": run, "ModelSha256": sha256[:12], "RequestId": call.request_id, "Status": status}
    text |= {"Code": body.get("code"), "Level": body.get("level")}
    text |= {"Defect": facts.get("defect"), "Fault": facts.get("fault")}
    known = {name: value for name, value in text.items() if value is not None}
    aws = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}
    seconds = {"Seconds": round(facts["seconds"], 1)} if "seconds" in facts else {}
    return json.dumps({"_aws": aws, **known, **values, **seconds, **_lists(facts)})


def _counts(body, facts):
    counts = {
        "Readings": len(body["results"]),
        "Rejected": body["rejected"],
        "Unknown": facts["unknown"],
        "Wearers": facts["wearers"],
        "Windows": len(facts["error_ratio"]),
        "Alerts": int(body["anomalyDetected"]),
    }
    if body["anomalyScore"] is not None:
        counts["LargestScore"] = round(body["anomalyScore"], 4)
    if trend := body.get("trend"):
        counts |= {"TrendAlerts": int(trend["alert"]), "TrendScore": trend["score"]}
    return counts


def _lists(facts):
    """The fields with several numbers, which are not CloudWatch metrics. A list of zeros is left out."""
    lists = {**facts.get("counts", {}), "Held": np.round(facts.get("sustained", 0), 4)}
    return {name: np.asarray(values).tolist() for name, values in lists.items() if np.any(values)}


def _quantiles(error_ratio):
    if not len(error_ratio):
        return {}
    places = np.array([0.5, 0.9, 1.0]) * (len(error_ratio) - 1)  # as np.quantile does, in a fifth of the time
    p50, p90, largest = np.interp(places, np.arange(len(error_ratio)), np.sort(error_ratio)).round(4).tolist()
    return {"ErrorP50": p50, "ErrorP90": p90, "ErrorMax": largest}
