"""Labelled anomalies, injected into a raw table, simulated or real.

The rows and their order stay the same. A column `label` holds the anomaly's name on every row of its span and is empty
elsewhere. Existing labels stay, and no anomaly overlaps them. Outside the spans, heart rate and amounts do not change.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lib.detector.features import COUNTER_FORMS, COUNTERS
from lib.simulation.anomaly_kinds import KINDS, quantised
from lib.simulation.recording import Recording

SEVERITIES = (0.4, 0.7, 1.0)
MIN_DISTANCE_S = 20 * 60  # normal readings between two anomalies
_COLUMNS = ["user_id", "start", "end", "kind", "severity"]
_DECIMALS = {"steps": (0,), "calories": (0, 1, 2), "distance": (0, 1, 2)}
_MAX_DECIMALS = 6  # removes floating-point noise from a counter


@dataclass(frozen=True)
class Injection:
    """What to inject.

    Parameters
    ----------
    events_per_day : float
        Anomalies per day of worn life, on average.
    interval_s : float
        Nominal seconds between readings.
    counters : str
        One of COUNTER_FORMS: running counters, or amounts since the previous reading.
    kinds : sequence of str
        Names from KINDS.
    severities : sequence of float
        Values in (0, 1], drawn with equal probability.

    Raises
    ------
    ValueError
        If a kind, a severity or the form of the counters is unknown.
    """

    events_per_day: float
    interval_s: float
    counters: str = "cumulative"
    kinds: tuple = tuple(KINDS)
    severities: tuple = SEVERITIES

    def __post_init__(self):
        unknown = [name for name in self.kinds if name not in KINDS]
        if unknown:
            raise ValueError(f"expected kinds from {', '.join(KINDS)}, got {unknown[0]!r}")
        for severity in self.severities:
            if not 0 < severity <= 1:
                raise ValueError(f"expected a severity above 0 and at most 1, got severity={severity!r}")
        if self.counters not in COUNTER_FORMS:
            raise ValueError(f"expected one of {', '.join(COUNTER_FORMS)}, got counters={self.counters!r}")


def inject(raw, injection, *, rng, progress=iter):
    """Inject anomalies into a raw table.

    Kinds are drawn evenly over all wearers. A kind that fits nowhere in one wearer's readings is tried in another's;
    a kind whose columns are missing is left out. Spans do not overlap and are `MIN_DISTANCE_S` apart. They contain
    worn, unlabelled readings only, without a hole of more than three intervals.

    Parameters
    ----------
    raw : DataFrame
        A raw table as `readings.read` returns it.
    injection : Injection
    rng : numpy.random.Generator
    progress : callable
        Wraps the loop over wearers, as tqdm does.

    Returns
    -------
    labelled : DataFrame
        The raw table with the anomalies and their labels.
    events : DataFrame
        user_id, start and end (ISO wall clock of the span's first and last row), kind and severity.
    """
    present = {"heartRate", *COUNTERS} & set(raw)
    kinds = [name for name in injection.kinds if set(KINDS[name].needs) <= present]
    columns = {name: raw[name].to_numpy(copy=True) for name in ("heartRate", *COUNTERS) if name in raw}
    columns["label"] = raw["label"].to_numpy(object, copy=True) if "label" in raw else np.full(len(raw), "", object)
    usage, events = Counter(), []
    for user_id, rows in progress(list(raw.groupby("user_id", sort=False).indices.items())):
        cumulative = injection.counters == "cumulative"
        recording = Recording(raw.iloc[rows], interval_s=injection.interval_s, cumulative=cumulative)
        placed = _place_events(recording, injection, kinds=kinds, usage=usage, rng=rng)
        events += [{"user_id": user_id, **event} for event in placed]
        if placed:
            _write(columns, rows, recording)
    return raw.assign(**columns), pd.DataFrame(events, columns=_COLUMNS)


def _place_events(recording, injection, *, kinds, usage, rng):
    """Place one wearer's anomalies: the kinds with the lowest `usage`, the longest of them first."""
    expected = injection.events_per_day * recording.worn_days
    count = int(expected) + int(rng.random() < expected % 1)
    order = sorted(rng.permutation(kinds).tolist(), key=lambda name: usage[name])
    rounds = [order[number % len(order)] for number in range(count)] if order else []
    placed, unplaceable = [], set()
    for name in [*sorted(rounds, key=lambda name: -KINDS[name].minutes[1]), *rounds, *rounds]:
        if len(placed) == count:
            break
        event = None if name in unplaceable else _place(recording, name, rng.choice(injection.severities), rng)
        if event:
            placed.append(event)
            usage[name] += 1
        else:
            unplaceable.add(name)
    return placed


def _place(recording, name, severity, rng):
    """Put one anomaly of this kind into the recording and return its event, or None if it fits nowhere."""
    kind = KINDS[name]
    shortest, longest = kind.minutes
    shift_s = kind.shift_h and 3600 * np.interp(severity, (0, 1), kind.shift_h) * rng.choice([-1, 1])
    for minutes in (rng.uniform(shortest, longest), shortest):
        length_s = 60 * minutes
        rows = recording.free_slice(
            place=kind.place, length_s=length_s, min_distance_s=MIN_DISTANCE_S, shift_s=shift_s, rng=rng
        )
        if rows:
            span = recording.span(rows, shift_s=shift_s)
            recording.overwrite(rows, kind.apply(span, severity=severity, rng=rng), label=name)
            start, end = recording.wall[rows][[0, -1]]
            return {"start": str(start), "end": str(end), "kind": name, "severity": float(severity)}
    return None


def _write(columns, rows, recording):
    """Copy the recording's labels, heart rate and counters into the columns, in file order."""
    changed = recording.in_file_order(recording.changed)
    columns["label"][rows] = recording.in_file_order(recording.label)
    columns["heartRate"][rows[changed]] = quantised(recording.in_file_order(recording.heart_rate))[changed]
    for name in COUNTERS:
        if name in columns:
            decimals = _decimals(columns[name][rows], name)
            columns[name][rows] = recording.in_file_order(recording.counter(name, decimals))


def _decimals(values, name):
    """The fewest decimals that represent the values exactly."""
    values = values[~np.isnan(values)]
    exact = (decimals for decimals in _DECIMALS[name] if np.array_equal(values, np.round(values, decimals)))
    return next(exact, _MAX_DECIMALS)
