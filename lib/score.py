"""Batch scoring: a deployed model's scores for readings of the past, the same that the function would have given.

    .venv/bin/python -m lib.score --run default --data march/ --out scores.parquet

All files of a folder (or glob, or S3 prefix) are read once to see who is in which: those that share wearers make a
part, or several, each of some of the wearers. Parts are scored by worker processes, or on a Dask cluster, and kept
beside `--out` as they are done: what was interrupted goes on from there, and `--out` is there only once it is whole. It
has a row a window: user_id, timestamp (of its last sample, the wearer's wall clock), score (NaN for a sensor at fault),
level, channel_set and still_minutes (that the wearer's baseline rests on).
"""

import argparse
import fcntl
import os
import re
import sys
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
from tqdm import tqdm

from lib import files, parallel, run
from lib.data import clean, partitions, raw_files
from lib.detector import grid, scoring, windows
from lib.detector.checksums import sha256
from lib.detector.detector import MODEL, DamagedModel, Detector
from lib.detector.features import COUNTER_FORMS
from lib.detector.following import follow

COLUMNS = pa.schema(
    [
        ("user_id", pa.string()),
        ("timestamp", pa.timestamp("ms")),
        ("score", pa.float32()),
        ("level", pa.string()),
        ("channel_set", pa.string()),
        ("still_minutes", pa.int32()),
    ]
)
INTERRUPTED = 130
_PIECES = 8  # of `parts.survey`: no worker is long at its last part while others have none left
_REFUSED = (OSError, ValueError, DamagedModel, parallel.ClusterError, raw_files.StoreLost)
_OF_A_RUN = re.compile(r"^(dask_scheduler|timezone)=")  # what names a parameter of run_all.sh, and here an option


def scored(part, *, export, timezone="UTC", counters="cumulative", stride=None):
    """The COLUMNS, an Arrow table, of the whole windows of a parts.Part, `stride` samples apart, or a minute.

    export: the folder of a run's lambda_export. Each wearer is followed from their first reading on, their baseline
    learnt on the way. Raises ReadingsError for a file that can not be read.
    """
    detector = Detector.load(export)
    raw = partitions.read(part, timezone=timezone)
    table, _ = clean.clean(raw, interval_s=detector.interval_s, counters=counters)
    worn = clean.worn(table)
    apart = {"length": detector.sequence_length, "stride": stride or grid.per_minute(detector.interval_s)}
    first = windows.starts(clean.groups(table), trusted=worn, **apart)
    if not len(first):
        return COLUMNS.empty_table()
    found = follow(detector, clean.samples(table), first, table["user_id"].astype("str"))
    last = table.iloc[first + detector.sequence_length - 1]
    columns = {
        "user_id": last["user_id"].astype("str").to_numpy(dtype=object),
        "timestamp": last["timestamp"].to_numpy("datetime64[ms]"),
        "score": found.scores.astype(np.float32),
        "level": scoring.levels(found.scores),
        "channel_set": found.channel_set,
        "still_minutes": found.minutes.astype(np.int32),
    }
    return pa.table(columns, schema=COLUMNS)


def score(export, data, out, *, scheduler="", workers=None, on_bad_part="stop", timezone="UTC", **form):
    """Write the scores of all readings of `data` to `out`, a Parquet file; timezone and form: of `scored`.

    Returns (windows, those of them that were scored now, {file or part: problem} of those that were set aside). Where
    there are such, the parts' scores stay beside `out`: once what was wrong is mended, those alone are left to score.
    Raises what `parts.survey` and `cluster.each` do.
    """
    if str(out) in raw_files.addresses(data):
        raise ValueError(f"--out {out} is one of the files to score")
    kept, made_by = out.with_name(f".{out.name}.parts"), sha256(Path(export) / MODEL)
    how = {"scheduler": scheduler, "workers": workers, "on_bad_part": on_bad_part}
    source = partitions.survey(
        data, timezone=timezone, pieces=_PIECES, progress=partial(tqdm, desc="files read"), **how
    )
    form |= {"timezone": timezone}
    place = {part: kept / f"{partitions.key(part, made_by=made_by, **form)}.parquet" for part in source.parts}
    left = [part for part, path in place.items() if not _whole(path)]
    problems, new = dict(source.set_aside), 0
    how["progress"] = partial(tqdm, desc="parts scored", total=len(place), initial=len(place) - len(left))
    for part, table, problem in parallel.map_parts(
        partial(scored, export=str(export), **form), left, part_error=raw_files.ReadingsError, **how
    ):
        if problem:
            problems[str(part)] = problem
            continue
        with files.writing(place[part]) as path:
            parquet.write_table(table, path)
        new += len(table)
    total = _join([path for part, path in place.items() if str(part) not in problems], out)
    if not problems:
        files.remove(kept)
    return total, new, problems


@contextmanager
def alone(out):
    """Hold the right to write `out`, by a lock beside it. Raises ValueError where another process has it."""
    path = out.with_name(f".{out.name}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held = os.fstat(file.fileno()).st_nlink > 0  # else the other one ended just now, and removed it
        except BlockingIOError:
            held = False
        if not held:
            raise ValueError(f"--out {out}: another process scores into it")
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _whole(path):
    """Whether a part's scores are there: after a power cut a file may be, and be empty or truncated."""
    try:
        return parquet.read_schema(path).equals(COLUMNS)
    except (OSError, ValueError):
        return False


def _join(paths, out):
    """Write the tables of `paths`, one after the other, as `out`, and return how many rows these are."""
    total = 0
    with files.writing(out) as new, parquet.ParquetWriter(new, COLUMNS) as writer:
        for path in paths:
            table = parquet.read_table(path)
            writer.write_table(table)
            total += len(table)
    return total


def parsed(words):
    """The command line's options."""
    parser = argparse.ArgumentParser(prog="python -m lib.score", description=__doc__.splitlines()[0])
    parser.add_argument("--run", default="default", help="whose lambda_export (default: %(default)s)")
    parser.add_argument(
        "--data", required=True, help="readings: a file, folder, glob or s3://, as data_path= takes them"
    )
    parser.add_argument("--out", required=True, type=_of_this_machine, help="the Parquet file to write")
    parser.add_argument("--stride", type=int, help="samples between windows (default: a minute's)")
    parser.add_argument("--timezone", default="UTC", help="of UTC timestamps (default: %(default)s)")
    parser.add_argument("--counters", default="cumulative", choices=COUNTER_FORMS)
    parser.add_argument("--workers", type=int, help="processes of one thread each (default: one a core)")
    parser.add_argument("--dask-scheduler", default="", help="tcp://host:port of a cluster to score on")
    parser.add_argument("--on-bad-part", default="stop", choices=parallel.ON_BAD_PART)
    given = parser.parse_args(words)
    for name in ("stride", "workers"):
        if (value := getattr(given, name)) is not None and value < 1:
            parser.error(f"--{name} {value}: 1 or more is wanted")
    return given


def _of_this_machine(text):
    """The Path of a file to write, which is none of S3 or the like: what is done is kept beside it, and moved."""
    if "://" in text:
        raise argparse.ArgumentTypeError(f"{text}: a file of this machine is wanted, to be copied from there")
    return Path(text)


def main(words=None):
    """Score, and say at what rate. Returns the exit status: 1 where parts were set aside, 130 after Ctrl-C."""
    given = parsed(words)
    form = {"timezone": given.timezone, "counters": given.counters, "stride": given.stride}
    options = {"scheduler": given.dask_scheduler, "workers": given.workers, "on_bad_part": given.on_bad_part}
    began = time.monotonic()
    goes_on = f"what is scored is kept beside {given.out}, and the same command goes on with the rest"
    try:
        export = run.Run.at(given.run).models / "lambda_export"
        data = given.data if "://" in given.data else str(Path(given.data).absolute())
        with alone(given.out.absolute()):
            total, new, problems = score(export, data, given.out.absolute(), **options, **form)
    except _REFUSED as error:
        sys.exit(f"lib.score: {_told(error, goes_on)}")
    except KeyboardInterrupt:
        print(f"lib.score: stopped by Ctrl-C; {goes_on}", file=sys.stderr)
        return INTERRUPTED
    seconds = time.monotonic() - began
    print(f"{given.out}: {total:,} windows, {new:,} of them now, {new / seconds:,.0f} a second")
    for part, problem in problems.items():
        print(f"set aside: {part}: {problem}", file=sys.stderr)
    if problems:
        print(f"lib.score: {goes_on}", file=sys.stderr)
    return int(bool(problems))


def _told(error, goes_on):
    """What an error says, in the words of this command line."""
    if isinstance(error, parallel.BadPart):
        return f"{error.problem}; --on-bad-part skip goes on without it; {goes_on}"
    if isinstance(error, OSError) and files.is_full(error):
        return f"the disk is full: {error}; make room: {goes_on}"
    return _OF_A_RUN.sub(lambda found: f"--{found[1].replace('_', '-')} ", str(error))


if __name__ == "__main__":
    sys.exit(main())
