"""From series of many files to the raw table: one clock, one device a metric and day, and counters of the day.

`steps`, `calories` and `distance` are written as running counters, the form that `counters=cumulative` (the default)
reads. An amount is spread evenly over its own interval and nowhere else, so a minute's steps stay in their minute.
"""

from collections import Counter

import numpy as np
import pandas as pd

from lib.data import clock, series
from lib.data.counter import DayCounter

DECIMALS = {"steps": 2, "calories": 4, "distance": 2}
STRETCH_MS = 60_000  # between a heart rate and the next: a counter's point between them needs no row
IMPLAUSIBLE_LENGTH_MS = 6 * clock.HOUR_MS  # an amount of so long a time is a total, where there are shorter ones


class ClockError(ValueError):
    """Readings on clocks that cannot be put together without knowing the wearer's time zone."""


def table(readings, *, zone=None, notes=None):
    """The raw table of a source's series.

    Parameters
    ----------
    readings : list of series.Series
    zone : ZoneInfo, optional
        Where the wearer lives: instants are moved to it.
    notes : collections.Counter, optional
        Gains what was merged or left out, by reason.

    Returns
    -------
    pandas.DataFrame
        user_id, timestamp (datetime64[ms], wall clock), instant_ms, heartRate and the amounts that the source has.

    Raises
    ------
    ClockError
        If some series are on a wall clock and others on UTC, and no zone is known.
    """
    notes = Counter() if notes is None else notes
    _require_one_clock(readings, zone)
    wearers = {}
    for one in readings:
        wearers.setdefault(one.wearer, []).append(one)
    tables = [_wearer_table(some, zone, notes) for _, some in sorted(wearers.items())]
    names = pd.Categorical.from_codes(np.repeat(np.arange(len(tables)), list(map(len, tables))), sorted(wearers))
    joined = pd.concat(tables, ignore_index=True)
    joined.insert(0, "user_id", names)
    return joined


def _require_one_clock(readings, zone):
    local = {one.clock == series.LOCAL for one in readings}
    if len(local) > 1 and zone is None:
        raise ClockError(
            "some files tell the wearer's wall clock, others UTC: name the wearer's time zone, as in "
            "--timezone Europe/Paris (or timezone=Europe/Paris)"
        )


def _wearer_table(readings, zone, notes):
    """The table of one wearer: heart rates first, for the device that measured them counts the steps, too."""
    known = _known_offsets(readings)
    devices = sorted({one.device for one in readings})
    rates, measured = None, set()
    counters = {}
    for channel in (series.HEART_RATE, *series.AMOUNTS):
        some = [one for one in readings if one.channel == channel]
        if not some:
            continue
        samples = pd.concat([_timed(one, zone, known, devices.index(one.device)) for one in some], ignore_index=True)
        usable = np.isfinite(samples["value"]) & (samples["value"] >= 0)
        notes[f"{channel} without a value, or below 0"] += int((~usable).sum())
        samples = samples[usable]
        samples = _one_device(samples, channel, measured, notes)
        if channel == series.HEART_RATE:
            measured = set(zip(samples["day"], samples["device"], strict=True)) if len(devices) > 1 else set()
            rates = _heart_rates(samples, notes)
        elif len(samples):
            sparse = all(one.sparse for one in some)
            counters[channel] = DayCounter.of(*_intervals(samples, channel, notes), sparse=sparse)
    moved = zone if not any(one.clock == series.OFFSET for one in readings) else None
    return _joined(rates or (np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0)), counters, moved)


def _known_offsets(readings):
    """Instants and offsets (ms) of the readings that carry their own offset, sorted; None where none does."""
    own = [(one.start_ms, one.offset_ms) for one in readings if one.clock == series.OFFSET]
    if not own:
        return None
    at, offset = (np.concatenate(side) for side in zip(*own, strict=True))
    order = np.argsort(at, kind="stable")
    return at[order], offset[order]


def _timed(one, zone, known, device):
    """A frame of a series: instant and local offset (ms), value, length, device (its number) and local day."""
    if one.clock == series.LOCAL:
        instant = clock.wall_to_instants(one.start_ms, zone=zone)
        offset = one.start_ms - instant
    else:
        instant, offset = one.start_ms, _offsets(one, zone, known)
    columns = {"instant": instant, "offset": offset.astype(np.int32), "value": one.value, "length": one.length_ms}
    frame = pd.DataFrame(columns)
    frame["device"], frame["preferred"] = np.int16(device), np.int8(one.preferred)
    frame["day"] = ((instant + offset) // clock.DAY_MS).astype(np.int32)
    return frame


def _offsets(one, zone, known):
    """Local time minus UTC of a series of instants; known: of `_known_offsets`."""
    if one.clock == series.OFFSET or (one.clock == series.PHONE and zone is None):
        return one.offset_ms
    if zone is not None:
        return clock.offsets(one.start_ms, zone)
    if known is None:
        return np.zeros_like(one.start_ms)
    at, offset = known
    return offset[(np.searchsorted(at, one.start_ms, side="right") - 1).clip(0)]


def _one_device(samples, channel, measured, notes):
    """The samples of one device a day: whoever else counted the same steps is left out.

    Of several devices the preferred one is read, then one that measured the heart rate that day (measured: pairs of
    day and device), then the one that counted most (of heart rates: measured most often).
    """
    if samples["device"].nunique() <= 1:
        return samples
    most = ("value", "size" if channel == series.HEART_RATE else "sum")
    share = samples.groupby(["day", "device"]).agg(preferred=("preferred", "max"), most=most).reset_index()
    share["measured"] = [pair in measured for pair in zip(share["day"], share["device"], strict=True)]
    best = share.sort_values(["preferred", "measured", "most"]).drop_duplicates("day", keep="last")
    chosen = samples["device"] == samples["day"].map(best.set_index("day")["device"])
    notes[f"{channel} of a second device on the same day"] += int((~chosen).sum())
    return samples[chosen]


def _heart_rates(rates, notes):
    """Instants, offsets and bpm, sorted; of several at one instant the last."""
    doubled = rates.duplicated(["instant", "value"])
    notes["heart rates that came twice: merged"] += int(doubled.sum())
    rates = rates[~doubled].sort_values("instant", kind="stable")
    other = rates.duplicated("instant", keep="last")
    notes["heart rates that disagree with a later row of the same instant"] += int(other.sum())
    rates = rates[~other]
    return tuple(rates[column].to_numpy() for column in ("instant", "offset", "value"))


def _intervals(some, channel, notes):
    """Start, end, offset (ms) and amount of one channel, sorted and without overlaps."""
    doubled = some.duplicated(["instant", "length", "value"])
    notes[f"{channel} that came twice: merged"] += int(doubled.sum())
    some = some[~doubled]
    some = some.sort_values(["instant", "length"], kind="stable")
    totals = _totals(some)
    notes[f"{channel} totals of many hours, beside those of shorter times"] += int(totals.sum())
    some = some[~totals]
    start, value = some["instant"].to_numpy(), some["value"].to_numpy()
    end = start + np.maximum(some["length"].to_numpy(), 1)
    earlier = np.maximum.accumulate(np.append(start[:1], end[:-1]))
    clipped = np.maximum(start, earlier)
    notes[f"{channel} of overlapping times: kept, the later one shortened"] += int((clipped > start).sum())
    return clipped, np.maximum(end, clipped + 1), some["offset"].to_numpy(), value


def _totals(some):
    """Which sorted amounts are of hours within which others begin: (N,) booleans."""
    start, length = some["instant"].to_numpy(), some["length"].to_numpy()
    ends_before = np.searchsorted(start, start + length, side="left")
    others = ends_before - np.searchsorted(start, start, side="left") > 1
    return (length > IMPLAUSIBLE_LENGTH_MS) & others


def _needed(at, offset, edge, rates):
    """Times and offsets (ms) of a counter's points that deserve a row of their own.

    Within a stretch of heart rates the counter's value is on their rows. A row without a heart rate would look like a
    watch off the wrist there. A day's first and last point stay, so that its total is there.
    """
    after = np.searchsorted(rates, at)
    before = np.searchsorted(rates, at, side="right") - 1
    inside = (before >= 0) & (after < len(rates))
    if len(rates):
        last = len(rates) - 1
        inside &= (at - rates[before.clip(0)] <= STRETCH_MS) & (rates[after.clip(0, last)] - at <= STRETCH_MS)
    return at[edge | ~inside], offset[edge | ~inside]


def _joined(rates, counters, zone):
    """The table of one wearer: a row for each heart rate, and for each time at which a counter changes its pace.

    zone: whose offsets all rows have; None where each has that of its reading.
    """
    instant, offset, bpm = rates
    bends = [_needed(*counter.bends(), instant) for counter in counters.values()]
    times = np.concatenate([instant, *(at for at, _ in bends)])
    rows, first = np.unique(times, return_index=True)
    own = np.concatenate([offset, *(shift for _, shift in bends)])[first]
    offsets = own if zone is None else clock.offsets(rows, zone)
    columns = {"timestamp": (rows + offsets).astype("datetime64[ms]"), "instant_ms": rows}
    rate = np.full(len(rows), np.nan)
    rate[np.searchsorted(rows, instant)] = bpm
    columns[series.HEART_RATE] = rate
    for channel, counter in counters.items():
        columns[channel] = np.round(counter.at(rows, (rows + offsets) // clock.DAY_MS), DECIMALS[channel])
    return pd.DataFrame(columns)
