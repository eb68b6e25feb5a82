"""Limits: how much evidence scores 0.3 and 0.7, for every number of samples and every set of channels.

All come from windows of wearers that the model was not fitted on. A score then means the same whatever it rests on.
"""

import numpy as np
import pandas as pd
from scipy import stats

from lib.detector import scoring

_SIZES = 6  # calibrated from one sample to a whole window; limits between them are interpolated
_SHORTEST, *_BENDS = 3, 0.87, 0.95  # samples, and shares of a window, where the limits bend: calibrated, too
_BEYOND = 10  # windows past a percentile from which it is read off the windows
_TAIL = 90.0  # percentile past which a tail is fitted


def sizes(length):
    """The sizes, in samples, to calibrate: from 1 to `length`, even in logarithms, and those where limits bend."""
    bends = [min(_SHORTEST, length), *(share * length for share in _BENDS)]
    return np.unique(np.append(np.geomspace(1, length, _SIZES), bends).round().astype(int)).tolist()


def calibrate(evidence, whole, *, sizes, percentiles, own=None):
    """The evidence at which a score is 0.3 and 0.7.

    Parameters
    ----------
    evidence : dict of ndarray, shape (n_sizes, n_windows)
        By channel set: of normal windows that rest on so many samples of so many channels.
    whole : ndarray, shape (n_whole,)
        Evidence of whole windows with all channels: as many as there are.
    sizes : list of int
        Samples.
    percentiles : pair of float
        Of the evidence: the threshold (score 0.3) and the alert level (score 0.7).
    own : pair, optional
        `evidence` and `whole` of windows whose wearer's baseline is known.

    Returns
    -------
    dict
        threshold and alert (of whole windows), their percentiles, the number of whole windows, sizes, and
        sets: {channel set: {"threshold": [one a size], "alert": [one a size]}}; own, the same, if it is given.

    Raises
    ------
    ValueError
        If there are no windows, evidence is not finite, or the percentiles are not ascending within 0 to 100.
    """
    scoring.check_percentiles(*percentiles)
    sets = _limits_by_set(evidence, whole, percentiles)
    first = next(iter(sets.values()))
    return {
        "threshold": first["threshold"][-1],
        "alert": first["alert"][-1],
        "threshold_percentile": percentiles[0],
        "alert_percentile": percentiles[1],
        "windows": len(whole),
        "sizes": list(sizes),
        "sets": sets,
        **({"own": _limits_by_set(*own, percentiles)} if own else {}),
    }


def _limits_by_set(evidence, whole, percentiles):
    """{channel set: {"threshold": [one a size], "alert": [one a size]}}."""
    pairs = {name: [two_levels(row, percentiles) for row in rows] for name, rows in evidence.items()}
    pairs[next(iter(pairs))][-1] = two_levels(whole, percentiles)  # the same windows, and more of them
    return {
        name: dict(zip(("threshold", "alert"), map(list, zip(*pair, strict=True)), strict=True))
        for name, pair in pairs.items()
    }


def two_levels(evidence, percentiles):
    """Threshold and alert level of evidence (N,) at two percentiles: the first above 0, the second above the first.

    Raises ValueError if there is no evidence, or some is not finite.
    """
    if not len(evidence):
        raise ValueError("expected calibration windows of normal life, got none: more wearers or days are needed")
    if bad := len(evidence) - np.isfinite(evidence).sum():
        raise ValueError(
            f"expected finite evidence, got {bad} of {len(evidence)} calibration windows without: "
            "the training may have diverged; try a smaller learning_rate="
        )
    threshold, alert = (upper_percentile(evidence, percentile) for percentile in percentiles)
    threshold = max(threshold, np.finfo(np.float64).tiny)
    return float(threshold), float(max(alert, np.nextafter(threshold, np.inf)))


def sufficiency(windows, *, percentile):
    """Whether limits rest on enough windows.

    Parameters
    ----------
    windows : dict
        {name: (how many, how many of these do not overlap)}.
    percentile : float

    Returns
    -------
    DataFrame
        By name. With fewer than `windows_needed` windows that do not overlap, a limit comes from a fitted tail.
    """
    table = pd.DataFrame(windows, index=["windows", "that do not overlap"], dtype=int).T
    table["needed for the alert level"] = windows_needed(percentile)
    return table.assign(enough=table["that do not overlap"] >= table["needed for the alert level"])


def windows_needed(percentile, *, beyond=_BEYOND):
    """How many calibration windows leave `beyond` of them past a percentile: with fewer, it is a guess."""
    return int(np.ceil(round(100 * beyond / (100 - percentile), 6)))


def upper_percentile(evidence, percentile):
    """A percentile of evidence (N,): read off where enough lies beyond it, else of a generalised Pareto tail.

    The tail is fitted to what exceeds the 90th percentile. A poor fit does little harm, because the result is clipped:
    to at least the percentile twice as far from 100, and at most twice the largest evidence. Pickands (1975),
    "Statistical inference using extreme order statistics", Annals of Statistics 3(1); Siffer et al. (2017), "Anomaly
    detection in streams with extreme value theory", KDD.
    """
    empirical = np.percentile(evidence, percentile)
    start = np.percentile(evidence, _TAIL)
    excess = evidence[evidence > start] - start
    enough = len(evidence) >= windows_needed(percentile, beyond=5 * _BEYOND)
    if percentile <= _TAIL or enough or len(excess) < _BEYOND:
        return empirical
    shape, _, scale = stats.genpareto.fit(excess, floc=0)
    tail = start + stats.genpareto.ppf((percentile - _TAIL) / (100 - _TAIL), np.clip(shape, -0.5, 0.5), scale=scale)
    return np.clip(tail, np.percentile(evidence, percentile - (100 - percentile)), 2 * evidence.max())


def shares(evidence, calibration, *, sizes):
    """The share of windows that reach each level.

    Parameters
    ----------
    evidence : dict of ndarray, shape (n_sizes, n_windows)
        By channel set, as for `calibrate`.
    calibration : dict
        Of `calibrate`.
    sizes : list of int

    Returns
    -------
    DataFrame
        By channel set and size: windows, reach 0.3, reach 0.7. A share of no windows is NaN.
    """
    rows = []
    for name, by_size in evidence.items():
        limits = scoring.limits(calibration, channel_set=name, size=np.asarray(sizes))
        limits = {level: values[:, None] for level, values in limits.items()}
        served = scoring.capped(by_size, limits["alert"], np.asarray(sizes)[:, None])
        scores = scoring.anomaly_scores(served, limits)
        for size, row in zip(sizes, scores, strict=True):
            reach = {f"reach {score}": (row >= score).sum() for score in (scoring.BORDERLINE, scoring.ALERT)}
            rows.append({"channel set": name, "samples": size, "windows": len(row), **reach})
    table = pd.DataFrame(rows).set_index(["channel set", "samples"])
    return table.assign(**{name: table[name] / table["windows"] for name in ("reach 0.3", "reach 0.7")})


def reached(scored, wearer, rows):
    """How often windows of normal life reach each level, and how much wearers differ.

    Parameters
    ----------
    scored : scoring.WindowScores
    wearer : ndarray, shape (n_windows,)
    rows : ndarray
        Which of the windows to count.

    Returns
    -------
    dict
        windows, reach 0.3, reach 0.7, and the standard error over wearers, ± at 0.3 and ± at 0.7.
    """
    reach = pd.DataFrame({"reach 0.3": scored.error_ratio[rows] >= 1, "reach 0.7": scored.alert_ratio[rows] >= 1})
    differ = reach.groupby(np.asarray(wearer)[rows]).mean().sem()
    shares = {"windows": len(reach), **reach.mean()}
    return shares | {"± at 0.3": differ["reach 0.3"], "± at 0.7": differ["reach 0.7"]}
