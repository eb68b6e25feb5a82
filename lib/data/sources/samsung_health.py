"""Samsung Health's export: CSV files with a line before the header, and heart rates in JSON files beside them."""

import re

import numpy as np

from lib.data import series, text

NAME = "Samsung Health CSV and JSON"
ASSUMED = (
    "times are UTC, or local where the heart rate's first JSON value says so; time_offset gives the wearer's hour",
    "heart rates are means of the bins in the JSON files, and of a CSV row where it has none",
    "steps (count), distance (m) and calories (kcal, active) are amounts of the row's interval",
    "a time without a row is a time without steps; several devices write their own, and one is read a day",
)
_HEART_RATE, _STEPS = "heart_rate", "pedometer_step_count"
_TIME = ("%Y-%m-%d %H:%M:%S",)
_COLUMNS = {"count": "steps", "distance": "distance", "calorie": "calories"}
HOUR_MS = 3_600_000


def recognises(entry):
    """Whether an entry is one of this format's files."""
    return _table(entry) in (_HEART_RATE, _STEPS) or _is_binning(entry)


def read(entries, left_out):
    """Yield the series of all entries; `left_out` counts what is not read."""
    tables = [(_table(entry), entry) for entry in entries]
    bins = {entry.name.rsplit("/", 1)[-1]: entry for table, entry in tables if table is None}
    local = False
    for entry in (entry for table, entry in tables if table == _HEART_RATE):
        local = yield from _heart_rates(entry, bins, left_out)
    left_out["Samsung JSON files that no row names"] += len(bins)
    for entry in (entry for table, entry in tables if table == _STEPS):
        yield from _steps(entry, local)


def _table(entry):
    """The last part of a table's name, `heart_rate` of com.samsung.shealth.tracker.heart_rate; None for other files."""
    first = text.head_text(entry).split("\n", 1)[0].split(",")[0].strip()
    return first.rsplit(".", 1)[-1] if first.startswith("com.samsung.") else None


def _is_binning(entry):
    start = text.head_text(entry)[:400].replace(" ", "")
    return start.startswith("[{") and '"heart_rate":' in start and '"start_time":' in start


def _rows(entry):
    """The columns of a CSV file by their last name: `com.samsung.health.step_count.count` is `count`."""
    names = [name for name in text.header(entry, line=1) if name]
    return {name.rsplit(".", 1)[-1]: values for name, values in text.columns(entry, names, skip=1).items()}


def _heart_rates(entry, bins, left_out):
    """Series of one CSV file and the JSON files its rows name. Returns whether its times are local."""
    rows = _rows(entry)
    start = text.times(rows["starttime"], _TIME, entry, "start_time")
    offset = _offsets(rows, len(start), entry)
    names = rows["binningdata"].to_pylist() if "binningdata" in rows else [""] * len(start)
    binned = {row: text.json_value(bins.pop(name)) for row, name in enumerate(names) if name in bins}
    local = is_local(start, offset, binned)
    for row, values in binned.items():
        if values:
            at = np.array([one["start_time"] for one in values], dtype=np.int64)
            bpm = np.array([one["heart_rate"] for one in values], dtype=float)
            yield _heart_rate(at, bpm, np.full(len(at), offset[row]))
    alone = np.array([row for row in range(len(start)) if row not in binned], dtype=int)
    left_out["Samsung rows whose JSON file is missing: their mean is read"] += sum(bool(names[row]) for row in alone)
    if len(alone):
        bpm = text.numbers(rows["heartrate"], entry, "heart_rate")[alone]
        yield _heart_rate(start[alone] - local * offset[alone], bpm, offset[alone])
    return local


def _heart_rate(at, bpm, offset):
    return series.Series(series.HEART_RATE, at, bpm, series.OFFSET, offset_ms=offset)


def is_local(start, offset, binned):
    """Whether a file's times are local: whether its rows begin by their offset after their own first JSON value.

    Versions of the app differ. start, offset : ndarray, shape (N,), ms; binned : {row: its JSON values}.
    """
    ahead = [start[row] - values[0]["start_time"] for row, values in binned.items() if values and offset[row]]
    offsets = [offset[row] for row, values in binned.items() if values and offset[row]]
    return bool(ahead) and abs(np.median(np.array(ahead) - np.array(offsets))) < abs(np.median(ahead))


def _steps(entry, local):
    rows = _rows(entry)
    offset = _offsets(rows, len(rows["starttime"]), entry)
    start, end = (text.times(rows[f"{side}time"], _TIME, entry, f"{side}_time") for side in ("start", "end"))
    device = np.array(rows["deviceuuid"].to_pylist() if "deviceuuid" in rows else [""] * len(start), dtype=object)
    for column, channel in ((column, channel) for column, channel in _COLUMNS.items() if column in rows):
        value = text.numbers(rows[column], entry, column)
        for name in sorted(set(device)):
            some = (device == name) & ~np.isnan(value)
            yield series.Series(
                channel,
                (start - local * offset)[some],
                value[some],
                series.OFFSET,
                length_ms=(end - start)[some],
                offset_ms=offset[some],
                device=name,
                sparse=True,
                meaning="active" if channel == "calories" else "",
            )


def _offsets(rows, count, entry):
    """Offsets in ms (count,) of a column of texts such as UTC-0700; 0 where there is none."""
    if "timeoffset" not in rows:
        return np.zeros(count, dtype=np.int64)
    spelled = [re.sub(r"^UTC", "", name.strip()) for name in rows["timeoffset"].to_pylist()]
    return np.array([text.offset_ms(name or "+0000", entry, "time_offset") for name in spelled], dtype=np.int64)
