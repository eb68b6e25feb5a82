"""One JSON line a request, in CloudWatch's embedded metric format: numbers become metrics without an agent.

There is no reading in it and nothing of a wearer. The fields are those of METRICS, where they are known, and:
HeartRate, HeartRateMoving, Steps, Errors: how many minutes and windows fall in each of a population's bins, as
`lib.detector.histograms` has them; Held: the largest error over the alert level that 1, 3, 6, 12 and 24 windows in
a row reach;
Seconds: of life that got a score and no batch before gave one (not a metric: CloudWatch charges for each);
Model (the run), ModelSha256, RequestId, Status (of HTTP), Code (of a problem), Level (of the whole answer); of a 500
Defect, the exception's type and where it was raised; of a 503 Fault, the model's file or object and what is wrong.
Format: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
import time

import numpy as np

NAMESPACE = "HealthAnomalyDetector"
METRICS = {  # name: unit
    "Readings": "Count",  # sent
    "Rejected": "Count",  # of them, with an error
    "Unknown": "Count",  # of them, sound but without a score
    "Wearers": "Count",
    "Windows": "Count",  # scored
    "Alerts": "Count",  # 1 when the answer is an alert, else 0
    "LargestScore": "None",
    "ErrorP50": "None",  # of the windows' errors, over the threshold: 1 scores 0.3
    "ErrorP90": "None",
    "ErrorMax": "None",
    "DurationMs": "Milliseconds",
    "ColdStart": "Count",  # 1 for a process' first request, else 0
}


def line(*, request_id, status, body, facts, duration_ms, cold, model):
    """The line of one request, with no line break: its answer's body, and what `sync_answer.answer_body` says of it.

    facts: that, or {} for what was not scored, or {"defect": what and where}, or {"fault": of the model}; model: (run,
    SHA-256), or None where there is none.
    """
    values = {"DurationMs": round(duration_ms, 2), "ColdStart": int(cold)}
    if "excess" in facts:
        values |= _counts(body, facts) | _errors(facts["excess"])
    named = [{"Name": name, "Unit": METRICS[name]} for name in values]
    run, sha256 = model or ("none", "none")
    directive = {"Namespace": NAMESPACE, "Dimensions": [["Model"]], "Metrics": named}
    text = {"Model": run, "ModelSha256": sha256[:12], "RequestId": request_id, "Status": status}
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
        "Windows": len(facts["excess"]),
        "Alerts": int(body["anomalyDetected"]),
    }
    return counts if body["anomalyScore"] is None else counts | {"LargestScore": round(body["anomalyScore"], 4)}


def _lists(facts):
    """What is told by several numbers, which are no metrics of CloudWatch's; a list of zeros is left out."""
    lists = {**facts.get("counts", {}), "Held": np.round(facts.get("held", 0), 4)}
    return {name: np.asarray(values).tolist() for name, values in lists.items() if np.any(values)}


def _errors(excess):
    if not len(excess):
        return {}
    places = np.array([0.5, 0.9, 1.0]) * (len(excess) - 1)  # np.quantile's, in a fifth of its time
    p50, p90, largest = np.interp(places, np.arange(len(excess)), np.sort(excess)).round(4).tolist()
    return {"ErrorP50": p50, "ErrorP90": p90, "ErrorMax": largest}
