"""Rules that score a wearer's hours for illness: the trend, and the published ones that it is measured against.

Each takes a `illness.Life` and returns a score (n,) for each hour from what is known by its end, NaN while unknown.
Rivals keep the settings of their papers. Only their alarm level is free, so that all can be compared at one rate of
false alarms.
"""

import numpy as np
import pandas as pd

from lib.detector.rest import Hour
from lib.detector.trend import STALE_H, Trend

NIGHT = 7  # hours from midnight
PAST_DAYS = 28


def track(life):
    """Follow a life as the product does, and keep what it knew hour by hour.

    Parameters
    ----------
    life : illness.Life

    Returns
    -------
    DataFrame
        A row for each hour: timestamp (its begin), bpm (resting heart rate, NaN without rest), usual and spread (of
        this clock hour, in bpm, before the hour was learned from), and score (0..1, NaN while unknown).
    """
    state, rows = Trend(), np.full((len(life.bpm), 3), np.nan)
    for place, (bpm, seconds) in enumerate(zip(life.bpm.tolist(), life.seconds.tolist(), strict=True)):
        number = life.first + place
        rows[place, :2] = state.usual.at(number % 24), state.usual.spread(number % 24)
        if seconds:
            state.take(Hour(number, number, seconds, bpm, 0))
        known = state.score is not None and number - state.last <= STALE_H
        rows[place, 2] = state.score if known else np.nan
    hours = (life.first + np.arange(len(rows))).astype("datetime64[h]").astype("datetime64[s]")
    columns = {"timestamp": hours, "bpm": life.bpm, "usual": rows[:, 0], "spread": rows[:, 1], "score": rows[:, 2]}
    return pd.DataFrame(columns)


def trend(life):
    """Score hours as the product does."""
    return track(life)["score"].to_numpy()


def nightsignal(life):
    """Score by the NightSignal rule (Alavi et al. 2022, Nat Med 28: 175): two nights in a row above the own median.

    The score is the lesser of the last two nights' excess in bpm over the median of all nights before, held for a day.
    A night's heart rate is the mean at rest from 0 to 7 h. Their alarm level is 4 bpm, or 3 for a yellow alert.
    """
    clock = (life.first + np.arange(len(life.bpm))) % 24
    scores, nights, excess = np.full(len(life.bpm), np.nan), [], []
    for midnight in np.flatnonzero(clock == 0):
        night = life.bpm[midnight : midnight + NIGHT]
        if np.isnan(night).all():
            excess.append(np.nan)
            continue
        excess.append(np.nanmean(night) - np.median(nights) if len(nights) >= 7 else np.nan)
        nights.append(np.nanmean(night))
        if len(excess) > 1 and not np.isnan(excess[-2:]).any():
            scores[midnight + NIGHT : midnight + NIGHT + 24] = min(excess[-2:])
    return scores


def rhrad(life, *, of_last=24, anomalous=6):
    """Score by RHR-AD (Mishra et al. 2020, Nat Biomed Eng 4: 1208): z of the smoothed resting heart rate.

    z of the mean over 400 minutes at rest, against all hours of the 31 days before. A red alert takes six anomalous
    hours of 24: the score is the sixth largest z of the last 24 hours.
    """
    rest = np.flatnonzero(~np.isnan(life.bpm))
    smooth, z = _smoothed(life, rest), np.full(len(life.bpm), np.nan)
    for order in range(7 * 24, len(rest)):
        past = smooth[max(order - 744, 0) : order]
        z[rest[order]] = (smooth[order] - past.mean()) / max(past.std(), 0.5)
    last = np.lib.stride_tricks.sliding_window_view(np.concatenate([np.full(of_last - 1, np.nan), z]), of_last)
    ranked = -np.sort(-np.where(np.isnan(last), -np.inf, last), axis=1)[:, anomalous - 1]
    return np.where(np.isnan(last).all(axis=1), np.nan, np.maximum(ranked, -10))


def _smoothed(life, rest, *, minutes=400):
    """Mean bpm of the last 400 minutes at rest, at each hour at rest."""
    weight, smooth = life.seconds[rest] / 60, np.zeros(len(rest))
    for order in range(len(rest)):
        back, total = order, 0.0
        while back >= 0 and total < minutes:
            total += weight[back]
            back -= 1
        smooth[order] = np.average(life.bpm[rest[back + 1 : order + 1]], weights=weight[back + 1 : order + 1])
    return smooth


def cusum(life):
    """Score by the online CuSum of Mishra et al. 2020: residuals by clock hour against 28 days, day by day.

    z = (bpm - mean) / sd of the same clock hour over the 28 days before, within ±4; the reference is half of the 90th
    percentile of these days' own z; W = max(0, W + z - reference).
    """
    size = len(life.bpm)
    clock, day = (life.first + np.arange(size)) % 24, (life.first + np.arange(size)) // 24
    scores, total = np.full(size, np.nan), 0.0
    for today in range(day[0] + 7, day[-1] + 1):
        past, now = (day < today) & (day >= today - PAST_DAYS), np.flatnonzero(day == today)
        mean, spread = _by_clock(life.bpm[past], clock[past])
        z_past = ((life.bpm[past] - mean[clock[past]]) / spread[clock[past]]).clip(-4, 4)
        if np.isnan(z_past).all():
            continue
        reference = np.nanquantile(z_past, 0.9) / 2
        z = ((life.bpm[now] - mean[clock[now]]) / spread[clock[now]]).clip(-4, 4)
        for place, step in zip(now, z, strict=True):
            total = total if np.isnan(step) else max(0.0, total + step - reference)
            scores[place] = total
    return scores


def _by_clock(bpm, clock):
    """Mean and standard deviation by clock hour, (24,) each, NaN where fewer than three hours are known."""
    known = ~np.isnan(bpm)
    count, total = (np.bincount(clock[known], weights, minlength=24) for weights in (None, bpm[known]))
    few = count < 3
    mean = np.where(few, np.nan, total / np.maximum(count, 1))
    squares = np.bincount(clock[known], (bpm[known] - mean[clock[known]]) ** 2, minlength=24)
    return mean, np.maximum(np.sqrt(squares / np.maximum(count - 1, 1)), 0.5)


RULES = {
    "trend": trend,
    "NightSignal": nightsignal,
    "RHR-AD": rhrad,
    "CuSum": cusum,
}
