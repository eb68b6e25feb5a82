"""A raw table's timestamps: ISO 8601 text, Unix ms or Parquet's own times, as wall clock and instant."""

from datetime import timedelta

import numpy as np
import pandas as pd

from lib.data.raw_files import ReadingsError
from lib.detector.grid import UNIX_MS_RANGE

WALL_CLOCK, INSTANTS = "times without a UTC offset", "times with a UTC offset or in Unix ms"
_OFFSET = r"(Z|[+-]\d{2}(?::?\d{2})?)$"
_WITH_OFFSET = r"[T ].*(?:Z|[+-]\d{2}(?::?\d{2})?)$"  # the day of a bare date is no offset
_ROUNDED_MS = 1_000_000  # that all times are multiples of where a spreadsheet wrote 1.77242E+12
_ISO = "an ISO 8601 time, such as 2026-03-02T07:01:05 or 2026-03-02T07:01:05+02:00"


def clocks(column, zone, name):
    """When the readings of a column `timestamp` (N,) were taken.

    Returns
    -------
    (Series, Series, str)
        Wall clock (datetime64[ms]), instant (s), and which of WALL_CLOCK and INSTANTS they are.

    Raises
    ------
    ReadingsError
        For the first text that is no time, or a time that lies outside 2000..2100, was rounded, or is on another clock than the others.
    """
    if not pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_datetime64_any_dtype(column):
        column = _numbers_if_unix_ms(column.astype("str").str.strip(), name)
    if pd.api.types.is_numeric_dtype(column):
        return *_from_unix_ms(column, zone, name), INSTANTS
    if pd.api.types.is_datetime64_any_dtype(column):
        has_zone = column.dt.tz is not None
        both = _plain(column) if not has_zone else _moved(column, zone if _is_utc(column.dt.tz) else column.dt.tz)
        kind = INSTANTS if has_zone else WALL_CLOCK
    elif not column.str.contains(_WITH_OFFSET).any():  # a quick look, for most have none
        both, kind = _plain(_parsed(column, name, utc=False)), WALL_CLOCK
    else:
        both, kind = _with_offsets(column, zone, name), INSTANTS
    _require_years(both[1], column, name)
    return *both, kind


def _numbers_if_unix_ms(text, name):
    """The numbers of a column that mostly holds numbers, else its text. Raises ReadingsError for a text among numbers."""
    numbers = pd.to_numeric(text, errors="coerce")
    if numbers.notna().mean() <= 0.5 or not numbers.dropna().gt(1e9).mean() > 0.5:
        return text
    if numbers.isna().any():
        row = int(np.flatnonzero(numbers.isna())[0])
        problem = "expected Unix milliseconds, as in the other rows"
        raise ReadingsError(problem, file=name, column="timestamp", row=row + 1, value=text.iloc[row])
    return numbers


def _require_years(instant, column, name):
    """Raise ReadingsError for the first instant (s) outside the years 2000 to 2100."""
    outside = np.flatnonzero(~instant.between(*(ms / 1000 for ms in UNIX_MS_RANGE)))
    if len(outside):
        row = int(outside[0])
        problem = "expected a time between the years 2000 and 2100: was the watch's clock set?"
        raise ReadingsError(problem, file=name, column="timestamp", row=row + 1, value=str(column.iloc[row]))


def _with_offsets(text, zone, name):
    offset = text.str.extract(_OFFSET, expand=False).where(text.str.contains(_WITH_OFFSET))
    if offset.isna().any():
        row = int(np.flatnonzero(offset.isna())[0])
        problem = "no UTC offset, while other rows have one: expected one clock"
        raise ReadingsError(problem, file=name, column="timestamp", row=row + 1, value=text.iloc[row])
    return _offset_clock(_parsed(text, name, utc=True), offset, zone)


def _is_utc(zone):
    """Whether a column's time zone is UTC by whatever name: Etc/UTC, GMT, Zulu, +00:00; no place, such as London."""
    return zone.utcoffset(None) == timedelta(0)


def _from_unix_ms(column, zone, name):
    outside = np.flatnonzero(~column.between(*UNIX_MS_RANGE))
    if len(outside):
        row, value = int(outside[0]), column.iloc[outside[0]]
        problem = "expected Unix milliseconds between the years 2000 and 2100"
        if UNIX_MS_RANGE[0] <= value * 1000 <= UNIX_MS_RANGE[1]:
            problem += ", got seconds: multiply them by 1000"
        raise ReadingsError(problem, file=name, column="timestamp", row=row + 1, value=value)
    if len(column) > 1 and (column % _ROUNDED_MS == 0).all():
        problem = "a spreadsheet has rounded the times: export them again, and keep them as text"
        raise ReadingsError(problem, file=name, column="timestamp", row=1, value=f"{column.iloc[0]:.6g}")
    return _moved(pd.to_datetime(column, unit="ms", utc=True), zone)


def _parsed(text, name, *, utc):
    """The moments of texts: with an offset each where `utc`, else without."""
    try:
        moments = pd.to_datetime(text, format="ISO8601", utc=utc)
        if utc or moments.dt.tz is None:
            return moments
    except (ValueError, OverflowError):
        pass
    good = pd.to_datetime(text, format="ISO8601", utc=True, errors="coerce").notna()
    if not utc:
        good &= ~text.str.contains(r"[T ].*[+-]")  # pandas takes +2 for an offset
    row = int(np.flatnonzero(~good)[0])
    raise ReadingsError(f"expected {_ISO}", file=name, column="timestamp", row=row + 1, value=text.iloc[row])


def _plain(wall):
    wall = wall.astype("datetime64[ms]")
    return wall, wall.astype("int64") / 1000


def _moved(moments, zone):
    wall = moments.dt.tz_convert(zone).dt.tz_localize(None).astype("datetime64[ms]")
    return wall, moments.dt.tz_convert("UTC").dt.tz_localize(None).astype("datetime64[ms]").astype("int64") / 1000


def _offset_clock(moments, offset, zone):
    """An offset of its own is the wearer's hour; UTC is moved to `zone`."""
    utc_wall, instant = _moved(moments, zone)
    shift = offset.map({text: _offset_seconds(text) for text in offset.unique()})
    own = pd.to_datetime((instant + shift) * 1000, unit="ms").astype("datetime64[ms]")
    return own.where(shift != 0, utc_wall), instant


def _offset_seconds(text):
    if text == "Z":
        return 0
    digits = text[1:].replace(":", "")
    return (-1 if text[0] == "-" else 1) * (int(digits[:2]) * 3600 + int(digits[2:] or 0) * 60)
