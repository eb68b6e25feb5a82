"""AUROC of windows: by kind of anomaly, over all kinds, and by severity. It needs no threshold."""

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from lib.evaluation.events import MIXED, NORMAL


def auroc_by_kind(errors, kinds):
    """AUROC of each kind's windows against all normal windows.

    Parameters
    ----------
    errors : array-like, shape (n_windows,)
        Windows with NaN are left out.
    kinds : array-like of str, shape (n_windows,)
        As in `events.describe_windows`.

    Returns
    -------
    Series by kind
        NaN where a side has no windows.
    """
    errors, kinds = np.asarray(errors, dtype=np.float64), np.asarray(kinds, dtype=object)
    scored = ~np.isnan(errors)
    normal = errors[scored & (kinds == NORMAL)]
    aurocs = {kind: _auroc(normal, errors[scored & (kinds == kind)]) for kind in _anomalous(kinds)}
    return pd.Series(aurocs, dtype=np.float64, name="auroc").rename_axis("kind")


def pooled_auroc(errors, kinds):
    """AUROC of all anomalous windows together against all normal ones. Frequent kinds weigh more."""
    pooled = np.where(np.isin(kinds, (NORMAL, MIXED)), kinds, "anomalous")
    return auroc_by_kind(errors, pooled).get("anomalous", np.nan)


def auroc_by_severity(windows, events, errors, severity):
    """AUROC of each kind's windows of each severity against all normal windows.

    Parameters
    ----------
    windows, events : DataFrame
    errors : array-like, shape (n_windows,)
    severity : array-like, shape (n_events,)
        Of `severities`. A window has the severity of the event in which it ends.

    Returns
    -------
    DataFrame, kinds by severities
        NaN where no window of a kind and severity has a score. No columns if no severity is known.
    """
    kinds = windows["kind"].to_numpy(dtype=object)
    by_window = _severity_by_window(windows, events, severity)
    normal = kinds == NORMAL
    levels = np.unique(by_window[~np.isnan(by_window)])
    kinds_by_level = {level: np.where(normal | (by_window == level), kinds, MIXED) for level in levels}
    aurocs = {float(level): auroc_by_kind(errors, kinds) for level, kinds in kinds_by_level.items()}
    rows = pd.Index(_anomalous(kinds), name="kind", dtype=object)
    return pd.DataFrame(aurocs, index=rows, dtype=np.float64).rename_axis(columns="severity")


def severities(events, injected):
    """The severity of each event, shape (n_events,); NaN where it is unknown.

    An event takes the severity of the injected anomaly of its wearer and kind that it overlaps longest, since cleaning
    may have moved its ends.

    Parameters
    ----------
    events : DataFrame
    injected : DataFrame
        What `lib.simulation.anomalies.inject` placed: user_id (str), kind, start, end and severity.
    """
    starts, ends = (pd.to_datetime(injected[side], format="ISO8601").to_numpy() for side in ("start", "end"))
    wearer, kind = injected["user_id"].to_numpy(dtype=object), injected["kind"].to_numpy(dtype=object)
    severity, by_event = injected["severity"].to_numpy(np.float64), np.full(len(events), np.nan)
    for number, event in enumerate(events.itertuples()):
        start, end = event.start.to_datetime64(), event.end.to_datetime64()
        alike = (wearer == event.user_id) & (kind == event.kind) & (ends >= start) & (starts <= end)
        candidates = np.flatnonzero(alike)
        if len(candidates):
            overlap = np.minimum(ends[candidates], end) - np.maximum(starts[candidates], start)
            by_event[number] = severity[candidates[overlap.argmax()]]
    return by_event


def _anomalous(kinds):
    return sorted(set(kinds) - {NORMAL, MIXED})


def _auroc(normal, anomalous):
    if not len(normal) or not len(anomalous):
        return np.nan
    truth = np.repeat([0, 1], [len(normal), len(anomalous)])
    return float(roc_auc_score(truth, np.concatenate([normal, anomalous])))


def _severity_by_window(windows, events, severity):
    """Shape (n_windows,): the severity of the event of a window's wearer and kind in which it ends, else NaN."""
    end, kind = windows["end"].to_numpy(), windows["kind"].to_numpy(dtype=object)
    rows = windows.groupby("user_id", observed=True, sort=False).indices
    by_window = np.full(len(windows), np.nan)
    for event, value in zip(events.itertuples(), severity, strict=True):
        of_wearer = rows.get(event.user_id, np.array([], dtype=np.intp))
        within = (end[of_wearer] >= event.start.to_datetime64()) & (end[of_wearer] <= event.end.to_datetime64())
        by_window[of_wearer[within & (kind[of_wearer] == event.kind)]] = value
    return by_window
