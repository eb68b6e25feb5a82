"""Clean every partition into a Parquet file that holds its clean table and, in the metadata, its account.

Table and account are in the same file, and a finished file is moved into place, so that no partition is counted twice.
The project does not read these tables again: they are for other analyses. pandas and Dask read the folder as one table.
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
    """A partition, and the key of its files and settings."""

    partition: partitions.Partition
    key: str

    def __str__(self):
        return str(self.partition)


def clean_all(sources, folder, *, timezone, interval_s, counters, labelled=False, **parallel_options):
    """Clean each partition into `folder`/<name>.parquet.

    A partition that was cleaned before, from the same files with the same settings, is not cleaned again. Files of
    other partitions, or of changed ones, are removed.

    Parameters
    ----------
    sources : list of Partition
    folder : Path
    timezone, interval_s, counters
        As in `readings.read` and `clean.clean`.
    labelled : bool
        Whether the clean tables have a column `label`: true if any reading of any partition has a label.
    **parallel_options
        Keyword arguments of `parallel.map_parts`.

    Returns
    -------
    account : dict
        The sum of all accounts, as in `clean.clean`.
    set_aside : dict
        {partition: problem} for partitions that cannot be cleaned.

    Raises
    ------
    OSError
        If the disk is full. The message gives the number of finished partitions.
    ValueError
        If no partition can be cleaned.
    """
    settings = {"timezone": timezone, "interval_s": interval_s, "counters": counters, "labelled": labelled}
    tasks = [Task(partition, partitions.key(partition, **settings)) for partition in sources]
    paths = {str(task): folder / f"{task}.parquet" for task in tasks}
    _remove_others(folder, paths.values())
    accounts = {str(task): _read_account(paths[str(task)], task.key) for task in tasks}
    waiting = [task for task in tasks if not accounts[str(task)]]
    for task in waiting:
        paths[str(task)].unlink(missing_ok=True)
    set_aside, function = {}, functools.partial(_clean_to_bytes, **settings)
    outcomes = parallel.map_parts(function, waiting, part_error=ReadingsError, **parallel_options)
    for task, content, problem in outcomes:
        if problem:
            set_aside[str(task)] = problem
        else:
            _write(paths[str(task)], content, total=len(sources))
            accounts[str(task)] = _read_account(paths[str(task)], task.key)
    done = [account for account in accounts.values() if account]
    if not done:
        raise ValueError(f"none of {len(sources)} partitions can be cleaned; {next(iter(set_aside.values()), '')}")
    return clean.sum_accounts(done), set_aside


def _clean_to_bytes(task, *, timezone, interval_s, counters, labelled):
    """The content of a partition's Parquet file."""
    raw = partitions.read(task.partition, timezone=timezone)
    raw = raw.assign(label=raw.get("label", "")) if labelled else raw.drop(columns="label", errors="ignore")
    table, account = clean.clean(raw, interval_s=interval_s, counters=counters)
    table = pa.Table.from_pandas(table, preserve_index=False)
    metadata = {**(table.schema.metadata or {}), "account": json.dumps(account), "made_from": task.key}
    stream = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(metadata), stream, compression="zstd")
    return stream.getvalue()


def _read_account(path, key):
    """The account in a partition's file, or None if there is no complete file made from `key`."""
    try:
        metadata = pq.read_schema(path).metadata or {}
        return json.loads(metadata[b"account"]) if metadata.get(b"made_from") == key.encode() else None
    except (OSError, ValueError):  # no file, or one that a power cut left empty or truncated
        return None


def _write(path, content, *, total):
    """Write a partition's file. Raises OSError with the number of finished partitions if the disk is full."""
    try:
        with files.writing(path) as new:
            new.write_bytes(content)
    except OSError as error:
        if not files.is_full(error):
            raise
        done = len(list(path.parent.glob("*.parquet")))
        problem = (
            f"the disk is full: {done} of {total} partitions are finished and kept; free some space and start again"
        )
        raise OSError(error.errno, problem, path.name) from error


def _remove_others(folder, paths):
    """Remove the files of partitions that no longer exist."""
    for path in set(folder.glob("*.parquet")) - set(paths):
        path.unlink()
