"""From a window and its reconstruction to a score in 0..1: NumPy alone, shared by the notebooks and the handler."""

import numpy as np

from lib.grid import STUCK_S

BORDERLINE, ALERT = 0.3, 0.7  # the scores at which the levels begin
LEVELS = ("normal", "borderline", "anomaly")
UNKNOWN = "unknown"


def feature_errors(windows, reconstructed):
    """Mean squared error of each feature, (N, 7), of scaled windows and their reconstructions (N, length, 7)."""
    return np.square(windows - reconstructed, dtype=np.float64).mean(axis=1)


def window_errors(by_feature, present):
    """A window's reconstruction error, (N,): the mean of its features' errors (N, 7) over those `present` (7,)."""
    return by_feature[:, np.asarray(present)].mean(axis=1)


def calibrate(errors, *, threshold_percentile, alert_percentile):
    """The two errors, of normal windows (N,) the model was not fitted on, at which a score is 0.3 and 0.7.

    Returns a dict: threshold, alert, their percentiles and the number of windows. Raises ValueError when there are no
    windows, an error is not finite, or the percentiles are not 0 < threshold < alert < 100.
    """
    if not 0 < threshold_percentile < alert_percentile < 100:
        raise ValueError(
            f"threshold_percentile={threshold_percentile} and alert_percentile={alert_percentile}: "
            "0 < threshold_percentile < alert_percentile < 100 is wanted"
        )
    if not len(errors) or not np.isfinite(errors).all():
        raise ValueError(f"{len(errors)} calibration errors, of which {np.isfinite(errors).sum()} are finite")
    threshold, alert = np.percentile(errors, [threshold_percentile, alert_percentile])
    threshold = max(threshold, np.finfo(np.float64).tiny)
    return {
        "threshold": float(threshold),
        "alert": float(max(alert, np.nextafter(threshold, np.inf))),
        "threshold_percentile": threshold_percentile,
        "alert_percentile": alert_percentile,
        "windows": len(errors),
    }


def windows_needed(percentile, *, beyond=10):
    """How many calibration windows leave `beyond` of them past a percentile: fewer, and it is a guess."""
    return int(np.ceil(beyond / (1 - percentile / 100)))


def anomaly_scores(errors, calibration):
    """Scores in 0..1 of errors (N,): 0.3 at the threshold, 0.7 at the alert level, and nearing 1 beyond it.

    Continuous and rising: linear up to the alert level, then 1 − 0.3 · alert / error.
    """
    errors = np.asarray(errors, dtype=np.float64)
    threshold, alert = calibration["threshold"], calibration["alert"]
    below = np.interp(errors, [0.0, threshold, alert], [0.0, BORDERLINE, ALERT])
    return np.where(errors <= alert, below, 1 - (1 - ALERT) * alert / np.maximum(errors, alert))


def level(score):
    """The level's name of one score; `unknown` for NaN."""
    if np.isnan(score):
        return UNKNOWN
    return LEVELS[int(score >= BORDERLINE) + int(score >= ALERT)]


def stuck(windows, *, interval_s):
    """Which windows (N, length, 7), in raw units, hold one heart rate for `STUCK_S` or longer.

    A flat signal reconstructs well, so its error says nothing: such a window gets no score.
    """
    heart_rate = windows[:, :, 0]
    place = np.arange(heart_rate.shape[1])
    changed = np.diff(heart_rate, axis=1, prepend=np.nan) != 0  # (N, length); the first sample begins a run
    since = place - np.maximum.accumulate(np.where(changed, place, 0), axis=1)
    return (since.max(axis=1) + 1) * interval_s >= STUCK_S
