"""The hour that comes twice when clocks are set back, in tables that tell the wall clock alone."""

import numpy as np
import pandas as pd

from lib.data import clock
from lib.detector.features import COUNTERS

_SHARE_OF_FALLS = 0.2  # of a running counter's rises, with its midnights and restarts
_INTERLEAVED = 3  # falls of a counter within one hour: rows of both passes, sorted into each other


def separate_passes(table, notes, *, zone=None):
    """A table on a wall clock whose second pass of an autumn hour has instants an hour later.

    Rows of both passes that were sorted into each other cannot be separated: their counters are left out, for they
    would be counted many times, and `notes` names the hour.

    Parameters
    ----------
    table : DataFrame
        user_id, timestamp, instant (s), heartRate and counters, rows in the order of recording.
    notes : collections.Counter
    zone : ZoneInfo, optional
        Where the wearer is known to live.
    """
    wall = table["timestamp"].to_numpy().astype("datetime64[ms]").astype(np.int64)
    repeats = clock.may_repeat(wall, zone)
    if not repeats.any():
        return table
    wearer = pd.factorize(table["user_id"])[0]
    counters = [name for name in COUNTERS if name in table]
    for number in np.unique(wearer[repeats]):
        rows = np.flatnonzero(wearer == number)
        second = clock.second_pass(wall[rows], zone=zone, sure=_grew(table, rows, counters))
        if second.any():
            table["instant"] = table["instant"].where(~_at(rows[second], len(table)), table["instant"] + 3600)
            notes[
                f"the hour that comes twice: its passes separated by the order of the rows: {_hour(wall[rows[second][0]])}"
            ] += 1
        else:
            _silence(table, rows[repeats[rows]], counters, wall, notes)
    return table


def _at(rows, count):
    mask = np.zeros(count, dtype=bool)
    mask[rows] = True
    return mask


def _grew(table, rows, counters):
    """Whether each reading (N,) was surely recorded after the row before: its running counters are above that row's."""
    growth = np.diff(table[counters].to_numpy()[rows], axis=0, prepend=np.nan)
    falls, rises = ((sign * growth > 0).sum(axis=0) for sign in (-1, 1))
    growth = growth[:, falls <= _SHARE_OF_FALLS * rises]  # amounts since the last reading are no evidence
    return (np.nan_to_num(growth, nan=0.0) >= 0).all(axis=1) & (growth > 0).any(axis=1)


def _silence(table, rows, counters, wall, notes):
    """Leave out the counters of hours in which they fall again and again."""
    rows = rows[np.argsort(wall[rows], kind="stable")]
    hour = wall[rows] // clock.HOUR_MS
    for one in np.unique(hour):
        some = rows[hour == one]
        values = table[counters].to_numpy()[some]
        falls = (np.diff(values, axis=0) < 0).sum(axis=0)
        rises = (np.diff(values, axis=0) > 0).sum(axis=0)
        if ((falls >= _INTERLEAVED) & (falls > 0.3 * rises)).any() and (values[-1] > values[0]).any():
            table.loc[table.index[some], counters] = np.nan
            problem = (
                "a warning: counters left out of an hour that may have come twice, without offsets to separate its rows"
            )
            notes[f"{problem}: {_hour(wall[some[0]])}"] += len(some)


def _hour(wall_ms):
    return str(np.datetime64(int(wall_ms), "ms").astype("datetime64[h]")) + " o'clock"
