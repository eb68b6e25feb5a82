"""Scores of a raw table: one row a minute, with the level, the reason and the trend."""

import numpy as np
import pandas as pd

from lib.data import clean
from lib.detector import grid, scoring, windows
from lib.detector.following import follow
from lib.detector.reasons import sentence
from lib.evaluation import trend_scores
from lib.figures.explorer import Test

COLUMNS = ("user_id", "time", "score", "level", "reason", "trend_score", "trend_level")
NO_WINDOW = "no whole window ends in this minute"
FAULTS = {
    grid.STUCK: f"stuck sensor: the heart rate has hardly moved for {grid.STUCK_S / 60:g} minutes",
    grid.IMPLAUSIBLE: "implausible counters: more at once than a body can do",
}


def score(detector, raw, *, counters="cumulative"):
    """Score the windows of a raw table, a minute apart. Each wearer's baseline is learned on the way.

    Parameters
    ----------
    detector : Detector
    raw : DataFrame
        A raw table as `readings.read` returns it.
    counters : {"cumulative", "interval"}

    Returns
    -------
    DataFrame
        COLUMNS: a row for each window, and for each worn minute in which none ends. `time` is the wall clock of the
        last sample. `score` is NaN without a window or with a faulty sensor, and `reason` says so.
    """
    table, _ = clean.clean(raw, interval_s=detector.interval_s, counters=counters)
    scored = _of_windows(detector, table)
    rows = trend_scores.beside(scored, trend_scores.follow(raw, counters=counters), whole=True)
    rows = rows.fillna({"level": scoring.UNKNOWN, "reason": NO_WINDOW}).rename(columns={"timestamp": "time"})
    return rows[list(COLUMNS)]


def _of_windows(detector, table):
    """Score the windows of a clean table: user_id, timestamp, score, level and reason."""
    length = detector.sequence_length
    stride = grid.per_minute(detector.interval_s)
    first = windows.starts(clean.groups(table), length=length, stride=stride, trusted=clean.worn(table))
    if not len(first):
        empty = {"user_id": [], "timestamp": np.empty(0, "datetime64[ms]"), "score": np.empty(0)}
        return pd.DataFrame(empty).astype({"user_id": "str"}).assign(level=None, reason=None)
    samples = clean.samples(table)
    followed = follow(detector, samples, first, table["user_id"].astype("str"))
    last = table.iloc[first + length - 1]
    columns = {
        "user_id": last["user_id"].astype("str").to_numpy(dtype=object),
        "timestamp": last["timestamp"].to_numpy("datetime64[ms]"),
        "score": followed.scores,
        "level": scoring.levels(followed.scores),
        "reason": _reasons(Test(table, None, None, first, samples, followed, detector)),
    }
    return pd.DataFrame(columns)


def _reasons(test):
    """Say why each window reached 0.3, or has no score; empty for a normal one."""
    texts = [FAULTS.get(fault, "") for fault in test.followed.faults]
    for row in np.flatnonzero(np.nan_to_num(test.followed.scores) >= scoring.BORDERLINE):
        texts[row] = "; ".join(sentence(reason) for reason in test.reasons(row))
    return texts
