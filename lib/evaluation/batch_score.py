"""Batch scoring: the scores that the deployed function would have given past readings.

All files are read once to see which wearers they hold. Files that share wearers make one partition, or several, each
of some of the wearers. Worker processes or a Dask cluster score the partitions. Their scores are kept beside the output
as they finish, so an interrupted call continues from there. The output appears once it is complete.
"""

from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
from tqdm import tqdm

from lib import files, parallel
from lib.data import clean, conversion, partitions, raw_files
from lib.detector import grid, scoring, windows
from lib.detector.checksums import sha256
from lib.detector.detector import Detector
from lib.detector.export_folder import MODEL
from lib.detector.following import follow
from lib.evaluation import trend_scores

COLUMNS = pa.schema(
    [
        ("user_id", pa.string()),
        ("timestamp", pa.timestamp("ms")),  # of a window's or minute's last sample, the wearer's wall clock
        ("score", pa.float32()),  # 0 to 1; null for a faulty sensor, and for a minute in which no window ends
        ("level", pa.string()),
        ("channel_set", pa.string()),
        ("still_minutes", pa.int32()),  # on which the wearer's baseline rests
        ("trend_score", pa.float32()),  # 0 to 1; null while unknown
        ("trend_level", pa.string()),
    ]
)
_OF_WINDOWS = COLUMNS.names[:-2]
_BATCHES = 8  # of files that share wearers: no worker is left alone with a large partition


@dataclass(frozen=True)
class Options:
    """How readings are scored.

    Attributes
    ----------
    timezone : str
        IANA name, the local time of UTC timestamps.
    counters : {"cumulative", "interval"}
    stride : int, optional
        Samples between window starts. By default those of a minute, and minutes without a window have a row, too.
    """

    timezone: str = "UTC"
    counters: str = "cumulative"
    stride: int | None = None


@dataclass(frozen=True)
class Workers:
    """Where partitions are scored, and what a bad one does: parameters of `parallel.map_parts`."""

    scheduler: str = ""
    workers: int | None = None
    on_bad_part: str = "stop"


class Scored(NamedTuple):
    """The result of batch scoring."""

    windows: int  # in the output
    new_windows: int  # scored in this call
    problems: dict  # {file or partition: problem} of those that were skipped
    lines: tuple = ()  # what was read, ignored, merged or left out


def score_partition(partition, *, export, options):
    """Score the windows and worn minutes of a partition's wearers. Each one's baseline is learned on the way.

    Parameters
    ----------
    partition : Partition
    export : str or Path
        The folder of a run's lambda_export.
    options : Options

    Returns
    -------
    pyarrow.Table
        COLUMNS, a row for each window, and for each other minute in which the watch was worn.

    Raises
    ------
    ReadingsError
        If a file cannot be read.
    """
    detector = Detector.load(export)
    raw = partitions.read(partition, timezone=options.timezone)
    table, _ = clean.clean(raw, interval_s=detector.interval_s, counters=options.counters)
    stride = options.stride or grid.per_minute(detector.interval_s)
    length = detector.sequence_length
    first = windows.starts(clean.groups(table), length=length, stride=stride, trusted=clean.worn(table))
    rows = _score_windows(detector, table, first) if len(first) else COLUMNS.empty_table().to_pandas()[_OF_WINDOWS]
    trend = trend_scores.follow(raw, counters=options.counters)
    rows = trend_scores.beside(rows, trend, whole=options.stride is None)
    rows = rows.assign(level=rows["level"].fillna(scoring.UNKNOWN), still_minutes=rows["still_minutes"].astype("Int32"))
    return pa.Table.from_pandas(rows, COLUMNS, preserve_index=False)


def _score_windows(detector, table, first):
    """Score the windows that start at rows `first` (N,) of a clean table: a frame of the columns _OF_WINDOWS."""
    followed = follow(detector, clean.samples(table), first, table["user_id"].astype("str"))
    last = table.iloc[first + detector.sequence_length - 1]
    columns = {
        "user_id": last["user_id"].astype("str").to_numpy(dtype=object),
        "timestamp": last["timestamp"].to_numpy("datetime64[ms]"),
        "score": followed.scores.astype(np.float32),
        "level": scoring.levels(followed.scores),
        "channel_set": followed.channel_set,
        "still_minutes": followed.minutes.astype(np.int32),
    }
    return pd.DataFrame(columns)


def score_files(export, data, out, *, options=Options(), workers=Workers()):  # noqa: B008 - both are frozen
    """Write the scores of all readings of `data` to the Parquet file `out`.

    If partitions are skipped, the scores of the others stay beside `out`. A later call scores only what is missing.

    Parameters
    ----------
    export : Path
        The folder of a run's lambda_export.
    data : str
        A file, folder or glob, or an s3:// address.
    out : Path
    options : Options
    workers : Workers

    Returns
    -------
    Scored

    Raises
    ------
    ValueError
        If `out` is one of the files to score, or no file can be read.
    files.Locked
        If another process writes `out`.
    BadPart, ClusterError, StoreLost
        As `partitions.survey` and `parallel.map_parts` raise them.
    """
    with files.locked(out.with_name(f".{out.name}.lock")):
        return _score_files(Path(export), data, out, options, asdict(workers))


def _score_files(export, data, out, options, workers):
    if not conversion.is_export(data) and str(out) in raw_files.addresses(data):
        raise ValueError(f"--out {out} is one of the files to score; name another file")
    folder = out.with_name(f".{out.name}.parts")
    reading = partial(tqdm, desc="files read")
    form = {"timezone": options.timezone, "counters": options.counters}
    source = partitions.survey(data, **form, batches=_BATCHES, progress=reading, **workers)
    settings = asdict(options) | {"made_by": sha256(export / MODEL)}
    paths = {part: folder / f"{partitions.key(part, **settings)}.parquet" for part in source.partitions}
    missing = [part for part, path in paths.items() if not _is_complete(path)]
    problems, new_windows = dict(source.set_aside), 0
    progress = partial(tqdm, desc="parts scored", total=len(paths), initial=len(paths) - len(missing))
    function = partial(score_partition, export=str(export), options=options)
    for part, table, problem in parallel.map_parts(
        function, missing, part_error=raw_files.ReadingsError, progress=progress, **workers
    ):
        if problem:
            problems[str(part)] = problem
            continue
        with files.writing(paths[part]) as path:
            parquet.write_table(table, path)
        new_windows += _count_windows(table)
    total = _concatenate([path for part, path in paths.items() if str(part) not in problems], out)
    if not problems:
        files.remove(folder)
    return Scored(total, new_windows, problems, tuple(source.lines()))


def _is_complete(path):
    """Return whether a partition's scores exist. After a power failure a file may be empty or truncated."""
    try:
        return parquet.read_schema(path).equals(COLUMNS)
    except (OSError, ValueError):
        return False


def _count_windows(table):
    """Return how many rows are windows, not minutes with the trend alone."""
    return len(table) - table["channel_set"].null_count


def _concatenate(paths, out):
    """Write the tables of `paths` to `out` and return the number of windows."""
    total = 0
    with files.writing(out) as new, parquet.ParquetWriter(new, COLUMNS) as writer:
        for path in paths:
            table = parquet.read_table(path)
            writer.write_table(table)
            total += _count_windows(table)
    return total
