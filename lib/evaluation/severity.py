"""AUROC by kind and severity: how strong an anomaly must be to stand out."""

import numpy as np
import pandas as pd

from lib.evaluation import events as evaluation


def severities(events, injected):
    """The severity (E,) of each of `events` (of `evaluation.events`), NaN where none is known.

    injected: what `anomalies.inject` says it placed: user_id (text), kind, start, end and severity. An event has
    the severity of that one of its wearer and kind that it overlaps longest; cleaning may have moved its ends.
    """
    begun, ended = (pd.to_datetime(injected[end], format="ISO8601").to_numpy() for end in ("start", "end"))
    wearer, kind = injected["user_id"].to_numpy(dtype=object), injected["kind"].to_numpy(dtype=object)
    known, found = injected["severity"].to_numpy(np.float64), np.full(len(events), np.nan)
    for number, event in enumerate(events.itertuples()):
        start, end = event.start.to_datetime64(), event.end.to_datetime64()
        alike = (wearer == event.user_id) & (kind == event.kind) & (ended >= start) & (begun <= end)
        candidates = np.flatnonzero(alike)
        if len(candidates):
            shared = np.minimum(ended[candidates], end) - np.maximum(begun[candidates], start)
            found[number] = known[candidates[shared.argmax()]]
    return found


def auroc_by_severity(windows, events, errors, severity):
    """AUROC of each kind's windows of each severity against all normal ones: a frame, kind by severity.

    severity (E,): of `events`, by `severities`; a window has that of the event it ends in. NaN where no window
    of a kind and severity has a score; without any severity known, the frame has no columns.
    """
    kinds = windows["kind"].to_numpy(dtype=object)
    of_window = _by_window(windows, events, severity)
    normal = kinds == evaluation.NORMAL
    levels = np.unique(of_window[~np.isnan(of_window)])
    masked = {level: np.where(normal | (of_window == level), kinds, evaluation.MIXED) for level in levels}
    found = {float(level): evaluation.auroc_by_kind(errors, names) for level, names in masked.items()}
    rows = pd.Index(sorted(set(kinds) - {evaluation.NORMAL, evaluation.MIXED}), name="kind", dtype=object)
    return pd.DataFrame(found, index=rows, dtype=np.float64).rename_axis(columns="severity")


def _by_window(windows, events, severity):
    """The severity (N,) of each window's event: of its wearer and kind, in which it ends. NaN without one."""
    end, kind = windows["end"].to_numpy(), windows["kind"].to_numpy(dtype=object)
    rows = windows.groupby("user_id", observed=True, sort=False).indices
    found = np.full(len(windows), np.nan)
    for event, value in zip(events.itertuples(), severity, strict=True):
        mine = rows.get(event.user_id, np.array([], dtype=np.intp))
        within = (end[mine] >= event.start.to_datetime64()) & (end[mine] <= event.end.to_datetime64())
        found[mine[within & (kind[mine] == event.kind)]] = value
    return found
