"""From the raw table to the clean one: a regular grid for each wearer, and an account of every reading.

The clean table has the columns user_id, segment, timestamp, heartRate, steps, calories, distance, hour_sin, hour_cos,
is_weekend, quality (and label, where the raw table has it). `steps`, `calories` and `distance` are amounts in the step.
"""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as csv

from lib.detector.features import CALENDAR, COUNTER_FORMS, COUNTERS, FEATURES, calendar
from lib.detector.grid import HEART_RATE_RANGE, QUALITIES, resample, totals

TRUSTED = ("ok", "filled")
_DECIMALS = {
    "heartRate": 3,
    "steps": 5,
    "calories": 6,
    "distance": 5,
    "hour_sin": 7,
    "hour_cos": 7,
}  # scores need no more


def clean(raw, *, interval_s, counters="cumulative", progress=iter):
    """Clean a raw table (of `readings.read`); `progress` wraps the loop over wearers, as tqdm does.

    Returns (table, account): the clean table, its wearers in order of name, and a dict of how many readings were
    used, how many rejected by reason, and what the counters grew by where no samples are.
    Raises ValueError for an interval_s that is not positive or an unknown form of counters.
    """
    if not interval_s > 0:
        raise ValueError(f"interval_s={interval_s}: seconds above 0 are wanted")
    if counters not in COUNTER_FORMS:
        raise ValueError(f"counters={counters!r}: one of {', '.join(COUNTER_FORMS)} is wanted")
    names, wearers = _by_wearer(raw)
    cleaned = [_clean_wearer(rows, interval_s=interval_s, counters=counters) for rows in progress(wearers)]
    return _joined(names, [columns for columns, _ in cleaned]), summed([account for _, account in cleaned])


def _by_wearer(raw):
    """The wearers' names in order, and of each the columns of the raw table as arrays, in the order of its rows."""
    code, names = pd.factorize(raw["user_id"].astype("str"), sort=True)
    order = slice(None) if (code[1:] >= code[:-1]).all() else np.argsort(code, kind="stable")
    columns = {name: raw[name].to_numpy()[order] for name in raw if name != "user_id"}
    bounds = np.searchsorted(code[order], np.arange(len(names) + 1))
    spans = [slice(*span) for span in zip(bounds, bounds[1:], strict=False)]
    return names, [{name: values[span] for name, values in columns.items()} for span in spans]


def _joined(names, wearers):
    """The clean table of wearers' columns."""
    columns = {name: np.concatenate([wearer[name] for wearer in wearers]) for name in wearers[0]}
    code = np.repeat(np.arange(len(names)), [len(wearer["segment"]) for wearer in wearers])
    columns["quality"] = pd.Categorical.from_codes(columns["quality"], QUALITIES)
    return pd.DataFrame({"user_id": pd.Categorical.from_codes(code, names), **columns})


def _clean_wearer(rows, *, interval_s, counters):
    """The columns of one wearer's clean table, of those of the raw one, and its account."""
    instant = rows["instant"]
    out_of_order = int((np.diff(instant) < 0).sum())
    order = np.argsort(instant, kind="stable")
    doubled = np.append(np.diff(instant[order]) == 0, False)  # of rows of one instant the last is kept
    if out_of_order or doubled.any():
        rows = {name: values[order[~doubled]] for name, values in rows.items()}
    instant = rows["instant"]
    heart_rate, off_wrist, implausible = _heart_rate(rows["heartRate"])
    reported, negative = _reported(rows)
    running = _running(reported, rows["timestamp"], counters)
    before = np.zeros(len(COUNTERS)) if counters == "interval" else None
    grid = resample(instant, heart_rate, running, interval_s=interval_s, before=before)
    account = {
        "readings": len(doubled),
        "used": int((~np.isnan(heart_rate)).sum()),
        "rejected": {
            "duplicate": int(doubled.sum()),
            "not_worn": int(off_wrist.sum()),
            "implausible_heart_rate": int(implausible.sum()),
        },
        "mended": {"out_of_order": out_of_order, "negative_count": negative},
        "samples": {name: int((grid.quality == code).sum()) for code, name in enumerate(QUALITIES)},
        "segments": int(grid.segment[-1]) + 1,
        "counted": {name: _growth(running[:, i], since_zero=counters == "interval") for i, name in enumerate(COUNTERS)},
        "counted_in_samples": {name: float(np.nansum(grid.amounts[:, i])) for i, name in enumerate(COUNTERS)},
    }
    return _columns(rows, grid, instant), account


def _heart_rate(reported):
    """Heart rate with NaN where it tells nothing; which readings were off the wrist, which implausible."""
    off_wrist = np.isnan(reported) | (reported == 0)
    low, high = HEART_RATE_RANGE
    with np.errstate(invalid="ignore"):
        implausible = ~off_wrist & ((reported < low) | (reported > high))
    return np.where(off_wrist | implausible, np.nan, reported), off_wrist, implausible


def _reported(rows):
    """The counters as reported (N, 3), NaN for one the watch does not report; how many were negative, now NaN too."""
    reported = np.full((len(rows["instant"]), len(COUNTERS)), np.nan)
    for i, name in enumerate(COUNTERS):
        if name in rows:
            reported[:, i] = rows[name]
    negative = reported < 0
    return np.where(negative, np.nan, reported), int(negative.sum())


def _running(reported, timestamp, counters):
    """Running totals (N, 3) of what was reported, NaN where nothing was."""
    if counters == "interval":
        return np.where(np.isnan(reported), np.nan, np.nancumsum(reported, axis=0))
    day = timestamp.astype("datetime64[D]").astype(np.int64)
    return np.column_stack([totals(column, day) for column in reported.T])


def _growth(total, *, since_zero):
    known = total[~np.isnan(total)]
    if not len(known):
        return 0.0
    return float(known[-1] if since_zero else known[-1] - known[0])


def _columns(rows, grid, instant):
    wall = rows["timestamp"].astype("datetime64[ms]").astype(np.int64) / 1000
    offset = wall - instant
    wall_s = grid.seconds + offset[grid.row]
    columns = {
        "segment": grid.segment,
        "timestamp": (wall_s * 1000).round().astype("datetime64[ms]"),
        "heartRate": grid.heart_rate,
        **{name: grid.amounts[:, i] for i, name in enumerate(COUNTERS)},
        **dict(zip(CALENDAR, calendar(wall_s).T, strict=True)),
        "quality": grid.quality,
    }
    columns |= {name: np.round(columns[name], decimals) for name, decimals in _DECIMALS.items()}
    if "label" in rows:
        columns["label"] = rows["label"][grid.row]
    return columns


def summed(accounts):
    """The account of all of what `accounts` are each of a part of: sums of every number."""
    total = accounts[0]
    for account in accounts[1:]:
        total = _added(total, account)
    return total


def _added(left, right):
    if isinstance(left, dict):
        return {name: _added(left[name], right[name]) for name in left}
    return left + right


def groups(table):
    """A number (T,) for each row's wearer and segment: where it changes, no window may cross."""
    wearer = pd.factorize(table["user_id"])[0]
    segment = table["segment"].to_numpy()
    change = (np.diff(wearer) != 0) | (np.diff(segment) != 0)
    return np.append(0, np.cumsum(change))


def trusted(table):
    """Which samples (T,) may be learned from."""
    return table["quality"].isin(TRUSTED).to_numpy()


def worn(table):
    """Which samples (T,) were taken on a wrist, whatever is wrong with them."""
    return (table["quality"] != "not_worn").to_numpy()


def samples(table):
    """The seven features of each row: (T, 7) float64 in raw units, NaN for a channel the data lack."""
    return table[list(FEATURES)].to_numpy(dtype=np.float64)


def save(table, path):
    """Write a clean table as CSV."""
    table = table.assign(is_weekend=table["is_weekend"].astype(int))
    csv.write_csv(pa.Table.from_pandas(table, preserve_index=False), path, csv.WriteOptions(quoting_style="needed"))


def load(path):
    """Read a clean table that `save` wrote, its names as they were: 007 stays text."""
    name = pa.dictionary(pa.int32(), pa.string())
    types = {"user_id": name, "timestamp": pa.timestamp("ms"), "quality": name, "label": pa.string()}
    options = csv.ConvertOptions(column_types=types | dict.fromkeys(FEATURES, pa.float64()), strings_can_be_null=False)
    return csv.read_csv(path, convert_options=options).to_pandas()
