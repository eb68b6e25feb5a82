"""How fast is the past scored, from raw Parquet to scores? Prints a table.

    .venv/bin/python benchmarks/scoring.py [--run default] [--wearers 1100] [--some 200]

`python -m lib.score` cleans and scores simulated days (those of benchmarks/cleaning.py) at one window a minute with a
run's model. One worker and two workers of one thread each score some of the days; two workers then score all of them.
The seconds are those of the whole command, including its start and the survey of the files. The last line has the bytes
of a wearer-day as Parquet: raw, clean (as 02_clean writes it) and scored. benchmarks/costs.py takes them as --bytes.
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
    """Windows, seconds from start to end and peak memory of all processes, for one call of lib.score."""
    command = [sys.executable, "-m", "lib.score", "--run", run, "--data", str(data), "--out", str(out)]
    environment = {**os.environ, **{name: str(value) for name, value in parallel.ENVIRON.items()}}  # one thread
    began = time.perf_counter()
    with Memory() as memory:
        subprocess.run([*command, "--workers", str(workers)], check=True, stdout=sys.stderr, env=environment)
    seconds = time.perf_counter() - began
    return parquet.read_metadata(out).num_rows, seconds, memory.peak


def bytes_a_day(data, scores, *, days):
    """Bytes of a wearer-day: raw, clean and scored."""
    source = partitions.survey(data, workers=2)
    with tempfile.TemporaryDirectory() as folder:
        clean_partitions.clean_all(source.partitions, Path(folder), timezone="UTC", **FORM, workers=2)
        clean = _size(folder)
    return {"raw": _size(data) / days, "clean": clean / days, "scored": scores.stat().st_size / days}


def _size(folder):
    return sum(path.stat().st_size for path in Path(folder).iterdir())


def row(measured, *, days, workers, one):
    """A row of the table, from the result of `scored`; `one` is the seconds of one worker, or None."""
    windows, seconds, peak = measured
    rate = windows / seconds / workers
    cells = [f"{days:,}", workers, f"{windows:,}", f"{seconds:.1f}", f"{rate:,.0f}"]
    cells += [f"{one / seconds:.2f}" if one else "–", f"{peak / 2**30:.2f}"]
    return f"| {' | '.join(map(str, cells))} |"


def main(options):
    """Print the table."""
    print("| wearer-days | workers | windows | s | windows a second and worker | times one | peak GiB |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        some, everything, out = (Path(folder) / name for name in ("some", "all", "scores.parquet"))
        one = kept = None
        some.mkdir()
        write_parts(some, wearers=options.some)
        for workers in (1, 2):
            measured = scored(options.run, some, out, workers=workers)
            one = one or measured[1]
            print(row(measured, days=options.some, workers=workers, one=one), flush=True)
            kept = kept or bytes_a_day(some, out, days=options.some)
        if options.wearers > options.some:
            everything.mkdir()
            write_parts(everything, wearers=options.wearers)
            measured = scored(options.run, everything, out, workers=2)
            print(row(measured, days=options.wearers, workers=2, one=None))
    sizes = ", ".join(f"{name} {size:,.0f}" for name, size in kept.items())
    print(f"\nbytes of a wearer-day: {sizes}, together {sum(kept.values()):,.0f}")


def arguments():
    """The command line's options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", default="default", help="the run whose model to use (default: %(default)s)")
    parser.add_argument("--wearers", type=int, default=1100, help="wearer-days in all (default: %(default)s)")
    parser.add_argument(
        "--some", type=int, default=200, help="those that workers are compared on (default: %(default)s)"
    )
    options = parser.parse_args()
    for name in ("wearers", "some"):
        if getattr(options, name) < IN_A_FILE or getattr(options, name) % IN_A_FILE:
            parser.error(f"--{name}: expected a multiple of {IN_A_FILE}, got {getattr(options, name)}")
    if options.wearers < options.some:
        parser.error(f"--wearers: expected at least --some {options.some}, got {options.wearers}")
    return options


if __name__ == "__main__":
    main(arguments())
