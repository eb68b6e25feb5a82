"""Have the inputs changed? Each day's counts by bin are compared with those of normal days.

Each histogram has two statistics, shift and stability index. The normal days say what is unusual, not a table of
thresholds. An e-detector (`e_detector`) gathers the evidence of the days, so that a normal
deployment has at most one false call in 1000 days on average.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from lib.detector.histograms import NAMES
from lib.monitoring.e_detector import EDetector
from lib.monitoring.histogram_days import shift, stability_index
from lib.monitoring.normal_days import FEWEST

INPUTS = tuple(name for name in NAMES if name != "Errors")
MONTH = 30  # days
LIMIT = 1000.0  # evidence that calls a change: days up to a false call, on average and at least
_RESAMPLES, _LATER_DAYS = 300, 200  # of the bootstrap, and days that each averages
_CONFIDENCE = 0.98
_SMALLEST_P, _POWERS = 1e-11, (0.5, 0.9)  # p₀ and κ of the observations
_FEWEST_OF_A_KIND = 4  # weekend days, and weekdays, from which each have a mean of their own
_STRONG = 0.1  # of the strongest name's evidence, from which a name is part of a call
_WIDENED_AFTER = 14  # later days, from which their spread counts
_LEAST_TRAFFIC = 0.5  # of the usual day's counts, from which a day is judged


def judge_later_days(days, counts, normal, *, seed):
    """Judge the days after the normal ones.

    Parameters
    ----------
    days, counts
        As `daily_counts` returns them.
    normal : tuple or None
        As `normal_days.select` returns it.

    Returns
    -------
    DataFrame or None
        As `Reference.judge` returns it; None without normal days.
    """
    if normal is None:
        return None
    is_later = days > normal[0][-1]
    reference = Reference.fit(*normal, seed=seed)
    return reference.judge(days[is_later], {name: daily[is_later] for name, daily in counts.items()})


@dataclass(frozen=True)
class Reference:
    """What normal days look like, and how large their observations are on average.

    Attributes
    ----------
    counts : dict of str to ndarray, shape (n_bins,)
        Sum of the normal days.
    center : ndarray, shape (2, n_statistics)
        Mean of the statistics, two per histogram, on weekdays and on weekends.
    spread : ndarray, shape (n_statistics,)
        Standard deviation around these means.
    sizes : ndarray, shape (2,)
        Number of days that each mean is of.
    freedom : int
        Degrees of freedom of the spread.
    largest_mean : ndarray, shape (n_statistics, n_powers)
        Largest mean of the observations on normal days, the e-detector's m.
    least : dict of str to float
        Counts below which a day is not judged.
    """

    counts: dict
    center: np.ndarray
    spread: np.ndarray
    sizes: np.ndarray
    freedom: int
    largest_mean: np.ndarray
    least: dict

    @classmethod
    def fit(cls, days, counts, *, seed, resamples=_RESAMPLES):
        """Fit to normal days (n_days,) and their counts {name: (n_days, n_bins)}. Each is compared with the others.

        Raises
        ------
        ValueError
            If there are fewer than FEWEST days.
        """
        known = {name: daily for name, daily in counts.items() if len(daily) and (daily.sum(axis=1) > 0).all()}
        number = len(next(iter(known.values()), ()))
        if number < FEWEST:
            raise ValueError(f"expected {FEWEST} or more normal days, got {number}")
        total = {name: daily.sum(axis=0) for name, daily in known.items()}
        statistics = _statistics(known, {name: total[name] - daily for name, daily in known.items()})
        kind = _kind_of_day(days)
        sizes = np.bincount(kind, minlength=2)
        if sizes.min() < _FEWEST_OF_A_KIND:
            kind, sizes = np.zeros_like(kind), np.array([number, number])
        center, spread = _center_and_spread(statistics, kind)
        residuals = (statistics - center[kind]) / np.sqrt(1 - 1 / sizes[kind])[:, None]
        largest_mean = _largest_mean(residuals, kind, np.random.default_rng(seed), resamples)
        least = {name: _LEAST_TRAFFIC * np.median(daily.sum(axis=1)) for name, daily in known.items()}
        freedom = number - len(np.unique(kind))
        return cls(total, center, spread, sizes, freedom, largest_mean, least)

    def judge(self, days, counts):
        """Judge days (n_days,) by their counts {name: (n_days, n_bins)}.

        The inputs have one e-detector and the errors another, so each keeps its own rate of false calls.

        Returns
        -------
        DataFrame
            `day, name, counted, shift, psi, surprise, judged, evidence, called`, one row per day and name. `surprise`
            is the larger statistic's distance from normal days in standard deviations. A day with less than half the
            usual counts is not judged. `called` marks, while a change is called, the names with the most evidence.
        """
        known = {name: counts[name] for name in self.counts}
        kind = _kind_of_day(days)
        scaled = _scale(_statistics(known, self.counts), kind, self.center, self.spread, self.sizes)
        judged = {name: daily.sum(axis=1) >= self.least[name] for name, daily in known.items()}
        tables = []
        for place, (name, daily) in enumerate(known.items()):
            columns = {"day": days, "name": name, "counted": daily.sum(axis=1)}
            columns |= {"shift": shift(daily, self.counts[name]), "psi": stability_index(daily, self.counts[name])}
            columns["surprise"] = np.where(judged[name], _surprise(scaled[:, 2 * place : 2 * place + 2]), np.nan)
            tables.append(pd.DataFrame(columns).assign(judged=judged[name], evidence=1.0, called=False))
        for group in ([name for name in known if name in INPUTS], [name for name in known if name not in INPUTS]):
            self._detect(tables, list(known), group, scaled, judged)
        return pd.concat(tables, ignore_index=True).sort_values(["day", "name"], kind="stable", ignore_index=True)

    def _detect(self, tables, names, group, scaled, judged):
        """Fill in evidence and calls of the tables of a group of names."""
        if not group:
            return
        places = [names.index(name) for name in group]
        columns = [column for place in places for column in (2 * place, 2 * place + 1)]
        is_judged = np.stack([judged[name] for name in group], axis=1)
        distances = np.where(np.repeat(is_judged, 2, axis=1), scaled[:, columns], np.nan)
        evidence, called = _gather(distances, self.freedom, self.largest_mean[columns])
        by_name = evidence.reshape(len(distances), len(group), -1).mean(axis=2)
        strongest = np.where(is_judged, by_name, 0).max(axis=1)
        for number, place in enumerate(places):
            is_strong = by_name[:, number] >= _STRONG * strongest
            tables[place]["evidence"] = by_name[:, number]
            tables[place]["called"] = called & is_strong & is_judged[:, number]


def _gather(distances, freedom, largest_mean):
    """Return the evidence (n_days, n_features) and the calls (n_days,) of an e-detector.

    distances : ndarray, shape (n_days, n_statistics)
        In standard deviations. If later days that are not called spread more than the normal ones did, because these
        were few and alike, the distances are divided by that.
    """
    detector = EDetector(largest_mean.ravel(), limit=LIMIT)
    evidence, called = np.ones((len(distances), largest_mean.size)), np.zeros(len(distances), dtype=bool)
    quiet = np.zeros(len(distances), dtype=bool)
    for day, row in enumerate(distances):
        detector.update(_observations(_p_values(row / _widening(distances[quiet]), freedom)).ravel())
        evidence[day], called[day] = detector.by_feature, detector.is_called
        quiet[day] = not detector.is_called
    return evidence, called


def _widening(distances):
    """Return the standard deviation of later distances (n_days, n_statistics), at least 1; 1 if they are few."""
    known = (~np.isnan(distances)).sum(axis=0)
    spread = np.ones(distances.shape[1])
    enough = known >= _WIDENED_AFTER
    spread[enough] = np.nanstd(distances[:, enough], axis=0, ddof=1)
    return np.maximum(spread, 1)


def _statistics(counts, reference):
    """Return the shift and the cube root of the stability index of each name, (n_days, n_statistics).

    The index is a sum of squares; its cube root is nearly normal (Wilson and Hilferty 1931, "The distribution of
    chi-square", PNAS 17).
    """
    columns = []
    for name, daily in counts.items():
        columns += [shift(daily, reference[name]), np.cbrt(stability_index(daily, reference[name]))]
    return np.column_stack(columns)


def _kind_of_day(days):
    """Return 1 for Saturday and Sunday, 0 for others, (n_days,)."""
    return (pd.DatetimeIndex(days).dayofweek >= 5).astype(int)


def _center_and_spread(statistics, kind):
    """Return the mean by kind of day (2, n_statistics) and the pooled standard deviation around it."""
    kinds = np.unique(kind)
    center = np.repeat(statistics.mean(axis=0)[None], 2, axis=0)
    center[kinds] = [statistics[kind == value].mean(axis=0) for value in kinds]
    squares = ((statistics - center[kind]) ** 2).sum(axis=0)
    return center, np.maximum(np.sqrt(squares / (len(statistics) - len(kinds))), 1e-6)


def _scale(statistics, kind, center, spread, sizes):
    """Return how far a new day lies from normal days, in standard deviations of a new day around their mean."""
    return (statistics - center[kind]) / (spread * np.sqrt(1 + 1 / sizes[kind])[:, None])


def _surprise(scaled):
    """Return the larger distance (n_days,) of a shift, both ways, and an index, upward."""
    return np.maximum(np.abs(scaled[:, 0]), scaled[:, 1])


def _p_values(scaled, freedom):
    """Return the chance of a normal day so far out: of a shift both ways, of an index upward, by Student's t."""
    shift_chance, index_chance = 2 * stats.t.sf(np.abs(scaled), freedom), stats.t.sf(scaled, freedom)
    return np.where(np.arange(scaled.shape[-1]) % 2 == 0, shift_chance, index_chance)


def _observations(p_values):
    """Turn p-values (…,) into X = (p₀ / p)^κ in [0, 1], (…, n_powers): large for days that are rarely normal."""
    return (_SMALLEST_P / np.maximum(p_values, _SMALLEST_P))[..., None] ** np.array(_POWERS)


def _largest_mean(residuals, kind, rng, resamples):
    """Return the largest mean of normal observations, (n_statistics, n_powers), by a smoothed bootstrap.

    Silverman and Young (1987), "The bootstrap: to smooth or not to smooth?", Biometrika 74. Resampled normal days give
    center and spread, and the observations of further days are averaged; 98 % of these means are at most the result.
    Each day sums the deployment's wearers, so the result reflects how many they are; the log knows no wearer to
    resample. It is at least p₀^κ / (1 − κ), the mean if p-values are uniform.
    """
    number, width = residuals.shape
    sizes, freedom = np.bincount(kind, minlength=2), number - len(np.unique(kind))
    blur = 1.06 * number**-0.2 * residuals.std(axis=0, ddof=1)  # Silverman's rule
    later_kind = rng.choice(kind, size=_LATER_DAYS)
    means = np.empty((resamples, width, len(_POWERS)))
    for draw in range(resamples):
        normal, later = (
            residuals[rng.integers(number, size=size)] + blur * rng.standard_normal((size, width))
            for size in (number, _LATER_DAYS)
        )
        center, spread = _center_and_spread(normal, kind)
        means[draw] = _observations(_p_values(_scale(later, later_kind, center, spread, sizes), freedom)).mean(axis=0)
    uniform = _SMALLEST_P ** np.array(_POWERS) / (1 - np.array(_POWERS))
    return np.maximum(np.quantile(means, _CONFIDENCE, axis=0), uniform)


def calls(judged):
    """List the calls among judged days, in time order.

    Parameters
    ----------
    judged : DataFrame
        As `Reference.judge` returns it.

    Returns
    -------
    list of dict
        `kind` ("inputs" or "errors"), `first` and `last` day of the call, `lasts` (whether it includes the last judged
        day), and `rows`, its last day's rows of `judged`.
    """
    spans = []
    for kind, is_kind in (("inputs", judged["name"].isin(INPUTS)), ("errors", ~judged["name"].isin(INPUTS))):
        known = judged[is_kind & judged["judged"]]
        by_day = known.groupby("day")["called"].any()
        number = (by_day != by_day.shift()).cumsum()
        for _, days in by_day[by_day].groupby(number[by_day]):
            last = days.index[-1]
            rows = known[known["called"] & (known["day"] == last)].to_dict("records")
            span = {"kind": kind, "first": days.index[0], "last": last, "lasts": last == by_day.index[-1]}
            spans.append(span | {"rows": rows})
    return sorted(spans, key=lambda call: call["first"])
