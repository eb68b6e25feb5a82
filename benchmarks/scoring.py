"""What does scoring the past take, raw Parquet in and scores out? Prints a table.

Simulated days in files of 50 wearers (those of benchmarks/cleaning.py) are cleaned and scored at one window a minute by
`python -m lib.score` with the model of a run: some of them by one and by two workers of one thread each, then all,
where these are more. The seconds are those of the whole command, its start and the count of readings with it. Last come
the bytes that a wearer-day takes as Parquet, raw, clean (as 02_clean keeps it) and scored: what benchmarks/costs.py
takes as --bytes.

    .venv/bin/python benchmarks/scoring.py [--run default] [--wearers 1100] [--some 200]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as parquet
from cleaning import FORM, IN_A_FILE, Memory, write_parts

from lib import parallel
from lib.data import clean_partitions, partitions


def scored(run, data, out, *, workers):
    """Windows, seconds from start to end, and the peak memory of all processes, of one call of lib.score."""
    command = [sys.executable, "-m", "lib.score", "--run", run, "--data", str(data), "--out", str(out)]
    environment = {**os.environ, **{name: str(value) for name, value in parallel.ENVIRON.items()}}  # one thread
    began = time.perf_counter()
    with Memory() as memory:
        subprocess.run([*command, "--workers", str(workers)], check=True, stdout=sys.stderr, env=environment)
    seconds = time.perf_counter() - began
    return parquet.read_metadata(out).num_rows, seconds, memory.peak


def bytes_a_day(data, scores, *, days):
    """Bytes of a wearer-day: of the raw files, of these cleaned, and of their scores."""
    source = partitions.survey(data, workers=2)
    with tempfile.TemporaryDirectory() as folder:
        clean_partitions.clean_all(source.partitions, Path(folder), timezone="UTC", **FORM, workers=2)
        clean = _size(folder)
    return {"raw": _size(data) / days, "clean": clean / days, "scored": scores.stat().st_size / days}


def _size(folder):
    return sum(path.stat().st_size for path in Path(folder).iterdir())


def row(found, *, days, workers, one):
    """A line of the table, of what `scored` gave; one: the seconds of one worker, None where that was not tried."""
    windows, seconds, peak = found
    rate = windows / seconds / workers
    cells = [f"{days:,}", workers, f"{windows:,}", f"{seconds:.1f}", f"{rate:,.0f}"]
    cells += [f"{one / seconds:.2f}" if one else "–", f"{peak / 2**30:.2f}"]
    return f"| {' | '.join(map(str, cells))} |"


def main(given):
    """Print the table."""
    print("| wearer-days | workers | windows | s | windows a second and worker | times one | peak GiB |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        some, everything, out = (Path(folder) / name for name in ("some", "all", "scores.parquet"))
        one = kept = None
        some.mkdir()
        write_parts(some, wearers=given.some)
        for workers in (1, 2):
            found = scored(given.run, some, out, workers=workers)
            one = one or found[1]
            print(row(found, days=given.some, workers=workers, one=one), flush=True)
            kept = kept or bytes_a_day(some, out, days=given.some)
        if given.wearers > given.some:
            everything.mkdir()
            write_parts(everything, wearers=given.wearers)
            found = scored(given.run, everything, out, workers=2)
            print(row(found, days=given.wearers, workers=2, one=None))
    told = ", ".join(f"{name} {size:,.0f}" for name, size in kept.items())
    print(f"\nbytes of a wearer-day: {told}, together {sum(kept.values()):,.0f}")


def arguments():
    """The command line's options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", default="default", help="whose model (default: %(default)s)")
    parser.add_argument("--wearers", type=int, default=1100, help="wearer-days in all (default: %(default)s)")
    parser.add_argument(
        "--some", type=int, default=200, help="those that workers are compared on (default: %(default)s)"
    )
    given = parser.parse_args()
    for name in ("wearers", "some"):
        if getattr(given, name) < IN_A_FILE or getattr(given, name) % IN_A_FILE:
            parser.error(f"--{name} {getattr(given, name)}: a multiple of {IN_A_FILE} is wanted")
    if given.wearers < given.some:
        parser.error(f"--wearers {given.wearers}: --some {given.some} or more are wanted")
    return given


if __name__ == "__main__":
    main(arguments())
