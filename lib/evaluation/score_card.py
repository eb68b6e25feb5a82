"""What one detector does on labelled wearers it never saw: by kind of anomaly, and in total."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lib.evaluation.auroc import auroc_by_kind, pooled_auroc
from lib.evaluation.events import NORMAL, detections, false_alarms


@dataclass(frozen=True)
class EvaluationSet:
    """What every method is measured on.

    Raises ValueError unless `days` is positive.
    """

    windows: pd.DataFrame  # of `events.describe_windows`
    events: pd.DataFrame  # of `events.labelled_events`
    days: float  # worn, unlabelled wearer-days, of `events.wearer_days`
    gated: np.ndarray  # (n_events,) bool: the events that the quality check reports
    faulty: np.ndarray | bool = False  # (n_windows,) bool: windows with a sensor fault, in no method's AUROC

    def __post_init__(self):
        if not self.days > 0:
            raise ValueError(f"expected more than 0 worn, unlabelled days to count false alarms over, got {self.days}")


def score_card(test, errors, thresholds, *, lasting=None):
    """Measure one detector by kind of anomaly, and in total.

    Parameters
    ----------
    test : EvaluationSet
    errors : array-like, shape (n_windows,)
        NaN for a window without a score.
    thresholds : dict of str to float
        By level, the error from which on a window is flagged.
    lasting : dict of str to ndarray, optional
        By level, what is compared with the threshold instead of the errors, for alerts that take several windows: of
        `lib.detector.persistence.Persistence.lasting`.

    Returns
    -------
    card : DataFrame
        One row a kind: events, auroc, for each level recall_<level> and delay_s_<level> (median seconds over the events
        found), and found_by_gate (a share).
    total : dict
        wearer_days, events, auroc_macro (mean over kinds) and auroc_pooled. For each level, recall_macro_<level> (mean
        over all kinds, also those that only the gate can find) and delay_s_<level> (median over all events found).
        Also false_alarms_per_day_<level> and share_of_normal_<level> (of the normal windows with a score). A figure
        without any data is NaN.
    """
    errors = np.asarray(errors, dtype=np.float64)
    flagged = {level: (lasting or {}).get(level, errors) >= threshold for level, threshold in thresholds.items()}
    sound = np.where(test.faulty, np.nan, errors)
    card = _by_kind(test, sound, flagged)
    normal = (test.windows["kind"] == NORMAL).to_numpy() & ~np.isnan(errors)
    total = {"wearer_days": float(test.days), "events": len(test.events), "auroc_macro": float(card["auroc"].mean())}
    total["auroc_pooled"] = float(pooled_auroc(sound, test.windows["kind"]))
    for level, alarms in flagged.items():
        reached = errors[normal] >= thresholds[level]
        total[f"recall_macro_{level}"] = float(card[f"recall_{level}"].mean())
        total[f"delay_s_{level}"] = float(detections(test.windows, test.events, alarms)["delay_s"].median())
        total[f"false_alarms_per_day_{level}"] = false_alarms(test.windows, alarms) / test.days
        total[f"share_of_normal_{level}"] = float(reached.mean()) if normal.any() else np.nan
    return card, total


def _by_kind(test, errors, flagged):
    kind = test.events["kind"].to_numpy(dtype=object)
    auroc = auroc_by_kind(errors, test.windows["kind"])
    card = pd.DataFrame({"events": pd.Series(kind).value_counts(), "auroc": auroc})
    card = card.sort_index().rename_axis("kind").assign(events=card["events"].fillna(0).astype(int))
    for level, alarms in flagged.items():
        by_kind = detections(test.windows, test.events, alarms).groupby(kind)
        card[f"recall_{level}"] = by_kind["detected"].mean()
        card[f"delay_s_{level}"] = by_kind["delay_s"].median()
    card["found_by_gate"] = pd.Series(np.asarray(test.gated, dtype=float)).groupby(kind).mean()
    return card


def median_window(errors, among):
    """The position of the window with the median error of those `among`, shape (n_windows,) bool; the lower of two."""
    positions = np.flatnonzero(among)
    return int(positions[np.argsort(np.asarray(errors)[positions], kind="stable")[(len(positions) - 1) // 2]])
