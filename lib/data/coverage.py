"""What tables cover: readings and counters accounted for, channels that wearers report, and windows."""

import numpy as np
import pandas as pd

from lib.data.split import units
from lib.detector import features


def reported_channels(table):
    """Which of the seven features each row's wearer reports at least half of the time, (T, 7), in a clean table."""
    known = table[list(features.FEATURES)].notna()
    return known.groupby(table["user_id"], observed=True).transform("mean").to_numpy() >= 0.5


def largest_channel_set(channels, reports):
    """The largest channel set that at least one window reports in full.

    Without such a window, the normal error over that set would be unknown.

    Parameters
    ----------
    channels : ndarray of bool, shape (7,)
        The features to choose from.
    reports : ndarray of bool, shape (N, 7)
        The features that each window's wearer reports.

    Returns
    -------
    ndarray of bool, shape (7,)

    Raises
    ------
    ValueError
        If no window has even the smallest set.
    """
    for channel_set in features.channel_sets(channels).values():
        if reports[:, channel_set].all(axis=1).any():
            return channel_set
    raise ValueError(f"no wearer reports {' and '.join(np.array(features.FEATURES)[channel_set])}")


def require_windows(first, table, *, split, length, interval_s):
    """Raise ValueError if there are no windows, with the contents of the clean table and a remedy.

    Parameters
    ----------
    first : array_like
        First rows of the windows.
    table : DataFrame
        The clean table that they are from.
    split : str
        Name of the table for the message.
    length : int
        Samples per window.
    interval_s : float
    """
    if len(first):
        return
    segments = table.groupby(["user_id", "segment"], observed=True)["timestamp"].agg(["min", "size"])
    spacing_s = segments["min"].groupby(level=0, observed=True).diff().median().total_seconds()
    quality = ", ".join(f"{count:,} {name}" for name, count in table["quality"].value_counts().items() if count)
    remedy = "try a smaller sequence_length="
    if spacing_s < length * interval_s:
        remedy = f"segments begin {spacing_s:g} s apart, so try interval_s={spacing_s:g}"
    raise ValueError(
        f"no {split} window: expected {length} trusted samples in a row, {interval_s} s apart, got {len(table):,} "
        f"samples ({quality or 'none'}) in {len(segments):,} segments, the longest of "
        f"{segments['size'].max() if len(segments) else 0:,}; {remedy}"
    )


def raw_overview(tables, *, by):
    """Summarise raw tables.

    Parameters
    ----------
    tables : dict
        {name: raw table}
    by : str
        "wearer" or "day", as in `split.Dataset`.

    Returns
    -------
    DataFrame
        A row per table: wearers (or days), readings, first and last timestamp, median spacing, and the share of
        readings without a heart rate.
    """
    columns = {
        name: {
            f"{by}s": len(set(units(table, by=by))),
            "readings": len(table),
            "first": table["timestamp"].min(),
            "last": table["timestamp"].max(),
            "median spacing (s)": table.groupby("user_id")["instant"].diff().median(),
            "heart rate missing or 0": f"{(table['heartRate'].fillna(0) == 0).mean():.1%}",
        }
        for name, table in tables.items()
    }
    return pd.DataFrame(columns).T


def readings_account(accounts):
    """Numbers of readings, of those used, rejected and mended, by reason: a column for each of {name: account}."""
    columns = {
        name: {
            "readings": account["readings"],
            "used": account["used"],
            **{f"rejected: {reason}": count for reason, count in account["rejected"].items()},
            **{f"mended: {fault}": count for fault, count in account["mended"].items()},
        }
        for name, account in accounts.items()
    }
    return pd.DataFrame(columns)


def counter_account(accounts):
    """Growth of each counter in total, in samples and outside them: a row for each counter of {name: account}."""
    rows = {}
    for name, account in accounts.items():
        for counter, counted in account["counted"].items():
            in_samples = account["counted_in_samples"][counter]
            outside = counted - in_samples
            rows[name, counter] = {"counted": counted, "in samples": in_samples, "outside samples": outside}
    return pd.DataFrame(rows).T
