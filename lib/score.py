"""Batch scoring: the scores that the deployed function would have given past readings.

    .venv/bin/python -m lib.score --run default --data march/ --out scores.parquet

`--out` has the columns of `lib.evaluation.batch_score.COLUMNS`: user_id, timestamp, score (null for a faulty sensor),
level, channel_set, still_minutes, trend_score and trend_level. There is a row for each window. Minutes of a worn watch
in which no window ends have a row with the trend alone, unless --stride asks for certain windows.
"""

import argparse
import re
import sys
import time
from pathlib import Path

from lib import files, parallel
from lib.data import raw_files
from lib.detector.export_folder import DamagedModel
from lib.detector.features import COUNTER_FORMS
from lib.evaluation import batch_score
from lib.run import Run

INTERRUPTED = 130
_REFUSED = (OSError, ValueError, DamagedModel, files.Locked, parallel.ClusterError, raw_files.StoreLost)
_NO_WINDOW = (
    "no window could be scored: readings are too far apart for the model, or too few without a gap. score is null; "
    "trend_score is there for every minute worn"
)
_PARAMETER = re.compile(r"^(dask_scheduler|timezone)=")  # run_all.sh's parameters, which are options here


def parse_options(arguments):
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m lib.score", description=__doc__.splitlines()[0])
    parser.add_argument("--run", default="default", help="the run whose export scores (default: %(default)s)")
    parser.add_argument("--data", required=True, help="readings: a file, folder, glob or s3://, as for data_path=")
    parser.add_argument("--out", required=True, type=_local_path, help="the Parquet file to write")
    parser.add_argument("--stride", type=int, help="samples between windows (default: those of a minute)")
    parser.add_argument("--timezone", default="UTC", help="the local time of UTC timestamps (default: %(default)s)")
    parser.add_argument("--counters", default="cumulative", choices=COUNTER_FORMS)
    parser.add_argument("--workers", type=int, help="processes of one thread each (default: one for each core)")
    parser.add_argument("--dask-scheduler", default="", help="tcp://host:port of a cluster to score on")
    parser.add_argument("--on-bad-part", default="stop", choices=parallel.ON_BAD_PART)
    options = parser.parse_args(arguments)
    for name in ("stride", "workers"):
        if (value := getattr(options, name)) is not None and value < 1:
            parser.error(f"--{name} {value}: expected 1 or more")
    return options


def _local_path(text):
    """Return the Path of a local file. Intermediate results are kept beside it and moved, which S3 cannot do."""
    if "://" in text:
        raise argparse.ArgumentTypeError(f"{text}: expected a local file; copy it from there")
    return Path(text)


def main(arguments=None):
    """Score, and print the rate. Returns the exit status: 1 if parts were skipped, 130 after Ctrl-C."""
    options = parse_options(arguments)
    out = options.out.absolute()
    resume = f"finished scores are kept beside {options.out}, and the same command continues with the rest"
    began = time.monotonic()
    try:
        scored = batch_score.score_files(
            Run.at(options.run).models / "lambda_export",
            options.data if "://" in options.data else str(Path(options.data).absolute()),
            out,
            options=batch_score.Options(options.timezone, options.counters, options.stride),
            workers=batch_score.Workers(options.dask_scheduler, options.workers, options.on_bad_part),
        )
    except _REFUSED as error:
        sys.exit(f"lib.score: {_message(error, options.out, resume)}")
    except KeyboardInterrupt:
        print(f"lib.score: stopped by Ctrl-C; {resume}", file=sys.stderr)
        return INTERRUPTED
    print(*scored.lines, sep="\n")
    rate = scored.new_windows / (time.monotonic() - began)
    print(f"{options.out}: {scored.windows:,} windows, {scored.new_windows:,} of them now, {rate:,.0f} a second")
    if not scored.windows:
        print(_NO_WINDOW)
    for part, problem in scored.problems.items():
        print(f"skipped: {part}: {problem}", file=sys.stderr)
    if scored.problems:
        print(f"lib.score: {resume}", file=sys.stderr)
    return int(bool(scored.problems))


def _message(error, out, resume):
    """Return an error's message in terms of the options of this command line."""
    if isinstance(error, files.Locked):
        return f"--out {out} is being written by {error.holder}; wait for it, or name another file"
    if isinstance(error, parallel.BadPart):
        return f"{error.problem}; --on-bad-part skip goes on without it; {resume}"
    if isinstance(error, OSError) and files.is_full(error):
        return f"the disk is full: {error}; free some space; {resume}"
    return _PARAMETER.sub(lambda match: f"--{match[1].replace('_', '-')} ", str(error))


if __name__ == "__main__":
    sys.exit(main())
