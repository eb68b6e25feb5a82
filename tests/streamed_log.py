"""The handler's log for simulated wearers whose watches send everything they record.

The model is that of `small_model`, and reads one sample every 30 s.
"""

import json
from dataclasses import replace

import numpy as np
import request_log
import small_model
from answer import answer_body
from request import parse

from lib.detector import histograms
from lib.simulation import wearers
from lib.simulation.life import simulate_life
from lib.simulation.watch import report

INTERVAL_S, BATCH = 30, 60  # s between readings; readings in a request
MONDAY = np.datetime64("2026-03-02T00:00:00", "s")
HOUR_MS = 3_600_000


def wearer(number, *, years=0):
    """Wearer `number`, `years` older with the heart and habits of that age, and the generator of their life."""
    rng = np.random.default_rng([77, number])
    drawn = wearers.draw_wearer(rng, f"sim-{number}")
    if years:
        changed = {"age": drawn.age + years, "max_hr": drawn.max_hr - 0.7 * years, "runs_per_day": 0.0}
        drawn = replace(drawn, vo2max=max(18.0, drawn.vo2max * (1 - 0.01 * years)), **changed)
    return drawn, rng


def life(number, *, days, years=0, interval_s=INTERVAL_S):
    """The readings of some days of wearer `number`, as a request's metrics; a list for each day."""
    person, rng = wearer(number, years=years)
    start = MONDAY + np.timedelta64(number % 7, "D")
    lived = simulate_life(person, start=start, hours=24 * days, interval_s=interval_s, rng=rng)
    table = report(lived, user_id=person.user_id, interval_s=interval_s, rng=rng).drop(columns="user_id")
    table = table[table["heartRate"] > 0].sort_values("timestamp", kind="stable")
    return [day.to_dict("records") for _, day in table.groupby(table["timestamp"].str[:10])]


def offset(readings, bpm):
    """The readings of a sensor that reads `bpm` too high."""
    return [reading | {"heartRate": reading["heartRate"] + bpm} for reading in readings]


def half_steps(readings):
    """The readings of a watch that counts every other step, and half the distance."""
    return [reading | {name: reading[name] / 2 for name in ("steps", "distance")} for reading in readings]


def batches(readings):
    """The readings of each request."""
    return [readings[low : low + BATCH] for low in range(0, len(readings) - BATCH + 1, BATCH)]


def answered(detector, metrics, *, request_id, time_ms, duration_ms=5.0, cold=False):
    """The handler's log line for one request at `time_ms`, and the answer's body."""
    body, facts = answer_body(parse({"metrics": metrics}, interval_s=detector.interval_s), detector)
    call = request_log.Call(request_id, duration_ms, cold)
    model = (detector.run, detector.sha256)
    line = json.loads(request_log.line(call, status=200, body=body, facts=facts, model=model))
    line["_aws"]["Timestamp"] = int(time_ms)
    return json.dumps(line), body


def wearer_day(detector, readings, *, request_id, day_ms):
    """The log lines for a day of one wearer's readings."""
    sent = batches(readings)
    step = 24 * HOUR_MS // max(len(sent), 1)
    return [
        answered(detector, metrics, request_id=f"{request_id}-{place}", time_ms=day_ms + place * step)[0]
        for place, metrics in enumerate(sent)
    ]


def bins(*, wearers=range(900, 906), interval_s=INTERVAL_S):
    """The bins of `histograms.fit` for a day of other wearers, with arbitrary ones of errors."""
    samples = []
    for readings in (day for number in wearers for day in life(number, days=1, interval_s=interval_s)):
        steps = np.diff([reading["steps"] for reading in readings], prepend=0).clip(0)
        samples.append(
            [[reading["heartRate"], amount, 0, 0, 0, 0, 0] for reading, amount in zip(readings, steps, strict=True)]
        )
    segment = np.repeat(np.arange(len(samples)), [len(rows) for rows in samples])
    return histograms.fit(np.concatenate(samples), segment, np.linspace(0.05, 3, 1000), interval_s=interval_s)


def model(folder, *, interval_s=INTERVAL_S, limits=small_model.LIMITS):
    """The Detector of a handmade model in `folder`, with the bins in which its log counts."""
    small_model.write(folder, interval_s=interval_s, limits=limits)
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"population": bins(interval_s=interval_s)}))
    return small_model.load(folder)
