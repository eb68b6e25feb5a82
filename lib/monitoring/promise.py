"""Does the deployed model keep the promise of its calibration, from the first day?

Two rates are compared with calibration: requests with an alert per wearer-day, and the share of windows that reach the
threshold ("at most 5 % of normal windows"). The log does not know wearers, so their number is estimated by the
wearer-days of the median day. Wearers differ: the rate of W normal wearers is the promised one times a gamma variable
with mean 1 and coefficient of variation c / √W. Events come in bursts, so the variance of hourly counts over their
mean, φ, divides the counts (quasi-Poisson). A count in T units of exposure is then negative binomial.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import optimize, special, stats

from lib.detector.persistence import Persistence
from lib.monitoring import log
from lib.monitoring.e_detector import EDetector

ALERTS, BORDERLINE = "alerts", "borderline"
LIMIT = 1000.0  # evidence against the promise: days up to a false call, on average and at least
TOO_OFTEN = 5.0  # times the promised rate; only a rate that is surely below may be called healthy
_CHANCE = 0.01  # of an error at each end of an interval
_BETWEEN_WEARERS = {ALERTS: 3.0, BORDERLINE: 1.4}  # c, of the default run's calibration wearers
_THRESHOLD = 1 - 1e-3  # a window's error over the threshold that counts as reaching it; bin edges are rounded
_NAMES = {ALERTS: ("alerts a wearer-day", "{:.2f}"), BORDERLINE: ("of the windows reach the threshold", "{:.1%}")}


@dataclass(frozen=True)
class Comparison:
    """A deployed rate beside the promised one.

    Attributes
    ----------
    name : str
        ALERTS or BORDERLINE.
    rate, promised : float
        Alerts per wearer-day, or a share of windows.
    low, high : float
        Bounds of the rate of such wearers in general, and of these wearers, each wrong in 1 % of cases.
    wearers : float
        Wearers that wore a watch all day, as the median day has them.
    evidence : float
        Largest evidence of the e-detector against the promise; 1 without one.
    """

    name: str
    rate: float
    promised: float
    low: float
    high: float
    wearers: float
    evidence: float = 1.0

    @property
    def is_broken(self):
        """Whether the rate is surely above the promised one."""
        return self.low > self.promised or self.evidence >= LIMIT

    @property
    def is_kept(self):
        """Whether the rate is surely not far above the promised one."""
        return not self.is_broken and self.high < TOO_OFTEN * self.promised

    def __str__(self):
        words, number = _NAMES[self.name]
        rate, low, high, promised = map(number.format, (self.rate, self.low, self.high, self.promised))
        return f"{rate} {words} ({low} to {high}, {self.wearers:.0f} wearers); calibration promises {promised}"


def compare(lines, model):
    """Compare a version's requests with the promise of its calibration.

    Parameters
    ----------
    lines : DataFrame
        The scored requests of one version, or of one set of weights.
    model : dict
        Content of its model.json.

    Returns
    -------
    list of Comparison
        Rates whose promise is unknown, as in models by hand, are left out.
    """
    days = log.wearer_days(lines, interval_s=model["interval_s"])
    by_day = days.groupby(lines["Time"].dt.floor("D")).sum()
    wearers = max(1.0, float(by_day.median())) if len(by_day) else 1.0
    comparisons = []
    promised = _promised_alerts(model)
    if promised and days.sum() > 0:
        comparisons.append(_compare(ALERTS, lines["Time"], lines["Alerts"].fillna(0), days, promised, wearers))
    promised, is_above = _promised_borderline(model)
    windows, above = _count_windows(lines["Errors"], is_above)
    if promised and windows.sum() > 0:
        compared = _compare(BORDERLINE, lines["Time"], above, windows, promised, wearers)
        evidence = _evidence(lines["Time"], above, windows, promised, wearers)
        comparisons.append(Comparison(**{**vars(compared), "evidence": evidence}))
    return comparisons


def _promised_alerts(model):
    """Return the promised alerts per wearer-day: calibration's, or what an accepted proposal predicts; else None."""
    by_persistence = model.get("metrics", {}).get("false_alarms_per_day") or {}
    promised = by_persistence.get(str(Persistence.of(model["calibration"])))
    return promised or model.get("adjusted", {}).get("false_alarms")


def _promised_borderline(model):
    """Return the share of calibration's windows in the bins that reach the threshold, and which bins these are."""
    bins = model.get("population", {}).get("Errors")
    if not bins:
        return None, np.zeros(0, dtype=bool)
    is_above = np.append(-np.inf, bins["edges"]) >= _THRESHOLD
    return float(np.array(bins["shares"])[is_above].sum()), is_above


def _count_windows(errors, is_above):
    """Return each request's windows and those in the bins that reach the threshold, (n_requests,) each."""
    counts = np.zeros((len(errors), max(len(is_above), 1)))
    for place, row in enumerate(errors):
        if row is not None and len(row) == len(is_above):
            counts[place] = row
    return counts.sum(axis=1), counts[:, : len(is_above)][:, is_above].sum(axis=1)


def _compare(name, times, events, exposure, promised, wearers):
    """Compare events (n_requests,) in an exposure (n_requests,) with the promised rate."""
    table = pd.DataFrame({"events": np.asarray(events), "exposure": np.asarray(exposure)})
    hourly = table.groupby(times.dt.floor("h").to_numpy()).sum()
    count, total = hourly["events"].sum(), hourly["exposure"].sum()
    rate = count / total
    bursts = ((hourly["events"] - rate * hourly["exposure"]) ** 2).sum() / count if count else 1.0
    burst = max(1.0, bursts)
    low = _lowest_rate(count / burst, total / burst, wearers / _BETWEEN_WEARERS[name] ** 2)
    high = stats.chi2.ppf(1 - _CHANCE, 2 * count / burst + 2) / 2 * burst / total
    return Comparison(name, float(rate), float(promised), low, float(high), wearers)


def _lowest_rate(count, exposure, shape):
    """Return the rate at which so large a count has a chance of 1 %, for wearers whose mean rate has this shape."""
    if count <= 0:
        return 0.0

    def chance_beyond(rate):  # that a negative binomial count is at least this large, less _CHANCE
        return special.betainc(count, shape, rate * exposure / (shape + rate * exposure)) - _CHANCE

    return float(optimize.brentq(chance_beyond, 1e-9 * count / exposure, 1e3 * count / exposure))


def _evidence(times, above, windows, promised, wearers):
    """Return the e-detector's largest evidence that the daily share of such windows exceeds the promise."""
    daily = pd.DataFrame({"above": above, "windows": windows}).groupby(times.dt.floor("D").to_numpy()).sum()
    shares = (daily["above"] / daily["windows"].where(daily["windows"] > 0)).to_numpy()
    shape = wearers / _BETWEEN_WEARERS[BORDERLINE] ** 2
    largest = promised * stats.gamma.ppf(1 - _CHANCE, shape) / shape
    if largest >= 1:
        return 1.0
    detector, evidence = EDetector(np.array([largest]), limit=LIMIT), [1.0]
    for share in shares:
        detector.update(np.array([share]))
        evidence.append(float(detector.evidence))
    return max(evidence)
