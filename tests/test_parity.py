"""Wearers on whom nothing was fitted, streamed through the notebooks' code and through the bundle's own process."""

import numpy as np
import pytest
from conftest import keras_scores, life

from lib import bundle, clean, readings, scoring, watch, windows
from lib.baseline import KNOWN, Baseline
from lib.detector import Detector
from lib.following import follow

LENGTHS = (2, 5, 59, 60, 61, 7, 100, 30, 240, 17, 500)  # readings in a request, over and over
LENGTH, INTERVAL_S = 60, 5


@pytest.fixture(scope="module")
def requests():
    """(rows, request) of consecutive readings of two wearers, a morning each, with all that watches do."""
    raw = readings.parse(watch.record_days(wearers=2, days=1, interval_s=INTERVAL_S, seed=7, first_id=900))
    worn = raw[raw["heartRate"] > 0].reset_index(drop=True)  # the function rejects what is off the wrist
    made = []
    for counters, table in (("cumulative", worn), ("interval", watch.since_the_last(worn))):
        for _, rows in table.groupby("user_id"):
            made += [(counters, part, _request(part, counters)) for part in _parts(rows.head(2500))]
    return made


def _parts(rows):
    ends = np.cumsum(np.resize(LENGTHS, len(rows)))
    bounds = [0, *ends[ends < len(rows)], len(rows)]
    return [rows.iloc[low:high] for low, high in zip(bounds, bounds[1:], strict=False) if high - low > 1]


def _request(rows, counters):
    columns = rows[["heartRate", "steps", "calories", "distance"]].to_dict("records")
    stamps = rows["timestamp"].dt.strftime("%Y-%m-%dT%H:%M:%S")
    return {"counters": counters, "metrics": [{"timestamp": t, **c} for t, c in zip(stamps, columns, strict=True)]}


def notebook_scores(rows, counters, model, detector):
    """The score of each reading, (N,), as 02_clean, 03_train and 04_evaluate reckon."""
    table, _ = clean.clean(rows, interval_s=INTERVAL_S, counters=counters)
    samples = clean.samples(table)
    first, size = windows.closing(clean.groups(table), length=LENGTH)
    scores = keras_scores(model, detector, samples, first, size)
    raw = windows.gather(samples, first, length=LENGTH, size=size)
    scores[scoring.stuck(raw, interval_s=INTERVAL_S, size=size)] = np.nan
    of_sample = scores[np.searchsorted(first + size - 1, np.arange(len(table)))]
    cell = np.ceil(rows["instant"].to_numpy() / INTERVAL_S) * INTERVAL_S
    return of_sample[np.searchsorted(table["timestamp"].to_numpy().astype("datetime64[s]").astype(int), cell)]


def test_the_bundle_gives_every_reading_the_notebooks_score_whatever_it_was_asked_before(requests, export, model):
    order = np.random.default_rng(0).permutation(np.repeat(np.arange(len(requests)), 2))  # each twice
    _, calls = bundle.call(export / bundle.ZIP, [requests[place][2] for place in order])
    detector = Detector.load(export)
    expected = [notebook_scores(rows, counters, model, detector) for counters, rows, _ in requests]
    compared = 0
    for place, call in zip(order, calls, strict=True):
        served = [np.nan if r["anomalyScore"] is None else r["anomalyScore"] for r in call["answer"]["body"]["results"]]
        np.testing.assert_allclose(served, expected[place], rtol=1e-5)
        compared += np.isfinite(served).sum()
    assert compared > 8_000
    assert {len(rows) for _, rows, _ in requests} >= set(LENGTHS)
    assert any(rows["instant"].diff().max() > 60 for _, rows, _ in requests)  # holes
    assert any((rows["instant"].diff() <= 0).any() for _, rows, _ in requests)  # doubled or out of order


def test_a_wearer_followed_from_request_to_request_is_scored_as_the_notebooks_follow_them(export):
    samples, detector = life(12 * 200), Detector.load(export)
    samples[200:, 1] = 0  # at rest, after a walk
    first = np.arange(0, len(samples) - LENGTH + 1, 12)
    followed = follow(detector, samples, first, np.zeros(len(samples)))
    own, served = Baseline(), []
    for row in first:  # a window a request, its baseline handed back
        found = detector.score(samples[row : row + LENGTH], np.zeros(LENGTH, dtype=int), own=own)
        own = own.after(found.first, found.rest, interval_s=INTERVAL_S)
        served.append(found.scores[0])
    np.testing.assert_allclose(served, followed.scores, rtol=1e-5)
    assert followed.minutes[-1] > KNOWN
    assert followed.minutes[10] == 0
