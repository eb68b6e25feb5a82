"""What error is unusual: limits for every number of samples a window may rest on and every set of channels.

All are taken from windows of wearers the model was not fitted on, so that a score means the same whatever it rests on.
"""

import numpy as np
import pandas as pd
from scipy import stats

from lib.detector import scoring
from lib.detector.features import CHANNELS

_SIZES = 6  # how many sizes are calibrated, from one sample to a whole window; others are interpolated
_BENDS = 3, 0.87, 0.95  # samples, and shares of a window, about which the limits bend: calibrated, too
_BEYOND = 10  # errors past a percentile from which it is taken as it is
_TAIL = 90.0  # percentile past which a tail is fitted


def sizes(length):
    """The sizes (in samples) that are calibrated: from 1 to a window's `length`, evenly in logarithms, and _BENDS."""
    few, *parts = _BENDS
    bends = [min(few, length), *(part * length for part in parts)]
    return np.unique(np.append(np.geomspace(1, length, _SIZES), bends).round().astype(int)).tolist()


def calibrate(errors, *, sizes, whole, threshold_percentile, alert_percentile, own=None, own_whole=None):
    """The errors at which a score is 0.3 and 0.7.

    whole (N,): errors of whole windows with all channels, as many as there are; errors: {channel set: (sizes, M)},
    errors of windows that rest on so many samples of so many channels. own_whole, own: the same of windows whose
    wearer's baseline is known, or None. All from normal windows the model was not fitted on.

    Returns a dict: threshold, alert (of whole windows), their percentiles, the number of whole windows, the sizes, and
    sets: {channel set: {"threshold": [a size], "alert": [a size]}}, and own, the same, where there are such windows.
    Raises ValueError when there are no windows, an error is not finite, or the percentiles are not 0 < threshold <
    alert < 100.
    """
    scoring.check_percentiles(threshold_percentile, alert_percentile)
    percentiles = (threshold_percentile, alert_percentile)
    sets = _limits_of(errors, whole, percentiles)
    first = next(iter(sets.values()))
    return {
        "threshold": first["threshold"][-1],
        "alert": first["alert"][-1],
        "threshold_percentile": threshold_percentile,
        "alert_percentile": alert_percentile,
        "windows": len(whole),
        "sizes": list(sizes),
        "sets": sets,
        **({"own": _limits_of(own, own_whole, percentiles)} if own else {}),
    }


def _limits_of(errors, whole, percentiles):
    """{channel set: {"threshold": [a size], "alert": [a size]}}; those of whole windows from all of these."""
    pairs = {name: [two_levels(row, percentiles) for row in rows] for name, rows in errors.items()}
    pairs[next(iter(pairs))][-1] = two_levels(whole, percentiles)  # the same windows, and more of them
    return {
        name: dict(zip(("threshold", "alert"), map(list, zip(*pair, strict=True)), strict=True))
        for name, pair in pairs.items()
    }


def by_channel_set(
    describer, normal, samples, last, *, sizes, sets, offset=0.0, known=False, reports=None, each=map, progress=iter
):
    """Evidence of windows that rest on few samples or few channels: {channel set: (sizes, N)}.

    samples (T, 7) in raw units; last (N,): the rows at which the windows end; sizes: how many samples they rest on;
    sets: of `features.channel_sets`; offset: bpm, a number or (N,), of each window's wearer; known: whether these know
    it well; reports (N, 7): which features each window holds, all unless given: a set has the windows that hold all of
    it; each: of `Describer.columns`.
    `progress` wraps the loop over (set, size).
    """
    offset = np.broadcast_to(offset, len(last))
    mine = {name: np.full(len(last), True) if reports is None else reports[:, sets[name]].all(axis=1) for name in sets}
    found = {name: np.empty((len(sizes), mine[name].sum())) for name in sets}
    for name, row in progress([(name, row) for name in sets for row in range(len(sizes))]):
        size, ends = np.full(mine[name].sum(), sizes[row]), last[mine[name]]
        columns, _ = describer.columns(samples, ends - size + 1, size=size, counted=sets[name], each=each)
        found[name][row] = normal.evidence(columns, sets[name][: len(CHANNELS)], offset[mine[name]], known)
    return found


def two_levels(errors, percentiles):
    """Threshold and alert of errors (N,) at two percentiles, the first above 0 and the second above the first.

    Raises ValueError where there are no errors, or one is not finite.
    """
    if not len(errors):
        raise ValueError("no calibration errors: windows of normal life, of more wearers or days, are wanted")
    if finite := len(errors) - np.isfinite(errors).sum():
        problem = f"{finite} of {len(errors)} calibration errors are not finite"
        raise ValueError(f"{problem}: the training may have diverged; a smaller learning_rate= may help")
    threshold, alert = (upper_percentile(errors, percentile) for percentile in percentiles)
    threshold = max(threshold, np.finfo(np.float64).tiny)
    return float(threshold), float(max(alert, np.nextafter(threshold, np.inf)))


def over_limits(evidence, calibration, *, channel_set, length, known):
    """The evidence (N,) of whole windows over its limits, reached from 1 on: {"threshold": (N,), "alert": (N,)}.

    known (N,): whether the wearer's baseline is; where there are no limits for that, those of others hold.
    """
    at = {"channel_set": channel_set, "size": np.array([length])}
    of = [scoring.limits(calibration, **at, own=own) for own in (False, "own" in calibration)]
    return {level: evidence / np.where(known, of[1][level], of[0][level]) for level in of[0]}


def sufficiency(windows, *, percentile):
    """Whether limits rest on enough windows: a frame by what they are limits of.

    windows: {what: (how many, how many of these do not overlap)}. With fewer than `windows_needed` of the latter a
    limit at the percentile comes from a fitted tail: a guess.
    """
    table = pd.DataFrame(windows, index=["windows", "that do not overlap"], dtype=int).T
    table["needed for the alert level"] = windows_needed(percentile)
    return table.assign(enough=table["that do not overlap"] >= table["needed for the alert level"])


def windows_needed(percentile, *, beyond=_BEYOND):
    """How many calibration windows leave `beyond` of them past a percentile: fewer, and it is a guess."""
    return int(np.ceil(round(100 * beyond / (100 - percentile), 6)))


def upper_percentile(errors, percentile):
    """A percentile of errors (N,): as it is where enough lie beyond it, else from a generalised Pareto tail.

    The tail is fitted to what exceeds the 90th percentile. So that a poor fit does little harm, what it gives is kept
    between the percentile twice as far from 100 and twice the largest error. Pickands (1975), "Statistical inference
    using extreme order statistics", Annals of Statistics 3(1); Siffer et al. (2017), "Anomaly detection in streams
    with extreme value theory", KDD.
    """
    empirical = np.percentile(errors, percentile)
    start = np.percentile(errors, _TAIL)
    excess = errors[errors > start] - start
    enough = len(errors) >= windows_needed(percentile, beyond=5 * _BEYOND)
    if percentile <= _TAIL or enough or len(excess) < _BEYOND:
        return empirical
    shape, _, scale = stats.genpareto.fit(excess, floc=0)
    tail = start + stats.genpareto.ppf((percentile - _TAIL) / (100 - _TAIL), np.clip(shape, -0.5, 0.5), scale=scale)
    return np.clip(tail, np.percentile(errors, percentile - (100 - percentile)), 2 * errors.max())


def shares(errors, calibration, *, sizes):
    """The share of windows that reach each level: a frame by channel set and size, and how many windows those are.

    errors: {channel set: (sizes, N)}, as for `calibrate`; calibration: what that returned. A share of no windows is
    NaN.
    """
    rows = []
    for name, by_size in errors.items():
        limits = scoring.limits(calibration, channel_set=name, size=np.asarray(sizes))
        scores = scoring.anomaly_scores(by_size, {level: values[:, None] for level, values in limits.items()})
        for size, row in zip(sizes, scores, strict=True):
            reach = {f"reach {score}": (row >= score).sum() for score in (scoring.BORDERLINE, scoring.ALERT)}
            rows.append({"channel set": name, "samples": size, "windows": len(row), **reach})
    table = pd.DataFrame(rows).set_index(["channel set", "samples"])
    return table.assign(**{name: table[name] / table["windows"] for name in ("reach 0.3", "reach 0.7")})
