"""Are people who fall ill noticed by the trend, how early, and at what price? Prints three tables.

    .venv/bin/python benchmarks/illness.py [--data FOLDER --counters interval] [--events events.csv]

Without --data it reads the real wearers in ../shared/data (or REAL_DATA): three with a Fitbit, one with two Garmin
watches, and six of the study by Mishra et al. 2020, of whom four fell ill. With it, a folder of anybody's readings;
events.csv lists user_id and date (a day or a moment), or start and end of a window. Every rule is set to the same rate
of false alarms on normal hours of all wearers; `illness.py` in lib/evaluation says which hours are normal.
"""

import argparse
import os
import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

from lib.data import readings
from lib.data.heartbeats import by_wearer
from lib.evaluation import illness
from lib.evaluation.illness_rules import RULES
from lib.run import ROOT

REAL = Path(os.environ.get("REAL_DATA") or ROOT.parent / "shared/data")
SOURCES = {"fitbit": "cumulative", "garmin": "cumulative", "stanford": "interval"}  # folder: counters
PERIODS = {"one a week": 7, "one a month": 30}  # wearer-days that a false alarm may come in
RISES = [(bpm, hours) for bpm in (8, 11, 14) for hours in (4, 8, 24, 72)]


def lives(folder, counters):
    """The Life of each wearer of a folder of readings."""
    files = [path for path in sorted(Path(folder).iterdir()) if path.name.endswith((".csv", ".csv.gz", ".parquet"))]
    tables = [readings.read(str(path)) for path in files if path.name != "events.csv"]
    return [illness.life(beats) for table in tables for beats in by_wearer(table, counters=counters)]


def real():
    """The lives of the real wearers that are there, and the illnesses of those who fell ill."""
    folders = {name: counters for name, counters in SOURCES.items() if (REAL / name).is_dir()}
    if not folders:
        sys.exit(f"no real wearers at {REAL} (REAL_DATA names another folder)")
    wearers = [life for name, counters in tqdm(folders.items(), desc="read") for life in lives(REAL / name, counters)]
    events = REAL / "stanford" / "events.csv"
    return wearers, illness.read_events(events) if events.exists() else []


def found(finding):
    """The cells of a Finding."""
    delays = ", ".join("-" if delay is None else f"{delay:+.1f}" for delay in finding.delays.values())
    rate = finding.wearer_days / max(finding.false_alarms, 1)
    alarms = f"{finding.false_alarms} in {finding.wearer_days:.0f} days, one in {rate:.0f}"
    return f"{finding.found} of {len(finding.delays)} | {delays} | {alarms}"


def rises(wearers, rule, illnesses, level, *, count, seed):
    """The cells of each of RISES: share found (mean over wearers) and median hours to the alarm."""
    for bpm, hours in RISES:
        form = {"bpm": bpm, "hours": hours, "count": count, "seed": seed}
        delays = [d for d in illness.injections(wearers, rule, illnesses, level, **form) if len(d)]
        every = np.concatenate(delays)
        median = f"{np.nanmedian(every):.0f} h" if not np.isnan(every).all() else "-"
        yield f"{np.mean([np.mean(~np.isnan(d)) for d in delays]):.0%} {median}"


def main(options):
    """Print the tables."""
    wearers, illnesses = real() if options.data is None else (lives(options.data, options.counters), [])
    illnesses = illness.read_events(options.events) if options.events else illnesses
    scores = {name: [rule(life) for life in wearers] for name, rule in tqdm(RULES.items(), desc="rules")}
    print("| rule | level | found | days from onset | false alarms |\n|---|---|---|---|---|")
    for level in (0.3, 0.7):
        print(f"| trend | {level} | {found(illness.evaluate(wearers, scores['trend'], illnesses, level))} |")
    levels = {}
    for period, days in PERIODS.items():
        for name in RULES:
            level = levels[name, period] = illness.level_for(wearers, scores[name], illnesses, days=days)
            finding = illness.evaluate(wearers, scores[name], illnesses, level)
            print(f"| {name} | {period}: {level:.2f} | {found(finding)} |")
    print("\n| rule | level | " + " | ".join(f"+{bpm} bpm, {hours} h" for bpm, hours in RISES) + " |")
    print("|---" * (2 + len(RISES)) + "|")
    rows = [("trend", f"{level}", level) for level in (0.3, 0.7)]
    rows += [(name, f"{period}: {level:.2f}", level) for (name, period), level in levels.items()]
    for name, text, level in tqdm(rows, desc="rises"):
        cells = rises(wearers, RULES[name], illnesses, level, count=options.rises, seed=options.seed)
        print(f"| {name} | {text} | {' | '.join(cells)} |")


def parsed(words=None):
    """The command line's options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="a folder of readings (default: the real wearers in ../shared/data)")
    parser.add_argument("--counters", default="cumulative", choices=("cumulative", "interval"))
    parser.add_argument("--events", help="events.csv: who fell ill, and when")
    parser.add_argument("--rises", type=int, default=10, help="injected into each wearer (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args(words)


if __name__ == "__main__":
    main(parsed())
