"""Are people who fall ill noticed by the trend, how early, and at what price? Prints two tables.

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

import pandas as pd
from tqdm import tqdm

from lib.evaluation import illness, illness_rules, illness_tables
from lib.evaluation.illness_lives import read_lives, simulate_lives
from lib.figures import style, trend
from lib.run import ROOT

REAL = Path(os.environ.get("REAL_DATA") or ROOT.parent / "shared/data")
SOURCES = {"fitbit": "cumulative", "garmin": "cumulative", "stanford": "interval"}  # folder: counters
DAYS = 90  # of the simulated wearer in the picture


def real():
    """The lives of the real wearers that are there, and the illnesses of those who fell ill."""
    folders = {name: counters for name, counters in SOURCES.items() if (REAL / name).is_dir()}
    if not folders:
        sys.exit(f"no real wearers at {REAL} (REAL_DATA names another folder)")
    events = REAL / "stanford" / "events.csv"
    path = str(events) if events.exists() else ""
    lives = []
    for name, counters in tqdm(folders.items(), desc="read"):
        lives += read_lives(str(REAL / name), counters=counters, events_path=path)
    return lives, illness.read_events(events) if path else []


def print_findings(table):
    """Print the table of people who fell ill."""
    print("| rule | level | found | days from onset | false alarms |\n|---|---|---|---|---|")
    for row in table.itertuples():
        days = ", ".join("-" if delay is None else f"{delay:+.1f}" for delay in row.days)
        rate = row.wearer_days / max(row.false_alarms, 1)
        alarms = f"{row.false_alarms} in {row.wearer_days:.0f} days, one in {rate:.0f}"
        print(f"| {row.rule} | {row.setting}: {row.level:.2f} | {row.found} of {row.ill} | {days} | {alarms} |")


def print_rises(findings, rises):
    """Print the table of injected rises, a row for each rule and level of the findings."""
    shapes = illness_tables.RISES
    print("\n| rule | level | " + " | ".join(f"+{bpm} bpm, {hours} h" for bpm, hours in shapes) + " |")
    print("|---" * (2 + len(shapes)) + "|")
    cells = [f"{row.share:.0%} {row.delay:.0f} h" if row.share else "0%" for row in rises.itertuples()]
    for order, row in enumerate(findings.itertuples()):
        of_row = " | ".join(cells[order * len(shapes) : (order + 1) * len(shapes)])
        print(f"| {row.rule} | {row.setting}: {row.level:.2f} | {of_row} |")


def draw(path, seed):
    """Write the picture of a simulated wearer's weeks about a fever."""
    (life,), (event,) = simulate_lives(wearers=1, days=DAYS, seed=seed)
    style.style()
    onset = pd.Timestamp(3600 * event.onset, unit="s")
    style.save(trend.weeks(illness_rules.track(life), name="A simulated wearer", onset=onset), Path(path))


def print_tables(options):
    """Judge the rules, and print the tables."""
    if options.data is None:
        lives, illnesses = real()
    else:
        lives, illnesses = read_lives(options.data, counters=options.counters, events_path=options.events or ""), []
    illnesses = illness.read_events(options.events) if options.events else illnesses
    findings = illness_tables.findings(lives, illnesses, progress=lambda rules: tqdm(rules, desc="rules"))
    print_findings(findings)
    levels = zip(findings["rule"], findings["level"], strict=True)
    settings = {"count": options.rises, "seed": options.seed, "progress": lambda rows: tqdm(rows, desc="rises")}
    print_rises(findings, illness_tables.rises(lives, illnesses, levels, **settings))


def parsed(words=None):
    """The command line's options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="a folder of readings (default: the real wearers in ../shared/data)")
    parser.add_argument("--counters", default="cumulative", choices=("cumulative", "interval"))
    parser.add_argument("--events", help="events.csv: who fell ill, and when")
    parser.add_argument("--rises", type=int, default=10, help="injected into each wearer (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--figure", metavar="FILE", help="only write the picture of a simulated wearer's weeks")
    return parser.parse_args(words)


if __name__ == "__main__":
    options = parsed()
    if options.figure:
        draw(options.figure, options.seed)
    else:
        print_tables(options)
