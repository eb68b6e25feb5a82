"""How long does an export take to become the raw table, and in how much memory? Makes two exports, and converts each.

    .venv/bin/python benchmarks/exports.py --megabytes 500 --readings 1000000

The first is an Apple Health export.xml of so many megabytes. The second is a pair of Fitabase CSV files with so many
heart rates of two wearers, and their minutes of steps. Each is converted by `lib.convert` in a process of its own,
whose time and peak memory are printed. The numbers in them are drawn at random.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
START = np.datetime64("2024-01-01T00:00:00")
_DEVICE = "&lt;HKDevice: 0x{n:x}&gt;, name:Apple Watch, manufacturer:Apple Inc., model:Watch, hardware:Watch6,1"
_RECORD = (
    ' <Record type="HKQuantityTypeIdentifier{kind}" sourceName="Watch" sourceVersion="10.1"'
    ' device="' + _DEVICE + '" unit="{unit}" creationDate="{end} +0100" startDate="{start} +0100"'
    ' endDate="{end} +0100" value="{value}"/>\n'
)
_KINDS = (("HeartRate", "count/min"), ("StepCount", "count"), ("ActiveEnergyBurned", "Cal"))


def write_apple(path, *, megabytes, rng):
    """Write an export.xml: six in ten records are heart rates, the others steps and energy."""
    moment, number = START, 0
    with open(path, "w", encoding="utf-8") as file:
        file.write('<?xml version="1.0" encoding="UTF-8"?>\n<HealthData locale="en_US">\n')
        while file.tell() < megabytes * 1_000_000:
            for kind in rng.choice(3, 5000, p=(0.6, 0.2, 0.2)):
                moment, number = moment + np.timedelta64(int(rng.integers(5, 200)), "s"), number + 1
                start, end = (str(time).replace("T", " ") for time in (moment, moment + (60 if kind else 0)))
                name, unit = _KINDS[kind]
                value = rng.integers(50, 150)
                file.write(_RECORD.format(kind=name, n=number, unit=unit, start=start, end=end, value=value))
        file.write("</HealthData>\n")


def write_fitabase(folder, *, readings, rng):
    """Write the heart rates of two wearers every 5 s, and their steps a minute."""
    times = START + 5 * np.arange(readings // 2)
    spelled = [f"{time:%m/%d/%Y %I:%M:%S %p}" for time in times.tolist()]
    for name, header, texts in (
        ("heartrate_seconds_merged.csv", "Id,Time,Value", spelled),
        ("minuteStepsNarrow_merged.csv", "Id,ActivityMinute,Steps", spelled[::12]),
    ):
        with open(folder / name, "w", encoding="utf-8") as file:
            file.write(f"{header}\n")
            for wearer in (1001, 1002):
                values = rng.integers(50, 150, len(texts))
                file.writelines(f"{wearer},{text},{value}\n" for text, value in zip(texts, values, strict=True))


def measure(source, out):
    """Seconds and peak memory (MB) of a conversion in its own process."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "lib.convert", str(source), "--out", str(out)]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise RuntimeError(f"lib.convert ended with status {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - began, usage.ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)


def main():
    """Print a line for each export."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=float, default=500, help="of the export.xml (default: %(default)s)")
    parser.add_argument("--readings", type=int, default=1_000_000, help="heart rates (default: %(default)s)")
    options = parser.parse_args()
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "fitabase").mkdir()
        write_apple(folder / "export.xml", megabytes=options.megabytes, rng=rng)
        write_fitabase(folder / "fitabase", readings=options.readings, rng=rng)
        for name in ("export.xml", "fitabase"):
            seconds, megabytes = measure(folder / name, folder / "readings.parquet")
            print(f"{name}: {seconds:.1f} s, {megabytes:,.0f} MB of memory")


if __name__ == "__main__":
    main()
