"""All that large data hold of the test's wearers, followed part by part as 04 follows the run's own test.

The run's test table is a sample of it, whole days, with anomalies laid on them; here is everything, as it was recorded,
with the labels that it came with. A wearer is in one part alone, so that what is counted by part adds up to what one
table of all would give; but life in which there is no whole window counts for nothing. The windows of all
parts are kept in memory, the readings are not.
"""

import json
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from lib import parallel
from lib.data import clean, partitions
from lib.data import split as dataset
from lib.data.raw_files import ReadingsError
from lib.detector import scoring, windows
from lib.detector.following import follow
from lib.evaluation import alerts
from lib.evaluation import events as evaluation


class Followed(NamedTuple):
    """The test's life in a part: what `evaluation.score_card` is told of it."""

    windows: pd.DataFrame  # of `evaluation.describe_windows`
    scores: np.ndarray  # (N,) NaN where a sensor is at fault
    lasting: np.ndarray  # (N,) the scores that last as long as an alert takes
    events: pd.DataFrame  # of `evaluation.events`
    gated: np.ndarray  # (E,) booleans: which the quality check finds
    days: float  # of `evaluation.wearer_days`


def asked(folder, *, detector, stride, counters):
    """The tasks and the form of `score_card` for a run's data folder; no tasks where its tables hold everything.

    Raises ValueError for a folder that an older version made.
    """
    tasks, read_as = partitions.load(folder / "parts.json")
    if not tasks:
        return [], {}
    split = json.loads((folder / "split.json").read_text(encoding="utf-8"))
    if "test" not in split:
        raise ValueError("split.json was made by an older version: begin from 01, --from 01_generate")
    form = {"detector": detector, "units": split["test"], "by": split["by"], "stride": stride}
    return tasks, form | {"timezone": read_as["timezone"], "counters": counters}


def followed(part, *, detector, units, by, stride, timezone="UTC", counters="cumulative"):
    """The Followed of a Partition, or None where it holds nothing of the test.

    detector: a Detector, which goes to the workers with the part; units: who or which days are in the test, `by` wearer
    or day, as `dataset.units` names them; stride: samples between windows. Raises ReadingsError for a file that can not
    be read.
    """
    raw = partitions.read(part, timezone=timezone)
    raw = raw[pd.Series(dataset.units(raw, by=by)).isin(units).to_numpy()].reset_index(drop=True)
    if raw.empty:
        return None
    table, _ = clean.clean(raw, interval_s=detector.interval_s, counters=counters)
    return of_table(table, detector, stride=stride)


def of_table(table, detector, *, stride):
    """The Followed of a clean table, or None where it holds no whole window."""
    group, worn = clean.groups(table), clean.worn(table)
    first = windows.starts(group, length=detector.sequence_length, stride=stride, trusted=worn)
    if not len(first):
        return None
    seen = evaluation.describe_windows(table, first, length=detector.sequence_length)
    found = follow(detector, clean.samples(table), first, table["user_id"].astype("str"))
    persistence = detector.persistence.spaced(stride * detector.interval_s)
    events = evaluation.events(table)
    gated = ~np.isnan(evaluation.gate_delays(table, seen, events, found.faulty))
    lasting = persistence.lasting(found.scores, alerts.moments(seen), group[first])
    return Followed(
        seen, found.scores, lasting, events, gated, evaluation.wearer_days(table, interval_s=detector.interval_s)
    )


def score_card(tasks, form, *, scheduler="", on_bad_part="stop", progress=iter):
    """What `evaluation.score_card` says of the test's life in all parts, and {part: problem} of those set aside.

    tasks: Partitions; form: the arguments of `followed`. The work is done by `parallel.map_parts`, whose errors it
    raises, and ValueError where no part holds a window of the test.
    """
    how = {"scheduler": scheduler, "on_bad_part": on_bad_part, "progress": progress}
    found, set_aside = [], {}
    for part, result, problem in parallel.map_parts(partial(followed, **form), tasks, part_error=ReadingsError, **how):
        if problem:
            set_aside[str(part)] = problem
        elif result is not None:
            found.append(result)
    if not found:
        because = "".join(f"; {problem}" for problem in list(set_aside.values())[:1])
        raise ValueError(f"none of {len(tasks)} parts holds a window of the test{because}")
    seen, scores, lasting, events, gated, days = zip(*found, strict=True)
    seen, events = pd.concat(seen, ignore_index=True), _joined(events)
    scores, lasting, gated = map(np.concatenate, (scores, lasting, gated))
    levels = {"0.3": scoring.BORDERLINE, "0.7": scoring.ALERT}
    rests = {"days": sum(days), "gated": gated, "lasting": {"0.7": lasting}, "faulty": np.isnan(scores)}
    return evaluation.score_card(seen, events, scores, levels, **rests), set_aside


def _joined(events):
    """One table of these, of which all may be empty: pandas warns of the types of those that are."""
    return pd.concat([table for table in events if len(table)] or events[:1], ignore_index=True)
