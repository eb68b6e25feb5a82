"""Is drift called within a day, and how often falsely? Prints a table.

Simulated wearers live without a pause: 28 normal days, ten normal months, and days on which something has changed. A
day's counts are those that the function's log holds; no model is needed for them. About ten minutes.

    .venv/bin/python benchmarks/drift.py [--wearers 10,20,40,80] [--seeds 3]
"""

import argparse
from dataclasses import replace

import numpy as np
import pandas as pd

from lib.detector import histograms
from lib.monitoring import drift
from lib.simulation import life as simulate
from lib.simulation import wearers

INTERVAL_S, NORMAL_DAYS, MONTHS, CHANGED_DAYS = 60, 28, 10, 28
MONDAY = np.datetime64("2026-03-02T00:00:00", "s")
BPM, YEARS = 6, 20
PER_DAY = 86_400 // INTERVAL_S


def older(wearer):
    """The wearer 20 years on: less in the heart and the lungs, and no more running."""
    fitness = {"max_hr": wearer.max_hr - 0.7 * YEARS, "vo2max": max(18.0, wearer.vo2max * (1 - 0.01 * YEARS))}
    return replace(wearer, age=wearer.age + YEARS, runs_per_day=0.0, **fitness)


def lived(number, days, *, seed, change=lambda wearer: wearer):
    """Samples (days * PER_DAY, 7) of wearer `number`'s life: heart rate and steps, the others 0."""
    rng = np.random.default_rng([seed, number])
    wearer = change(wearers.draw_wearer(rng, str(number)))
    life = simulate.simulate_life(wearer, start=MONDAY, hours=24 * days, interval_s=INTERVAL_S, rng=rng)
    samples = np.zeros((len(life), 7))
    samples[:, :2] = life[["heartRate", "steps"]]
    return samples


def counted(samples, bins):
    """{name: (days, bins)} of the samples of whole days."""
    days = [
        histograms.count(bins, day, np.zeros(PER_DAY), np.empty(0), interval_s=INTERVAL_S)
        for day in np.split(samples, len(samples) // PER_DAY)
    ]
    return {name: np.stack([of[name] for of in days]) for name in drift.INPUTS}


def total(of_wearers, days):
    """The counts of these days of all wearers."""
    return {name: sum(of[name][days] for of in of_wearers) for name in drift.INPUTS}


def called(usual, counts):
    """Which days are called."""
    number = len(next(iter(counts.values())))
    return usual.judge(np.arange(number), counts).groupby("day")["called"].any().to_numpy()


def measured(number, *, seed, months=MONTHS):
    """A row of the table: false calls in so many months, and the share of days with a change that are called."""
    calibration = np.concatenate([lived(1000 + n, 1, seed=seed) for n in range(12)])
    bins = histograms.fit(calibration, np.zeros(len(calibration)), np.empty(0), interval_s=INTERVAL_S)
    first, later = slice(0, NORMAL_DAYS), slice(NORMAL_DAYS, None)
    days = NORMAL_DAYS + drift.MONTH * months
    whole = [lived(n, days, seed=seed) for n in range(number)]
    normal = [counted(samples, bins) for samples in whole]
    usual = drift.Usual.fit(total(normal, first), seed=seed)
    last = [samples[-CHANGED_DAYS * PER_DAY :] for samples in whole]
    changed = {
        f"sensor {BPM} bpm high": [counted(samples + BPM * (np.arange(7) == 0), bins) for samples in last],
        "half the steps": [counted(samples * np.where(np.arange(7) == 1, 0.5, 1), bins) for samples in last],
        f"others, {YEARS} years older": [
            counted(lived(2000 + n, CHANGED_DAYS, seed=seed, change=older), bins) for n in range(number)
        ],
    }
    false_calls = called(usual, total(normal, later)).sum()
    row = {"wearers": number, "seed": seed, f"false calls in {months} months": false_calls}
    return row | {name: called(usual, total(of, slice(None))).mean() for name, of in changed.items()}


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wearers", default="10,20,40,80", help="populations' sizes")
    parser.add_argument("--seeds", type=int, default=3, help="populations of each size")
    options = parser.parse_args()
    sizes = [int(size) for size in options.wearers.split(",")]
    rows = [measured(size, seed=seed) for size in sizes for seed in range(options.seeds)]
    print(pd.DataFrame(rows).round(2).to_string(index=False))


if __name__ == "__main__":
    main()
