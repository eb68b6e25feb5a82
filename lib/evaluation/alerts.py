"""The price of persistence: false alarms, recall and delay, by how many windows an alert takes.

`group`, shape (n_windows,), changes where no window may look back, as in `Persistence.lasting`. Calibration wearers
decide which persistence to use; the test's figures are only reported.
"""

import numpy as np
import pandas as pd

from lib.detector import scoring
from lib.detector.persistence import Persistence
from lib.evaluation import operating_point
from lib.evaluation.events import detections
from lib.evaluation.events import false_alarms as count_false_alarms

CANDIDATES = ((1, 1), (2, 2), (2, 3), (3, 3), (3, 5))  # k of n
RATES = np.geomspace(0.05, 10, 70)  # false alarms per wearer-day that a curve shows


def candidates(deployed):
    """The persistences to compare: CANDIDATES and the deployed one, all with its step."""
    pairs = sorted({*CANDIDATES, (deployed.k, deployed.n)}, key=lambda pair: (pair[0], -pair[1]))
    return [Persistence(k, n, deployed.step_s) for k, n in pairs]


def end_times(windows):
    """When each window ends, in seconds since 1970 on the wearer's clock, shape (n_windows,)."""
    return windows["end"].to_numpy("datetime64[ms]").astype(np.float64) / 1000


def false_alarms(windows, over_alert, group, persistences, *, days):
    """False alarms per wearer-day of each persistence, {"k of n": rate}.

    over_alert, shape (n_windows,), is the evidence over the alert level: an alert needs 1.
    """
    rates = {}
    for persistence in persistences:
        alarms = persistence.lasting(over_alert, end_times(windows), group) >= 1
        rates[str(persistence)] = count_false_alarms(windows, alarms) / days
    return rates


def compare(test, scores, error_ratio, group, persistences):
    """What each persistence finds at the alert level, and at one false alarm per wearer-day.

    Parameters
    ----------
    test : score_card.EvaluationSet
    scores, error_ratio : ndarray, shape (n_windows,)
        Scores in 0..1, and the evidence over the threshold; NaN without a score.
    group : ndarray, shape (n_windows,)
    persistences : list of Persistence

    Returns
    -------
    DataFrame, one row a persistence
    """
    windows, events, rows, ended = test.windows, test.events, {}, end_times(test.windows)
    for persistence in persistences:
        alarms = persistence.lasting(scores, ended, group) >= scoring.ALERT
        detected = detections(windows, events, alarms)
        lasting = persistence.lasting(error_ratio, ended, group)
        point = operating_point.recall_at(windows, events, lasting, days=test.days)
        rows[str(persistence)] = {
            "false alarms a day": count_false_alarms(windows, alarms) / test.days,
            "recall": detected.groupby("kind")["detected"].mean().mean(),
            "median delay (s)": detected["delay_s"].median(),
            "recall at 1 a day": point.recall_macro,
            "delay at 1 a day (s)": point.delay_s,
        }
    return pd.DataFrame(rows).T.rename_axis("an alert takes")


def curves(test, error_ratio, group, persistences):
    """Recall over the rate of false alarms, whatever the alert level: {"k of n": frame of `operating_point.curve`}."""
    ended = end_times(test.windows)
    lasting = {str(persistence): persistence.lasting(error_ratio, ended, group) for persistence in persistences}
    return {
        name: operating_point.curve(test.windows, test.events, errors, days=test.days, rates=RATES)
        for name, errors in lasting.items()
    }
