"""What a detector does on labelled wearers it never saw: by kind of anomaly, by event and by wearer-day.

A window's time is that of its last sample, and its error is NaN where it gets no score (a sensor at fault):
such a window raises no alarm and counts in no AUROC. Events are counted as found or not, once each; nothing is
point-adjusted, which lets even random scores look good (Kim et al. 2022, "Towards a rigorous evaluation of
time-series anomaly detection", AAAI).
"""

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from lib.detector.grid import MAX_CARRY
from lib.detector.windows import gather

NORMAL, MIXED = "normal", "mixed"
NO_EVENTS = pd.DataFrame(columns=["user_id", "kind", "start", "end"])
EPISODE_S = 300  # windows of one wearer that end closer than this are one episode
_DAY_S = 86_400


def events(table):
    """The labelled events of a clean table: user_id, kind, start and end (of first and last sample).

    An event is a run of rows of one wearer and one label; segments may change inside. A table without labels
    has none.
    """
    label = _labels(table)
    wearer = pd.factorize(table["user_id"])[0]
    begins = np.append(True, (label[1:] != label[:-1]) | (wearer[1:] != wearer[:-1]))[: len(label)]
    first = np.flatnonzero(begins)
    last = np.append(first[1:], len(label)) - 1
    anomalous = label[first] != ""
    first, last = first[anomalous], last[anomalous]
    return _spans(table, first, last).assign(kind=label[first])[["user_id", "kind", "start", "end"]]


def describe_windows(table, first, *, length):
    """user_id, start, end (of first and last sample) and kind of the windows that start at rows first (N,).

    kind is "normal" where no sample is labelled; an anomaly's name where the last sample and at least half of
    all samples carry it; else "mixed", a window that is neither and stays out of AUROC and of false alarms.
    """
    names, code = np.unique(np.append("", _labels(table)), return_inverse=True)  # "" sorts first: code 0
    codes = gather(code[1:].astype(np.int16), first, length=length)  # (N, length)
    last = codes[:, -1]
    kind = np.where(2 * (codes == last[:, None]).sum(axis=1) >= length, names[last].astype(object), MIXED)
    kind[last == 0] = MIXED
    kind[~codes.any(axis=1)] = NORMAL
    return _spans(table, first, np.asarray(first) + length - 1).assign(kind=kind)


def _labels(table):
    if "label" not in table:
        return np.full(len(table), "", dtype=object)
    return table["label"].to_numpy(dtype=object)


def _spans(table, first, last):
    time = table["timestamp"].to_numpy()
    wearer = table["user_id"].iloc[first].reset_index(drop=True)
    return pd.DataFrame({"user_id": wearer, "start": time[first], "end": time[last]})


def auroc_by_kind(errors, kinds):
    """AUROC of each kind's windows against all normal ones: a Series by kind.

    errors (N,); kinds (N,) as `describe_windows` gives them. Windows of NaN error are left out; where either
    side is empty, AUROC is NaN.
    """
    errors, kinds = np.asarray(errors, dtype=np.float64), np.asarray(kinds, dtype=object)
    scored = ~np.isnan(errors)
    normal = errors[scored & (kinds == NORMAL)]
    kinds_there = sorted(set(kinds) - {NORMAL, MIXED})
    found = {kind: _auroc(normal, errors[scored & (kinds == kind)]) for kind in kinds_there}
    return pd.Series(found, dtype=np.float64, name="auroc").rename_axis("kind")


def pooled_auroc(errors, kinds):
    """AUROC of all anomalous windows together against all normal ones, as `auroc_by_kind`; common kinds weigh more."""
    names = np.where(np.isin(kinds, (NORMAL, MIXED)), kinds, "anomalous")
    return auroc_by_kind(errors, names).get("anomalous", np.nan)


def _auroc(normal, anomalous):
    if not len(normal) or not len(anomalous):
        return np.nan
    truth = np.repeat([0, 1], [len(normal), len(anomalous)])
    return float(roc_auc_score(truth, np.concatenate([normal, anomalous])))


def detections(windows, events, flagged):
    """`events` with detected (boolean) and delay_s, from an event's start to its first alarm; NaN without one.

    flagged (N,) boolean. An alarm is a flagged window of the wearer that ends within the event, or overlaps it by at
    least half of the window.
    """
    flagged = np.asarray(flagged)
    delays = []
    for event, during in zip(events.itertuples(), windows_during(windows, events), strict=True):
        alarms = windows["end"].to_numpy()[during[flagged[during]]]
        delay = (alarms.min() - event.start.to_datetime64()) / np.timedelta64(1, "s") if len(alarms) else np.nan
        delays.append(delay)
    delays = np.array(delays, dtype=np.float64)
    return events.assign(detected=~np.isnan(delays), delay_s=delays)


def windows_during(windows, events):
    """For each event, the positions of the windows that end within it or lie at least half in it."""
    start, end = windows["start"].to_numpy(), windows["end"].to_numpy()
    rows = windows.groupby("user_id", observed=True, sort=False).indices
    for event in events.itertuples():
        mine = rows.get(event.user_id, np.array([], dtype=np.intp))
        begun, ended = event.start.to_datetime64(), event.end.to_datetime64()
        within = (end[mine] >= begun) & (end[mine] <= ended)
        overlap = np.minimum(end[mine], ended) - np.maximum(start[mine], begun)
        yield mine[within | (2 * overlap >= end[mine] - start[mine])]


def middle(errors, among):
    """The position of the window whose error is the median of those `among` (N,) booleans; the lower of two."""
    places = np.flatnonzero(among)
    return int(places[np.argsort(np.asarray(errors)[places], kind="stable")[(len(places) - 1) // 2]])


def false_alarms(windows, flagged, *, apart_s=EPISODE_S):
    """How many episodes of false alarm there are: flagged windows of which no sample is labelled.

    Windows of one wearer that end less than `apart_s` seconds after the one before belong to one episode.
    """
    false = windows[np.asarray(flagged) & (windows["kind"] == NORMAL).to_numpy()]
    false = false.sort_values(["user_id", "end"])
    apart = false["end"].diff() >= pd.Timedelta(seconds=apart_s)
    another = false["user_id"].astype(object) != false["user_id"].astype(object).shift()
    return int((apart | another).sum())


def wearer_days(table, *, interval_s):
    """Days of worn, unlabelled samples in a clean table, all wearers together: the time of false alarms."""
    normal = (_labels(table) == "") & (table["quality"] != "not_worn").to_numpy()
    return float(normal.sum() * interval_s / _DAY_S)


def times_off_wrist(table):
    """How many times the watch of a clean table's wearers is off the wrist, where no label says why."""
    off = (table["quality"] == "not_worn").to_numpy() & (_labels(table) == "")
    wearer = pd.factorize(table["user_id"])[0]
    goes_on = np.append(False, off[:-1] & (wearer[1:] == wearer[:-1]))[: len(off)]
    return int((off & ~goes_on).sum())


def gate_delays(table, windows, events, faulty):
    """Seconds (E,) from each event's start until the quality check keeps it from the model; NaN where it does not.

    faulty (N,) boolean: which windows have one of `scoring.faults`. An event is kept from it by one that ends within it
    or lies at least half in it, when that window ends; or where at least half of its samples in the clean table are not
    worn, when heart rate has been missing for longer than one is carried forward.
    """
    faulty, end = np.asarray(faulty), windows["end"].to_numpy()
    time, off = table["timestamp"].to_numpy(), (table["quality"] == "not_worn").to_numpy()
    rows = table.groupby("user_id", observed=True, sort=False).indices
    told = np.full(len(events), np.datetime64("NaT"), dtype="datetime64[ns]")
    for number, (event, during) in enumerate(zip(events.itertuples(), windows_during(windows, events), strict=True)):
        mine = rows[event.user_id]
        mine = mine[(time[mine] >= event.start.to_datetime64()) & (time[mine] <= event.end.to_datetime64())]
        missed = time[mine[off[mine]]]
        by_sample = missed[: MAX_CARRY + 1][-1:] if 2 * len(missed) >= len(mine) else missed[:0]
        told[number] = min([*end[during[faulty[during]]], *by_sample], default=told[number])
    return (told - events["start"].to_numpy()) / np.timedelta64(1, "s")


def score_card(windows, events, errors, thresholds, *, days, gated, lasting=None, faulty=False):
    """What one detector does, by kind of anomaly and in sum.

    windows, events: of `describe_windows` and `events`; errors (N,), NaN = no score; thresholds: {level:
    error} from which on a window is flagged; days: of `wearer_days`; gated (E,) boolean: which events have
    one of `gate_delays`; lasting: {level: (N,)}, what is flagged by instead of errors where a level asks for several
    windows, of `Persistence.lasting`; faulty (N,) boolean: windows that the quality check takes, in no method's AUROC.

    Returns (card, summary). card has a row a kind: events, auroc, for each level recall_<level> and
    delay_s_<level> (seconds; the median of the events found), and found_by_gate (a share). summary is a dict:
    wearer_days, events, auroc_macro (the mean over kinds), auroc_pooled, and for each level recall_macro_<level>
    (the mean over all kinds, also those that only the gate can find), delay_s_<level> (the median of all events found),
    false_alarms_per_day_<level> and share_of_normal_<level> (of the normal windows with a score). A figure with nothing
    to rest on is NaN.
    Raises ValueError when days is not positive.
    """
    if not days > 0:
        raise ValueError(f"days={days}: worn, unlabelled time is wanted to count false alarms over")
    errors = np.asarray(errors, dtype=np.float64)
    flagged = {level: (lasting or {}).get(level, errors) >= threshold for level, threshold in thresholds.items()}
    told = np.where(faulty, np.nan, errors)
    card = _by_kind(windows, events, told, flagged, gated)
    normal = (windows["kind"] == NORMAL).to_numpy() & ~np.isnan(errors)
    summary = {"wearer_days": float(days), "events": len(events), "auroc_macro": float(card["auroc"].mean())}
    summary["auroc_pooled"] = float(pooled_auroc(told, windows["kind"]))
    for level, alarms in flagged.items():
        reached = errors[normal] >= thresholds[level]
        summary[f"recall_macro_{level}"] = float(card[f"recall_{level}"].mean())
        summary[f"delay_s_{level}"] = float(detections(windows, events, alarms)["delay_s"].median())
        summary[f"false_alarms_per_day_{level}"] = false_alarms(windows, alarms) / days
        summary[f"share_of_normal_{level}"] = float(reached.mean()) if normal.any() else np.nan
    return card, summary


def _by_kind(windows, events, told, flagged, gated):
    kind = events["kind"].to_numpy(dtype=object)
    auroc = auroc_by_kind(told, windows["kind"])
    card = pd.DataFrame({"events": pd.Series(kind).value_counts(), "auroc": auroc})
    card = card.sort_index().rename_axis("kind").assign(events=card["events"].fillna(0).astype(int))
    for level, alarms in flagged.items():
        found = detections(windows, events, alarms).groupby(kind)
        card[f"recall_{level}"] = found["detected"].mean()
        card[f"delay_s_{level}"] = found["delay_s"].median()
    card["found_by_gate"] = pd.Series(np.asarray(gated, dtype=float)).groupby(kind).mean()
    return card
