"""More readings than one frame should hold: files of any number of wearers, worked on part by part.

A part is what is read at once: files that share wearers, or some wearers of these, so that each one is in one part
alone. `survey` reads all files once and counts; `recorded` makes the run's tables, of large data a sample;
`clean_partitions` cleans everything. What is taken as `how` (scheduler, workers, on_bad_part, progress) is for
`cluster.each`, which works on the parts.
"""

import functools
import hashlib
import json
from dataclasses import asdict, dataclass, fields
from typing import NamedTuple

import fsspec
import numpy as np
import pandas as pd

from lib import files, parallel
from lib.data import raw_files, readings, split

LEAST_READINGS, MOST_READINGS = 250_000, 2_000_000  # of a part, unless its files have fewer, or one wearer more


@dataclass(frozen=True)
class Part:
    """Files, and those of their wearers who are in this part: everybody where `wearers` is empty.

    held: for each file, a digest of the names of all who are in it; empty where that is not to be held to.
    """

    name: str
    files: tuple
    wearers: tuple = ()
    held: tuple = ()

    def __str__(self):
        return self.name


@dataclass(frozen=True)
class Survey:
    """What there is. `days` is `dataset.wearer_days` of all, each with the number of its part."""

    parts: list
    days: pd.DataFrame
    set_aside: dict  # {file: what is wrong with it}
    timezone: str

    @property
    def readings(self):
        return int(self.days["readings"].sum())

    @property
    def labelled(self):
        """Whether any reading has a label."""
        return bool(self.days["labelled"].any())

    def __str__(self):
        wearers = self.days["user_id"].nunique()
        return f"{self.readings:,} readings of {wearers:,} wearers in {len(self.parts):,} parts"


def survey(path, *, timezone="UTC", pieces=1, **how):
    """Read every file of `path` (of those that `readings.read` takes) once, and count what is in them.

    pieces: into how many parts files that share wearers are cut, by wearers: into fewer where one would have less than
    LEAST_READINGS, more where one would have over MOST_READINGS. Each part reads its files anew, so those of which that
    takes all rows (CSV, and Parquet that numbers its wearers) are cut only where they have to be.

    Raises what `readings.read` does, cluster.BadPart for a file that can not be read, unless it is to be skipped, and
    raw_files.StoreLost where none can be.
    """
    readings.zone(timezone)
    found, counted, cuttable, set_aside = raw_files.addresses(path), {}, {}, {}
    for file, result, problem in parallel.map_parts(functools.partial(_counted, timezone=timezone), found, part_error=raw_files.ReadingsError, **how):
        if problem:
            set_aside[file] = problem
        else:
            counted[file], cuttable[file] = result
    if not counted:
        raise ValueError(f"{path}: none of its {len(found)} files can be read; {next(iter(set_aside.values()))}")
    parts, days = _partitioned(counted, cuttable, pieces)
    return Survey(parts, days, set_aside, timezone)


def _counted(file, *, timezone):
    """A file's wearer-days, and whether it gives some wearers' rows without the others'."""
    days = split.wearer_days(_read_file(file, timezone=timezone))
    return days, raw_files.gives_some(*fsspec.core.url_to_fs(file))


def _read_file(file, *, timezone, wearers=(), held=""):
    """The rows of these wearers, or of all. Raises ReadingsError also where others are in the file than `held` says."""
    place = fsspec.core.url_to_fs(file)
    table = readings.read_file(*place, timezone=timezone, wearers=wearers)
    if held and held != _digest(set(table["user_id"].unique()) | (raw_files.named(*place) if wearers else set())):
        problem = "other wearers are in it than when it was counted: begin anew, a run from 01_generate"
        raise raw_files.ReadingsError(problem, file=file)
    return table[table["user_id"].isin(wearers)] if wearers else table


def _digest(names):
    return hashlib.sha256(json.dumps(sorted(map(str, names))).encode()).hexdigest()[:16]


def _partitioned(counted, cuttable, pieces):
    """The parts of files {file: wearer-days}, and the wearer-days of all, each with the number of its part.

    cuttable {file: boolean}: those of which some wearers' rows can be read alone, and which are cut into pieces.
    """
    table = pd.concat([days.assign(file=number) for number, days in enumerate(counted.values())], ignore_index=True)
    files = np.array(list(counted), dtype=object)
    held = {file: _digest(days["user_id"].unique()) for file, days in counted.items()}
    sharing = _sharing(table["user_id"], table["file"].to_numpy(), len(files))
    size = table["readings"].groupby([sharing[table["file"]], table["user_id"]]).sum()
    parts, part_of, held_by = [], {}, table["file"].groupby(table["user_id"]).unique()
    for group, wearers in size.groupby(level=0):
        batch = _batches(wearers.to_numpy(), pieces if all(map(cuttable.get, files[sharing == group])) else 1)
        names = wearers.index.get_level_values(1)
        for number in np.unique(batch):
            some = tuple(names[batch == number])
            holding = tuple(files[np.unique(np.concatenate(held_by[list(some)].to_list()))])
            part_of |= dict.fromkeys(some, len(parts))
            all_in_them = tuple(held[file] for file in holding)
            parts.append(Part(f"part-{len(parts):05d}", holding, some if batch[-1] else (), all_in_them))
    counts = {"readings": ("readings", "sum"), "labelled": ("labelled", "any")}
    days = table.groupby(["user_id", "timestamp"], as_index=False).agg(**counts)
    return parts, days.assign(part=days["user_id"].map(part_of))


def _batches(size, pieces):
    """Which part, from 0, each of N wearers with `size` (N,) readings is in: it begins where the one before is full."""
    number = np.clip(size.sum() // LEAST_READINGS, 1, pieces)
    return (size.cumsum() - size) // min(size.sum() / number, MOST_READINGS)


def _sharing(wearer, file, count):
    """A number (count,) for each file, that of the first file with which it is joined by wearers."""
    first = np.arange(count)
    while True:
        of_wearer = pd.Series(first[file]).groupby(wearer.to_numpy()).transform("min").to_numpy()
        lowest = first.copy()
        np.minimum.at(lowest, file, of_wearer)
        if (lowest == first).all():
            return first
        first = lowest


def read(part, *, timezone="UTC"):
    """The raw table of a part: the rows that `readings.read` gives of its wearers, in the same order.

    One file at a time is whole in memory; of a Parquet file that names its wearers as text, not even that. Raises
    ReadingsError for a file that can not be read, or that has gained or lost a wearer since the parts were made: a
    wearer would be in two parts, or in none.
    """
    files = zip(part.files, part.held or ("",) * len(part.files), strict=True)
    return readings.joined(
        [_read_file(file, timezone=timezone, wearers=part.wearers, held=held) for file, held in files]
    )


def key(part, **form):
    """A name for what is made of a part: another where its files as they are now, its wearers or the form differ."""
    states = [_state(*fsspec.core.url_to_fs(file)) for file in part.files]
    return hashlib.sha256(json.dumps([part.files, part.wearers, states, form]).encode()).hexdigest()


def _state(filesystem, name):
    """What changes when a file does; None for one that is gone or closed to us, as whoever reads it will say."""
    try:
        with raw_files.reached(filesystem, name):
            return filesystem.ukey(name)
    except OSError:
        return None


class Wanted(NamedTuple):
    """What is to be drawn of a part: the readings of these wearers in these hours (user_id, hour since 1970)."""

    part: Part
    hours: pd.DataFrame

    def __str__(self):
        return str(self.part)


def recorded(source, *, most_readings, seed, **how):
    """The run's three tables of a Survey, split as `dataset.recorded` does.

    Up to `most_readings` they hold all that there is. Of more data each holds at most about a third as many: of the
    development wearers stretches of an hour, evenly over wearers and hours of the day; of the others whole days, evenly
    over wearers, and one at least. Returns (Dataset, {file or part: problem} of those that were set aside only now).
    Raises ValueError where that is all of them, and what `dataset.divided` does.
    """
    by, part_of = split.divided(source.days, seed=seed)
    if source.readings <= most_readings:
        files = sorted({file for part in source.parts for file in part.files})  # rows in the order of readings.read
        tasks, function = files, functools.partial(_read_file, timezone=source.timezone)
    else:
        rng = np.random.default_rng(seed)
        hours = split.drawn(source.days, by=by, part_of=part_of, at_most=most_readings // 3, rng=rng)
        tasks = [Wanted(source.parts[number], rows) for number, rows in hours.groupby("part", sort=True)]
        function = functools.partial(_draw, timezone=source.timezone)
    outcomes = list(parallel.map_parts(function, tasks, part_error=raw_files.ReadingsError, **how))
    set_aside = {str(task): problem for task, _, problem in outcomes if problem}
    tables = [table for _, table, problem in outcomes if not problem]
    if not tables:
        raise ValueError(f"none of {len(tasks)} files or parts can be read any more; {next(iter(set_aside.values()))}")
    return split.gathered(readings.joined(tables), by=by, part_of=part_of), set_aside


def _draw(wanted, *, timezone):
    table = read(wanted.part, timezone=timezone)
    hour = table["timestamp"].to_numpy().astype("datetime64[h]").astype(np.int64)
    at = pd.MultiIndex.from_arrays([table["user_id"], hour])
    return table[at.isin(pd.MultiIndex.from_frame(wanted.hours[["user_id", "hour"]]))]


def save(parts, path, **form):
    """Write parts, and the form in which `clean_partitions.clean_all` is to read them, as JSON for `load`."""
    files.write_json(path, {"form": form, "parts": [asdict(part) for part in parts]})


def load(path):
    """The parts that `save` wrote, and their form; no parts where it wrote nothing.

    Raises ValueError for parts that an older version saved.
    """
    saved = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if not saved.get("parts"):
        return [], saved.get("form", {})
    try:
        names = [field.name for field in fields(Part)[1:]]
        return [Part(part["name"], *(tuple(part[name]) for name in names)) for part in saved["parts"]], saved["form"]
    except KeyError:
        raise ValueError(f"{path.name} was made by an older version: begin from 01, --from 01_generate") from None
