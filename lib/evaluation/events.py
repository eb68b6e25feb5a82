"""Labelled events in a clean table, the windows that belong to them, and what alarms find.

A window's time is that of its last sample. Each event counts once, as found or missed, and false alarms count as
episodes. Nothing is point-adjusted, because that makes even random scores look good (Kim et al. 2022, "Towards a
rigorous evaluation of time-series anomaly detection", AAAI).

In this package, `windows` is the frame of `describe_windows` (n_windows rows), `events` the frame of `labelled_events`
(n_events rows), and `errors` one number a window: the larger, the more unusual, and NaN for a window without a score,
which raises no alarm.
"""

import numpy as np
import pandas as pd

from lib.detector.grid import MAX_CARRY
from lib.detector.windows import gather

NORMAL, MIXED = "normal", "mixed"  # kinds of windows that are no anomaly's
NO_EVENTS = pd.DataFrame(columns=["user_id", "kind", "start", "end"])
EPISODE_S = 300  # a wearer's windows that end closer than this are one episode
_DAY_S = 86_400


def labelled_events(table):
    """The labelled events of a clean table.

    An event is a run of rows of one wearer with one label, across segments.

    Returns
    -------
    DataFrame
        Columns user_id, kind, start and end (times of the first and the last sample). Empty for a table without labels.
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
    """Wearer, time and kind of the windows of a clean table.

    Parameters
    ----------
    table : DataFrame
    first : ndarray of int, shape (n_windows,)
        The row at which each window starts.
    length : int
        Samples per window.

    Returns
    -------
    DataFrame
        Columns user_id, start, end (times of the first and the last sample) and kind: "normal" if no sample is
        labelled, an anomaly's name if the last sample and at least half of all samples carry it, else "mixed". Mixed
        windows count neither in AUROC nor as false alarms.
    """
    names, code = np.unique(np.append("", _labels(table)), return_inverse=True)  # "" sorts first: code 0
    codes = gather(code[1:].astype(np.int16), first, length=length)  # (n_windows, length)
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


def wearer_days(table, *, interval_s):
    """Days of worn, unlabelled samples of a clean table, summed over wearers: the time in which alarms are false."""
    normal = (_labels(table) == "") & (table["quality"] != "not_worn").to_numpy()
    return float(normal.sum() * interval_s / _DAY_S)


def times_off_wrist(table):
    """How often a watch of a clean table comes off the wrist while no label says why."""
    off = (table["quality"] == "not_worn").to_numpy() & (_labels(table) == "")
    wearer = pd.factorize(table["user_id"])[0]
    continues = np.append(False, off[:-1] & (wearer[1:] == wearer[:-1]))[: len(off)]
    return int((off & ~continues).sum())


def windows_during(windows, events):
    """Yield, for each event, the positions of the windows that end within it or lie at least half in it."""
    start, end = windows["start"].to_numpy(), windows["end"].to_numpy()
    rows = windows.groupby("user_id", observed=True, sort=False).indices
    for event in events.itertuples():
        of_wearer = rows.get(event.user_id, np.array([], dtype=np.intp))
        event_start, event_end = event.start.to_datetime64(), event.end.to_datetime64()
        within = (end[of_wearer] >= event_start) & (end[of_wearer] <= event_end)
        overlap = np.minimum(end[of_wearer], event_end) - np.maximum(start[of_wearer], event_start)
        yield of_wearer[within | (2 * overlap >= end[of_wearer] - start[of_wearer])]


def detections(windows, events, flagged):
    """`events` with two more columns: detected (bool) and delay_s.

    delay_s runs from the start of the event to its first alarm; it is NaN without one. An alarm is a flagged window
    (`flagged`, bool, shape (n_windows,)) of `windows_during` the event.
    """
    flagged = np.asarray(flagged)
    delays = []
    for event, during in zip(events.itertuples(), windows_during(windows, events), strict=True):
        alarms = windows["end"].to_numpy()[during[flagged[during]]]
        delay = (alarms.min() - event.start.to_datetime64()) / np.timedelta64(1, "s") if len(alarms) else np.nan
        delays.append(delay)
    delays = np.array(delays, dtype=np.float64)
    return events.assign(detected=~np.isnan(delays), delay_s=delays)


def false_alarms(windows, flagged, *, apart_s=EPISODE_S):
    """Count the episodes of false alarm: flagged normal windows.

    Windows of one wearer that end less than `apart_s` seconds after the previous one belong to one episode.
    """
    false = windows[np.asarray(flagged) & (windows["kind"] == NORMAL).to_numpy()]
    false = false.sort_values(["user_id", "end"])
    apart = false["end"].diff() >= pd.Timedelta(seconds=apart_s)
    another = false["user_id"].astype(object) != false["user_id"].astype(object).shift()
    return int((apart | another).sum())


def gate_delays(table, windows, events, faulty):
    """Seconds from each event's start until the quality check reports it; NaN if it does not.

    The check reports an event by the first faulty window of `windows_during` the event, when that window ends. If at
    least half of the event's samples are not worn, it also reports the event once heart rate has been missing for
    longer than a value is carried forward.

    Parameters
    ----------
    table, windows, events : DataFrame
        The clean table and what this module reads from it.
    faulty : ndarray of bool, shape (n_windows,)
        Windows with a fault of `lib.detector.scoring.faults`.

    Returns
    -------
    ndarray, shape (n_events,)
    """
    faulty, end = np.asarray(faulty), windows["end"].to_numpy()
    time, off = table["timestamp"].to_numpy(), (table["quality"] == "not_worn").to_numpy()
    rows = table.groupby("user_id", observed=True, sort=False).indices
    reported = np.full(len(events), np.datetime64("NaT"), dtype="datetime64[ns]")
    for number, (event, during) in enumerate(zip(events.itertuples(), windows_during(windows, events), strict=True)):
        samples = rows[event.user_id]
        samples = samples[(time[samples] >= event.start.to_datetime64()) & (time[samples] <= event.end.to_datetime64())]
        missing = time[samples[off[samples]]]
        by_sample = missing[: MAX_CARRY + 1][-1:] if 2 * len(missing) >= len(samples) else missing[:0]
        reported[number] = min([*end[during[faulty[during]]], *by_sample], default=reported[number])
    return (reported - events["start"].to_numpy()) / np.timedelta64(1, "s")
