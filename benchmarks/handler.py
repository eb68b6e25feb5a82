"""What the deployed handler takes: cold start, time a request, memory. Prints the README's tables.

    .venv/bin/python benchmarks/handler.py --run default --requests 10000

A run's function, built for this Python, under AWS' runtime client, in one process with one thread, is sent
requests of the run's test wearers. `server` is from the invocation's leaving the runtime API to its answer's being
back; `handler` is what the handler's log says of the same requests. The handler and onnxruntime, as it
is by default, which rebuilds the same windows and does nothing else, take turns, each on one thread. Linux only:
memory is read from /proc.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections import deque
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnxruntime
from one_engine import onnxruntime_engine

from lib.data import clean
from lib.detector import features
from lib.detector.export_folder import MODEL, NETWORK, NORMAL, THRESHOLD
from lib.detector.windows import gather
from lib.export import bundle
from lib.files import ROOT
from lib.run import Run

sys.path.insert(0, str(ROOT / "lambda"))
from emulator.environment import ExecutionEnvironment

STARTS = 11
LOADING = ("__init__", "lambda_function", "answering")  # modules that load the model, or nothing
WARM = {60: 500, 100: 200, 1440: 20}  # readings in a request: how many are timed
TURNS = 100  # requests of 100 readings that the handler and onnxruntime are both asked for
MIXED = {1: 0.1, 20: 0.1, 59: 0.05, 60: 0.35, 100: 0.35, 200: 0.04, 1440: 0.01}  # readings: share of the requests
SPANS = """
import json, sys, time
marks = [time.monotonic()]
def mark(*modules):
    for name in modules:
        __import__(name)
    marks.append(time.monotonic())
mark("awslambdaric.__main__", "concurrent.futures.thread")
mark("numpy")
mark("onnxruntime")
mark(*sys.argv[2:])
mark("lambda_function")
print(json.dumps([marks[0] - float(sys.argv[1]), *(b - a for a, b in zip(marks, marks[1:]))]))
"""
LIMITS = {  # what each figure may be at most, in its own unit
    "cold": "250",
    60: "3, p99 8",
    100: "35, stretch 18",
    1440: "",
    "ratio": "2.5, stretch 1.3",
    "memory": "100",
    "growth": "2",
    "zip": "30, stretch 18",
}
SPAN_NAMES = (
    "Python",
    "awslambdaric",
    "NumPy",
    "onnxruntime",
    "the handler's modules",
    "the bundle checked, the model read",
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", default="default", help="whose bundle and test wearers (default: %(default)s)")
    parser.add_argument("--requests", type=int, default=10_000, help="for the memory (default: %(default)s)")
    given = parser.parse_args()
    run = Run.at(given.run)
    export = run.models / "lambda_export"
    draw = windows_of(clean.load(run.data / "processed/anomalous_data.csv"))
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}, onnxruntime {onnxruntime.__version__}"
    print(f"{processor()}, {os.cpu_count()} cores, {versions}, 1 thread")
    with (
        tempfile.NamedTemporaryFile() as log,
        built_for_here(export) as folder,
        ExecutionEnvironment(folder, log=log) as environment,
    ):
        print(f"{(export / bundle.ZIP).stat().st_size / 1e6:.1f} MB zip (at most {LIMITS['zip']})\n")
        cold(environment, draw(60))
        spans(environment, folder)
        warm(environment, log, draw)
        beside_onnxruntime(environment, log, draw, export)
        memory(environment, draw, given.requests)


def processor():
    """The processor's name, as Linux gives it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


@contextmanager
def built_for_here(export):
    """Yield the folder of a run's function, built for this Python as its zip is for Lambda's: compiled and checked."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in (THRESHOLD, NETWORK, NORMAL):
            shutil.copyfile(export / file, folder / file)
        bundle.write_export(folder, json.loads((export / MODEL).read_text()), target="local")
        with bundle.unpacked(folder / bundle.ZIP) as unpacked:
            yield unpacked


def windows_of(table, *, seed=1):
    """A function that draws the next request of a given number of readings, from unbroken stretches of `table`."""
    rng, samples = np.random.default_rng(seed), clean.samples(table)
    stretch = clean.groups(table)

    def draw(length):
        while True:
            first = int(rng.integers(len(samples) - length))
            if stretch[first] == stretch[first + length - 1]:
                return bundle.request_of(samples[first : first + length])

    return draw


def cold(environment, request):
    """Times from the process' spawn, in ms."""
    event, asked, answered = json.dumps(request).encode(), [], []
    for _ in range(STARTS):
        environment.stop()
        began = time.perf_counter()
        asked.append(environment.start() - began)
        answered.append(environment.invoke(event).answered - began)
    print("| cold start, from spawn to | median ms | at most | fastest | slowest | guide |\n|---|---|---|---|---|---|")
    rows = (("the first request taken", asked, LIMITS["cold"]), ("the first answer", answered, ""))
    for name, times, most in rows:
        low, middle, high = 1000 * np.percentile(times, [0, 50, 100])
        print(f"| {name} | {middle:.0f} | {most} | {low:.0f} | {high:.0f} | 2,000–3,000 |")


def spans(environment, folder):
    """Where the time up to the first request goes: a table of medians."""
    files = [path.relative_to(folder).with_suffix("") for part in (".", "lib") for path in (folder / part).glob("*.py")]
    modules = [".".join(file.parts) for file in files if file.name not in LOADING]
    rows = []
    for _ in range(STARTS):
        command = [sys.executable, "-S", "-c", SPANS, str(time.monotonic()), *modules]
        done = subprocess.run(command, env=environment.variables(), cwd=folder, capture_output=True, check=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
    middle = 1000 * np.median(rows, axis=0)
    print("\n| where it goes | median ms |\n|---|---|")
    for name, ms in zip((*SPAN_NAMES, "together"), (*middle, 1000 * np.median(np.sum(rows, axis=1))), strict=True):
        print(f"| {name} | {ms:.0f} |")


def warm(environment, log, draw):
    """Times a request, in the server and by the handler's own log."""
    print("\n| readings | windows | server: median ms | p99 | handler: median ms | p99 | at most | guide |")
    print("|---|---|---|---|---|---|---|---|")
    for readings, number in WARM.items():
        events = [json.dumps(draw(readings)).encode() for _ in range(number)]
        for event in events[:5]:
            environment.invoke(event)
        before = log.tell()  # the process writes at the same place
        done = [environment.invoke(event) for event in events]
        served = [1000 * (invocation.answered - invocation.taken) for invocation in done]
        called = durations(log, before)
        figures = [f"{value:.1f}" for times in (served, called) for value in np.percentile(times, [50, 99])]
        cells = [f"{readings:,}", f"{readings - 59:,}", *figures, LIMITS[readings], "100–200"]
        print(f"| {' | '.join(cells)} |", flush=True)


def durations(log, since):
    """What the handler's log says from byte `since` on: each request's time, in ms."""
    return [json.loads(line)["DurationMs"] for line in Path(log.name).read_bytes()[since:].splitlines()]


def beside_onnxruntime(environment, log, draw, export):
    """The whole handler's time over that of onnxruntime for the same 41 windows alone, which take turns."""
    print("\n| 100 readings, 41 windows | handler: median ms | onnxruntime | ratio | at most |\n|---|---|---|---|---|")
    rebuild, windows = onnxruntime_of(export)
    bare, before = [], log.tell()
    for request in [draw(100) for _ in range(TURNS + 5)]:
        given = windows(request)
        environment.invoke(json.dumps(request).encode())
        began = time.perf_counter()
        rebuild(given)
        bare.append(1000 * (time.perf_counter() - began))
    called, bare = np.array(durations(log, before)[5:]), np.array(bare[5:])  # the first ones warm both up
    figures = f"{np.median(called):.1f} | {np.median(bare):.1f} | {np.median(called / bare):.2f}"
    print(f"| handler over onnxruntime's model alone | {figures} | {LIMITS['ratio']} |", flush=True)


def onnxruntime_of(export):
    """A function that rebuilds windows by onnxruntime, and one that makes the windows (41, length, 7) of a request."""
    model = json.loads((export / MODEL).read_text())
    length, rebuild = model["sequence_length"], onnxruntime_engine(str(export / NETWORK))

    def windows(request):
        samples = np.array([[one.get(name, np.nan) for name in features.FEATURES] for one in request["metrics"]])
        return gather(features.scale(samples, model["scaler"]), np.arange(len(samples) - length + 1), length=length)

    return rebuild, windows


def memory(environment, draw, requests):
    """Resident memory after so many requests of mixed lengths, in a process that begins with the first.

    The median of what it was after each of the last 500: now and then the process gives some back, and takes it again.
    """
    drawn = np.random.default_rng(2).choice(list(MIXED), size=500, p=list(MIXED.values()))
    events = [json.dumps(draw(int(length))).encode() for length in drawn]
    stops = sorted({1, min(1_000, requests), requests})
    last = deque(maxlen=len(events))
    environment.stop()
    print("\n| requests | memory MB | highest so far | at most | guide |\n|---|---|---|---|---|")
    held = {}
    for number in range(1, requests + 1):
        environment.invoke(events[number % len(events)])
        last.append(resident(environment, "VmRSS"))
        if number in stops:
            held[number], highest = np.median(last), resident(environment, "VmHWM")
            print(f"| {number:,} | {held[number]:.1f} | {highest:.1f} | {LIMITS['memory']} | ~500 |", flush=True)
    if requests > 1_000:
        print(f"| growth after the first 1,000 | {held[requests] - held[1_000]:.1f} | | {LIMITS['growth']} | |")


def resident(environment, field):
    """MB of memory of the environment's process: VmRSS now, VmHWM at its highest."""
    status = Path(f"/proc/{environment.process.pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith(field))) * 1024 / 1e6


if __name__ == "__main__":
    main()
