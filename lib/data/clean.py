"""Clean a raw table: put each wearer on a regular grid, and account for every reading.

The clean table has the columns user_id, segment, timestamp, heartRate, steps, calories, distance, hour_sin, hour_cos,
is_weekend and quality, and label if the raw table has it. `steps`, `calories` and `distance` are amounts per sample.
"""

import functools

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as csv

from lib.data import counter_form
from lib.detector.features import CALENDAR, COUNTERS, FEATURES, calendar
from lib.detector.grid import HEART_RATE_RANGE, QUALITIES, resample, totals

TRUSTED = ("ok", "filled")
_DECIMALS = {
    "heartRate": 3,
    "steps": 5,
    "calories": 6,
    "distance": 5,
    "hour_sin": 7,
    "hour_cos": 7,
}  # enough for the scores


def clean(raw, *, interval_s, counters="cumulative", progress=iter):
    """Clean a raw table.

    Parameters
    ----------
    raw : DataFrame
        A raw table as returned by `readings.read`.
    interval_s : float
        Seconds between samples of the grid.
    counters : str
        One of COUNTER_FORMS: running counters, or amounts since the previous reading.
    progress : callable
        Wraps the loop over wearers, as tqdm does.

    Returns
    -------
    table : DataFrame
        The clean table, with the wearers sorted by name.
    account : dict
        Number of readings, of those used, and of those rejected by reason; number of samples by quality; growth of
        each counter, in total and in samples.

    Raises
    ------
    ValueError
        If `interval_s` is not positive, `counters` is unknown, or the counters plainly have the other form.
    """
    if not interval_s > 0:
        raise ValueError(f"expected seconds above 0, got interval_s={interval_s}")
    counter_form.require(raw, counters)
    names, wearers = _by_wearer(raw)
    cleaned = [_clean_wearer(rows, interval_s=interval_s, counters=counters) for rows in progress(wearers)]
    return _to_table(names, [columns for columns, _ in cleaned]), sum_accounts([account for _, account in cleaned])


def _by_wearer(raw):
    """The sorted names of the wearers, and for each wearer the raw columns as arrays."""
    code, names = pd.factorize(raw["user_id"].astype("str"), sort=True)
    order = slice(None) if (code[1:] >= code[:-1]).all() else np.argsort(code, kind="stable")
    columns = {name: raw[name].to_numpy()[order] for name in raw if name != "user_id"}
    bounds = np.searchsorted(code[order], np.arange(len(names) + 1))
    spans = [slice(*span) for span in zip(bounds, bounds[1:], strict=False)]
    return names, [{name: values[span] for name, values in columns.items()} for span in spans]


def _to_table(names, wearers):
    """The clean table made from each wearer's columns."""
    columns = {name: np.concatenate([wearer[name] for wearer in wearers]) for name in wearers[0]}
    code = np.repeat(np.arange(len(names)), [len(wearer["segment"]) for wearer in wearers])
    columns["quality"] = pd.Categorical.from_codes(columns["quality"], QUALITIES)
    return pd.DataFrame({"user_id": pd.Categorical.from_codes(code, names), **columns})


def _clean_wearer(rows, *, interval_s, counters):
    """One wearer's clean columns, and the account of the wearer's readings."""
    rows, order_counts = _in_order(rows)
    heart_rate, off_wrist, implausible = _heart_rate(rows["heartRate"])
    reported, negative = _reported_counters(rows)
    totals_by_counter = _running_totals(reported, rows["timestamp"], counters)
    before = np.zeros(len(COUNTERS)) if counters == "interval" else None
    grid = resample(rows["instant"], heart_rate, totals_by_counter, interval_s=interval_s, before=before)
    growth = [_growth(total, since_zero=counters == "interval") for total in totals_by_counter.T]
    account = {
        "readings": order_counts["readings"],
        "used": int((~np.isnan(heart_rate)).sum()),
        "rejected": {
            "duplicate": order_counts["duplicate"],
            "not_worn": int(off_wrist.sum()),
            "implausible_heart_rate": int(implausible.sum()),
        },
        "mended": {"out_of_order": order_counts["out_of_order"], "negative_count": negative},
        "samples": {name: int((grid.quality == code).sum()) for code, name in enumerate(QUALITIES)},
        "segments": int(grid.segment[-1]) + 1,
        "counted": dict(zip(COUNTERS, growth, strict=True)),
        "counted_in_samples": {name: float(np.nansum(grid.amounts[:, i])) for i, name in enumerate(COUNTERS)},
    }
    return _columns(rows, grid), account


def _in_order(rows):
    """One wearer's rows in time order, the last of each instant; and the number of rows, duplicates and late rows."""
    instant = rows["instant"]
    out_of_order = int((np.diff(instant) < 0).sum())
    order = np.argsort(instant, kind="stable")
    duplicate = np.append(np.diff(instant[order]) == 0, False)
    if out_of_order or duplicate.any():
        rows = {name: values[order[~duplicate]] for name, values in rows.items()}
    return rows, {"readings": len(duplicate), "duplicate": int(duplicate.sum()), "out_of_order": out_of_order}


def _heart_rate(reported):
    """Heart rate with NaN for unusable readings, and which readings are off the wrist and which implausible."""
    off_wrist = np.isnan(reported) | (reported == 0)
    low, high = HEART_RATE_RANGE
    with np.errstate(invalid="ignore"):
        implausible = ~off_wrist & ((reported < low) | (reported > high))
    return np.where(off_wrist | implausible, np.nan, reported), off_wrist, implausible


def _reported_counters(rows):
    """The reported counters (N, 3), NaN if absent or negative, and the number of negative values."""
    reported = np.full((len(rows["instant"]), len(COUNTERS)), np.nan)
    for i, name in enumerate(COUNTERS):
        if name in rows:
            reported[:, i] = rows[name]
    negative = reported < 0
    return np.where(negative, np.nan, reported), int(negative.sum())


def _running_totals(reported, timestamp, counters):
    """Running totals (N, 3) of the reported counters, NaN where no value is reported."""
    if counters == "interval":
        return np.where(np.isnan(reported), np.nan, np.nancumsum(reported, axis=0))
    day = timestamp.astype("datetime64[D]").astype(np.int64)
    return np.column_stack([totals(column, day) for column in reported.T])


def _growth(total, *, since_zero):
    """Growth of a running total (N,), from 0 or from its first known value."""
    known = total[~np.isnan(total)]
    if not len(known):
        return 0.0
    return float(known[-1] if since_zero else known[-1] - known[0])


def _columns(rows, grid):
    """The clean columns, rounded, of one wearer's samples on the grid."""
    wall = rows["timestamp"].astype("datetime64[ms]").astype(np.int64) / 1000
    offset = wall - rows["instant"]
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


def sum_accounts(accounts):
    """Add accounts number by number."""
    return functools.reduce(_add, accounts)


def _add(left, right):
    if isinstance(left, dict):
        return {name: _add(left[name], right[name]) for name in left}
    return left + right


def groups(table):
    """Number the segments of all wearers, (T,). No window may contain two of them."""
    wearer = pd.factorize(table["user_id"])[0]
    segment = table["segment"].to_numpy()
    change = (np.diff(wearer) != 0) | (np.diff(segment) != 0)
    return np.append(0, np.cumsum(change))


def trusted(table):
    """Which samples (T,) may be used for training."""
    return table["quality"].isin(TRUSTED).to_numpy()


def worn(table):
    """Which samples (T,) were taken on the wrist, at any other quality."""
    return (table["quality"] != "not_worn").to_numpy()


def samples(table):
    """The seven features of each row in raw units, (T, 7) float64. A channel missing from the data is NaN."""
    return table[list(FEATURES)].to_numpy(dtype=np.float64)


def save(table, path):
    """Write a clean table as CSV."""
    table = table.assign(is_weekend=table["is_weekend"].astype(int))
    csv.write_csv(pa.Table.from_pandas(table, preserve_index=False), path, csv.WriteOptions(quoting_style="needed"))


def load(path):
    """Read a clean table that `save` wrote. Names stay text: 007 is not a number."""
    category = pa.dictionary(pa.int32(), pa.string())
    types = {"user_id": category, "timestamp": pa.timestamp("ms"), "quality": category, "label": pa.string()}
    options = csv.ConvertOptions(column_types=types | dict.fromkeys(FEATURES, pa.float64()), strings_can_be_null=False)
    return csv.read_csv(path, convert_options=options).to_pandas()
