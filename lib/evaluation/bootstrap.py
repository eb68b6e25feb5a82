"""Confidence intervals of the evaluation for other wearers: a bootstrap over wearers.

Windows of one wearer are alike, so whole wearers are drawn with replacement, not windows (Efron and Tibshirani 1993,
"An introduction to the bootstrap", chapter 8). Every method gets the same draws, so the difference of two columns is
the draw of their difference.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lib.evaluation import operating_point
from lib.evaluation.events import wearer_days
from lib.evaluation.vus import BUFFER_MINUTES, Surface


@dataclass(frozen=True)
class Resampling:
    """How wearers are drawn."""

    seed: int
    resamples: int = 200
    progress: Callable = iter  # wraps the loop over methods

    def times_drawn(self, n_wearers):
        """How often each wearer is in each resample, shape (resamples, n_wearers); NaN for fewer than two wearers."""
        if n_wearers < 2:
            return np.full((self.resamples, n_wearers), np.nan)
        rng = np.random.default_rng(self.seed)
        return rng.multinomial(n_wearers, np.full(n_wearers, 1 / n_wearers), size=self.resamples).astype(float)


def interval(draws, *, confidence=0.95):
    """The interval (low, high) that holds the middle `confidence` of the draws. NaN draws are left out."""
    draws = np.asarray(draws, dtype=np.float64)
    draws = draws[~np.isnan(draws)]
    if not len(draws):
        return np.nan, np.nan
    low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def vus_pr_draws(windows, errors_by_method, resampling, *, buffer_minutes=BUFFER_MINUTES):
    """VUS-PR of resampled wearers.

    Parameters
    ----------
    windows : DataFrame
    errors_by_method : dict of str to ndarray, shape (n_windows,)
    resampling : Resampling
    buffer_minutes : int
        As in `vus.vus_pr`.

    Returns
    -------
    DataFrame, resamples by methods
        NaN for a resample without anomalous windows, and throughout for fewer than two wearers.
    """
    times = resampling.times_drawn(windows["user_id"].nunique())
    draws = {}
    for name, errors in resampling.progress(errors_by_method.items()):
        surface = Surface(windows, errors, buffer_minutes)
        draws[name] = [surface.volume(drawn) for drawn in times]
    return pd.DataFrame(draws, dtype=np.float64)


def recall_draws(windows, events, errors_by_method, resampling, *, days, false_alarms_per_day=1.0):
    """Macro recall of resampled wearers at a rate of false alarms.

    Each resample sets its own threshold, as `operating_point.recall_at` does. Kinds that it lacks do not count.

    Parameters
    ----------
    windows, events : DataFrame
    errors_by_method : dict of str to ndarray, shape (n_windows,)
    resampling : Resampling
    days : Series by user_id
        Worn, unlabelled days, of `days_by_wearer`.
    false_alarms_per_day : float

    Returns
    -------
    DataFrame, resamples by methods
        NaN for a resample without events or days, and throughout for fewer than two wearers.

    Raises
    ------
    ValueError
        If `days` lacks a wearer of the windows or events.
    """
    times = resampling.times_drawn(len(days))
    of_event = times[:, _positions(days, events["user_id"])]  # (resamples, n_events)
    kind = pd.get_dummies(events["kind"]).to_numpy(np.float64)  # (n_events, kinds)
    days_drawn = (times @ days.to_numpy())[:, None]
    draws = {}
    for name, errors in resampling.progress(errors_by_method.items()):
        counts = operating_point.count(windows, events, errors)
        episodes = np.zeros((len(days), len(counts.thresholds)))
        episodes[_positions(days, counts.wearers)] = counts.episodes
        rates = _quotient(times @ episodes, days_drawn)  # (resamples, thresholds)
        places = [operating_point.lowest_within(rate, false_alarms_per_day) for rate in rates]
        detected = ~np.isnan(counts.delays[:, places].T) * of_event
        draws[name] = _mean_over_known(_quotient(detected @ kind, of_event @ kind))
        draws[name][np.isnan(rates).any(axis=1)] = np.nan
    return pd.DataFrame(draws, dtype=np.float64)


def days_by_wearer(table, *, interval_s):
    """Worn, unlabelled days of each wearer of a clean table, as `events.wearer_days`: a Series by user_id."""
    groups = table.groupby("user_id", observed=True, sort=False).indices
    days = {name: wearer_days(table.iloc[rows], interval_s=interval_s) for name, rows in groups.items()}
    return pd.Series(days, dtype=np.float64, name="days").rename_axis("user_id")


def _positions(days, wearers):
    positions = days.index.get_indexer(np.asarray(wearers, dtype=object))
    if (positions < 0).any():
        missing = len(set(np.asarray(wearers)[positions < 0]))
        raise ValueError(f"expected days of every wearer of the windows and events, got none for {missing} of them")
    return positions


def _quotient(above, below):
    """above / below, NaN where below is 0."""
    return np.divide(above, below, out=np.full(np.broadcast_shapes(above.shape, below.shape), np.nan), where=below != 0)


def _mean_over_known(recalls):
    """The mean over the columns that are not NaN, shape (rows,)."""
    known = ~np.isnan(recalls)
    return _quotient(np.where(known, recalls, 0).sum(axis=1), known.sum(axis=1))
