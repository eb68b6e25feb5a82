"""The trend of whole files: its score at each reading, and beside the scores of windows, minute by minute."""

import numpy as np
import pandas as pd

from lib.data.heartbeats import by_wearer
from lib.detector.trend import Trend, level_of

MINUTE = "min"


def follow(raw, *, counters="cumulative"):
    """The trend's score at each reading of a raw table, each wearer followed from their first reading on.

    Parameters
    ----------
    raw : DataFrame
        As `readings.read` returns it.
    counters : str
        "cumulative" or "interval".

    Returns
    -------
    DataFrame
        Columns user_id, timestamp (wall clock), worn (whether there is a heart rate) and trend_score, NaN where there
        is none. By wearer, in order of time.
    """
    tables = []
    for beats in by_wearer(raw, counters=counters):
        scores = Trend().follow(beats.times, beats.heart_rate, beats.steps, offset=beats.offset)
        wall = ((beats.times + beats.offset) * 1000).astype("datetime64[ms]")
        columns = {"user_id": beats.user_id, "timestamp": wall, "worn": beats.heart_rate > 0, "trend_score": scores}
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def beside(windows, trend, *, whole):
    """Add the trend to a table of windows' scores, and rows for worn minutes in which no window ends.

    Parameters
    ----------
    windows : DataFrame
        user_id, timestamp, and whatever a window has: null in the rows that are added.
    trend : DataFrame
        As `follow` returns it.
    whole : bool
        Whether to add rows, or to return those of windows alone.

    Returns
    -------
    DataFrame
        The columns of `windows`, trend_score and trend_level, by wearer in order of time.
    """
    minutes = trend[trend["worn"]].drop(columns="worn")
    of_minutes = _minutes(minutes)
    last = ~of_minutes.duplicated(keep="last") & ~of_minutes.isin(_minutes(windows))
    added = minutes[last] if whole else minutes[:0]
    rows = pd.concat([windows, added[["user_id", "timestamp"]]], ignore_index=True)
    rows = rows.sort_values(["timestamp", "user_id"], kind="stable")
    known = trend[["user_id", "timestamp", "trend_score"]].sort_values("timestamp", kind="stable")
    rows = pd.merge_asof(rows, known, on="timestamp", by="user_id").sort_values("user_id", kind="stable")
    scores = rows["trend_score"]
    levels = [level_of(None if np.isnan(score) else score) for score in scores]
    return rows.assign(trend_level=levels).reset_index(drop=True)


def _minutes(table):
    """Each row's wearer and minute."""
    return pd.MultiIndex.from_arrays([table["user_id"].astype("object"), table["timestamp"].dt.floor(MINUTE)])
