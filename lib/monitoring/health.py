"""Figures of a log: usage, rates and times by version and day, false alarms, failures and lost readings."""

import numpy as np
import pandas as pd
from scipy import stats

from lib.detector import trend
from lib.monitoring import log

LOST = {"rejected": "readings are rejected", "unknown": "readings are unknown", "refused": "requests are refused (4xx)"}
_USUAL = 0.9  # quantile of the days before: their usual share of lost readings
_DAY = pd.Timedelta(days=1)


def summarise(lines, by, *, interval_s):
    """Summarise a log's table by one or more columns.

    Parameters
    ----------
    lines : DataFrame
        A log's table.
    by : str or list of str or Series
    interval_s : float
        Seconds between the model's samples.

    Returns
    -------
    DataFrame
        One row per value of `by`: `requests`, `wearer_days` scored, and `alerts_per_day`, the requests with an alert
        per wearer-day. Shares of the readings: `rejected`, `unknown`. Shares of the requests: `refused` (4xx), `failed`
        (5xx), `cold`. Times: `median_ms`, `p99_ms`. Errors over the threshold: `error_p50` and `error_p90` of the
        median request, `error_max`. And `largest_score`.
    """
    status = {"refused": lines["Status"].between(400, 499), "failed": lines["Status"] >= 500}
    days = log.wearer_days(lines, interval_s=interval_s)
    groups = lines.assign(**status, wearer_days=days).groupby(by, sort=False)
    sums = groups[["Readings", "Rejected", "Unknown", "Windows", "Alerts", "wearer_days"]].sum()
    table = pd.DataFrame({"requests": groups.size(), "wearer_days": sums["wearer_days"]})
    table["alerts_per_day"] = sums["Alerts"] / sums["wearer_days"].where(sums["wearer_days"] > 0)
    readings = sums["Readings"].where(sums["Readings"] > 0)
    table["rejected"], table["unknown"] = sums["Rejected"] / readings, sums["Unknown"] / readings
    table["refused"], table["failed"] = groups["refused"].mean(), groups["failed"].mean()
    table["cold"] = groups["ColdStart"].mean()
    for name, quantile in (("median_ms", 0.5), ("p99_ms", 0.99)):
        table[name] = groups["DurationMs"].quantile(quantile)
    table["error_p50"], table["error_p90"] = groups["ErrorP50"].median(), groups["ErrorP90"].median()
    table["error_max"], table["largest_score"] = groups["ErrorMax"].max(), groups["LargestScore"].max()
    return table


def trends(lines, by, *, interval_s):
    """Summarise the trend of resting heart rate in a log's table.

    Parameters
    ----------
    lines : DataFrame
        A log's table.
    by : str or list of str or Series
    interval_s : float
        Seconds between the model's samples.

    Returns
    -------
    DataFrame
        One row per value of `by`: `with_trend`, the share of answered requests that have a trend; `raised`, the share
        of these at 0.3 or above; `alerts`; `alerts_per_month`, per 30 wearer-days that were scored, NaN without any;
        and `largest`.
    """
    answered = lines[lines["Status"] == 200]
    by = by if isinstance(by, str | list) else by.reindex(answered.index)
    score = answered["TrendScore"]
    days = log.wearer_days(answered, interval_s=interval_s)
    raised = (score >= trend.BORDERLINE).where(score.notna()).astype(float)
    groups = answered.assign(known=score.notna(), raised=raised, wearer_days=days).groupby(by, sort=False)
    table = pd.DataFrame({"with_trend": groups["known"].mean(), "raised": groups["raised"].mean()})
    table["alerts"] = groups["TrendAlerts"].sum()
    total = groups["wearer_days"].sum()
    table["alerts_per_month"] = 30 * table["alerts"] / total.where(total > 0)
    return table.assign(largest=groups["TrendScore"].max())


def share(count, total):
    """Return a share with its 95 % interval by Wilson (1927, "Probable inference", JASA 22).

    Returns
    -------
    tuple of float or None
        (share, low, high); None if `total` is 0.
    """
    if not total:
        return None
    interval = stats.binomtest(int(count), int(total)).proportion_ci(method="wilson")
    return float(count / total), float(interval.low), float(interval.high)


def false_alarm_shares(requests, by):
    """Return the share of false alarms among alerts with feedback.

    Parameters
    ----------
    requests : DataFrame
        As `feedback.scored_requests` returns it.
    by : str
        Column to group by.

    Returns
    -------
    DataFrame
        `answered`, `share`, `low`, `high`, one row per value of `by` that has an alert with feedback.
    """
    answered = requests[(requests["Alerts"] == 1) & requests["correct"].notna()]
    groups = (answered["correct"] == 0).groupby(answered[by], sort=False)
    rows = {value: (len(false), *share(int(false.sum()), len(false))) for value, false in groups if len(false)}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["answered", "share", "low", "high"])


def failures(lines):
    """Return how many requests failed (5xx), among the lines of `log.since_first_answer`.

    Returns
    -------
    dict
        `last_day` and `in_all`, as `share` returns them, and `last`, the time of the last failure. The last day is
        the 24 hours that end with the last line.
    """
    failed, time = lines["Status"] >= 500, lines["Time"]
    last_day = failed[time > time.max() - _DAY]
    shares = {"last_day": share(last_day.sum(), len(last_day)), "in_all": share(failed.sum(), len(failed))}
    return {**shares, "last": time[failed].max()}


def losses(lines, all_lines):
    """Return what was lost on the last day, beside the days before.

    Parameters
    ----------
    lines : DataFrame
        Lines of `log.since_first_answer`, whose last day is described.
    all_lines : DataFrame
        Lines of all versions, whose earlier days say what is usual.

    Returns
    -------
    dict
        `requests`; `scored`, readings with a score; `sent`, readings and refused requests; `codes`, refused requests
        by code; and for each of LOST its `share`, the `low` end of its interval and the `usual` share. Nine in ten
        earlier days stayed below the usual share; it is None without earlier days. The interval counts requests,
        because the readings of one request are alike.
    """
    end, codes = lines["Time"].max(), lines["Code"].where(lines["Status"].between(400, 499))
    in_last_day = lines["Time"] > end - _DAY
    today = _daily_losses(lines[in_last_day], end).iloc[0]
    before = _daily_losses(all_lines[all_lines["Time"] <= end - _DAY], end)
    facts = {name: int(today[name]) for name in ("requests", "scored", "sent")}
    facts["codes"] = codes[in_last_day].value_counts().to_dict()
    for name in LOST:
        usual = before[name].quantile(_USUAL)
        lost = round(today[name] * today["requests"]) if today[name] > 0 else 0  # in whole requests
        low = share(lost, today["requests"])[1] if lost else 0.0
        facts[name] = {"share": float(today[name]), "low": low, "usual": None if np.isnan(usual) else float(usual)}
    return facts


def _daily_losses(lines, end):
    """Return requests, scored, sent and the shares of LOST for each 24 hours before `end`; NaN where nothing came."""
    refused = lines["Status"].between(400, 499)
    counts = lines[["Readings", "Rejected", "Unknown"]].fillna(0).assign(requests=1, refused=refused)
    sums = counts.groupby((end - lines["Time"]) // _DAY).sum()
    readings = sums["Readings"].where(sums["Readings"] > 0)
    table = pd.DataFrame({"requests": sums["requests"], "sent": sums["Readings"] + sums["refused"]})
    table["scored"] = sums["Readings"] - sums["Rejected"] - sums["Unknown"]
    table["rejected"], table["unknown"] = sums["Rejected"] / readings, sums["Unknown"] / readings
    return table.assign(refused=sums["refused"] / sums["requests"])


def silence(lines, now):
    """Return (last request, now) if a day or more lies between them, else None.

    Parameters
    ----------
    lines : DataFrame
        Lines of all versions.
    now : str
        UTC in ISO 8601; "" for the present moment.
    """
    moment = pd.Timestamp(now) if now else pd.Timestamp.now("UTC")
    moment = moment.tz_convert(None) if moment.tzinfo else moment
    last = lines["Time"].max()
    return (last, moment) if moment - last >= _DAY else None
