"""What is found at a given price: event recall and delay at so many false alarms a wearer-day.

`recall_at` asks what a method could do at that price, its threshold found on the very windows it is measured on;
`calibrated` and `at_threshold` what it does where the threshold comes from other wearers' normal life.

windows and events are those of `evaluation`; errors (N,) are the windows', the larger the stranger, NaN where there
is no score and never an alarm. Events count once each and false alarms as episodes; nothing is point-adjusted
(Kim et al. 2022, "Towards a rigorous evaluation of time-series anomaly detection", AAAI).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lib.evaluation import events as evaluation

CANDIDATES = 400  # thresholds tried
RATES = np.geomspace(0.1, 10, 31)  # false alarms a wearer-day that a curve shows


@dataclass(frozen=True)
class OperatingPoint:
    """What a method does at one threshold."""

    threshold: float  # a window is flagged from it on
    false_alarms_per_day: float  # at it
    recall_macro: float  # mean over kinds of the share of events found
    recall_macro_with_gate: float  # the same, with those found by the sensor gate; NaN where that is not known
    recall_by_kind: pd.Series
    delay_s: float  # median over the events found; NaN without one
    delay_with_gate_s: float  # median over the events found by either, when the first of them tells; NaN as above


@dataclass(frozen=True)
class Counts:
    """Alarms at each of K thresholds, which fall: episodes (W, K) by wearer, delays (E, K) by event.

    A delay is in seconds from the event's start to its first alarm, NaN without one.
    """

    thresholds: np.ndarray
    wearers: np.ndarray  # (W,)
    episodes: np.ndarray
    delays: np.ndarray


def recall_at(windows, events, errors, false_alarms_per_day=1.0, *, days, gate_delays=None):
    """The `OperatingPoint` at the lowest threshold from which on up false alarms keep to a rate.

    At no candidate above it are there more episodes a day; they are not monotone in the threshold, as two may
    become one where it falls. days: worn, unlabelled wearer-days, of `evaluation.wearer_days`; gate_delays
    (E,): of `evaluation.gate_delays`. Raises ValueError for days that are not positive, a negative rate, and
    errors that are infinite.
    """
    _check(days, false_alarms_per_day)
    counts = count(windows, events, errors)
    rates = counts.episodes.sum(axis=0) / days
    place = lowest_within(rates, false_alarms_per_day)
    return _point(events, counts.thresholds[place], rates[place], counts.delays[:, place], gate_delays)


def calibrated(windows, errors, false_alarms_per_day=1.0, *, days):
    """The lowest threshold from which on up normal windows alone keep to a rate of false alarms, as `recall_at`.

    windows: of wearers who are not those that it is to be used on; days: the time they were watched. Raises ValueError
    as `recall_at` does.
    """
    _check(days, false_alarms_per_day)
    counts = count(windows, evaluation.NO_EVENTS, errors)
    return float(counts.thresholds[lowest_within(counts.episodes.sum(axis=0) / days, false_alarms_per_day)])


def at_threshold(windows, events, errors, threshold, *, days, gate_delays=None):
    """The `OperatingPoint` at a threshold; the other arguments are those of `recall_at`."""
    _check(days, 0.0)
    flagged = np.asarray(errors) >= threshold
    rate = evaluation.false_alarms(windows, flagged) / days
    delays = evaluation.detections(windows, events, flagged)["delay_s"].to_numpy(np.float64)
    return _point(events, threshold, rate, delays, gate_delays)


def _point(events, threshold, rate, delays, gate_delays):
    kind, found = events["kind"].to_numpy(dtype=object), pd.Series(~np.isnan(delays), dtype=np.float64)
    by_kind = found.groupby(kind).mean().rename("recall").rename_axis("kind")
    first = delays * np.nan if gate_delays is None else np.fmin(delays, gate_delays)
    either = found * np.nan if gate_delays is None else pd.Series(~np.isnan(first), dtype=np.float64)
    return OperatingPoint(
        threshold=float(threshold),
        false_alarms_per_day=float(rate),
        recall_macro=float(by_kind.mean()),
        recall_macro_with_gate=float(either.groupby(kind).mean().mean()),
        recall_by_kind=by_kind,
        delay_s=_median(delays),
        delay_with_gate_s=_median(first),
    )


def _median(delays):
    """Of those that are known; NaN where none is."""
    known = delays[~np.isnan(delays)]
    return float(np.median(known)) if len(known) else np.nan


def curve(windows, events, errors, *, days, rates=RATES):
    """What is found over its price: a frame of false_alarms_per_day (allowed: `rates`), threshold, recall_macro.

    Each row is that of `recall_at` for its rate. Raises ValueError as that does.
    """
    _check(days, min(rates))
    counts = count(windows, events, errors)
    per_day = counts.episodes.sum(axis=0) / days
    places = [lowest_within(per_day, rate) for rate in rates]
    found = pd.DataFrame(~np.isnan(counts.delays[:, places]), dtype=np.float64)  # (E, rates)
    recall = found.groupby(events["kind"].to_numpy(dtype=object)).mean().mean()
    columns = {"false_alarms_per_day": rates, "threshold": counts.thresholds[places]}
    return pd.DataFrame({**columns, "recall_macro": recall.to_numpy(dtype=np.float64)})


def lowest_within(rates, allowed):
    """The place of the last of `rates` (K,), of falling thresholds, before the first above `allowed`; 0 at least."""
    above = np.asarray(rates) > allowed
    return max(int(above.argmax()) - 1, 0) if above.any() else len(above) - 1


def count(windows, events, errors, *, apart_s=evaluation.EPISODE_S):
    """The `Counts` of a method at its candidate thresholds; apart_s as in `evaluation.false_alarms`.

    Raises ValueError when an error is infinite.
    """
    errors = np.asarray(errors, dtype=np.float64)
    if np.isinf(errors).any():
        raise ValueError("errors: one is infinite; a number is wanted, or NaN where there is no score")
    thresholds = _candidates(errors, (windows["kind"] == evaluation.NORMAL).to_numpy())
    wearers, episodes = _episodes(windows, errors, thresholds, apart_s=apart_s)
    return Counts(thresholds, wearers, episodes, _delays(windows, events, errors, thresholds))


def _candidates(errors, normal):
    """Falling thresholds: just above the largest normal error, above ever more of them, and one that flags all.

    Each flags every window that it can with so many normal ones flagged: one more each at first, then about 3 %
    more each.
    """
    scored = errors[~np.isnan(errors)]
    if not len(scored):
        return np.array([np.inf])
    falling = -np.sort(-errors[normal & ~np.isnan(errors)])
    places = np.unique(np.append(0, np.geomspace(1, max(len(falling), 1), CANDIDATES).astype(int)))
    above = np.nextafter(falling[places[places < len(falling)]], np.inf)
    return -np.unique(-np.append(above, scored.min()))


def _episodes(windows, errors, thresholds, *, apart_s):
    """The wearers (W,) of the windows, and each one's episodes of false alarm (W, K), as `evaluation.false_alarms`."""
    code, wearers = pd.factorize(windows["user_id"])
    order = np.lexsort((windows["end"].to_numpy(), code))
    order = order[(windows["kind"] == evaluation.NORMAL).to_numpy()[order]]
    code, errors, end = code[order], errors[order], windows["end"].to_numpy()[order]
    found = np.zeros((len(wearers), len(thresholds)), dtype=int)
    for place, threshold in enumerate(thresholds):
        flagged = np.flatnonzero(errors >= threshold)
        another = np.diff(end[flagged]) >= np.timedelta64(apart_s, "s")
        another |= np.diff(code[flagged]) != 0
        begins = flagged[np.append(True, another)[: len(flagged)]]
        found[:, place] = np.bincount(code[begins], minlength=len(wearers))
    return np.asarray(wearers, dtype=object), found


def _delays(windows, events, errors, thresholds):
    """Seconds from each event's start to its first alarm at each threshold, (E, K), as `evaluation.detections`."""
    end, evidence = windows["end"].to_numpy(), np.where(np.isnan(errors), -np.inf, errors)
    found = np.full((len(events), len(thresholds)), np.nan)
    spans = zip(events["start"], evaluation.windows_during(windows, events), strict=True)
    for number, (start, during) in enumerate(spans):
        during = during[np.argsort(end[during], kind="stable")]
        highest = np.maximum.accumulate(evidence[during])  # so far
        first = np.searchsorted(highest, thresholds)  # the first window that reaches each threshold
        reached = first < len(during)
        since = end[during[first[reached]]] - start.to_datetime64()
        found[number, reached] = since / np.timedelta64(1, "s")
    return found


def _check(days, rate):
    if not days > 0:
        raise ValueError(f"days={days}: worn, unlabelled time is wanted to count false alarms over")
    if not rate >= 0:
        raise ValueError(f"false_alarms_per_day={rate}: 0 or more is wanted")
