"""Unseen wearers: the notebooks' code and the bundle's own process must give the same scores."""

import json

import numpy as np
import pandas as pd
import pytest
import verdict
from conftest import keras_scores, life
from emulator.environment import ExecutionEnvironment
from request import parse

from lib.data import clean, readings
from lib.detector import features, grid, scoring, windows
from lib.detector.baseline import KNOWN
from lib.detector.detector import Detector
from lib.detector.faults import faults as faults_of
from lib.detector.following import follow
from lib.export import bundle
from lib.simulation import watch

LENGTHS = (2, 5, 59, 60, 61, 7, 100, 30, 240, 17, 500)  # readings in a request, over and over
STRETCH = sum(LENGTHS)
MOST_READINGS, SHORT = 1440, 300
LENGTH, INTERVAL_S = 60, 5
ALL, *_ = features.CHANNEL_SETS
FEWER_CHANNELS = {name: channels for name, channels in features.CHANNEL_SETS.items() if name != ALL}


@pytest.fixture(scope="module")
def requests():
    """(counters, channel set, rows, request) of consecutive readings of two wearers.

    They cover a spell off the wrist, a hole, a heart rate that rises, the largest request, and watches with fewer
    channels.
    """
    raw = readings.parse(watch.record_days(wearers=2, days=1, interval_s=INTERVAL_S, seed=20, first_id=900))
    requests = []
    for counters, table in (("cumulative", raw), ("interval", watch.to_interval_counters(raw))):
        for _, rows in table.groupby("user_id"):
            off = int(np.argmax(rows["heartRate"].to_numpy() == 0))  # 0 where a watch reports nothing off the wrist
            hole = int(rows["instant"].diff().argmax())
            begins = [max(0, place - STRETCH // 2) for place in (off, hole, len(rows) * 2 // 3)]
            stretches = [rows[begin : begin + STRETCH] for begin in begins]
            stretches[-1] = _faster_and_faster(stretches[-1])
            requests += [(counters, ALL, batch) for stretch in stretches for batch in _batches(stretch)]
        middle = rows[len(rows) // 2 :]  # of the last wearer
        requests.append((counters, ALL, middle[:MOST_READINGS]))
        for name, channels in FEWER_CHANNELS.items():
            lacking = dict.fromkeys(set(features.CHANNELS) - set(channels), np.nan)
            requests += [(counters, name, batch) for batch in _batches(middle[:SHORT].assign(**lacking))]
    return [(counters, name, rows, _request(rows, counters, name)) for counters, name, rows in requests]


def _faster_and_faster(rows):
    raised = np.linspace(0, 60, len(rows)).round()
    return rows.assign(heartRate=np.where(rows["heartRate"] > 0, rows["heartRate"] + raised, 0))


def _batches(rows):
    ends = np.cumsum(np.resize(LENGTHS, len(rows)))
    bounds = [0, *ends[ends < len(rows)], len(rows)]
    return [rows.iloc[low:high] for low, high in zip(bounds, bounds[1:], strict=False) if high - low > 1]


def _request(rows, counters, name):
    columns = rows[list(features.CHANNEL_SETS[name])].to_dict("records")
    stamps = rows["timestamp"].dt.strftime("%Y-%m-%dT%H:%M:%S")
    return {"counters": counters, "metrics": [{"timestamp": t, **c} for t, c in zip(stamps, columns, strict=True)]}


def notebook_scores(rows, counters, name, model, detector):
    """The score of each reading, (N,), as 02_clean, 03_train and 04_evaluate compute it; NaN off the wrist."""
    table, _ = clean.clean(rows, interval_s=INTERVAL_S, counters=counters)
    table = table[~table["heartRate"].isna()]
    if table.empty:
        return np.full(len(rows), np.nan)
    samples = clean.samples(table)
    first, size = windows.closing(clean.groups(table), length=LENGTH)
    scores = keras_scores(model, detector, samples, first, size, name=name)
    raw = windows.gather(samples, first, length=LENGTH, size=size)
    counted = features.channel_sets(np.full(7, True))[name]
    faults = faults_of(raw, interval_s=INTERVAL_S, counted=counted, size=size)
    scores[faults != grid.OK] = np.nan
    by_sample = scores[np.searchsorted(first + size - 1, np.arange(len(table)))]
    cell = np.ceil(rows["instant"].to_numpy() / INTERVAL_S) * INTERVAL_S
    place = np.searchsorted(table["timestamp"].to_numpy().astype("datetime64[s]").astype(int), cell)
    return np.where(rows["heartRate"] > 0, np.append(by_sample, np.nan)[place], np.nan)


@pytest.fixture(scope="module")
def expected(requests, export, model):
    """The notebooks' scores for each request."""
    detector = Detector.load(export)
    return [notebook_scores(rows, counters, name, model, detector) for counters, name, rows, _ in requests]


def test_the_bundle_gives_every_reading_the_notebooks_score_whatever_came_before(requests, export, expected):
    order = np.random.default_rng(0).permutation(np.repeat(np.arange(len(requests)), 2))  # each twice
    _, calls = bundle.call(export / bundle.ZIP, [requests[place][3] for place in order])
    compared = dict.fromkeys(features.CHANNEL_SETS, 0)
    for place, call in zip(order, calls, strict=True):
        served = [np.nan if r["anomalyScore"] is None else r["anomalyScore"] for r in call["answer"]["body"]["results"]]
        np.testing.assert_allclose(served, expected[place], rtol=0, atol=1e-5)
        compared[requests[place][1]] += np.isfinite(served).sum()
    assert compared[ALL] > 8_000
    assert min(compared.values()) > 1_000
    sent = [rows for _, _, rows, _ in requests]
    assert {len(rows) for rows in sent} >= {*LENGTHS, MOST_READINGS}
    assert any(rows["instant"].diff().max() > 60 for rows in sent)  # holes
    assert any((rows["instant"].diff() <= 0).any() for rows in sent)  # doubled or out of order
    mixed = [rows for rows in sent if 0 < (rows["heartRate"] == 0).sum() < len(rows)]
    assert {(rows["heartRate"].iloc[0] == 0) for rows in mixed} == {True, False}  # put on, and taken off


def test_the_scores_that_are_compared_are_of_all_levels(expected):
    scores = np.concatenate(expected)
    scores = scores[np.isfinite(scores)]
    assert np.percentile(scores, 10) < scoring.BORDERLINE
    assert ((scores > scoring.BORDERLINE) & (scores < scoring.ALERT)).mean() > 0.02
    assert scores.max() > scoring.ALERT
    assert len(np.unique(scores.round(4))) > 1_000


@pytest.mark.parametrize(("column", "change"), [("heartRate", 1), ("steps", 3), ("calories", 0.3), ("distance", 3)])
def test_a_small_change_of_one_reading_would_be_seen(requests, expected, export, model, column, change):
    worn = [(rows["heartRate"] > 0).all() and len(rows) == 100 for _, _, rows, _ in requests]
    place = worn.index(True)
    counters, name, rows, _ = requests[place]
    rows = rows.copy()
    rows.iloc[50, rows.columns.get_loc(column)] += change
    changed = notebook_scores(rows, counters, name, model, Detector.load(export))
    assert np.nanmax(np.abs(changed - expected[place])) > 1e-4


def test_a_reading_off_the_wrist_has_its_counters_counted(export):
    stamps = [1_772_434_800_000 + 5000 * place for place in range(4)]
    metrics = [
        {"timestamp": at, "heartRate": heart, "steps": steps, "calories": 0.1, "distance": 0.7 * steps}
        for at, heart, steps in zip(stamps, (70, 0, 72, 73), (2, 9, 2, 2), strict=True)
    ]
    (one,) = parse({"metrics": metrics, "counters": "interval"}, interval_s=INTERVAL_S)
    samples, _ = verdict._samples(one, np.arange(4), INTERVAL_S)
    raw = readings.parse(pd.DataFrame(metrics).assign(user_id="a"))
    table, _ = clean.clean(raw, interval_s=INTERVAL_S, counters="interval")
    np.testing.assert_allclose(samples, clean.samples(table), atol=1e-5)
    assert samples[:, 1].tolist() == [2, 9, 2, 2]


def test_a_wearer_followed_from_request_to_request_is_scored_as_the_notebooks_follow_them(export, tmp_path):
    samples = life(12 * 200)
    samples[200:, 1] = 0  # at rest, after a walk
    first = np.arange(0, len(samples) - LENGTH + 1, 12)
    followed = follow(Detector.load(export), samples, first, np.zeros(len(samples)))
    baseline, served = {}, []
    log = (tmp_path / "log").open("w")
    with log, bundle.unpacked(export / bundle.ZIP) as folder, ExecutionEnvironment(folder, log=log) as environment:
        for begin in range(0, len(first), 15):  # a quarter of an hour per request, with the baseline of the last answer
            rows = first[begin : begin + 15]
            request = bundle.request_of(samples[rows[0] : rows[-1] + LENGTH]) | {"baseline": baseline}
            body = json.loads(environment.invoke(json.dumps(request).encode()).answer.result())["body"]
            baseline = body["baseline"]
            served += [body["results"][row - rows[0] + LENGTH - 1]["anomalyScore"] for row in rows]
    np.testing.assert_allclose(served, followed.scores, rtol=0, atol=1e-3)  # a baseline has four digits
    assert followed.minutes[-1] > KNOWN
    assert followed.minutes[10] == 0
