"""Measure the deployed handler: cold start, time per request, memory. Prints tables of benchmarks/README.md.

    .venv/bin/python benchmarks/handler.py --run default --requests 10000

A run's function, built for this Python, runs under AWS' runtime client in one process with one thread. It gets
requests of the run's test wearers. `server` is the time from the invocation's leaving the runtime API to its answer's
arrival; `handler` is the time in the handler's log. onnxruntime with its defaults reconstructs the same windows and
does nothing else; the two take turns, each on one thread. Linux only: memory is read from /proc.
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
LOADING = ("__init__", "lambda_function", "answering")  # modules that load the model, or that are empty
WARM = {60: 500, 100: 200, 1440: 20}  # readings in a request: number of timed requests
TURNS = 100  # requests of 100 readings, for the handler and for onnxruntime
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
LIMITS = {  # the largest allowed figure, in its unit
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
    options = parser.parse_args()
    run = Run.at(options.run)
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
        memory(environment, draw, options.requests)


def processor():
    """The processor's name, from Linux."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


@contextmanager
def built_for_here(export):
    """Yield the folder of a run's function, built for this Python: compiled and checked, as its zip is for Lambda."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in (THRESHOLD, NETWORK, NORMAL):
            shutil.copyfile(export / file, folder / file)
        bundle.write_export(folder, json.loads((export / MODEL).read_text()), target="local")
        with bundle.unpacked(folder / bundle.ZIP) as unpacked:
            yield unpacked


def windows_of(table, *, seed=1):
    """Return a function that draws a request of some number of readings from unbroken stretches of `table`."""
    rng, samples = np.random.default_rng(seed), clean.samples(table)
    segment = clean.groups(table)

    def draw(length):
        while True:
            first = int(rng.integers(len(samples) - length))
            if segment[first] == segment[first + length - 1]:
                return bundle.request_of(samples[first : first + length])

    return draw


def cold(environment, request):
    """Print times from the process' spawn, in ms."""
    event, ready, answered = json.dumps(request).encode(), [], []
    for _ in range(STARTS):
        environment.stop()
        began = time.perf_counter()
        ready.append(environment.start() - began)
        answered.append(environment.invoke(event).answered - began)
    print("| cold start, from spawn to | median ms | at most | fastest | slowest | guide |\n|---|---|---|---|---|---|")
    rows = (("the first request taken", ready, LIMITS["cold"]), ("the first answer", answered, ""))
    for name, times, most in rows:
        low, middle, high = 1000 * np.percentile(times, [0, 50, 100])
        print(f"| {name} | {middle:.0f} | {most} | {low:.0f} | {high:.0f} | 2,000–3,000 |")


def spans(environment, folder):
    """Print where the time up to the first request goes: a table of medians."""
    files = [
        path.relative_to(folder).with_suffix("")
        for top in (".", "lib", "lib/detector")
        for path in (folder / top).glob("*.py")
    ]
    modules = [".".join(file.parts) for file in files if file.name not in LOADING]
    rows = []
    for _ in range(STARTS):
        command = [sys.executable, "-S", "-c", SPANS, str(time.monotonic()), *modules]
        process = subprocess.run(command, env=environment.variables(), cwd=folder, capture_output=True, check=True)
        rows.append(json.loads(process.stdout.splitlines()[-1]))
    middle = 1000 * np.median(rows, axis=0)
    print("\n| where it goes | median ms |\n|---|---|")
    for name, ms in zip((*SPAN_NAMES, "together"), (*middle, 1000 * np.median(np.sum(rows, axis=1))), strict=True):
        print(f"| {name} | {ms:.0f} |")


def warm(environment, log, draw):
    """Print times per request, in the server and by the handler's log."""
    print("\n| readings | windows | server: median ms | p99 | handler: median ms | p99 | at most | guide |")
    print("|---|---|---|---|---|---|---|---|")
    for readings, number in WARM.items():
        events = [json.dumps(draw(readings)).encode() for _ in range(number)]
        for event in events[:5]:
            environment.invoke(event)
        before = log.tell()  # the process writes at the same place
        invocations = [environment.invoke(event) for event in events]
        served = [1000 * (invocation.answered - invocation.taken) for invocation in invocations]
        handled = durations(log, before)
        figures = [f"{value:.1f}" for times in (served, handled) for value in np.percentile(times, [50, 99])]
        cells = [f"{readings:,}", f"{readings - 59:,}", *figures, LIMITS[readings], "100–200"]
        print(f"| {' | '.join(cells)} |", flush=True)


def durations(log, since):
    """Each request's time in ms, from byte `since` of the handler's log on."""
    return [json.loads(line)["DurationMs"] for line in Path(log.name).read_bytes()[since:].splitlines()]


def beside_onnxruntime(environment, log, draw, export):
    """Print the handler's time over that of onnxruntime for the same 41 windows alone; the two take turns."""
    print("\n| 100 readings, 41 windows | handler: median ms | onnxruntime | ratio | at most |\n|---|---|---|---|---|")
    reconstruct, windows = onnxruntime_of(export)
    bare, before = [], log.tell()
    for request in [draw(100) for _ in range(TURNS + 5)]:
        batch = windows(request)
        environment.invoke(json.dumps(request).encode())
        began = time.perf_counter()
        reconstruct(batch)
        bare.append(1000 * (time.perf_counter() - began))
    handled, bare = np.array(durations(log, before)[5:]), np.array(bare[5:])  # the first ones warm both up
    figures = f"{np.median(handled):.1f} | {np.median(bare):.1f} | {np.median(handled / bare):.2f}"
    print(f"| handler over onnxruntime's model alone | {figures} | {LIMITS['ratio']} |", flush=True)


def onnxruntime_of(export):
    """Two functions: reconstruct windows by onnxruntime, and cut the windows (41, length, 7) of a request."""
    model = json.loads((export / MODEL).read_text())
    length, reconstruct = model["sequence_length"], onnxruntime_engine(str(export / NETWORK))

    def windows(request):
        samples = np.array([[one.get(name, np.nan) for name in features.FEATURES] for one in request["metrics"]])
        return gather(features.scale(samples, model["scaler"]), np.arange(len(samples) - length + 1), length=length)

    return reconstruct, windows


def memory(environment, draw, requests):
    """Print resident memory after a number of requests of mixed lengths, in a new process.

    It is the median after each of the last 500 requests: now and then the process frees some, and takes it again.
    """
    drawn = np.random.default_rng(2).choice(list(MIXED), size=500, p=list(MIXED.values()))
    events = [json.dumps(draw(int(length))).encode() for length in drawn]
    stops = sorted({1, min(1_000, requests), requests})
    last = deque(maxlen=len(events))
    environment.stop()
    print("\n| requests | memory MB | highest so far | at most | guide |\n|---|---|---|---|---|")
    resident_mb = {}
    for number in range(1, requests + 1):
        environment.invoke(events[number % len(events)])
        last.append(resident(environment, "VmRSS"))
        if number in stops:
            resident_mb[number], highest = np.median(last), resident(environment, "VmHWM")
            print(f"| {number:,} | {resident_mb[number]:.1f} | {highest:.1f} | {LIMITS['memory']} | ~500 |", flush=True)
    if requests > 1_000:
        growth = resident_mb[requests] - resident_mb[1_000]
        print(f"| growth after the first 1,000 | {growth:.1f} | | {LIMITS['growth']} | |")


def resident(environment, field):
    """Memory of the environment's process in MB: VmRSS now, VmHWM at its peak."""
    status = Path(f"/proc/{environment.process.pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith(field))) * 1024 / 1e6


if __name__ == "__main__":
    main()
