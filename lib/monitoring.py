"""What a log's table comes to: figures by version and by day, and the verdict on the model that is deployed."""

import numpy as np
import pandas as pd
from scipy import stats

from lib.drift import INPUTS

VERDICTS = HEALTHY, ADJUST, RETRAIN, REPAIR = "healthy", "adjust", "retrain", "repair"
LEAST_ANSWERED = 20  # alerts that wearers spoke of, from which their share tells
_MOST_FAILED = 0.01  # share of requests answered with 5xx that a deployment may have
_MOST_LOST = 0.2  # share of readings rejected or unknown that does


def figures(lines, by, *, interval_s):
    """Requests, wearer-days, shares, times of a log's table, one row for each value of `by`, a list of columns' names
    or series.

    wearer_days: of readings that got a score; alerts a wearer-day; rejected and unknown as shares of the readings,
    failed (5xx) and cold of the requests; milliseconds at the median and the 99th percentile; of requests' windows'
    errors over the threshold the median request's median, its 90th percentile, and the largest; the largest score.
    """
    groups = lines.assign(failed=lines["Status"] >= 500).groupby(by, sort=False)
    sums = groups[["Readings", "Rejected", "Unknown", "Windows", "Alerts"]].sum()
    worn = (sums["Readings"] - sums["Rejected"] - sums["Unknown"]) * interval_s / 86_400
    table = pd.DataFrame({"requests": groups.size(), "wearer_days": worn})
    table["alerts_per_day"] = sums["Alerts"] / worn.where(worn > 0)
    readings = sums["Readings"].where(sums["Readings"] > 0)
    table["rejected"], table["unknown"] = sums["Rejected"] / readings, sums["Unknown"] / readings
    table["failed"], table["cold"] = groups["failed"].mean(), groups["ColdStart"].mean()
    for name, place in (("median_ms", 0.5), ("p99_ms", 0.99)):
        table[name] = groups["DurationMs"].quantile(place)
    table["error_p50"], table["error_p90"] = groups["ErrorP50"].median(), groups["ErrorP90"].median()
    table["error_max"], table["largest_score"] = groups["ErrorMax"].max(), groups["LargestScore"].max()
    return table


def share(count, total, *, confidence=0.95):
    """(share, low, high): a share and its interval by Wilson (1927, "Probable inference", JASA 22); None of none."""
    if not total:
        return None
    z = stats.norm.ppf((1 + confidence) / 2)
    middle = (count + z * z / 2) / (total + z * z)
    half = z / (total + z * z) * np.sqrt(count * (total - count) / total + z * z / 4)
    return float(count / total), float(max(0.0, middle - half)), float(min(1.0, middle + half))


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


def verdict(*, judged, false_share, answered, most_false, figures, failures):
    """{"verdict", "why", "also"} of the version that is deployed.

    judged: of `drift.Usual.judge`, None where there are too few normal days; false_share: of `share`, among the
    `answered` alerts that wearers spoke of; figures: one row of `figures`; failures: of that name.

    Surely more than 1 % of the last day's requests failed, or none of all readings got a score: repair, for it is the
    deployment that has to be mended first. Else, what comes in has changed on the last judged day: retrain. It has not,
    but the errors have, or surely more than the share `most_false` of alerts are false: adjust. Sensors and watches are
    to be looked at before either.
    """
    called, passed = _called(judged)
    inputs = [of for of in called if of["name"] in INPUTS]
    broken = _broken(failures, figures)
    also = [f"drift was called on {day} and has passed" for day in passed]
    also += ["drift can not be told yet: too few normal days"] if judged is None else _unjudged(judged)
    also += _of_operation(figures, failures)
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


def _broken(failures, figures):
    """Why the deployment itself is to be mended, none where it is whole."""
    found = []
    if failures["last_day"][1] > _MOST_FAILED:
        found.append(
            f"{failures['last_day'][0]:.1%} of the last day's requests failed (5xx), the last at "
            f"{failures['last']:%Y-%m-%d %H:%M}: Fault and Defect in the log say why; deploy.py --rollback, or "
            "deploy the run again"
        )
    if figures["wearer_days"] == 0 and figures["rejected"] + figures["unknown"] > 0:
        found.append("no reading got a score: what watches send is not what the model reads; look at the app first")
    return found


def _sentence(call):
    way = "higher" if call["shift"] > 0 else "lower"
    return (
        f"{call['name']} of {call['day']:%Y-%m-%d} is not that of normal days: {call['surprise']:.1f} standard "
        f"deviations off, shift {call['shift']:+.2f} ({way}), stability index {call['psi']:.2f}"
    )


def _of_operation(figures, failures):
    said = []
    if failures["in_all"][0] > _MOST_FAILED:
        last = f"the last at {failures['last']:%Y-%m-%d %H:%M}: see Fault and Defect in the log"
        said.append(f"{failures['in_all'][0]:.1%} of all requests failed (5xx), {last}")
    for name in ("rejected", "unknown"):
        if figures[name] > _MOST_LOST:
            said.append(f"{figures[name]:.0%} of readings are {name}")
    return said
