"""Batch scoring: a deployed model's scores for readings of the past, the same that the function would have given.

    python -m lib.score --run default --data march/ --out scores.parquet

Each file of a folder (or glob, or S3 prefix) is a part, with all readings of its wearers. Parts are scored by worker
processes, or on a Dask cluster, and kept beside `--out` as they are done: what was interrupted goes on from there, and
`--out` is there only once it is whole. It has a row a window: user_id, timestamp (of its last sample, the wearer's wall
clock), score (NaN for a stuck sensor), level, channel_set and still_minutes (that the wearer's baseline rests on).
"""

import argparse
import hashlib
import os
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
from tqdm import tqdm

from lib import clean, cluster, raw_files, readings, runs, scoring, windows
from lib.detector import MODEL, DamagedModel, Detector, sha256
from lib.following import follow

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
_REFUSED = (OSError, ValueError, DamagedModel, cluster.ClusterError)


def scored(file, *, export, timezone="UTC", counters="cumulative", stride=12):
    """The COLUMNS, an Arrow table, of the whole windows of a raw table's file, `stride` samples apart.

    export: the folder of a run's lambda_export. Each wearer is followed from their first reading on, their baseline
    learnt on the way. Raises ReadingsError for a file that can not be read.
    """
    detector = Detector.load(export)
    raw = readings.read(file, timezone=timezone)
    table, _ = clean.clean(raw, interval_s=detector.interval_s, counters=counters)
    worn = (table["quality"] != "not_worn").to_numpy()
    first = windows.starts(clean.groups(table), length=detector.sequence_length, stride=stride, trusted=worn)
    found = follow(detector, clean.samples(table), first, table["user_id"].astype("str"))
    last = table.iloc[first + detector.sequence_length - 1]
    columns = {
        "user_id": last["user_id"].astype("str").to_numpy(dtype=object),
        "timestamp": last["timestamp"].to_numpy("datetime64[ms]"),
        "score": found.scores.astype(np.float32),
        "level": levels(found.scores),
        "channel_set": found.channel_set,
        "still_minutes": found.minutes.astype(np.int32),
    }
    return pa.table(columns, schema=COLUMNS)


def levels(scores):
    """The names (N,) of the levels of scores (N,)."""
    reached = (scores >= scoring.BORDERLINE).astype(int) + (scores >= scoring.ALERT)
    return np.where(np.isnan(scores), scoring.UNKNOWN, np.array(scoring.LEVELS, dtype=object)[reached])


def score(export, data, out, *, scheduler="", workers=None, on_bad_part="stop", progress=tqdm, **form):
    """Write the scores of all files of `data` to `out`, a Parquet file; form: of `scored`.

    Returns (windows, those of them that were scored now, {file: problem} of parts that were set aside). Raises
    ValueError where a wearer's readings lie in two files, and what `cluster.each` does.
    """
    filesystem, names = raw_files.files(data)
    if str(out) in names:
        raise ValueError(f"--out {out} is one of the files to score")
    kept, made_by = out.with_name(f".{out.name}.parts"), sha256(Path(export) / MODEL)
    place = {
        filesystem.unstrip_protocol(name): kept / f"{_key(filesystem, name, made_by, form)}.parquet" for name in names
    }
    left = [file for file, path in place.items() if not path.exists()]
    options = {"scheduler": scheduler, "workers": workers, "on_bad_part": on_bad_part, "progress": progress}
    problems, new = {}, 0
    for file, table, problem in cluster.each(partial(scored, export=str(export), **form), left, **options):
        if problem:
            problems[file] = problem
            continue
        with runs.writing(place[file]) as path:
            parquet.write_table(table, path)
        new += len(table)
    done = {file: path for file, path in place.items() if path.exists()}
    _each_wearer_in_one(done)
    total = _join(done.values(), out)
    runs.remove(kept)
    return total, new, problems


def _key(filesystem, name, made_by, form):
    """What a part's scores follow from, as a name: another where the file, the model or the form is another."""
    facts = filesystem.info(name)
    version = [facts.get(fact) for fact in ("size", "mtime", "ETag", "LastModified")]
    return hashlib.sha256(repr((name, version, made_by, sorted(form.items()))).encode()).hexdigest()[:20]


def _each_wearer_in_one(parts):
    """Raise ValueError, naming both, where two of the parts {name: path} hold the same wearer."""
    owner = {}
    for name, path in parts.items():
        for wearer in parquet.read_table(path, columns=["user_id"])["user_id"].unique().to_pylist():
            if owner.setdefault(wearer, name) != name:
                raise ValueError(
                    f"{owner[wearer]} and {name} hold the same wearer: all of one's readings go in one file"
                )


def _join(paths, out):
    """Write the tables of `paths`, one after the other, as `out`, and return how many rows these are."""
    total = 0
    with runs.writing(out) as new, parquet.ParquetWriter(new, COLUMNS) as writer:
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
    parser.add_argument("--out", required=True, type=Path, help="the Parquet file to write")
    parser.add_argument(
        "--stride", type=int, default=12, help="samples between windows (default: %(default)s, a minute)"
    )
    parser.add_argument("--timezone", default="UTC", help="of UTC timestamps (default: %(default)s)")
    parser.add_argument("--counters", default="cumulative", choices=clean.COUNTER_FORMS)
    parser.add_argument("--workers", type=int, help="processes of one thread each (default: one a core)")
    parser.add_argument("--dask-scheduler", default="", help="tcp://host:port of a cluster to score on")
    parser.add_argument("--on-bad-part", default="stop", choices=cluster.ON_BAD_PART)
    given = parser.parse_args(words)
    for name in ("stride", "workers"):
        if (value := getattr(given, name)) is not None and value < 1:
            parser.error(f"--{name} {value}: 1 or more is wanted")
    return given


def main(words=None):
    """Score, and say at what rate. Returns the exit status: 1 where parts were set aside."""
    given = parsed(words)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # of the workers: one thread each
    form = {"timezone": given.timezone, "counters": given.counters, "stride": given.stride}
    options = {"scheduler": given.dask_scheduler, "workers": given.workers, "on_bad_part": given.on_bad_part}
    began = time.monotonic()
    try:
        export = runs.Run.at(given.run).models / "lambda_export"
        data = given.data if "://" in given.data else str(Path(given.data).absolute())
        total, new, problems = score(export, data, given.out.absolute(), **options, **form)
    except _REFUSED as error:
        sys.exit(f"lib.score: {error}")
    seconds = time.monotonic() - began
    print(f"{given.out}: {total:,} windows, {new:,} of them now, {new / seconds:,.0f} a second")
    for part, problem in problems.items():
        print(f"set aside: {part}: {problem}", file=sys.stderr)
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
