"""Labelled anomalies, injected into a raw table, simulated or real.

The table comes back with the same rows in the same order and a `label` column: empty = normal, else the
anomaly's name on every row of its span. Labels that were there stay, and no span lies on them. Outside the spans
heart rate and amounts are what they were.
"""

from collections import Counter

import numpy as np
import pandas as pd

from lib.detector.features import COUNTER_FORMS, COUNTERS
from lib.simulation.anomaly_kinds import KINDS, quantised
from lib.simulation.recording import Recording

SEVERITIES = (0.4, 0.7, 1.0)
APART_S = 20 * 60  # of normal readings between two spans
_DECIMALS = {"steps": (0,), "calories": (0, 1, 2), "distance": (0, 1, 2)}
_EXACT = 6  # decimals: takes floating-point dust off a counter


def inject(
    raw,
    *,
    rng,
    events_per_day,
    interval_s,
    counters="cumulative",
    kinds=KINDS,
    severities=SEVERITIES,
    progress=iter,
):
    """A raw table (of `readings.read`) with about `events_per_day` labelled anomalies a day worn, and these events.

    Kinds are drawn evenly over all wearers; one that finds no place in a wearer's readings, or lacks a column, is
    tried in another's. Spans do not overlap, stand `APART_S` apart and lie where readings go on, worn and without
    labels, without a hole of more than 3 `interval_s`.

    Returns (labelled, events); events has user_id, start and end (ISO, wall clock, of the first and last row
    of the span), kind and severity. Raises ValueError for an unknown kind, severity or way of counting.
    """
    _check(kinds, severities, counters)
    present = {"heartRate", *COUNTERS} & set(raw)
    kinds = [name for name in kinds if set(KINDS[name].needs) <= present]
    columns = {name: raw[name].to_numpy(copy=True) for name in ("heartRate", *COUNTERS) if name in raw}
    columns["label"] = raw["label"].to_numpy(object, copy=True) if "label" in raw else np.full(len(raw), "", object)
    used, events = Counter(), []
    for user_id, rows in progress(list(raw.groupby("user_id", sort=False).indices.items())):
        recording = Recording(raw.iloc[rows], interval_s=interval_s, cumulative=counters == "cumulative")
        found = _events(recording, kinds, severities, events_per_day, used, rng)
        events += [{"user_id": user_id, **event} for event in found]
        if found:
            _write(columns, rows, recording)
    events = pd.DataFrame(events, columns=["user_id", "start", "end", "kind", "severity"])
    return raw.assign(**columns), events


def _check(kinds, severities, counters):
    unknown = [name for name in kinds if name not in KINDS]
    if unknown:
        raise ValueError(f"no anomaly is called {unknown[0]!r}; there are {', '.join(KINDS)}")
    for severity in severities:
        if not 0 < severity <= 1:
            raise ValueError(f"severity={severity!r} is not in (0, 1]")
    if counters not in COUNTER_FORMS:
        raise ValueError(f"counters={counters!r}: one of {', '.join(COUNTER_FORMS)} is wanted")


def _events(recording, kinds, severities, events_per_day, used, rng):
    """Place one wearer's anomalies: the kinds least `used` so far, the long ones of them first."""
    expected = events_per_day * recording.worn_days
    wanted = int(expected) + int(rng.random() < expected % 1)
    tries = sorted(rng.permutation(kinds).tolist(), key=lambda name: used[name])
    rounds = [tries[at % len(tries)] for at in range(wanted)] if tries else []
    placed, hopeless = [], set()
    for name in [*sorted(rounds, key=lambda name: -KINDS[name].minutes[1]), *rounds, *rounds]:
        if len(placed) == wanted:
            break
        event = None if name in hopeless else _place(recording, name, rng.choice(severities), rng)
        if event:
            placed.append(event)
            used[name] += 1
        else:
            hopeless.add(name)
    return placed


def _place(recording, name, severity, rng):
    """Put one anomaly of this kind somewhere in the recording; None where there is no room for it."""
    kind = KINDS[name]
    shortest, longest = kind.minutes
    away_s = kind.away_h and 3600 * np.interp(severity, (0, 1), kind.away_h) * rng.choice([-1, 1])
    for minutes in (rng.uniform(shortest, longest), shortest):
        where = recording.room(place=kind.place, length_s=60 * minutes, apart_s=APART_S, away_s=away_s, rng=rng)
        if where:
            span = recording.span(where, away_s=away_s)
            recording.overwrite(where, kind.apply(span, severity=severity, rng=rng), label=name)
            start, end = recording.wall[where][[0, -1]]
            return {"start": str(start), "end": str(end), "kind": name, "severity": float(severity)}
    return None


def _write(columns, rows, recording):
    """Put the recording's labels, heart rate and counters into the columns, in the rows' own order."""
    inside = recording.in_file_order(recording.changed)
    columns["label"][rows] = recording.in_file_order(recording.label)
    columns["heartRate"][rows[inside]] = quantised(recording.in_file_order(recording.heart_rate))[inside]
    for name in COUNTERS:
        if name in columns:
            decimals = _decimals(columns[name][rows], name)
            columns[name][rows] = recording.in_file_order(recording.counter(name, decimals))


def _decimals(values, name):
    """The fewest decimals that hold the values as they are."""
    values = values[~np.isnan(values)]
    exact = (decimals for decimals in _DECIMALS[name] if np.array_equal(values, np.round(values, decimals)))
    return next(exact, _EXACT)
