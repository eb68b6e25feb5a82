"""The held-out test of data too large for a run's tables: all of it, scored partition by partition.

The run's test table is a sample: whole days, with anomalies injected. Here everything that was recorded counts, with
the labels of the data. A wearer lies in one partition alone, so figures counted by partition add up to those of one
table; life without a whole window does not count. The windows of all partitions are in memory, the readings are not.
"""

import json
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from lib import parallel
from lib.data import clean, partitions
from lib.data import split as splitting
from lib.data.raw_files import ReadingsError
from lib.detector import scoring, windows
from lib.detector.detector import Detector
from lib.detector.following import follow
from lib.evaluation import alerts
from lib.evaluation.events import describe_windows, gate_delays, labelled_events, wearer_days
from lib.evaluation.score_card import EvaluationSet, score_card

LEVELS = {"0.3": scoring.BORDERLINE, "0.7": scoring.ALERT}


class ScoredLife(NamedTuple):
    """The test's life in one partition."""

    windows: pd.DataFrame  # of `events.describe_windows`
    scores: np.ndarray  # (n_windows,) NaN where a sensor is at fault
    lasting: np.ndarray  # (n_windows,) scores that last as long as an alert takes
    events: pd.DataFrame  # of `events.labelled_events`
    gated: np.ndarray  # (n_events,) bool: the events that the quality check reports
    days: float  # of `events.wearer_days`


@dataclass(frozen=True)
class Settings:
    """How a partition is read and scored."""

    detector: Detector
    units: list  # wearers or days of the test, named as by `split.units`
    by: str  # "wearer" or "day"
    stride: int  # samples between windows
    timezone: str = "UTC"
    counters: str = "cumulative"


def load_tasks(folder, *, detector, stride, counters):
    """The partitions of a run's data folder, and the Settings to score them; ([], None) if its tables hold everything.

    Raises ValueError for a folder of an older version.
    """
    tasks, reading = partitions.load(folder / "parts.json")
    if not tasks:
        return [], None
    split = json.loads((folder / "split.json").read_text(encoding="utf-8"))
    if "test" not in split:
        raise ValueError("split.json: expected the test's units, got none; run it again, --from 01_generate")
    return tasks, Settings(detector, split["test"], split["by"], stride, reading["timezone"], counters)


def score_partition(partition, *, settings):
    """The ScoredLife of a partition, or None if it holds nothing of the test.

    Raises ReadingsError for a file that cannot be read.
    """
    raw = partitions.read(partition, timezone=settings.timezone)
    tested = pd.Series(splitting.units(raw, by=settings.by)).isin(settings.units)
    raw = raw[tested.to_numpy()].reset_index(drop=True)
    if raw.empty:
        return None
    table, _ = clean.clean(raw, interval_s=settings.detector.interval_s, counters=settings.counters)
    return score_table(table, settings.detector, stride=settings.stride)


def score_table(table, detector, *, stride):
    """The ScoredLife of a clean table, or None if it holds no whole window."""
    group, worn = clean.groups(table), clean.worn(table)
    first = windows.starts(group, length=detector.sequence_length, stride=stride, trusted=worn)
    if not len(first):
        return None
    described = describe_windows(table, first, length=detector.sequence_length)
    followed = follow(detector, clean.samples(table), first, table["user_id"].astype("str"))
    persistence = detector.persistence.spaced(stride * detector.interval_s)
    events = labelled_events(table)
    return ScoredLife(
        windows=described,
        scores=followed.scores,
        lasting=persistence.lasting(followed.scores, alerts.end_times(described), group[first]),
        events=events,
        gated=~np.isnan(gate_delays(table, described, events, followed.faulty)),
        days=wearer_days(table, interval_s=detector.interval_s),
    )


def evaluate(tasks, settings, *, scheduler="", on_bad_part="stop", progress=iter):
    """Score all partitions, and measure them as one test.

    Parameters
    ----------
    tasks : list of Partition
    settings : Settings
    scheduler, on_bad_part, progress
        As in `lib.parallel`, whose errors this raises too.

    Returns
    -------
    (card, total) : tuple
        Of `score_card.score_card`.
    set_aside : dict of str to str
        The problem of each partition that was skipped.

    Raises
    ------
    ValueError
        If no partition holds a window of the test.
    """
    how = {"scheduler": scheduler, "on_bad_part": on_bad_part, "progress": progress}
    score = partial(score_partition, settings=settings)
    lives, set_aside = [], {}
    for task, life, problem in parallel.map_parts(score, tasks, part_error=ReadingsError, **how):
        if problem:
            set_aside[str(task)] = problem
        elif life is not None:
            lives.append(life)
    if not lives:
        because = "".join(f"; {problem}" for problem in list(set_aside.values())[:1])
        raise ValueError(f"expected a window of the test in {len(tasks)} partitions, got none{because}")
    return _measure(ScoredLife(*zip(*lives, strict=True))), set_aside


def _measure(lives):
    """The score card of a ScoredLife whose fields hold one item a partition."""
    scores = np.concatenate(lives.scores)
    test = EvaluationSet(
        windows=pd.concat(lives.windows, ignore_index=True),
        events=_joined(lives.events),
        days=sum(lives.days),
        gated=np.concatenate(lives.gated),
        faulty=np.isnan(scores),
    )
    return score_card(test, scores, LEVELS, lasting={"0.7": np.concatenate(lives.lasting)})


def _joined(events):
    """One table of all events. pandas warns of the column types of empty tables, so those are left out."""
    return pd.concat([table for table in events if len(table)] or events[:1], ignore_index=True)
