"""How fast does one machine clean, Parquet to clean Parquet, and in how much memory? Prints two tables.

    .venv/bin/python benchmarks/cleaning.py [--wearers 1100] [--times 3] [--real FOLDER]

The data are simulated wearers' days, 50 to a file; 25 lives repeat under other names. The first table has the rate and
memory of one process, reading included, and the time for real wearers' CSV files (`--real`). The second has the same
work by one and by two workers of one thread each, and the memory of all processes together. Needs Linux or macOS, about
four minutes and half a gigabyte of disk.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import dask
import pandas as pd
import psutil
from distributed import Client, LocalCluster

from lib import parallel
from lib.data import clean, clean_partitions, partitions, readings
from lib.simulation import watch

LIVES, IN_A_FILE, INTERVAL_S = 25, 50, 5
FORM = {"interval_s": INTERVAL_S, "counters": "cumulative"}
MEMORY_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes, of ru_maxrss


def write_parts(folder, *, wearers):
    """Write the raw tables of wearers' days as Parquet files to `folder`."""
    lives = watch.record_days(wearers=LIVES, days=1, first_id=0, interval_s=INTERVAL_S, seed=1)
    lives["timestamp"] = pd.to_datetime(lives["timestamp"]).astype("datetime64[ms]")
    for first in range(0, wearers, IN_A_FILE):
        copies = [
            lives.assign(user_id=lives["user_id"] + f"-{number:05d}")
            for number in range(first, min(first + IN_A_FILE, wearers), LIVES)
        ]
        pd.concat(copies).to_parquet(folder / f"wearers-{first:05d}.parquet", index=False)


def alone(path, times):
    """Readings, the fewest seconds to read and clean them, and the peak memory, in this process."""
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        _, account = clean.clean(readings.read(path), **FORM)
        seconds.append(time.perf_counter() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * MEMORY_UNIT
    return {"readings": account["readings"], "seconds": min(seconds), "peak": peak}


def in_partitions(path, workers):
    """Readings, seconds and peak memory of cleaning `path` into a folder, with workers already running."""
    cluster = {"n_workers": workers, "threads_per_worker": 1, "memory_limit": 0, "dashboard_address": "127.0.0.1:0"}
    with dask.config.set({"distributed.nanny.pre-spawn-environ": parallel.ENVIRON}):
        local = LocalCluster(**cluster)
    with tempfile.TemporaryDirectory() as folder, local, Client(local) as client:
        client.run(_warm)
        with Memory() as memory:
            began = time.perf_counter()
            how = {"scheduler": local.scheduler_address}
            source = partitions.survey(path, **how)
            counted = time.perf_counter()
            account, _ = clean_partitions.clean_all(source.partitions, Path(folder), timezone="UTC", **FORM, **how)
            done = time.perf_counter()
    times = {"survey": counted - began, "seconds": done - counted}
    return {"readings": account["readings"], "partitions": len(source.partitions), "peak": memory.peak, **times}


def _warm():
    """Import in a worker what its first partition would wait for."""
    import lib.data.clean_partitions  # noqa: F401


class Memory:
    """The peak resident memory (bytes) of this process and its children within the block, sampled 20 times a second."""

    def __enter__(self):
        self.peak, self._over = 0, threading.Event()
        self._watch = threading.Thread(target=self._look)
        self._watch.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._watch.join()

    def _look(self):
        me = psutil.Process()
        while not self._over.wait(0.05):
            self.peak = max(self.peak, sum(map(_resident, [me, *me.children(recursive=True)])))


def _resident(process):
    try:
        return process.memory_info().rss
    except psutil.Error:  # it has just ended
        return 0


def in_a_process(name, path, number):
    """One of the measures above, in a new process."""
    command = [sys.executable, __file__, "--one", name, str(path), str(number)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{name} of {path}: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout.splitlines()[-1])


def main():
    """Print the tables."""
    options = _arguments()
    if options.one:
        name, path, number = options.one
        print(json.dumps({"alone": alone, "in_partitions": in_partitions}[name](path, int(number))))
        return
    with tempfile.TemporaryDirectory() as folder:
        write_parts(Path(folder), wearers=options.wearers)
        _print_alone(sorted(Path(folder).iterdir())[0], options.real)
        _print_in_partitions(folder, options.wearers, options.times)


def _print_alone(file, real):
    print("| one process | readings | s | readings a second | peak MB |\n|---|---|---|---|---|")
    sources = {"simulated, Parquet": file} | ({"real, CSV": real} if real else {})
    for name, path in sources.items():
        measured = in_a_process("alone", path, 5)
        cells = [name, f"{measured['readings']:,}", f"{measured['seconds']:.2f}"]
        cells += [f"{measured['readings'] / measured['seconds']:,.0f}", f"{measured['peak'] / 1e6:,.0f}"]
        print(f"| {' | '.join(cells)} |")
    if not real:
        print("real wearers: skipped, because --real FOLDER is missing")


def _print_in_partitions(folder, wearers, times):
    print(
        f"\n{wearers:,} wearer-days in partitions, read, cleaned and written (the best of {times}), after the survey\n"
    )
    print("| workers | readings | s | readings a second and worker | times one | survey s | all processes' peak GiB |")
    print("|---|---|---|---|---|---|---|")
    one = None
    for workers in (1, 2):
        runs = [in_a_process("in_partitions", folder, workers) for _ in range(times)]
        fastest = min(runs, key=lambda run: run["seconds"])
        one = one or fastest["seconds"]
        rate = fastest["readings"] / fastest["seconds"] / workers
        cells = [str(workers), f"{fastest['readings']:,}", f"{fastest['seconds']:.1f}", f"{rate:,.0f}"]
        cells += [f"{one / fastest['seconds']:.2f}", f"{fastest['survey']:.1f}", f"{fastest['peak'] / 2**30:.2f}"]
        print(f"| {' | '.join(cells)} |", flush=True)


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wearers", type=int, default=1100, help="wearer-days simulated (default: %(default)s)")
    parser.add_argument("--real", help="a folder of real wearers' raw tables (default: skipped)")
    parser.add_argument("--times", type=int, default=3, help="repetitions of the second table's work (default: 3)")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.wearers < LIVES or options.wearers % LIVES:
        parser.error(f"--wearers: expected a multiple of {LIVES}, got {options.wearers}")
    return options


if __name__ == "__main__":
    main()
