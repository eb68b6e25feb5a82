"""What a log's table comes to: figures by version and by day, and the verdict on the model that is deployed."""

import numpy as np
import pandas as pd
from scipy import stats

from lib.monitoring import log
from lib.monitoring.drift import INPUTS

VERDICTS = HEALTHY, ADJUST, RETRAIN, REPAIR = "healthy", "adjust", "retrain", "repair"
_FEW = 5  # requests of a day: of fewer, that none got a score says little
LEAST_ANSWERED = 20  # alerts that wearers spoke of, from which their share tells
_MOST_FAILED = 0.01  # share of requests answered with 5xx that a deployment may have
_MOST_LOST = 0.2  # share of readings rejected or unknown, or of requests refused, that is told of
_SURGE = 0.1  # by how much such a share may surely exceed what is usual
_USUAL = 0.9  # of the days before, by the share of each, that are no worse than usual
_DAY = pd.Timedelta(days=1)
LOST = {"rejected": "readings are rejected", "unknown": "readings are unknown", "refused": "requests are refused (4xx)"}


def figures(lines, by, *, interval_s):
    """Requests, wearer-days, shares, times of a log's table, one row for each value of `by`, a list of columns' names
    or series.

    wearer_days: that got a score, of `log_lines.worn`; requests that alert, a wearer-day; rejected and unknown as
    shares of the readings, refused (4xx), failed (5xx) and cold of the requests; milliseconds at the median and the
    99th percentile; of requests' windows' errors over the threshold the median request's median, its 90th percentile,
    and the largest; the largest score.
    """
    status = {"refused": lines["Status"].between(400, 499), "failed": lines["Status"] >= 500}
    groups = lines.assign(**status, worn=log.worn(lines, interval_s=interval_s)).groupby(by, sort=False)
    sums = groups[["Readings", "Rejected", "Unknown", "Windows", "Alerts", "worn"]].sum()
    worn = sums["worn"]
    table = pd.DataFrame({"requests": groups.size(), "wearer_days": worn})
    table["alerts_per_day"] = sums["Alerts"] / worn.where(worn > 0)
    readings = sums["Readings"].where(sums["Readings"] > 0)
    table["rejected"], table["unknown"] = sums["Rejected"] / readings, sums["Unknown"] / readings
    table["refused"], table["failed"] = groups["refused"].mean(), groups["failed"].mean()
    table["cold"] = groups["ColdStart"].mean()
    for name, place in (("median_ms", 0.5), ("p99_ms", 0.99)):
        table[name] = groups["DurationMs"].quantile(place)
    table["error_p50"], table["error_p90"] = groups["ErrorP50"].median(), groups["ErrorP90"].median()
    table["error_max"], table["largest_score"] = groups["ErrorMax"].max(), groups["LargestScore"].max()
    return table


def share(count, total, *, confidence=0.95):
    """The share count / total with Wilson's score interval, as (share, low, high); None where total is 0.

    Wilson (1927), "Probable inference, the law of succession, and statistical inference", JASA 22.
    """
    if not total:
        return None
    interval = stats.binomtest(count, total).proportion_ci(confidence, method="wilson")
    return float(count / total), float(interval.low), float(interval.high)


def false_shares(requests, by):
    """False alarms among the alerts that wearers spoke of: answered, share, low and high by each value of column `by`.

    requests: of `feedback.answered`. Values without an answered alert have no row.
    """
    spoken = requests[(requests["Alerts"] == 1) & requests["correct"].notna()]
    groups = (spoken["correct"] == 0).groupby(spoken[by], sort=False)
    rows = {value: (len(false), *share(int(false.sum()), len(false))) for value, false in groups if len(false)}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["answered", "share", "low", "high"])


def failures(lines):
    """5xx answers among the lines of `log_lines.since_first`: {"last_day", "in_all": of `share`, "last": when}.

    The last day is the 24 hours that end with the last line, which may be of a request that failed.
    """
    failed, time = lines["Status"] >= 500, lines["Time"]
    last_day = failed[time > time.max() - pd.Timedelta(days=1)]
    of = {"last_day": share(int(last_day.sum()), len(last_day)), "in_all": share(int(failed.sum()), len(failed))}
    return {**of, "last": time[failed].max()}


def losses(lines, every):
    """What came to nothing on the last day of `log_lines.since_first`'s lines, beside the days before in `every` line.

    {"requests", "scored": readings that got a score, "sent": readings and refused requests, "codes": {code: refused
    requests}}, and of each of LOST {"share", "low" (of `share`), "usual"}: the share that nine in ten of the days
    before stayed below, None without such days. The chance in a share is that of the requests, for the readings of one
    are alike.
    """
    end, codes = lines["Time"].max(), lines["Code"].where(lines["Status"].between(400, 499))
    last = lines["Time"] > end - _DAY
    before = every[every["Time"] <= end - _DAY]
    today, days = _lost(lines[last], end).iloc[0], _lost(before, end)
    found = {name: int(today[name]) for name in ("requests", "scored", "sent")}
    found["codes"] = codes[last].value_counts().to_dict()
    for name in LOST:
        usual = days[name].quantile(_USUAL)
        lost = round(today[name] * today["requests"]) if today[name] > 0 else 0  # in whole requests
        low = share(lost, int(today["requests"]))[1] if lost else 0.0
        found[name] = {"share": float(today[name]), "low": low, "usual": None if np.isnan(usual) else float(usual)}
    return found


def silence(lines, now):
    """(the last request of a log's lines, of all versions, now) where a day or more lies between; else None.

    now: as text, UTC in ISO 8601, or "" for the moment itself.
    """
    moment = pd.Timestamp(now) if now else pd.Timestamp.now("UTC")
    moment = moment.tz_convert(None) if moment.tzinfo else moment
    last = lines["Time"].max()
    return (last, moment) if moment - last >= _DAY else None


def _lost(lines, end):
    """A row for each day of 24 hours before `end`: requests, scored, sent, and the shares of LOST (NaN of nothing)."""
    refused = lines["Status"].between(400, 499)
    counts = lines[["Readings", "Rejected", "Unknown"]].fillna(0).assign(requests=1, refused=refused)
    sums = counts.groupby((end - lines["Time"]) // _DAY).sum()
    readings = sums["Readings"].where(sums["Readings"] > 0)
    table = pd.DataFrame({"requests": sums["requests"], "sent": sums["Readings"] + sums["refused"]})
    table["scored"] = sums["Readings"] - sums["Rejected"] - sums["Unknown"]
    table["rejected"], table["unknown"] = sums["Rejected"] / readings, sums["Unknown"] / readings
    return table.assign(refused=sums["refused"] / sums["requests"])


def verdict(*, judged, false_share, answered, most_false, losses, failures, silent=None, unmet=0):
    """{"verdict", "why", "also"} of the version that is deployed.

    judged: of `drift.Usual.judge`, None where there are too few normal days; false_share: of `share`, among the
    `answered` alerts that wearers spoke of; losses, failures, silent: of those names, the last of `silence`;
    unmet: of `feedback.unmet`.

    Nobody asked for a day or more, surely more than 1 % of the last day's requests failed, none of its readings got a
    score, or surely far more than usual came to nothing: repair, for it is the deployment or the app that has to be
    mended first. Else, what comes in has changed on the last judged day: retrain. It has not, but the errors have, or
    surely more than the share `most_false` of alerts are false: adjust. Sensors and watches are to be looked at before
    either.
    """
    called, passed = _called(judged)
    inputs = [of for of in called if of["name"] in INPUTS]
    broken = _silent(silent) + _broken(failures) + _lost_today(losses)
    also = [f"drift was called on {day} and has passed" for day in passed]
    also += ["drift can not be told yet: too few normal days"] if judged is None else _unjudged(judged)
    also += _of_operation(losses, failures)
    also += [f"{unmet} rows of the feedback met no request of the log"] if unmet else []
    false = None
    if false_share is None or answered < LEAST_ANSWERED:
        also.append(f"wearers spoke of {answered} alerts; {LEAST_ANSWERED} are wanted to tell how many are false")
    elif false_share[1] > most_false:
        false = "{:.0%} of the alerts that wearers spoke of were false ({:.0%} to {:.0%})".format(*false_share)
        false += f", more than {most_false:.0%}"
    why = broken + [_sentence(of) for of in inputs or called] + ([false] if false else [])
    found = REPAIR if broken else RETRAIN if inputs else ADJUST if why else HEALTHY
    return {"verdict": found, "why": why or ["nothing that was looked at is out of the ordinary"], "also": also}


def _called(judged):
    """The calls of the last judged day, and the other days on which there were some."""
    known = judged[judged["judged"]] if judged is not None else pd.DataFrame()
    if known.empty:
        return [], []
    last = known["day"].max()
    calls = known[known["called"]]
    passed = sorted({f"{day:%Y-%m-%d}" for day in calls["day"][calls["day"] < last]})
    return calls[calls["day"] == last].to_dict("records"), passed


def _unjudged(judged):
    """Of the days after the last judged one, that there are some: the verdict on drift is older than the log's end."""
    last = judged["day"][judged["judged"]].max()
    later = judged["day"][~(judged["day"] <= last)]
    if later.empty:
        return []
    told = "drift is not told" if pd.isna(last) else f"drift is told of {last:%Y-%m-%d}"
    return [f"less than half the usual traffic since {later.min():%Y-%m-%d}: {told}"]


def _silent(silent):
    """That no request has come for long, as of a function that is dead or that nobody reaches."""
    if silent is None:
        return []
    last, now = silent
    return [
        f"no request since {last:%Y-%m-%d %H:%M}, {(now - last) / _DAY:.1f} days before {now:%Y-%m-%d %H:%M}: the "
        "function or what calls it is down, or its log does not arrive"
    ]


def _broken(failures):
    """Why the deployment itself is to be mended, none where it is whole."""
    if failures["last_day"][1] <= _MOST_FAILED:
        return []
    return [
        f"{failures['last_day'][0]:.1%} of the last day's requests failed (5xx), the last at "
        f"{failures['last']:%Y-%m-%d %H:%M}: Fault and Defect in the log say why; deploy.py --rollback, or "
        "deploy the run again"
    ]


def _lost_today(losses):
    """Why what watches send is to be looked at before the model, none where it is much as it was."""
    codes = ", ".join(f"{number} {code}" for code, number in losses["codes"].items())
    answers = f" (answers: {codes})" if codes else ""
    if losses["sent"] and not losses["scored"] and losses["requests"] >= _FEW:
        return [
            "no reading got a score on the last day: what watches send is not what the model reads; look at the app "
            f"first{answers}"
        ]
    return [
        f"{losses[name]['share']:.0%} of the last day's {what}, {losses[name]['usual']:.0%} are usual: look at what "
        f"the app sends{answers if name == 'refused' else ''}"
        for name, what in LOST.items()
        if _surged(losses[name])
    ]


def _surged(lost):
    return lost["usual"] is not None and lost["low"] > lost["usual"] + _SURGE


def _sentence(call):
    way = "higher" if call["shift"] > 0 else "lower"
    return (
        f"{call['name']} of {call['day']:%Y-%m-%d} is not that of normal days: {call['surprise']:.1f} standard "
        f"deviations off, shift {call['shift']:+.2f} ({way}), stability index {call['psi']:.2f}"
    )


def _of_operation(losses, failures):
    said = []
    if failures["in_all"][0] > _MOST_FAILED:
        last = f"the last at {failures['last']:%Y-%m-%d %H:%M}: see Fault and Defect in the log"
        said.append(f"{failures['in_all'][0]:.1%} of all requests failed (5xx), {last}")
    for name, what in LOST.items():
        if losses[name]["share"] > _MOST_LOST and not _surged(losses[name]) and losses["scored"]:
            said.append(f"{losses[name]['share']:.0%} of the last day's {what}")
    return said
