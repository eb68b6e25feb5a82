"""The three raw tables of a run, and who is in which: no wearer (or, with few wearers, no day) is in two.

development: normal life to learn from, of which some wearers (or days) are kept for validation; calibration: normal
life for the thresholds; test: life with labelled anomalies. Tables have the columns of `readings.read`.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lib.data import readings
from lib.detector import features
from lib.simulation.watch import record_days, record_stretches, to_interval_counters
from lib.detector.windows import spread_evenly

PARTS = ("train", "validation", "calibration", "test")
SHARES = (0.5, 0.125, 0.175, 0.2)
FEWEST_WEARERS = 5  # with fewer, days are split
FEW_TO_CALIBRATE = 18  # wearers or days: with fewer, a sixth of them are too few to compare with


@dataclass(frozen=True)
class Dataset:
    """The tables; `by` is "wearer" or "day", `validation` and `tested` the sorted units (see `units`) kept for them.

    Of large data the test's table is a sample, and `tested` all that it was drawn from.
    """

    development: pd.DataFrame
    calibration: pd.DataFrame
    test: pd.DataFrame
    by: str
    validation: list
    tested: list


def simulated(
    *, samples, wearers, calibration_wearers, test_wearers, test_days, interval_s, counters, seed, progress=iter
):
    """Simulated wearers: `samples` readings of `wearers` in stretches over the week, and whole days of others.

    counters: "cumulative", or "interval" for watches that report what was counted since the last reading. Raises
    ValueError when a number is below 1, or there are fewer than two wearers to develop on.
    """
    counts = {
        "calibration_wearers": calibration_wearers,
        "test_wearers": test_wearers,
        "test_days": test_days,
    }
    for name, value in counts.items():
        if value < 1:
            raise ValueError(f"{name}={value}: at least 1 is wanted")
    if wearers < 2:
        raise ValueError(f"wearers={wearers}: at least 2 are wanted, one of them for validation")
    whole = {"interval_s": interval_s, "seed": seed, "progress": progress}
    after = wearers + calibration_wearers
    tables = [
        record_stretches(samples=samples, wearers=wearers, interval_s=interval_s, seed=seed),
        record_days(wearers=calibration_wearers, days=1, first_id=wearers, **whole),
        record_days(wearers=test_wearers, days=test_days, first_id=after, **whole),
    ]
    tables = [readings.parse(table) for table in tables]
    if counters == "interval":
        tables = [to_interval_counters(table) for table in tables]
    names = np.unique(tables[0]["user_id"])
    validation = names[:: min(5, len(names))].tolist()  # every fifth
    return Dataset(*tables, "wearer", validation, np.unique(tables[2]["user_id"]).tolist())


def recorded(raw, *, seed):
    """Split readings of real wearers: by wearer, or by day where fewer than five wearers have no labels.

    Wearers (days) with labelled readings are in the test alone: neither learning nor the thresholds may know what they
    hold. Raises ValueError when there are too few others to make the four parts of.
    """
    by, part_of = divided(wearer_days(raw), seed=seed)
    return gathered(raw, by=by, part_of=part_of)


def wearer_days(raw):
    """What a raw table holds: user_id, timestamp (the day), readings and labelled (whether any is) of each day."""
    labelled = raw["label"] != "" if "label" in raw else False
    days = raw[["user_id"]].assign(timestamp=raw["timestamp"].dt.normalize(), readings=1, labelled=labelled)
    counts = {"readings": ("readings", "size"), "labelled": ("labelled", "any")}
    return days.groupby(["user_id", "timestamp"], as_index=False).agg(**counts)


def divided(days, *, seed):
    """How `recorded` splits: by "wearer" or "day", and {unit: one of PARTS} (see `units`), of wearer-days alone."""
    labelled = days["labelled"].to_numpy()
    without_labels = set(days["user_id"]) - set(days["user_id"][labelled])
    by = "wearer" if len(without_labels) >= FEWEST_WEARERS else "day"
    unit = units(days, by=by)
    held_out = np.isin(unit, unit[labelled])
    rng = np.random.default_rng(seed)
    part_of = dict.fromkeys(unit[held_out], "test")
    strata = [np.unique(unit[~held_out])] if by == "wearer" else _by_wearer(days[~held_out], unit[~held_out])
    given = set()
    for names in strata:
        parts = _parts(len(names))
        given |= set(parts)
        part_of |= dict(zip(rng.permutation(names), parts, strict=True))
    if set(PARTS) - given:
        raise ValueError(_too_few(np.unique(unit[~held_out]), by, labelled.any()))
    return by, part_of


def gathered(raw, *, by, part_of):
    """The Dataset of a raw table, of which `divided` told who is in which part."""
    unit = pd.Series(units(raw, by=by))
    part = unit.map(part_of).to_numpy()
    development, calibration, test = (
        raw[np.isin(part, names)].reset_index(drop=True) for names in (PARTS[:2], PARTS[2:3], PARTS[3:])
    )
    unlabelled = {"columns": "label", "errors": "ignore"}
    kept = [sorted(name for name, part in part_of.items() if part == kept) for kept in ("validation", "test")]
    return Dataset(development.drop(**unlabelled), calibration.drop(**unlabelled), test, by, *kept)


def drawn(days, *, by, part_of, at_most, rng):
    """The hours of wearer-days to draw, so that each table of the Dataset has about `at_most` readings at most.

    Of the development's, single hours, evenly over its wearers and the hours of the day; of the others', whole days,
    evenly over wearers and, in the test, over days with labels and without. Each of PARTS gets one at least, though
    that be more than `at_most`. Returns the columns of `days` and hour (since 1970).
    """
    part = pd.Series(units(days, by=by)).map(part_of).to_numpy()
    tables = [_some_hours(days[np.isin(part, PARTS[:2])], at_most=at_most, rng=rng)]
    drawn_from = set(pd.Series(units(tables[0], by=by)).map(part_of))
    for name in PARTS[:2]:
        if name not in drawn_from:
            tables.append(_some_hours(days[part == name], at_most=1, rng=rng))
    for name in PARTS[2:]:
        tables.append(_hours(_some_days(days[part == name], at_most=at_most, rng=rng)))
    return pd.concat(tables, ignore_index=True)


def _some_days(days, *, at_most, rng):
    stratum = pd.factorize(days["user_id"])[0] * 2 + days["labelled"]
    count = max(1, int(at_most / days["readings"].mean()))
    return days.iloc[spread_evenly(np.arange(len(days)), stratum.to_numpy(), at_most=count, rng=rng)]


def _some_hours(days, *, at_most, rng):
    hours = _hours(days)
    stratum = pd.factorize(hours["user_id"])[0] * 24 + hours["hour"] % 24
    count = max(1, int(at_most / (days["readings"].mean() / 24)))
    return hours.iloc[spread_evenly(np.arange(len(hours)), stratum.to_numpy(), at_most=count, rng=rng)]


def _hours(days):
    """A row for each hour of wearer-days."""
    first = days["timestamp"].to_numpy().astype("datetime64[h]").astype(np.int64)
    hours = days.iloc[np.repeat(np.arange(len(days)), 24)]
    return hours.assign(hour=(first[:, None] + np.arange(24)).ravel())


def _too_few(names, by, labelled):
    without, hint = (" without labels", "; labelled readings may be given as test_path=") if labelled else ("", "")
    return f"{len(names)} {by}s{without} are too few to split into {', '.join(PARTS)}{hint}"


def units(table, *, by):
    """What each row (T,) is split by: its wearer, or its wearer and date as text."""
    wearer = table["user_id"].astype("str").to_numpy(dtype=object)
    if by == "wearer":
        return wearer
    return wearer + " " + table["timestamp"].to_numpy().astype("datetime64[D]").astype(str).astype(object)


def roles(table, *, by, rng):
    """What each row of a clean calibration table is for, (T,): 0 to compare with, 1 for limits, 2 to check these.

    A sixth, a half and a third of the wearers (or, as in a fleet of few, days), for limits want many; a third each
    where there are few. Where there are too few of these, by segment. Raises ValueError when there are fewer than three
    segments.
    """
    segment = table["user_id"].astype("str") + " " + table["segment"].astype("str")
    for unit in (units(table, by=by), units(table, by="day"), segment.to_numpy()):
        names, place = np.unique(unit.astype(str), return_inverse=True)
        if len(names) >= 3:
            turns = np.array([0, 1, 2, 1, 2, 1] if len(names) >= FEW_TO_CALIBRATE else [0, 1, 2])
            return rng.permutation(turns[np.arange(len(names)) % len(turns)])[place]
    raise ValueError(f"{len(names)} unbroken stretches of readings are too few to calibrate on: three are wanted")


def reported(table):
    """Which of the seven features each row's wearer reports half of the time or more, in a clean table: (T, 7)."""
    known = table[list(features.FEATURES)].notna()
    return known.groupby(table["user_id"], observed=True).transform("mean").to_numpy() >= 0.5


def in_full(channels, reports):
    """The largest of the channel sets of `channels` (7,) that one of reports (N, 7) has in full: a (7,) mask.

    In a fleet where no watch reports all that some do, no window tells what an error over all of it would be. Raises
    ValueError where none has even the smallest.
    """
    for counted in features.channel_sets(channels).values():
        if reports[:, counted].all(axis=1).any():
            return counted
    raise ValueError(f"no wearer reports {' and '.join(np.array(features.FEATURES)[counted])}")


def require_windows(first, table, *, part, length, interval_s):
    """Raise ValueError, saying what the clean table of that part holds instead, where there are no windows `first`."""
    if len(first):
        return
    segments = table.groupby(["user_id", "segment"], observed=True)["timestamp"].agg(["min", "size"])
    apart = segments["min"].groupby(level=0, observed=True).diff().median().total_seconds()
    quality = ", ".join(f"{count:,} {name}" for name, count in table["quality"].value_counts().items() if count)
    fix = "a smaller sequence_length= may help"
    if apart < length * interval_s:
        fix = f"segments begin {apart:g} s apart, so that interval_s={apart:g} may be what the watch's readings want"
    raise ValueError(
        f"no {part} window: {length} trusted samples in a row are wanted, {interval_s} s apart; there are "
        f"{len(table):,} samples ({quality or 'none'}) in {len(segments):,} segments, the longest of "
        f"{segments['size'].max() if len(segments) else 0:,}; {fix}"
    )


def _by_wearer(days, unit):
    wearer = days["user_id"].to_numpy()
    return [np.unique(unit[wearer == name]) for name in np.unique(wearer)]


def _parts(count):
    """The parts of `count` units: one each while there are enough, the others in the SHARES, rounding to training."""
    if count < len(PARTS):
        return np.array(PARTS[:count])
    counts = 1 + (np.array(SHARES) * (count - len(PARTS))).astype(int)
    counts[0] += count - counts.sum()
    return np.repeat(PARTS, counts)
