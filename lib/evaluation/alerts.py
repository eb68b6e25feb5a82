"""What persistence costs and spares: false alarms, recall and delay by how many windows an alert takes.

windows, events and days are those of `evaluation`; group (N,): changes where no window may look back, as in
`Persistence.lasting`. Which persistence to take is chosen by calibration wearers; the test's figures are reported.
"""

import numpy as np
import pandas as pd

from lib.detector import scoring
from lib.detector.persistence import Persistence
from lib.evaluation import events as evaluation
from lib.evaluation import operating_point

TRIED = ((1, 1), (2, 2), (2, 3), (3, 3), (3, 5))  # k of n
RATES = np.geomspace(0.05, 10, 70)  # false alarms a wearer-day that a curve shows


def tried(deployed):
    """The persistences to compare, the model's own among them, all of its step."""
    pairs = sorted({*TRIED, (deployed.k, deployed.n)}, key=lambda pair: (pair[0], -pair[1]))
    return [Persistence(k, n, deployed.step_s) for k, n in pairs]


def moments(windows):
    """When each window ends, (N,) s since 1970 on the wearer's clock."""
    return windows["end"].to_numpy("datetime64[ms]").astype(np.float64) / 1000


def false_alarms(windows, over_alert, group, persistences, *, days):
    """False alarms a wearer-day of each persistence, {"k of n": number}; over_alert (N,): 1 at the alert level."""
    found = {}
    for persistence in persistences:
        alarms = persistence.lasting(over_alert, moments(windows), group) >= 1
        found[str(persistence)] = evaluation.false_alarms(windows, alarms) / days
    return found


def compared(windows, events, scores, excess, group, persistences, *, days):
    """A frame with a row a persistence: what it finds at the alert level, and at one false alarm a wearer-day.

    scores (N,) in 0..1 and excess (N,), the evidence over the threshold: NaN where there is none.
    """
    rows, ended = {}, moments(windows)
    for persistence in persistences:
        alarms = persistence.lasting(scores, ended, group) >= scoring.ALERT
        found = evaluation.detections(windows, events, alarms)
        lasting = persistence.lasting(excess, ended, group)
        point = operating_point.recall_at(windows, events, lasting, days=days)
        rows[str(persistence)] = {
            "false alarms a day": evaluation.false_alarms(windows, alarms) / days,
            "recall": found.groupby("kind")["detected"].mean().mean(),
            "median delay (s)": found["delay_s"].median(),
            "recall at 1 a day": point.recall_macro,
            "delay at 1 a day (s)": point.delay_s,
        }
    return pd.DataFrame(rows).T.rename_axis("an alert takes")


def curves(windows, events, excess, group, persistences, *, days):
    """{"k of n": frame of `operating_point.curve`}: what is found over the price, whatever the alert level."""
    ended = moments(windows)
    lasting = {str(one): one.lasting(excess, ended, group) for one in persistences}
    return {name: operating_point.curve(windows, events, of, days=days, rates=RATES) for name, of in lasting.items()}
