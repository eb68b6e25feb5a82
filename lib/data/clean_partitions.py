"""Every part cleaned into a file of its own: Parquet, which holds the clean table and, in its metadata, its account.

The account lies in the file that it is of, and a file is moved to its place whole: what is there is counted once, and
what is not there is not counted. Nothing here reads the tables again: they are for whoever wants everything clean, and
pandas and Dask read the folder as one table.
"""

import functools
import io
import json
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from lib import files, parallel
from lib.data import clean, partitions
from lib.data.raw_files import ReadingsError


class Task(NamedTuple):
    """A part, and what its clean table is made from: the key of the part's files and of the way it is cleaned."""

    part: partitions.Part
    key: str

    def __str__(self):
        return str(self.part)


def clean_all(found, folder, *, timezone, interval_s, counters, labelled=False, **how):
    """Clean each Part of `found` into `folder`/<part>.parquet; `how` is for `cluster.each`.

    labelled: whether readings of any part have labels: all tables then have the column, or none has. A part that was
    cleaned before, from the same files in the same way, is not cleaned again; one that was cleaned from others is gone,
    whether or not it can be cleaned anew. Returns the account of all, as `clean.clean` gives it, and {part: problem} of
    those set aside. Raises OSError, saying how much is done, where the disk is full, and ValueError where no part can
    be cleaned.
    """
    form = {"timezone": timezone, "interval_s": interval_s, "counters": counters, "labelled": labelled}
    places = {part.name: folder / f"{part.name}.parquet" for part in found}
    tasks = [Task(part, partitions.key(part, **form)) for part in found]
    _remove_others(folder, places.values())
    accounts = {str(task): _account(places[str(task)], task.key) for task in tasks}
    waiting = [task for task in tasks if not accounts[str(task)]]
    for task in waiting:
        places[str(task)].unlink(missing_ok=True)
    set_aside = {}
    for task, cleaned, problem in parallel.map_parts(functools.partial(_cleaned, **form), waiting, part_error=ReadingsError, **how):
        if problem:
            set_aside[str(task)] = problem
        else:
            _write(places[str(task)], cleaned, total=len(found))
            accounts[str(task)] = _account(places[str(task)], task.key)
    done = [account for account in accounts.values() if account]
    if not done:
        raise ValueError(f"none of {len(found)} parts can be cleaned; {next(iter(set_aside.values()), '')}")
    return clean.summed(done), set_aside


def _cleaned(task, *, timezone, interval_s, counters, labelled):
    """The bytes of a part's file."""
    raw = partitions.read(task.part, timezone=timezone)
    raw = raw.assign(label=raw.get("label", "")) if labelled else raw.drop(columns="label", errors="ignore")
    table, account = clean.clean(raw, interval_s=interval_s, counters=counters)
    table = pa.Table.from_pandas(table, preserve_index=False)
    facts = {"account": json.dumps(account), "made_from": task.key}
    stream = io.BytesIO()
    pq.write_table(
        table.replace_schema_metadata({**(table.schema.metadata or {}), **facts}), stream, compression="zstd"
    )
    return stream.getvalue()


def _account(path, key):
    """The account in a part's file, or None where there is no whole file that was made from `key`."""
    try:
        facts = pq.read_schema(path).metadata or {}
        return json.loads(facts[b"account"]) if facts.get(b"made_from") == key.encode() else None
    except (OSError, ValueError):  # no file, or, after a power cut, an empty or truncated one
        return None


def _write(path, content, *, total):
    try:
        with files.writing(path) as new:
            new.write_bytes(content)
    except OSError as error:
        if not files.is_full(error):
            raise
        done = len(list(path.parent.glob("*.parquet")))
        problem = (
            f"the disk is full: {done} of {total} parts are cleaned and stay; make room, and begin again for the rest"
        )
        raise OSError(error.errno, problem, path.name) from error


def _remove_others(folder, places):
    """Remove the parts of earlier data, so that the folder holds these alone."""
    for path in set(folder.glob("*.parquet")) - set(places):
        path.unlink()
