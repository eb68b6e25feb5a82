"""How often does the normal life of unseen wearers reach the levels? Prints a table.

    .venv/bin/python benchmarks/normal_life.py [--run default] [--wearers 100] [--seed 102]

The script simulates a day without an anomaly for each of many wearers, none of them in the run's tables. The run's
exported model follows them twice: once with the baseline handed back, as the function does, and once without. It then
scores shortened windows, of one sample and of sizes between those that 03_train calibrates, and windows with fewer
channels. A share is the mean over wearers, ± its standard error, because windows of one wearer are alike.
"""

import argparse

import numpy as np
import pandas as pd
from ablation import refuse_known_seed
from tqdm import tqdm

from lib.data import clean, readings
from lib.detector import features, grid, scoring, windows
from lib.detector.following import follow
from lib.detector.scoring import ScoringInput
from lib.evaluation import champion
from lib.simulation import watch

SIZES = (1, 4, 8, 20, 40, 56)  # samples; 60, and others between, are what is calibrated
LEVELS = (scoring.BORDERLINE, scoring.ALERT)
HEADS = ("channels", "samples", "baseline", "windows", "at 0.3 (promised {:.1f} %)", "at 0.7 (promised {:.2f} %)")


def cells(name, size, baseline, scores, wearer):
    """A row of the table: the shares of scores that reach each level. scores and wearer have shape (n_windows,)."""
    by_level = [pd.Series(scores >= level).groupby(wearer).mean() for level in LEVELS]
    shares = [f"{100 * share.mean():.2f} ± {100 * share.sem():.2f} %" for share in by_level]
    return [name, size, baseline, f"{len(scores):,}", *shares]


def whole_windows(detector, samples, first, wearer):
    """Rows for whole windows, with the baseline handed back and without."""
    known = follow(detector, samples, first, wearer, progress=tqdm)
    unknown = known.without_baselines(detector)
    name, size = next(iter(detector.calibration["sets"])), detector.sequence_length
    for baseline, followed in {"handed back": known, "none": unknown}.items():
        sound = ~known.faulty
        yield cells(name, size, baseline, followed.scores[sound], wearer[first][sound])


def short_windows(detector, samples, first, wearer, *, at_most, rng):
    """Rows for shortened windows, without a baseline."""
    drawn = np.sort(rng.permutation(first)[:at_most])
    ends = drawn + detector.sequence_length
    for name, counted in features.channel_sets(detector.channels).items():
        for size in SIZES:
            window = {"size": np.full(len(ends), size), "counted": counted, "progress": tqdm}
            descriptors, faults = detector.describer.describe(samples, ends - size, **window)
            scores = detector.score_windows(ScoringInput(descriptors, faults, counted, name, size)).scores
            sound = faults == grid.OK
            yield cells(name, size, "none", scores[sound], wearer[drawn][sound])


def main(options):
    """Print the table."""
    detector = champion.load(options.run)
    interval_s = int(detector.interval_s)
    raw = watch.record_days(wearers=options.wearers, days=1, interval_s=interval_s, seed=options.seed, first_id=0)
    table, _ = clean.clean(readings.parse(raw), interval_s=interval_s)
    samples, wearer = clean.samples(table), table["user_id"].to_numpy()
    stride, trusted = grid.per_minute(interval_s), clean.trusted(table)
    first = windows.starts(clean.groups(table), length=detector.sequence_length, stride=stride, trusted=trusted)
    promised = (100 - detector.calibration[f"{name}_percentile"] for name in ("threshold", "alert"))
    heads = [*HEADS[:4], *(head.format(share) for head, share in zip(HEADS[4:], promised, strict=True))]
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    rng = np.random.default_rng(options.seed)
    for lines in (
        whole_windows(detector, samples, first, wearer),
        short_windows(detector, samples, first, wearer, at_most=options.short, rng=rng),
    ):
        for line in lines:
            print(f"| {' | '.join(map(str, line))} |", flush=True)


def arguments():
    """The command line's options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", default="default", help="a run on simulated wearers (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=102, help="seed of the wearers (default: %(default)s)")
    parser.add_argument("--wearers", type=int, default=100, help="wearers, with a day each (default: %(default)s)")
    parser.add_argument("--short", type=int, default=10_000, help="windows to shorten (default: %(default)s)")
    options = parser.parse_args()
    refuse_known_seed(parser, options)
    return options


if __name__ == "__main__":
    main(arguments())
