"""How sure the scorecard's figures are of wearers not in it: bootstrap over wearers, all of a wearer or nothing.

Windows of one wearer are alike, so wearers are drawn, with replacement, and not windows (Efron and Tibshirani 1993,
"An introduction to the bootstrap", chapter 8). Every method gets the same draws: a difference is that of two columns.
"""

import numpy as np
import pandas as pd

from lib.evaluation import operating_point
from lib.evaluation.events import wearer_days
from lib.evaluation.vus import BUFFER_MINUTES, Surface

RESAMPLES = 200


def interval(draws, *, confidence=0.95):
    """(low, high) that hold the middle `confidence` of draws (R,). Those that are NaN are left out; NaN without any."""
    draws = np.asarray(draws, dtype=np.float64)
    draws = draws[~np.isnan(draws)]
    if not len(draws):
        return np.nan, np.nan
    low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def vus_pr_draws(windows, errors_by_method, *, seed, resamples=RESAMPLES, buffer_minutes=BUFFER_MINUTES, progress=iter):
    """VUS-PR of resampled wearers: a frame (resamples, methods), from {method: errors (N,)}.

    A resample's figure is that of `volume.vus_pr` on its wearers' windows. NaN for one without anomalous windows,
    and throughout for fewer than two wearers.
    """
    wearers = windows["user_id"].unique()
    times = _times_drawn(len(wearers), resamples, seed)
    found = {}
    for name, errors in progress(errors_by_method.items()):
        surface = Surface(windows, errors, buffer_minutes)
        found[name] = [surface.volume(drawn) for drawn in times]
    return pd.DataFrame(found, dtype=np.float64)


def recall_draws(
    windows, events, errors_by_method, false_alarms_per_day=1.0, *, days, seed, resamples=RESAMPLES, progress=iter
):
    """Macro recall at a rate of false alarms of resampled wearers: a frame (resamples, methods).

    days: worn, unlabelled days of each wearer, a Series by user_id, of `days_by_wearer`. Each resample finds its
    own threshold, as `operating_point.recall_at`; kinds that it lacks do not count. NaN for a resample without
    events or days, and throughout for fewer than two wearers.
    """
    times = _times_drawn(len(days), resamples, seed)
    member = _places(days, events["user_id"])
    kind = pd.get_dummies(events["kind"]).to_numpy(np.float64)  # (E, kinds)
    found = {}
    for name, errors in progress(errors_by_method.items()):
        counts = operating_point.count(windows, events, errors)
        episodes = np.zeros((len(days), len(counts.thresholds)))
        episodes[_places(days, counts.wearers)] = counts.episodes
        rates = _quotient(times @ episodes, (times @ days.to_numpy())[:, None])  # (R, K)
        places = [operating_point.lowest_within(rate, false_alarms_per_day) for rate in rates]
        detected = ~np.isnan(counts.delays[:, places].T) * times[:, member]  # (R, E)
        shares = _quotient(detected @ kind, times[:, member] @ kind)  # (R, kinds)
        there = ~np.isnan(shares)
        found[name] = _quotient(np.where(there, shares, 0).sum(axis=1), there.sum(axis=1))
        found[name][np.isnan(rates).any(axis=1)] = np.nan
    return pd.DataFrame(found, dtype=np.float64)


def days_by_wearer(table, *, interval_s):
    """Worn, unlabelled days of each wearer of a clean table, as `evaluation.wearer_days`: a Series by user_id."""
    groups = table.groupby("user_id", observed=True, sort=False).indices
    days = {name: wearer_days(table.iloc[rows], interval_s=interval_s) for name, rows in groups.items()}
    return pd.Series(days, dtype=np.float64, name="days").rename_axis("user_id")


def _times_drawn(wearers, resamples, seed):
    """How many times each wearer is in each resample, (resamples, wearers); NaN where there is no choice."""
    if wearers < 2:
        return np.full((resamples, wearers), np.nan)
    return np.random.default_rng(seed).multinomial(wearers, np.full(wearers, 1 / wearers), size=resamples).astype(float)


def _places(days, wearers):
    """The place of each wearer among those of `days`. Raises ValueError for one that is not there."""
    places = days.index.get_indexer(np.asarray(wearers, dtype=object))
    if (places < 0).any():
        raise ValueError(f"days: {len(set(np.asarray(wearers)[places < 0]))} wearers of the windows have none")
    return places


def _quotient(above, below):
    """above / below, NaN where below is 0."""
    return np.divide(above, below, out=np.full(np.broadcast_shapes(above.shape, below.shape), np.nan), where=below != 0)
