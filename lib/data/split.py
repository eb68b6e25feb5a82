"""Split readings into development, calibration and test tables without a shared wearer (or, with few wearers, day).

Development is normal life for training and validation. Calibration is normal life for the thresholds. Test is life with
labelled anomalies. The tables have the columns of `readings.read`.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lib.data import readings
from lib.simulation.watch import record_days, record_stretches, to_interval_counters

SPLITS = ("train", "validation", "calibration", "test")
SHARES = (0.5, 0.125, 0.175, 0.2)
DAY_SHARES = (0.25, 0.05, 0.5, 0.2)  # of few wearers' days: windows to compare with are worth more than training
MIN_WEARERS = 5  # with fewer, days are split
DAYS_TO_CALIBRATE = 6  # from so many on, three are for calibration: to compare with, for limits, and to check these
MANY_TO_CALIBRATE = 18  # wearers or days: with fewer, a sixth of them is too small a comparison group


@dataclass(frozen=True)
class Dataset:
    """The three tables, and how they were split.

    Parameters
    ----------
    development, calibration, test : DataFrame
        Raw tables. Of large data each is a sample.
    by : str
        What was split: "wearer" or "day".
    validation, test_units : list of str
        The wearers or days (see `units`) for validation and for the test, sorted. Of large data they include those that
        are not in the sample.
    """

    development: pd.DataFrame
    calibration: pd.DataFrame
    test: pd.DataFrame
    by: str
    validation: list
    test_units: list

    @property
    def tables(self):
        """{name: table} of the three tables."""
        return {"development": self.development, "calibration": self.calibration, "test": self.test}


@dataclass(frozen=True)
class SimulationSize:
    """How many wearers to simulate, and for how long.

    Parameters
    ----------
    samples, wearers : int
        Readings for development, and the wearers they are from.
    calibration_wearers : int
        Wearers for the thresholds, one day each.
    test_wearers, test_days : int
        Wearers for the test, and days of each.

    Raises
    ------
    ValueError
        If a number is below 1, or there are fewer than two wearers for development.
    """

    samples: int
    wearers: int
    calibration_wearers: int
    test_wearers: int
    test_days: int

    def __post_init__(self):
        for name in ("calibration_wearers", "test_wearers", "test_days"):
            if getattr(self, name) < 1:
                raise ValueError(f"expected 1 or more, got {name}={getattr(self, name)}")
        if self.wearers < 2:
            raise ValueError(f"expected 2 or more wearers, one of them for validation, got wearers={self.wearers}")


def simulate_dataset(size, *, interval_s, counters, seed, progress=iter):
    """Simulate a dataset: stretches of readings over the week for development, whole days of other wearers for the rest.

    Parameters
    ----------
    size : SimulationSize
    interval_s : int
        Seconds between readings.
    counters : str
        "cumulative", or "interval" for watches that report amounts since the previous reading.
    seed : int
    progress : callable
        Wraps the loops over wearers, as tqdm does.

    Returns
    -------
    Dataset
    """
    options = {"interval_s": interval_s, "seed": seed, "progress": progress}
    first_test_id = size.wearers + size.calibration_wearers
    tables = [
        record_stretches(samples=size.samples, wearers=size.wearers, interval_s=interval_s, seed=seed),
        record_days(wearers=size.calibration_wearers, days=1, first_id=size.wearers, **options),
        record_days(wearers=size.test_wearers, days=size.test_days, first_id=first_test_id, **options),
    ]
    tables = [readings.parse(table) for table in tables]
    if counters == "interval":
        tables = [to_interval_counters(table) for table in tables]
    names = np.unique(tables[0]["user_id"])
    validation = names[:: min(5, len(names))].tolist()  # every fifth
    return Dataset(*tables, "wearer", validation, np.unique(tables[2]["user_id"]).tolist())


def split_readings(raw, *, seed):
    """Split real readings by wearer, or by day if fewer than MIN_WEARERS wearers have no labels.

    Wearers or days with labelled readings are in the test only, so that they influence neither training nor thresholds.

    Parameters
    ----------
    raw : DataFrame
        A raw table as returned by `readings.read`.
    seed : int

    Returns
    -------
    Dataset

    Raises
    ------
    ValueError
        If too few wearers or days without labels remain for all of SPLITS.
    """
    by, split_of = assign_splits(wearer_days(raw), seed=seed)
    return split_table(raw, by=by, split_of=split_of)


def wearer_days(raw):
    """Count a raw table's readings by wearer and day.

    Returns
    -------
    DataFrame
        user_id, timestamp (the day), readings, and labelled (whether any reading has a label).
    """
    labelled = raw["label"] != "" if "label" in raw else False
    days = raw[["user_id"]].assign(timestamp=raw["timestamp"].dt.normalize(), readings=1, labelled=labelled)
    counts = {"readings": ("readings", "size"), "labelled": ("labelled", "any")}
    return days.groupby(["user_id", "timestamp"], as_index=False).agg(**counts)


def assign_splits(days, *, seed):
    """Assign wearers or days to SPLITS.

    Parameters
    ----------
    days : DataFrame
        As returned by `wearer_days`.
    seed : int

    Returns
    -------
    by : str
        "wearer" or "day".
    split_of : dict
        {unit: one of SPLITS}, with the units of `units`.

    Raises
    ------
    ValueError
        As in `split_readings`.
    """
    labelled = days["labelled"].to_numpy()
    without_labels = set(days["user_id"]) - set(days["user_id"][labelled])
    by = "wearer" if len(without_labels) >= MIN_WEARERS else "day"
    unit = units(days, by=by)
    test_only = np.isin(unit, unit[labelled])
    rng = np.random.default_rng(seed)
    split_of = dict.fromkeys(unit[test_only], "test")
    strata = [np.unique(unit[~test_only])] if by == "wearer" else _by_wearer(days[~test_only], unit[~test_only])
    assigned = set()
    for names in strata:
        splits = _splits(len(names), by=by)
        assigned |= set(splits)
        split_of |= dict(zip(rng.permutation(names), splits, strict=True))
    if set(SPLITS) - assigned:
        raise ValueError(_too_few(np.unique(unit[~test_only]), by, labelled.any()))
    return by, split_of


def split_table(raw, *, by, split_of):
    """The Dataset of a raw table, with the splits that `assign_splits` returned."""
    split = pd.Series(units(raw, by=by)).map(split_of).to_numpy()
    development, calibration, test = (
        raw[np.isin(split, names)].reset_index(drop=True) for names in (SPLITS[:2], SPLITS[2:3], SPLITS[3:])
    )
    label = {"columns": "label", "errors": "ignore"}
    validation, test_units = (
        sorted(unit for unit, name in split_of.items() if name == split_name) for split_name in ("validation", "test")
    )
    return Dataset(development.drop(**label), calibration.drop(**label), test, by, validation, test_units)


def units(table, *, by):
    """What each row is split by, (T,): its wearer, or its wearer and date as text."""
    wearer = table["user_id"].astype("str").to_numpy(dtype=object)
    if by == "wearer":
        return wearer
    return wearer + " " + table["timestamp"].to_numpy().astype("datetime64[D]").astype(str).astype(object)


def _by_wearer(days, unit):
    wearer = days["user_id"].to_numpy()
    return [np.unique(unit[wearer == name]) for name in np.unique(wearer)]


def _splits(count, *, by):
    """The splits of `count` wearers or days: one each if possible, the others by SHARES or DAY_SHARES.

    The rounding goes to training or, of days, to calibration.
    """
    if count < len(SPLITS):
        return np.array(SPLITS[:count])
    shares, rest = (DAY_SHARES, "calibration") if by == "day" else (SHARES, "train")
    counts = 1 + (np.array(shares) * (count - len(SPLITS))).astype(int)
    counts[SPLITS.index(rest)] += count - counts.sum()
    return np.repeat(SPLITS, counts)


def _too_few(names, by, labelled):
    without, remedy = (" without labels", "; give labelled readings as test_path=") if labelled else ("", "")
    enough = (
        f"training needs {len(SPLITS)} days or {MIN_WEARERS} wearers, and {DAYS_TO_CALIBRATE} days to calibrate well"
    )
    fewer = "the export of another run scores fewer, with python -m lib.score"
    return f"{len(names)} {by}s{without} are too few to split into {', '.join(SPLITS)}: {enough}; {fewer}{remedy}"


def roles(table, *, by, rng):
    """Assign a role in calibration to each row of a clean table.

    A sixth of the wearers is for comparison, a half for the limits and a third for checking them: limits need many
    wearers. Below MANY_TO_CALIBRATE wearers each role gets a third. With fewer than three wearers, days are assigned;
    with fewer than three days, segments.

    Returns
    -------
    ndarray, shape (T,)
        0 for comparison, 1 for limits, 2 for checking.

    Raises
    ------
    ValueError
        If there are fewer than three segments.
    """
    segment = table["user_id"].astype("str") + " " + table["segment"].astype("str")
    for unit in (units(table, by=by), units(table, by="day"), segment.to_numpy()):
        names, place = np.unique(unit.astype(str), return_inverse=True)
        if len(names) >= 3:
            cycle = np.array([0, 1, 2, 1, 2, 1] if len(names) >= MANY_TO_CALIBRATE else [0, 1, 2])
            return rng.permutation(cycle[np.arange(len(names)) % len(cycle)])[place]
    raise ValueError(f"expected 3 or more segments to calibrate on, got {len(names)}; provide more readings")
