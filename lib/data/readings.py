"""The raw table: what a watch reports, one row a reading.

Columns: `user_id` (text), `timestamp` (ISO 8601 or Unix ms), `heartRate` (bpm), `steps`, `calories`, `distance`
(count, kcal, m: running counters, or amounts since the previous reading) and, for evaluation only, `label`.
`read` turns files into one frame in which `timestamp` is the wearer's wall clock and `instant` the seconds by which
readings are put in order (UTC where the file tells it, else the wall clock itself), so that a change of the clocks
neither repeats nor loses an hour. What was ignored, merged or left out is in the frame's `attrs["notes"]`.
"""

from collections import Counter

import numpy as np
import pandas as pd
import pandera.pandas as pa

from lib.data import autumn, conversion, merging, raw_columns, timestamps
from lib.data.archive import printable
from lib.data.clock import zone
from lib.data.raw_files import ReadingsError, files, load
from lib.detector.features import COUNTERS

ONE_WEARER = "wearer"
COLUMNS = ("user_id", "timestamp", "instant", "heartRate", *COUNTERS, "label")
_FINITE = pa.Check(lambda column: ~np.isinf(column), error="a finite number")
SCHEMA = pa.DataFrameSchema(
    {
        "heartRate": pa.Column(float, _FINITE, nullable=True),
        **{name: pa.Column(float, _FINITE, nullable=True, required=False) for name in COUNTERS},
        "timestamp": pa.Column(nullable=False),
    },
    coerce=True,
)


def read(path, *, timezone="UTC"):
    """Read raw files, or an export of a known format, as one frame.

    Parameters
    ----------
    path : str or Path
        A file, a folder or a glob of CSV or Parquet files; or an export, as a file, a folder or a zip. Local or s3://.
    timezone : str
        IANA name: UTC and Unix ms are moved to it.

    Returns
    -------
    DataFrame
        user_id, timestamp (datetime64[ms], wall clock), instant (s), heartRate and those of steps, calories, distance
        and label that the files have; rows in file order. `attrs["notes"]`: {what happened to rows: how many}.

    Raises
    ------
    FileNotFoundError
        If nothing is there.
    ReadingsError, ValueError
        For a bad file, or one of another clock than the others; for a bad timezone.
    """
    zone(timezone)
    if conversion.is_export(path):
        return _of_export(path, timezone)
    filesystem, names = files(path)
    return joined([read_file(filesystem, name, timezone=timezone) for name in names])


def read_file(filesystem, name, *, timezone="UTC", wearers=()):
    """What `read` returns, of one file of an fsspec file system; wearers: of `raw_files.load`."""
    return _parsed_table(load(filesystem, name, wearers=wearers), name, zone(timezone))


def _of_export(path, timezone):
    table, report = conversion.convert(path, timezone=None if timezone == "UTC" else timezone)
    table.insert(2, "instant", table.pop("instant_ms") / 1000)
    table["user_id"] = table["user_id"].astype("str")
    if "heartRate" not in table:
        table["heartRate"] = np.nan
    table.attrs = {"notes": dict(report.notes), "clock": None}
    return table


def joined(tables):
    """One frame of the tables that files hold; where only some have labels, the readings of the others are normal.

    Rows of one wearer and instant become one reading, also those of different files. Raises ReadingsError where the
    files tell different clocks, or too many of their rows disagree.
    """
    notes = Counter()
    for table in tables:
        notes.update(table.attrs.get("notes", {}))
    clock = require_one_clock({table.attrs.get("file"): table.attrs.get("clock") for table in tables})
    first = tables[0].attrs.get("file", "table")
    if len(tables) > 1:
        for table in tables:
            table.attrs = {}
        together = pd.concat(tables, ignore_index=True)
    else:
        together = tables[0]
    if "label" in together:
        together["label"] = together["label"].fillna("")
    if len(tables) > 1:
        together = _merged(together, notes, first)
    together.attrs = {"notes": dict(+notes), "clock": clock, "file": first}
    return together


def require_one_clock(clocks):
    """The clock of all files {file: clock or None}. Raises ReadingsError where there are two, naming a file of each."""
    files_of = {clock: file for file, clock in clocks.items() if clock}
    if len(files_of) > 1:
        (first, file), (second, other) = list(files_of.items())[:2]
        problem = f"expected one clock in all files, got {first} here and {second} in {printable(other)}"
        raise ReadingsError(problem, file=file, column="timestamp")
    return next(iter(files_of), None)


def _merged(table, notes, name):
    try:
        return merging.merged(table, notes)
    except merging.DuplicatesError as error:
        raise ReadingsError(str(error), file=name) from None


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


def parse(table, *, timezone="UTC", file="table"):
    """What `read` returns, of a raw table that is already a frame; `file` names it in errors."""
    return _parsed_table(table, file, zone(timezone))


def _parsed_table(table, name, zone):
    ignored = table.attrs.get("ignored", [])
    _require_columns(table, ignored, name)
    table = _validated(table[[column for column in raw_columns.NAMES if column in table]], name)
    notes = Counter({f"columns ignored: {column}": 1 for column in ignored})
    table["timestamp"], instant, kind = timestamps.clocks(table["timestamp"], zone, name)
    table.insert(table.columns.get_loc("timestamp") + 1, "instant", instant)
    if "user_id" not in table:
        table.insert(0, "user_id", ONE_WEARER)
    if kind == timestamps.WALL_CLOCK:
        table = autumn.separate_passes(table, notes, zone=None if zone.key == "UTC" else zone)
    table = _merged(table, notes, name)
    table = table[[column for column in COLUMNS if column in table]]
    table.attrs = {"notes": dict(+notes), "clock": kind, "file": str(name)}
    return table


def _require_columns(table, ignored, name):
    for column in ("timestamp", "heartRate"):
        if column not in table and not (column == "heartRate" and set(COUNTERS) & set(table)):
            there = ", ".join([*map(str, table), *ignored])
            raise ReadingsError(f"no such column; there are {there}", file=name, column=column)
    if table.empty:
        raise ReadingsError("no readings", file=name)
    if "user_id" in table:
        return
    if "/user_id=" in f"/{name}":
        raise ReadingsError("its folder names a wearer, and it has no such column", file=name, column="user_id")
    for column in raw_columns.likely_wearers(ignored):
        problem = f"no such column, and {column} may be it: rename it to user_id, or leave it out for a single wearer"
        raise ReadingsError(problem, file=name, column="user_id")


def _validated(table, name):
    table = table.copy()
    if "user_id" in table:
        ids, row = raw_columns.plain_ids(table["user_id"])
        if row is not None:
            value = table["user_id"].iloc[row]
            problem = "expected a wearer's name"
            if raw_columns.is_rounded(value):
                problem = "expected a wearer's id in full, got one that a spreadsheet rounded: export it again, as text"
            raise ReadingsError(problem, file=name, column="user_id", row=row + 1, value=value)
        table["user_id"] = ids
    if "label" in table:
        table["label"] = raw_columns.plain_labels(table["label"])
    if "heartRate" not in table:
        table["heartRate"] = np.nan
    try:
        return SCHEMA.validate(table, lazy=True)
    except pa.errors.SchemaErrors as error:
        case = error.failure_cases.dropna(subset="index").sort_values("index").iloc[0]
        row, column = int(case["index"]), case["column"]
        value = table[column].iloc[row]
        expected = "expected a time" if column == "timestamp" else "expected a finite number"
        problem = expected + raw_columns.numeral_remedy(value)
        raise ReadingsError(problem, file=name, column=column, row=row + 1, value=value) from None
