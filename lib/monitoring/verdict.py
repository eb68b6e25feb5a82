"""The verdict on the deployed model, and the reasons for it."""

from dataclasses import dataclass, field

import pandas as pd

from lib.monitoring import drift
from lib.monitoring.health import LOST

VERDICTS = HEALTHY, TOO_LITTLE, ADJUST, RETRAIN, REPAIR = "healthy", "too little data", "adjust", "retrain", "repair"
LEAST_ANSWERED = 20  # alerts with feedback from which their share counts
_FEW = 5  # requests of a day: if fewer came, that none got a score means little
_MOST_FAILED = 0.01  # share of requests answered with 5xx that a deployment may have
_MOST_LOST = 0.2  # share of lost readings, or of refused requests, that is mentioned
_SURGE = 0.1  # by how much such a share must surely exceed the usual one
_DAY = pd.Timedelta(days=1)


@dataclass(frozen=True)
class Findings:
    """What is known of the deployed version.

    Attributes
    ----------
    judged : DataFrame or None
        As `drift.Reference.judge` returns it; None if there are too few normal days.
    false_share : tuple or None
        Share of false alarms, as `health.share` returns it.
    answered : int
        Alerts with feedback.
    most_false : float
        Share of false alarms above which the threshold is to be adjusted.
    losses, failures : dict
        From the functions of `health` of these names.
    silence : tuple or None
        From `health.silence`.
    unmatched : int
        Rows of feedback that match no request.
    promise : list of promise.Comparison
        Deployed rates beside those of calibration.
    """

    judged: pd.DataFrame | None
    false_share: tuple | None
    answered: int
    most_false: float
    losses: dict
    failures: dict
    silence: tuple | None = None
    unmatched: int = 0
    promise: list = field(default_factory=list)


def decide(findings):
    """Return the verdict.

    The most severe verdict wins. `repair`: no request for a day, surely more than 1 % of the last day's requests
    failed, none of its readings got a score, or surely far more than usual was lost. `retrain`: the inputs have
    changed, and the change lasts. `adjust`: the errors have changed but the inputs have not, alerts or borderline
    windows are surely more frequent than calibration promises, or surely more than the share `most_false` of alerts are
    false. `too little data`: the promise may be broken several times over. Otherwise `healthy`.

    Returns
    -------
    dict
        `verdict`; `why`, its reasons as sentences; `also`, what else is worth knowing.
    """
    calls = drift.calls(findings.judged) if findings.judged is not None else []
    reasons = _reasons(findings, [call for call in calls if call["lasts"]])
    verdict = next((name for name in reversed(VERDICTS) if reasons[name]), HEALTHY)
    certain = [reason for name in (REPAIR, RETRAIN, ADJUST) for reason in reasons[name]]
    also = [_describe_passed(call) for call in calls if not call["lasts"]] + _side_notes(findings)
    return {"verdict": verdict, "why": certain or reasons[TOO_LITTLE] or reasons[HEALTHY], "also": also}


def _reasons(findings, lasting):
    """Return the reasons for each verdict. `lasting`: calls of a change that lasts."""
    inputs = [_describe_call(call) for call in lasting if call["kind"] == "inputs"]
    errors = [_describe_call(call) for call in lasting if call["kind"] == "errors"]
    broken = [str(rate) for rate in findings.promise if rate.is_broken]
    unclear = [f"{rate}: too little data" for rate in findings.promise if not (rate.is_broken or rate.is_kept)]
    if findings.judged is None and not findings.promise:
        unclear = ["neither drift nor the promise of calibration can be judged: too little data"]
    operation = _describe_outage(findings.failures) + _describe_loss(findings.losses)
    return {
        HEALTHY: [str(rate) for rate in findings.promise] or ["everything examined is in the ordinary range"],
        TOO_LITTLE: unclear,
        ADJUST: ([] if inputs else errors) + broken + _describe_false_alarms(findings),
        RETRAIN: inputs,
        REPAIR: _describe_silence(findings.silence) + operation,
    }


def _describe_passed(call):
    return (
        f"a change of the {call['kind']} was called on {call['first']:%Y-%m-%d} and ended after {call['last']:%Y-%m-%d}"
    )


def _side_notes(findings):
    judged = findings.judged
    notes = ["drift cannot be judged yet: too few normal days"] if judged is None else _describe_unjudged(judged)
    notes += _describe_operation(findings.losses, findings.failures)
    if findings.unmatched:
        notes.append(f"{findings.unmatched} rows of the feedback match no request of the log")
    if _has_too_little_feedback(findings):
        notes.append(
            f"wearers gave feedback on {findings.answered} alerts; the share of false ones needs {LEAST_ANSWERED}"
        )
    return notes


def _has_too_little_feedback(findings):
    return findings.false_share is None or findings.answered < LEAST_ANSWERED


def _describe_false_alarms(findings):
    if _has_too_little_feedback(findings) or findings.false_share[1] <= findings.most_false:
        return []
    shares = "{:.0%} of the alerts with feedback were false ({:.0%} to {:.0%})".format(*findings.false_share)
    return [f"{shares}, more than {findings.most_false:.0%}"]


def _describe_unjudged(judged):
    """Say that days follow the last judged one: the verdict on drift is older than the log's end."""
    last = judged["day"][judged["judged"]].max()
    later = judged["day"][~(judged["day"] <= last)]
    if later.empty:
        return []
    known = "drift is unknown" if pd.isna(last) else f"drift is known up to {last:%Y-%m-%d}"
    return [f"less than half the usual traffic since {later.min():%Y-%m-%d}: {known}"]


def _describe_silence(silence):
    if silence is None:
        return []
    last, now = silence
    return [
        f"no request since {last:%Y-%m-%d %H:%M}, {(now - last) / _DAY:.1f} days before {now:%Y-%m-%d %H:%M}: the "
        "function or its caller is down, or its log does not arrive"
    ]


def _describe_outage(failures):
    if failures["last_day"][1] <= _MOST_FAILED:
        return []
    return [
        f"{failures['last_day'][0]:.1%} of the last day's requests failed (5xx), the last at "
        f"{failures['last']:%Y-%m-%d %H:%M}: Fault and Defect in the log say why; deploy.py --rollback, or "
        "deploy the run again"
    ]


def _describe_loss(losses):
    """Say why the app's data must be examined before the model; empty if little more than usual was lost."""
    codes = ", ".join(f"{number} {code}" for code, number in losses["codes"].items())
    answers = f" (answers: {codes})" if codes else ""
    if losses["sent"] and not losses["scored"] and losses["requests"] >= _FEW:
        return [
            "no reading got a score on the last day: watches send what the model cannot read; look at the app "
            f"first{answers}"
        ]
    return [
        f"{losses[name]['share']:.0%} of the last day's {lost}, {losses[name]['usual']:.0%} are usual: look at what "
        f"the app sends{answers if name == 'refused' else ''}"
        for name, lost in LOST.items()
        if _has_surged(losses[name])
    ]


def _has_surged(loss):
    return loss["usual"] is not None and loss["low"] > loss["usual"] + _SURGE


def _describe_call(call):
    rows = [
        f"{row['name']}: shift {row['shift']:+.2f} ({'higher' if row['shift'] > 0 else 'lower'}), stability index "
        f"{row['psi']:.2f}, {row['surprise']:.1f} standard deviations off"
        for row in call["rows"]
    ]
    return f"the {call['kind']} have changed since {call['first']:%Y-%m-%d}: {'; '.join(rows)}"


def _describe_operation(losses, failures):
    notes = []
    if failures["in_all"][0] > _MOST_FAILED:
        last = f"the last at {failures['last']:%Y-%m-%d %H:%M}: see Fault and Defect in the log"
        notes.append(f"{failures['in_all'][0]:.1%} of all requests failed (5xx), {last}")
    for name, lost in LOST.items():
        if losses[name]["share"] > _MOST_LOST and not _has_surged(losses[name]) and losses["scored"]:
            notes.append(f"{losses[name]['share']:.0%} of the last day's {lost}")
    return notes
