"""Group files into partitions, which are read and processed one at a time.

A partition is a group of files that share wearers, or some wearers of such a group. Each wearer is in one partition.
"""

import hashlib
import json
from dataclasses import dataclass

import numpy as np
import pandas as pd

MIN_READINGS, MAX_READINGS = 250_000, 2_000_000  # of a partition, where files and wearers allow


@dataclass(frozen=True)
class Partition:
    """Files, and the wearers among theirs who are in this partition.

    Parameters
    ----------
    name : str
    files : tuple of str
    wearers : tuple of str
        Empty for all wearers of the files.
    digests : tuple of str
        For each file, a digest of the names of all its wearers. Empty if changes need not be detected.
    """

    name: str
    files: tuple
    wearers: tuple = ()
    digests: tuple = ()

    def __str__(self):
        return self.name


def digest_names(names):
    """A digest of a set of wearers' names."""
    return hashlib.sha256(json.dumps(sorted(map(str, names))).encode()).hexdigest()[:16]


def partition_files(days_by_file, cuttable, batches):
    """Group files into partitions.

    Each partition reads its files again. Files that can only be read as a whole (CSV, and Parquet with numbers for
    names) are therefore cut only if they are too large.

    Parameters
    ----------
    days_by_file : dict
        {file: wearer-days}
    cuttable : dict
        {file: whether the rows of some of its wearers can be read alone}
    batches : int
        Partitions per group of files that share wearers. There are fewer if they would have less than MIN_READINGS, and
        more if they would have over MAX_READINGS.

    Returns
    -------
    partitions : list of Partition
    days : DataFrame
        The wearer-days of all files, with the number of each wearer's partition.
    """
    tables = [days.assign(file=number) for number, days in enumerate(days_by_file.values())]
    table = pd.concat(tables, ignore_index=True)
    files = np.array(list(days_by_file), dtype=object)
    digests = {file: digest_names(days["user_id"].unique()) for file, days in days_by_file.items()}
    group_of_file = _groups(table["user_id"], table["file"].to_numpy(), len(files))
    size = table["readings"].groupby([group_of_file[table["file"]], table["user_id"]]).sum()
    partitions, number_of_wearer, files_of_wearer = [], {}, table["file"].groupby(table["user_id"]).unique()
    for group, readings in size.groupby(level=0):
        batch = _batches(readings.to_numpy(), batches if all(map(cuttable.get, files[group_of_file == group])) else 1)
        names = readings.index.get_level_values(1)
        for number in np.unique(batch):
            wearers = tuple(names[batch == number])
            paths = tuple(files[np.unique(np.concatenate(files_of_wearer[list(wearers)].to_list()))])
            number_of_wearer |= dict.fromkeys(wearers, len(partitions))
            name, selected = f"part-{len(partitions):05d}", wearers if batch[-1] else ()
            partitions.append(Partition(name, paths, selected, tuple(digests[path] for path in paths)))
    counts = {"readings": ("readings", "sum"), "labelled": ("labelled", "any")}
    days = table.groupby(["user_id", "timestamp"], as_index=False).agg(**counts)
    return partitions, days.assign(partition=days["user_id"].map(number_of_wearer))


def _batches(size, count):
    """The batch, from 0, of each of N wearers with `size` (N,) readings. A batch starts when the last one is full."""
    count = np.clip(size.sum() // MIN_READINGS, 1, count)
    return (size.cumsum() - size) // min(size.sum() / count, MAX_READINGS)


def _groups(wearer, file, count):
    """A group number (count,) for each file: the first file that it is connected to by shared wearers."""
    group = np.arange(count)
    while True:
        lowest_of_wearer = pd.Series(group[file]).groupby(wearer.to_numpy()).transform("min").to_numpy()
        lowest = group.copy()
        np.minimum.at(lowest, file, lowest_of_wearer)
        if (lowest == group).all():
            return group
        group = lowest
