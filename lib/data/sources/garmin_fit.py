"""Garmin's monitoring files in the FIT format: a heart rate a minute, counters of each activity every few minutes."""

import fitdecode
import numpy as np

from lib.data import series, text

NAME = "Garmin FIT (monitoring)"
ASSUMED = (
    "the wearer's hour is the watch's clock (monitoring_info.local_timestamp), even where that was set wrong",
    "steps, active calories and distance are counters since local midnight, one for each kind of activity",
    "steps are those of walking and running: twice the cycles",
    "calories are active, without what the body burns at rest",
)
FIT_EPOCH_S = 631_065_600  # 1989-12-31T00:00:00Z in Unix seconds
MONITORING = (15, 28, 32)  # file types monitoring_a, monitoring_daily and monitoring_b
WALKING_RUNNING = (6, 1)  # activity types of which steps are counted
_ACTIVITY_BITS = 0x1F  # of current_activity_type_intensity


def recognises(entry):
    """Whether an entry is one of this format's files."""
    return entry.head[8:12] == b".FIT"


def read(entries, left_out):
    """Yield the series of all entries; `left_out` counts what is not read."""
    heart_rates, counters = [], []
    for entry in entries:
        try:
            rates, totals = _messages(entry)
        except (fitdecode.FitError, ValueError, TypeError, KeyError) as error:
            raise text.SourceError(f"cannot be read as FIT ({error})", file=entry.name) from error
        left_out["FIT files without monitoring: workouts, sleep, settings"] += not (rates or totals)
        heart_rates += rates
        counters += totals
    if heart_rates:
        at, offset, value = map(np.array, zip(*heart_rates, strict=True))
        yield series.Series(series.HEART_RATE, at, value.astype(float), series.OFFSET, offset_ms=offset)
    for channel in series.AMOUNTS:
        kinds = sorted({row[1] for row in counters if row[0] == channel})
        counted = [_amounts([row[2:] for row in counters if row[:2] == (channel, kind)]) for kind in kinds]
        if counted:
            yield _together(channel, counted)


def _amounts(rows):
    """Start, end, offset (ms) and amount of each message of one counter, of rows (ms, offset, total)."""
    at, offset, total = map(np.array, zip(*sorted(set(rows)), strict=True))
    local = at + offset
    day = (local - 1) // series.DAY_MS  # a file's last message, at midnight, closes the day before
    amount = series.grown(total, day)
    midnight = day * series.DAY_MS - offset
    start = np.maximum(np.append(midnight[:1], at[:-1]), midnight)
    return start, at, offset, amount


def _together(channel, counted):
    """One Series of what several counters count, whose messages come at different times."""
    edges = np.unique(np.concatenate([side for start, end, _, _ in counted for side in (start, end)]))
    total = sum(np.interp(edges, *_steps_of_a_sum(start, end, amount)) for start, end, _, amount in counted)
    starts, ends, offsets = (np.concatenate([one[side] for one in counted]) for side in range(3))
    covered = np.searchsorted(np.sort(starts), edges[:-1], side="right") > np.searchsorted(
        np.sort(ends), edges[:-1], "right"
    )
    order = np.argsort(ends, kind="stable")
    place = np.searchsorted(ends[order], edges[1:]).clip(0, len(order) - 1)
    return series.Series(
        channel,
        edges[:-1][covered],
        np.diff(total)[covered],
        series.OFFSET,
        length_ms=np.diff(edges)[covered],
        offset_ms=offsets[order][place][covered],
        meaning="active" if channel == "calories" else "",
    )


def _steps_of_a_sum(start, end, amount):
    """Times and running sums of amounts: flat between one interval's end and the next one's start."""
    after = np.cumsum(amount)
    return np.column_stack([start, end]).ravel(), np.column_stack([after - amount, after]).ravel()


def _messages(entry):
    """Heart rates (ms, offset, bpm) and counters (channel, activity, ms, offset, total) of one file."""
    clock, offset, rates, totals = None, 0, [], []
    checks = {"check_crc": fitdecode.CrcCheck.RAISE, "error_handling": fitdecode.ErrorHandling.IGNORE}
    with entry.local() as path, fitdecode.FitReader(path, **checks) as reader:
        for message in reader:
            if not isinstance(message, fitdecode.FitDataMessage):
                continue
            if message.name not in ("file_id", "monitoring", "monitoring_info"):
                continue
            raw = {field.name: field.raw_value for field in message.fields if field.raw_value is not None}
            if message.name == "file_id":
                if raw.get("type") not in MONITORING:
                    break  # a workout of an hour would take seconds to decode
                continue
            clock = moment(raw, clock)
            if clock is None:
                continue
            if message.name == "monitoring_info" and "local_timestamp" in raw:
                offset = 1000 * (raw["local_timestamp"] - raw["timestamp"])
            at = 1000 * (clock + FIT_EPOCH_S)
            if raw.get("heart_rate"):
                rates.append((at, offset, raw["heart_rate"]))
            totals += [(channel, kind, at, offset, value) for channel, kind, value in _counted(raw)]
    return rates, totals


def moment(raw, clock):
    """The FIT time (s) of a message's raw fields, after one at `clock` (s, or None).

    A compact message has the lower 16 bits alone, which roll over every 18 hours: it is later than the one before.
    """
    if "timestamp" in raw:
        return raw["timestamp"]
    if "timestamp_16" in raw and clock is not None:
        return clock + ((raw["timestamp_16"] - (clock & 0xFFFF)) & 0xFFFF)
    return clock


def _counted(raw):
    """The counters of one message: (channel, kind of activity, total)."""
    kind = raw.get("activity_type")
    if kind is None and "current_activity_type_intensity" in raw:
        kind = _first(raw["current_activity_type_intensity"]) & _ACTIVITY_BITS
    if kind is None:
        return
    steps = raw.get("steps", raw.get("cycles"))
    if steps is not None and kind in WALKING_RUNNING:
        yield "steps", kind, float(steps)
    if "active_calories" in raw:
        yield "calories", kind, float(raw["active_calories"])
    if "distance" in raw:
        yield "distance", kind, raw["distance"] / 100.0  # cm


def _first(value):
    return value[0] if isinstance(value, tuple | list) else value
