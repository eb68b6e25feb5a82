"""Work on more readings than fit in memory, one partition at a time.

`survey` reads all files once, counts their readings, and groups them into partitions. `read_dataset` makes the run's
tables; of large data these are a sample. `clean_partitions` cleans everything.
"""

import functools
import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd
from tqdm import tqdm

from lib import files, parallel
from lib.data import archive, counter_form, exports, raw_files, readings, sampling, split
from lib.data.partitioning import Partition, digest_names, partition_files

_JSON_NAMES = {"name": "name", "files": "files", "wearers": "wearers", "held": "digests"}  # key: field


@dataclass(frozen=True)
class Survey:
    """What all files contain."""

    partitions: list
    days: pd.DataFrame  # as in `split.wearer_days`, with the number of each wearer's partition
    set_aside: dict  # {file: problem}
    timezone: str
    notes: dict = field(default_factory=dict)  # {what was ignored, merged or left out: how many rows or files}
    converted: tuple = ()  # an export's report, in lines

    @property
    def readings(self):
        return int(self.days["readings"].sum())

    @property
    def labelled(self):
        """Whether any reading has a label."""
        return bool(self.days["labelled"].any())

    def __str__(self):
        wearers = self.days["user_id"].nunique()
        return f"{self.readings:,} readings of {wearers:,} wearers in {len(self.partitions):,} partitions"

    def lines(self):
        """What there is, and what was ignored, merged or left out, as lines of text."""
        yield str(self)
        yield from self.converted
        yield from (f"{reason} ({count:,})" if count > 1 else reason for reason, count in self.notes.items())


def survey(path, *, timezone="UTC", counters=None, batches=1, **parallel_options):
    """Read every file once, count its readings, and group the files into partitions.

    Parameters
    ----------
    path : str or Path
        As in `readings.read`.
    timezone : str
    counters : str, optional
        "cumulative" or "interval": the form that the counters of each file must have.
    batches : int
        Partitions per group of files that share wearers, as in `partitioning.partition_files`.
    **parallel_options
        Keyword arguments of `parallel.map_parts`.

    Returns
    -------
    Survey

    Raises
    ------
    parallel.BadPart
        If a file cannot be read, or its counters have another form, unless on_bad_part is "skip".
    ValueError
        If no file can be read, and as `readings.read` does.
    raw_files.StoreLost
        If the network or the credentials fail.
    """
    readings.zone(timezone)
    path, report = exports.as_raw_table(path, timezone=timezone, counters=counters or "cumulative", progress=tqdm)
    addresses, counts, set_aside = raw_files.addresses(path), {}, {}
    function = functools.partial(_count, timezone=timezone, counters=counters)
    outcomes = parallel.map_parts(function, addresses, part_error=raw_files.ReadingsError, **parallel_options)
    for file, result, problem in outcomes:
        if problem:
            set_aside[file] = problem
        else:
            counts[file] = result
    if not counts:
        problem = next(iter(set_aside.values()))
        raise ValueError(f"{path}: none of its {len(addresses)} files can be read; {problem}")
    readings.require_one_clock({file: count.clock for file, count in counts.items()})
    days, cuttable = ({file: getattr(count, name) for file, count in counts.items()} for name in ("days", "cuttable"))
    return Survey(*partition_files(days, cuttable, batches), set_aside, timezone, _notes(counts, path), report)


def _notes(counts, path):
    """What happened to the rows of all files, and which files are left out."""
    notes = sum((Counter(count.notes) for count in counts.values()), Counter())
    names = (archive.printable(file) for file in raw_files.left_out(path))
    return dict(notes) | {f"file left out, of no kind that is read: {name}": 1 for name in names}


class Count(NamedTuple):
    """What one file holds."""

    days: pd.DataFrame  # as in `split.wearer_days`
    cuttable: bool  # whether the rows of some of its wearers can be read alone
    notes: dict
    clock: str  # one of those of `timestamps.clocks`


def _count(file, *, timezone, counters):
    table = _read_file(file, timezone=timezone)
    if counters:
        try:
            counter_form.require(table, counters)
        except counter_form.CounterFormError as error:
            raise raw_files.ReadingsError(str(error), file=file) from None
    cuttable = raw_files.gives_some(*archive.place(file))
    return Count(split.wearer_days(table), cuttable, table.attrs["notes"], table.attrs["clock"])


def _read_file(file, *, timezone, wearers=(), digest=""):
    """The rows of these wearers, or of all. Raises ReadingsError if the file's wearers do not match the digest."""
    address = archive.place(file)
    table = readings.read_file(*address, timezone=timezone, wearers=wearers)
    others = raw_files.wearers_in(*address) if wearers else set()
    if digest and digest != digest_names(set(table["user_id"].unique()) | others):
        problem = "its wearers have changed since it was counted: start again, a run from 01_generate"
        raise raw_files.ReadingsError(problem, file=file)
    return table[table["user_id"].isin(wearers)] if wearers else table


def read(partition, *, timezone="UTC"):
    """Read a partition's raw table: the rows that `readings.read` gives of its wearers, in the same order.

    Files are read one at a time. Of a Parquet file that names its wearers as text, only their rows are in memory.

    Parameters
    ----------
    partition : Partition
    timezone : str

    Returns
    -------
    DataFrame

    Raises
    ------
    ReadingsError
        If a file cannot be read, or its wearers have changed since the survey. A wearer could then be in two partitions
        or in none.
    """
    digests = partition.digests or ("",) * len(partition.files)
    tables = [
        _read_file(file, timezone=timezone, wearers=partition.wearers, digest=digest)
        for file, digest in zip(partition.files, digests, strict=True)
    ]
    return readings.joined(tables)


def key(partition, **settings):
    """A hash for results made from a partition. It changes with its files, its wearers and the settings."""
    states = [_state(*archive.place(file)) for file in partition.files]
    return hashlib.sha256(json.dumps([partition.files, partition.wearers, states, settings]).encode()).hexdigest()


def _state(filesystem, name):
    """A value that changes when a file does. None if the file cannot be opened; reading it reports why."""
    try:
        with raw_files.reached(filesystem, name):
            return filesystem.ukey(name)
    except OSError:
        return None


class Sample(NamedTuple):
    """A partition, and the hours to draw from it: a frame of user_id and hour (since 1970)."""

    partition: Partition
    hours: pd.DataFrame

    def __str__(self):
        return str(self.partition)


def read_dataset(source, *, most_readings, seed, **parallel_options):
    """Read and split a run's tables.

    Up to `most_readings` readings, the tables hold everything, split as `split.split_readings` does. Of more, each table
    is a sample of about a third as many. Development gets single hours, evenly over wearers and hours of the day. The
    others get whole days, evenly over wearers, and one at least.

    Parameters
    ----------
    source : Survey
    most_readings, seed : int
    **parallel_options
        Keyword arguments of `parallel.map_parts`.

    Returns
    -------
    dataset : split.Dataset
    set_aside : dict
        {file or partition: problem} of those that can no longer be read.

    Raises
    ------
    ValueError
        If nothing can be read any more, and as `split.assign_splits` does.
    """
    by, split_of = split.assign_splits(source.days, seed=seed)
    if source.readings <= most_readings:
        tasks = sorted({file for partition in source.partitions for file in partition.files})  # in the order of read
        function = functools.partial(_read_file, timezone=source.timezone)
    else:
        rng = np.random.default_rng(seed)
        hours = sampling.draw_hours(source.days, by=by, split_of=split_of, max_readings=most_readings // 3, rng=rng)
        tasks = [Sample(source.partitions[number], rows) for number, rows in hours.groupby("partition", sort=True)]
        function = functools.partial(_read_sample, timezone=source.timezone)
    outcomes = list(parallel.map_parts(function, tasks, part_error=raw_files.ReadingsError, **parallel_options))
    set_aside = {str(task): problem for task, _, problem in outcomes if problem}
    tables = [table for _, table, problem in outcomes if not problem]
    if not tables:
        problem = next(iter(set_aside.values()))
        raise ValueError(f"none of {len(tasks)} files or partitions can be read any more; {problem}")
    table = readings.joined(tables)
    if table["heartRate"].isna().all():
        raise ValueError(f"expected heart rates, got none in {len(table):,} readings: check the column heartRate")
    return split.split_table(table, by=by, split_of=split_of), set_aside


def _read_sample(sample, *, timezone):
    table = read(sample.partition, timezone=timezone)
    hour = table["timestamp"].to_numpy().astype("datetime64[h]").astype(np.int64)
    index = pd.MultiIndex.from_arrays([table["user_id"], hour])
    return table[index.isin(pd.MultiIndex.from_frame(sample.hours[["user_id", "hour"]]))]


def save(partitions, path, *, timezone, labelled=False):
    """Write partitions, and how `clean_partitions.clean_all` is to read them, as JSON."""
    rows = [{name: getattr(row, field) for name, field in _JSON_NAMES.items()} for row in partitions]
    files.write_json(path, {"form": {"timezone": timezone, "labelled": labelled}, "parts": rows})


def load(path):
    """Load what `save` wrote.

    Returns
    -------
    partitions : list of Partition
        Empty if the file does not exist or holds none.
    options : dict
        timezone and labelled, for `clean_partitions.clean_all`.

    Raises
    ------
    ValueError
        If an older version saved the partitions.
    """
    saved = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if not saved.get("parts"):
        return [], saved.get("form", {})
    try:
        rows = [{field: row[name] for name, field in _JSON_NAMES.items()} for row in saved["parts"]]
        return [Partition(row.pop("name"), **{k: tuple(v) for k, v in row.items()}) for row in rows], saved["form"]
    except KeyError:
        raise ValueError(f"{path.name} was made by an older version: start again with --from 01_generate") from None
