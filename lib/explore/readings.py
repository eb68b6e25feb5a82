"""Readings from any source, and why some cannot be scored."""

from pathlib import Path

import numpy as np
import pandas as pd

from lib import files
from lib.data import clean, partitions, readings
from lib.detector.grid import MAX_CARRY

MOST = 4_500_000  # readings: more belong to `python -m lib.score`, which reads them part by part


def read(source, *, timezone="UTC"):
    """Return readings as a raw table, in which `timestamp` is the wearer's wall clock.

    Parameters
    ----------
    source : DataFrame, str or Path
        A raw table, or whatever `data_path=` takes: a file, folder, glob or s3:// address. A relative path starts at
        the current folder, or else at the repository root.
    timezone : str
        IANA name, the local time of UTC timestamps.

    Raises
    ------
    ValueError
        If there are no readings or more than MOST, or a column is missing or of another kind.
    """
    if not isinstance(source, pd.DataFrame):
        return _read_files(source, timezone)
    if source.empty:
        raise ValueError("expected readings, got an empty table: does the selection name a wearer who is in it?")
    source = source.reset_index(drop=True)
    return source if "instant" in source else readings.parse(source, timezone=timezone, file="the table of readings")


def _read_files(source, timezone):
    path = Path(source).expanduser()
    surveyed = partitions.survey(files.resolve(path.absolute() if path.exists() else source), timezone=timezone)
    if surveyed.readings > MOST:
        raise ValueError(
            f"{source}: expected at most {MOST:,} readings, got {surveyed.readings:,}; "
            "`python -m lib.score` scores any number"
        )
    return readings.joined([partitions.read(part, timezone=timezone) for part in surveyed.partitions])


def why_no_window(raw, *, length, interval_s, counters):
    """Say in a sentence why no window of these readings is whole.

    Parameters
    ----------
    raw : DataFrame
        A raw table of which no window could be scored.
    length : int
        Samples in a window, `interval_s` seconds apart.
    counters : {"cumulative", "interval"}
    """
    expected = f"expected at least {duration(length * interval_s)} of readings"
    by_wearer = raw.groupby("user_id")["instant"]
    span_s = (by_wearer.max() - by_wearer.min()).max()
    if span_s < (length - 1) * interval_s:
        return f"{expected}, got {duration(span_s)}"
    spacing_s = by_wearer.diff().median()
    if spacing_s > (MAX_CARRY + 1) * interval_s:
        return (
            f"these readings are {duration(spacing_s)} apart: expected one every {interval_s:g} s; "
            f"a run with interval_s={spacing_s:g} learns from such readings"
        )
    table, _ = clean.clean(raw, interval_s=interval_s, counters=counters)
    worn = clean.worn(table)
    longest = max((worn[rows].sum() for rows in table.groupby("segment").indices.values()), default=0)
    return f"{_interruption(raw, spacing_s)}: {expected} without a break, got {duration(longest * interval_s)}"


def _interruption(raw, spacing_s):
    """Name the longest time off the wrist, or the longest gap if the watch was worn throughout."""
    raw = raw.sort_values(["user_id", "instant"], kind="stable")
    off = (~(raw["heartRate"] > 0)).to_numpy()
    since = raw.groupby("user_id")["instant"].diff().fillna(0.0).to_numpy()
    if not off.any():
        widest = int(since.argmax())
        return f"these readings hold a gap of {duration(since[widest])} until {_time(raw, widest)}"
    starts = np.flatnonzero(off & ~np.append(False, off[:-1]))
    ends = np.append(np.flatnonzero(~off), len(off))
    size = ends[np.searchsorted(ends, starts)] - starts
    longest = int(size.argmax())
    lasted = raw["instant"].iloc[starts[longest] : starts[longest] + size[longest]]
    return (
        f"these readings hold {duration(lasted.iloc[-1] - lasted.iloc[0] + spacing_s)} off the wrist "
        f"at {_time(raw, starts[longest])}"
    )


def _time(raw, row):
    return f"{raw['timestamp'].iloc[row]:%Y-%m-%d %H:%M:%S}"


def duration(seconds):
    """Return seconds as people say them.

    >>> duration(40), duration(160), duration(300), duration(7500)
    ('40 s', '2 min 40 s', '5 minutes', '2 h 5 min')
    """
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    minutes, rest = divmod(seconds, 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if rest else f"{minutes} minute{'s' if minutes > 1 else ''}"
