"""How soon is a change called, and how often falsely? Prints a table.

Each simulated wearer lives for some weeks. Their days are counted by bin, as the function's log counts them, and form a
pool. In a deployment each wearer lives on by random days of their own, of the same weekday. So the histograms of a log
are simulated, not its readings: ten months of up to 80 wearers would take hours. What this leaves out: habits that
change over months. Deployments begin with 28 normal days. No model is needed. Ten minutes.

    .venv/bin/python benchmarks/drift.py [--deployments 100] [--wearers 10,20,40,80] [--pool 240]
"""

import argparse
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from lib.detector import histograms
from lib.monitoring import drift
from lib.simulation import wearers
from lib.simulation.life import simulate_life

INTERVAL_S, PER_DAY = 60, 1440
NORMAL_DAYS, MONTHS, CHANGED_DAYS = 28, 10, 30
POOL_DAYS, CALIBRATION_WEARERS = 84, 100
MONDAY = np.datetime64("2026-03-02", "D")
BPM, YEARS = 6, 20
SENSOR, STEPS, OLDER = f"sensor {BPM} bpm high", "half the steps", f"others, {YEARS} years older"


def age(wearer):
    """The wearer 20 years on: a lower maximum, less fitness, and no more running."""
    fitness = {"max_hr": wearer.max_hr - 0.7 * YEARS, "vo2max": max(18.0, wearer.vo2max * (1 - 0.01 * YEARS))}
    return replace(wearer, age=wearer.age + YEARS, runs_per_day=0.0, **fitness)


def simulate(number, days, *, seed, change=lambda wearer: wearer):
    """Samples (days * PER_DAY, 7) of wearer `number`'s life: heart rate and steps, the others 0."""
    rng = np.random.default_rng([seed, number])
    wearer = change(wearers.draw_wearer(rng, str(number)))
    life = simulate_life(wearer, start=MONDAY.astype("datetime64[s]"), hours=24 * days, interval_s=INTERVAL_S, rng=rng)
    samples = np.zeros((len(life), 7))
    samples[:, :2] = life[["heartRate", "steps"]]
    return samples


def count(samples, bins):
    """Counts {name: (days, bins)} of the samples of complete days."""
    segment, errors = np.zeros(PER_DAY), np.empty(0)
    days = np.split(samples, len(samples) // PER_DAY)
    counted = [histograms.count(bins, day, segment, errors, interval_s=INTERVAL_S) for day in days]
    return {name: np.stack([counts[name] for counts in counted]) for name in drift.INPUTS}


@dataclass(frozen=True)
class Pool:
    """Counts of wearers' days, {name: (wearers, days, bins)}, from a Monday on: normal ones, and by change."""

    normal: dict
    changed: dict

    @classmethod
    def simulate(cls, number, *, seed, days=POOL_DAYS):
        """The days of `number` wearers, and of half as many others who are older."""
        calibration = np.concatenate([simulate(10_000 + n, 1, seed=seed) for n in range(CALIBRATION_WEARERS)])
        segment = np.zeros(len(calibration))
        bins = histograms.fit(calibration, segment, np.empty(0), interval_s=INTERVAL_S)
        lives = [simulate(n, days, seed=seed) for n in range(number)]
        old = [simulate(20_000 + n, days // 2 // 7 * 7, seed=seed, change=age) for n in range(max(number // 2, 1))]
        return cls(
            _stack([count(life, bins) for life in lives]),
            {
                SENSOR: _stack([count(life + BPM * (np.arange(7) == 0), bins) for life in lives]),
                STEPS: _stack([count(life * np.where(np.arange(7) == 1, 0.5, 1), bins) for life in lives]),
                OLDER: _stack([count(life, bins) for life in old]),
            },
        )


def _stack(counts):
    return {name: np.stack([by_name[name] for by_name in counts]) for name in counts[0]}


def live_on(counts, who, days, rng):
    """The summed counts {name: (days, bins)} of these wearers, each day a random one of theirs of that weekday."""
    weeks = next(iter(counts.values())).shape[1] // 7
    day = (np.arange(days) % 7)[:, None] + 7 * rng.integers(weeks, size=(days, len(who)))
    return {name: by_wearer[who[None], day].sum(axis=1) for name, by_wearer in counts.items()}


def measure(pool, number, *, seed, months=MONTHS):
    """One deployment's row: false calls in so many months, and the days until each change is called."""
    rng = np.random.default_rng([seed, number])
    who = rng.choice(len(pool.normal["Steps"]), number, replace=False)
    days = MONDAY + np.arange(NORMAL_DAYS + drift.MONTH * months)
    counts = live_on(pool.normal, who, len(days), rng)
    first, later = slice(0, NORMAL_DAYS), slice(NORMAL_DAYS, None)
    reference = drift.Reference.fit(days[first], {name: daily[first] for name, daily in counts.items()}, seed=seed)
    judged = reference.judge(days[later], {name: daily[later] for name, daily in counts.items()})
    row = {"wearers": number, "false calls": len(drift.calls(judged))}
    for name, changed in pool.changed.items():
        others = rng.choice(len(changed["Steps"]), number, replace=len(changed["Steps"]) < number)
        daily = live_on(changed, others if name == OLDER else who, CHANGED_DAYS, rng)
        row[name] = _days_until_call(reference.judge(days[later][:CHANGED_DAYS], daily))
    return row


def _days_until_call(judged):
    """Days up to the first call, its day included; infinite without a call."""
    by_day = judged.groupby("day")["called"].any().to_numpy()
    return float(np.argmax(by_day) + 1) if by_day.any() else np.inf


def summarise(rows):
    """A row by number of wearers, and one of all: what the deployments' rows come to."""
    rows = pd.concat([rows, rows.assign(wearers="all")])
    groups = rows.groupby("wearers", sort=False)
    table = pd.DataFrame({"deployments": groups.size(), "false calls": groups["false calls"].sum()})
    table["with a false call"] = groups["false calls"].agg(lambda calls: (calls > 0).sum())
    for name in (SENSOR, STEPS):
        table[f"{name}: called on day 1"] = groups[name].agg(lambda days: (days <= 1).mean())
        table[f"{name}: latest day"] = groups[name].max()
    table[f"{OLDER}: within {CHANGED_DAYS} days"] = groups[OLDER].agg(lambda days: (days <= CHANGED_DAYS).mean())
    return table.T


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wearers", default="10,20,40,80", help="sizes of the deployments")
    parser.add_argument("--deployments", type=int, default=100, help="deployments, as many of each size")
    parser.add_argument("--pool", type=int, default=240, help="wearers whose days are drawn")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    sizes = [int(size) for size in options.wearers.split(",")]
    pool = Pool.simulate(options.pool, seed=options.seed)
    each = range(options.deployments // len(sizes))
    rows = [measure(pool, size, seed=options.seed + number) for size in sizes for number in each]
    print(summarise(pd.DataFrame(rows)).round(2).to_string())


if __name__ == "__main__":
    main()
