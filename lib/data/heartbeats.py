"""What the trend reads of a raw table: each wearer's times, heart rates, and steps since the reading before."""

import numpy as np

from lib.detector.grid import totals
from lib.detector.rest import Heartbeats


def by_wearer(raw, *, counters="cumulative"):
    """Split a raw table (of `readings.read`) into the Heartbeats of its wearers, in order of name.

    counters: "cumulative" if steps count up through the day, "interval" if each reading reports its own.
    """
    for user_id, rows in raw.groupby(raw["user_id"].astype("str"), sort=True):
        rows = rows.sort_values("instant", kind="stable")
        times = np.floor(rows["instant"].to_numpy(dtype=float)).astype(np.int64)
        wall = rows["timestamp"].to_numpy("datetime64[s]").astype(np.int64)
        steps = rows["steps"].to_numpy(dtype=float) if "steps" in rows else np.full(len(rows), np.nan)
        steps = np.where(steps < 0, np.nan, steps)
        if counters == "cumulative":
            steps = amounts(totals(steps, wall // 86_400))
        yield Heartbeats(user_id, times, rows["heartRate"].to_numpy(dtype=float), steps, wall - times)


def amounts(running):
    """(n,) growth of a running total since the reading before that reports it, NaN for the first and where missing."""
    known = np.flatnonzero(~np.isnan(running))
    grown = np.full(len(running), np.nan)
    grown[known[1:]] = np.diff(running[known])
    return grown
