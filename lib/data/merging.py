"""Rows of one wearer and instant: one reading where they fill different channels, duplicates where they disagree."""

import numpy as np
import pandas as pd

from lib.data import clock
from lib.detector.features import COUNTERS

WARN_SHARE, REFUSE_SHARE = 0.01, 0.2  # of rows that disagree with another of the same instant
FEWEST_ROWS = 20  # of which a share says something


class DuplicatesError(ValueError):
    """Too many rows that disagree with another of the same wearer and instant."""


def merged(table, notes):
    """A raw table in which rows of one wearer and instant that fill different channels are one row.

    Parameters
    ----------
    table : DataFrame
        Of `readings.read`: user_id, timestamp, instant, heartRate, …
    notes : collections.Counter
        Gains how many rows were merged, and how many disagree.

    Returns
    -------
    DataFrame
        In the order of its rows. Of rows that disagree the last has the values of all; the others stay as they are,
        and cleaning counts them as duplicates.

    Raises
    ------
    DuplicatesError
        If more than REFUSE_SHARE of the rows disagree.
    """
    group = _groups(table)
    if group is None:
        return table
    rows = np.flatnonzero(group >= 0)
    some, code = table.iloc[rows], group[rows]
    channels = [name for name in ("heartRate", *COUNTERS) if name in table]
    values = some[channels].groupby(code)
    spread = values.max().to_numpy() - values.min().to_numpy()
    disagrees = np.nan_to_num(spread).any(axis=1)
    filled = values.count().to_numpy()
    partial = (filled < values.size().to_numpy()[:, None]) & (filled > 0)  # a channel that some rows leave empty
    last = pd.Series(rows).groupby(code).last().to_numpy()
    of_last = table[channels].to_numpy()[last]
    table = table.copy()
    table.loc[table.index[last], channels] = np.where(np.isnan(of_last), values.last().to_numpy(), of_last)
    drop = rows[(partial.any(axis=1) & ~disagrees)[code] & (rows != last[code])]
    notes["rows merged with others of the same instant"] += len(drop)
    _account(table, rows[disagrees[code] & (rows != last[code])], notes)
    return table.drop(table.index[drop]).reset_index(drop=True) if len(drop) else table


def _groups(table):
    """A number (N,) for each row that shares wearer and instant with others, else -1; None where no row does."""
    wearer = pd.factorize(table["user_id"])[0]
    instant = table["instant"].to_numpy()
    if ((np.diff(instant) > 0) | (np.diff(wearer) > 0)).all():
        return None
    pairs = pd.DataFrame({"wearer": wearer, "instant": instant})
    shared = pairs.duplicated(keep=False).to_numpy()
    if not shared.any():
        return None
    group = np.full(len(table), -1)
    group[shared] = pairs[shared].groupby(["wearer", "instant"], sort=False).ngroup()
    return group


def _account(table, duplicates, notes):
    share = len(duplicates) / len(table)
    if len(table) >= FEWEST_ROWS and share > REFUSE_SHARE:
        row = int(duplicates[0])
        when = f"{table['timestamp'].iloc[row]:%Y-%m-%dT%H:%M:%S}"
        problem = f"{share:.0%} of the rows disagree with another of the same wearer and instant, such as row {row + 1}"
        raise DuplicatesError(f"{problem} ({when}): {_likely_cause(table, duplicates)}")
    if len(duplicates):
        worth = "a warning: " if share > WARN_SHARE else ""
        notes[f"{worth}rows that disagree with a later one of the same instant"] += len(duplicates)


def _likely_cause(table, duplicates):
    """The likeliest cause of many duplicates, of the times of day at which they are."""
    wall = table["timestamp"].to_numpy().astype("datetime64[ms]").astype(np.int64)
    if (wall % clock.DAY_MS == 0).all():
        return "its times have lost their hours; export it again with the time of day"
    if clock.may_repeat(wall[duplicates]).mean() > 0.5:
        return "the hour that comes twice in autumn; export it again with UTC offsets"
    if (wall % 60_000 == 0).all():
        return "its times were rounded to the minute; export it again with seconds"
    return "two watches, two clocks or two people under one user_id"
