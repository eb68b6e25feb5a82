"""The raw table: what a watch reports, one row a reading.

Columns: `user_id` (text), `timestamp` (ISO 8601 or Unix ms), `heartRate` (bpm), `steps`, `calories`, `distance`
(count, kcal, m: running counters, or amounts since the previous reading) and, for evaluation only, `label`.
`read` turns files into one frame in which `timestamp` is the wearer's wall clock and `instant` the seconds by which
readings are put in order (UTC where the file tells it, else the wall clock itself), so that a change of the clocks
neither repeats nor loses an hour.
"""

from datetime import timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd
import pandera.pandas as pa

from lib.detector.features import COUNTERS
from lib.detector.grid import UNIX_MS_RANGE
from lib.data.raw_files import ReadingsError, files, load

ONE_WEARER = "wearer"

_OFFSET = r"(Z|[+-]\d{2}(?::?\d{2})?)$"
_WITH_OFFSET = r"[T ].*(?:Z|[+-]\d{2}(?::?\d{2})?)$"  # the day of a bare date is no offset
_FINITE = pa.Check(lambda column: ~np.isinf(column), error="a finite number")

SCHEMA = pa.DataFrameSchema(
    {
        "user_id": pa.Column(str, nullable=False),
        "heartRate": pa.Column(float, _FINITE, nullable=True),
        **{name: pa.Column(float, _FINITE, nullable=True, required=False) for name in COUNTERS},
        "label": pa.Column(str, nullable=False, required=False),
    },
    coerce=True,
)


def read(path, *, timezone="UTC"):
    """Read `path` (a CSV, CSV.gz or Parquet file, a folder of them, or a glob; local or s3://) as one frame.

    Returns columns user_id, timestamp (datetime64, wall clock), instant (float seconds), heartRate and those of
    steps, calories, distance and label that the files have; rows in file order.
    Raises FileNotFoundError when nothing is there, ReadingsError for a bad file, ValueError for a bad timezone.
    """
    zone(timezone)
    filesystem, names = files(path)
    return joined([read_file(filesystem, name, timezone=timezone) for name in names])


def read_file(filesystem, name, *, timezone="UTC", wearers=()):
    """What `read` returns, of one file of an fsspec file system; wearers: of `raw_files.load`."""
    return _parsed_table(load(filesystem, name, wearers=wearers), name, zone(timezone))


def joined(tables):
    """One frame of the tables that files hold; where only some have labels, the readings of the others are normal."""
    table = pd.concat(tables, ignore_index=True)
    if "label" in table:
        table["label"] = table["label"].fillna("")
    return table


def write(table, path):
    """Write what `read` returned as a raw CSV; instants that differ from the wall clock become an offset."""
    wall = table["timestamp"].to_numpy().astype("datetime64[ms]")
    text = np.datetime_as_string(wall, unit="ms" if (wall.astype("int64") % 1000).any() else "s")
    offset_s = np.round(wall.astype("int64") / 1000 - table["instant"].to_numpy()).astype(int)
    if offset_s.any():
        text = np.char.add(text, _offset_texts(offset_s))
    table.drop(columns="instant").assign(timestamp=text).to_csv(path, index=False)


def _offset_texts(offset_s):
    names = {s: f"{'-' if s < 0 else '+'}{abs(s) // 3600:02d}:{abs(s) // 60 % 60:02d}" for s in np.unique(offset_s)}
    return np.array([names[s] for s in offset_s])


def zone(timezone):
    """The ZoneInfo of that name. Raises ValueError, naming it, where there is none."""
    try:
        return ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"timezone={timezone!r} is no IANA name, such as Europe/Paris or UTC") from None


def parse(table, *, timezone="UTC", file="table"):
    """What `read` returns, of a raw table that is already a frame; `file` names it in errors."""
    return _parsed_table(table, file, zone(timezone))


def _parsed_table(table, name, zone):
    for column in ("timestamp", "heartRate"):
        if column not in table:
            raise ReadingsError(f"no such column; there are {', '.join(table)}", file=name, column=column)
    if table.empty:
        raise ReadingsError("no readings", file=name)
    known = ["user_id", "timestamp", "heartRate", *COUNTERS, "label"]
    table = table[[column for column in known if column in table]]
    table = _validated(table, name)
    table["timestamp"], instant = _wall_clock(table["timestamp"], zone, name)
    table.insert(table.columns.get_loc("timestamp") + 1, "instant", instant)
    if "user_id" not in table:
        if "/user_id=" in f"/{name}":
            raise ReadingsError("its folder names a wearer, and it has no such column", file=name, column="user_id")
        table.insert(0, "user_id", ONE_WEARER)
    return table


def _validated(table, name):
    table = table.copy()
    for column in ("user_id", "label"):
        if column in table:
            table[column] = table[column].astype("str" if column == "label" else object)
    if "label" in table:
        table["label"] = table["label"].fillna("")
    schema = SCHEMA if "user_id" in table else SCHEMA.remove_columns(["user_id"])
    schema = schema.add_columns({"timestamp": pa.Column(nullable=False)})
    try:
        return schema.validate(table, lazy=True)
    except pa.errors.SchemaErrors as error:
        case = error.failure_cases.dropna(subset="index").sort_values("index").iloc[0]
        row = int(case["index"])
        value = table[case["column"]].iloc[row]
        wanted = _wanted(case["column"])
        raise ReadingsError(wanted, file=name, column=case["column"], row=row + 1, value=value) from None


def _wanted(column):
    return {"user_id": "a wearer's name is wanted", "timestamp": "a time is wanted"}.get(
        column, "a finite number is wanted"
    )


def _wall_clock(column, zone, name):
    """Wall clock (datetime64[ms]) and instant (s) of each timestamp."""
    if pd.api.types.is_numeric_dtype(column):
        return _from_unix_ms(column, zone, name)
    if pd.api.types.is_datetime64_any_dtype(column):
        if column.dt.tz is None:
            return _plain(column)
        return _moved(column, zone if _is_utc(column.dt.tz) else column.dt.tz)
    text = column.astype("str").str.strip()
    if not text.str.contains(_WITH_OFFSET).any():  # a quick look, for most have none
        return _plain(_parsed(text, name, utc=False))
    offset = text.str.extract(_OFFSET, expand=False)
    offset = offset.where(text.str.contains(_WITH_OFFSET))
    if offset.isna().any():
        row = int(np.flatnonzero(offset.isna())[0])
        problem = "no UTC offset, while other rows have one"
        raise ReadingsError(problem, file=name, column="timestamp", row=row + 1, value=text.iloc[row])
    return _offset_clock(_parsed(text, name, utc=True), offset, zone)


def _is_utc(zone):
    """Whether a column's time zone is UTC by whatever name: Etc/UTC, GMT, Zulu, +00:00; no place, such as London."""
    return zone.utcoffset(None) == timedelta(0)


def _from_unix_ms(column, zone, name):
    outside = np.flatnonzero(~column.between(*UNIX_MS_RANGE))
    if len(outside):
        row = int(outside[0])
        problem = "Unix milliseconds between the years 2000 and 2100 are wanted"
        raise ReadingsError(problem, file=name, column="timestamp", row=row + 1, value=column.iloc[row])
    return _moved(pd.to_datetime(column, unit="ms", utc=True), zone)


def _parsed(text, name, *, utc):
    """The moments that texts tell: with an offset each where `utc`, else without."""
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
    problem = "an ISO 8601 time, such as 2026-03-02T07:01:05 or 2026-03-02T07:01:05+02:00, is wanted"
    raise ReadingsError(problem, file=name, column="timestamp", row=row + 1, value=text.iloc[row])


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
