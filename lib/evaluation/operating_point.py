"""What is found at a given price: event recall and delay at a rate of false alarms per wearer-day.

`recall_at` finds its threshold on the windows that it measures: what a method could do at that price. `calibrated` and
`at_threshold` take the threshold from other wearers' normal life: what a method does.

windows, events and errors are those of `lib.evaluation.events`.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lib.evaluation.events import EPISODE_S, NO_EVENTS, NORMAL, detections, false_alarms, windows_during

CANDIDATES = 400  # thresholds that are tried
RATES = np.geomspace(0.1, 10, 31)  # false alarms per wearer-day that a curve shows


@dataclass(frozen=True)
class OperatingPoint:
    """What a method does at one threshold."""

    threshold: float  # windows are flagged from here on
    false_alarms_per_day: float
    recall_macro: float  # mean over kinds of the share of events found
    recall_macro_with_gate: float  # the same with the events that the quality check reports; NaN if that is unknown
    recall_by_kind: pd.Series
    delay_s: float  # median over the events found; NaN without one
    delay_with_gate_s: float  # median over the events found by either, to the first report; NaN as above


@dataclass(frozen=True)
class Counts:
    """Alarms at falling thresholds."""

    thresholds: np.ndarray  # (n_thresholds,)
    wearers: np.ndarray  # (n_wearers,)
    episodes: np.ndarray  # (n_wearers, n_thresholds) episodes of false alarm
    delays: np.ndarray  # (n_events, n_thresholds) seconds from an event's start to its first alarm; NaN without one


def recall_at(windows, events, errors, false_alarms_per_day=1.0, *, days, gate_delays=None):
    """The operating point at the lowest threshold at and above which false alarms keep to a rate.

    No candidate above the threshold has more episodes a day. The condition covers all of them because the number of
    episodes is not monotone: two may become one as the threshold falls.

    Parameters
    ----------
    windows, events : DataFrame
    errors : array-like, shape (n_windows,)
    false_alarms_per_day : float
    days : float
        Worn, unlabelled wearer-days, of `events.wearer_days`.
    gate_delays : ndarray, shape (n_events,), optional
        Of `events.gate_delays`.

    Returns
    -------
    OperatingPoint

    Raises
    ------
    ValueError
        If `days` is not positive, the rate is negative or an error is infinite.
    """
    _check(days, false_alarms_per_day)
    counts = count(windows, events, errors)
    rates = counts.episodes.sum(axis=0) / days
    place = lowest_within(rates, false_alarms_per_day)
    return _point(events, counts.thresholds[place], rates[place], counts.delays[:, place], gate_delays)


def calibrated(windows, errors, false_alarms_per_day=1.0, *, days):
    """The threshold of `recall_at`, from normal windows alone.

    The windows are of other wearers than those it is used on, observed for `days`. Raises ValueError as `recall_at`.
    """
    _check(days, false_alarms_per_day)
    counts = count(windows, NO_EVENTS, errors)
    return float(counts.thresholds[lowest_within(counts.episodes.sum(axis=0) / days, false_alarms_per_day)])


def at_threshold(windows, events, errors, threshold, *, days, gate_delays=None):
    """The operating point at a given threshold. The other parameters are those of `recall_at`."""
    _check(days, 0.0)
    flagged = np.asarray(errors) >= threshold
    rate = false_alarms(windows, flagged) / days
    delays = detections(windows, events, flagged)["delay_s"].to_numpy(np.float64)
    return _point(events, threshold, rate, delays, gate_delays)


def _point(events, threshold, rate, delays, gate_delays):
    kind, detected = events["kind"].to_numpy(dtype=object), pd.Series(~np.isnan(delays), dtype=np.float64)
    by_kind = detected.groupby(kind).mean().rename("recall").rename_axis("kind")
    first = delays * np.nan if gate_delays is None else np.fmin(delays, gate_delays)
    either = detected * np.nan if gate_delays is None else pd.Series(~np.isnan(first), dtype=np.float64)
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
    """The median of the known delays; NaN if none is known."""
    known = delays[~np.isnan(delays)]
    return float(np.median(known)) if len(known) else np.nan


def curve(windows, events, errors, *, days, rates=RATES):
    """Recall over its price.

    Returns
    -------
    DataFrame
        One row for each of `rates`, with the figures of `recall_at`: false_alarms_per_day (the rate), threshold and
        recall_macro.

    Raises
    ------
    ValueError
        As `recall_at`.
    """
    _check(days, min(rates))
    counts = count(windows, events, errors)
    per_day = counts.episodes.sum(axis=0) / days
    places = [lowest_within(per_day, rate) for rate in rates]
    detected = pd.DataFrame(~np.isnan(counts.delays[:, places]), dtype=np.float64)  # (n_events, rates)
    recall = detected.groupby(events["kind"].to_numpy(dtype=object)).mean().mean()
    columns = {"false_alarms_per_day": rates, "threshold": counts.thresholds[places]}
    return pd.DataFrame({**columns, "recall_macro": recall.to_numpy(dtype=np.float64)})


def lowest_within(rates, allowed):
    """The position of the last rate before the first above `allowed`, at least 0. Their thresholds fall."""
    above = np.asarray(rates) > allowed
    return max(int(above.argmax()) - 1, 0) if above.any() else len(above) - 1


def count(windows, events, errors, *, apart_s=EPISODE_S):
    """The Counts of a method at its candidate thresholds; `apart_s` is that of `events.false_alarms`.

    Raises ValueError if an error is infinite.
    """
    errors = np.asarray(errors, dtype=np.float64)
    if np.isinf(errors).any():
        raise ValueError("errors: expected numbers, or NaN for a window without a score, got an infinite one")
    thresholds = _candidates(errors, (windows["kind"] == NORMAL).to_numpy())
    wearers, episodes = _episodes(windows, errors, thresholds, apart_s=apart_s)
    return Counts(thresholds, wearers, episodes, _delays(windows, events, errors, thresholds))


def _candidates(errors, normal):
    """Falling thresholds: just above the largest normal error, just above ever smaller ones, and one that flags all.

    Each flags as many windows as possible for its number of flagged normal ones. That number grows by one at first,
    then by about 3 %.
    """
    scored = errors[~np.isnan(errors)]
    if not len(scored):
        return np.array([np.inf])
    falling = -np.sort(-errors[normal & ~np.isnan(errors)])
    places = np.unique(np.append(0, np.geomspace(1, max(len(falling), 1), CANDIDATES).astype(int)))
    above = np.nextafter(falling[places[places < len(falling)]], np.inf)
    return -np.unique(-np.append(above, scored.min()))


def _episodes(windows, errors, thresholds, *, apart_s):
    """The wearers, and the episodes of false alarm of each at each threshold, counted as `events.false_alarms` does."""
    code, wearers = pd.factorize(windows["user_id"])
    order = np.lexsort((windows["end"].to_numpy(), code))
    order = order[(windows["kind"] == NORMAL).to_numpy()[order]]
    code, errors, end = code[order], errors[order], windows["end"].to_numpy()[order]
    episodes = np.zeros((len(wearers), len(thresholds)), dtype=int)
    for place, threshold in enumerate(thresholds):
        flagged = np.flatnonzero(errors >= threshold)
        another = np.diff(end[flagged]) >= np.timedelta64(apart_s, "s")
        another |= np.diff(code[flagged]) != 0
        begins = flagged[np.append(True, another)[: len(flagged)]]
        episodes[:, place] = np.bincount(code[begins], minlength=len(wearers))
    return np.asarray(wearers, dtype=object), episodes


def _delays(windows, events, errors, thresholds):
    """Delays of `events.detections` at each threshold, shape (n_events, n_thresholds)."""
    end, evidence = windows["end"].to_numpy(), np.where(np.isnan(errors), -np.inf, errors)
    delays = np.full((len(events), len(thresholds)), np.nan)
    spans = zip(events["start"], windows_during(windows, events), strict=True)
    for number, (start, during) in enumerate(spans):
        during = during[np.argsort(end[during], kind="stable")]
        highest = np.maximum.accumulate(evidence[during])  # so far
        first = np.searchsorted(highest, thresholds)  # the first window that reaches each threshold
        reached = first < len(during)
        since = end[during[first[reached]]] - start.to_datetime64()
        delays[number, reached] = since / np.timedelta64(1, "s")
    return delays


def _check(days, rate):
    if not days > 0:
        raise ValueError(f"days: expected more than 0 worn, unlabelled days to count false alarms over, got {days}")
    if not rate >= 0:
        raise ValueError(f"false_alarms_per_day: expected 0 or more, got {rate}")
