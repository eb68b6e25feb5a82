"""How often does the normal life of wearers whom nobody saw reach the levels? Prints a table.

    .venv/bin/python benchmarks/normal_life.py [--run default] [--wearers 100] [--seed 102]

Wearers are simulated anew, none of whom the run has in its tables, a day each, without an anomaly, and followed by the
run's exported model: once as the function does where the baseline is handed back, once without. Some of their windows
are then cut short, to one sample and to numbers between those that 03_train calibrates, and to fewer channels. A share
is the mean over wearers, ± its standard error: windows of one wearer are alike, so their number says little.
"""

import argparse

import numpy as np
import pandas as pd
from ablation import refuse_known_seed
from tqdm import tqdm

from lib.data import clean, readings
from lib.detector import grid, scoring, windows
from lib.detector.following import follow
from lib.evaluation import champion
from lib.simulation import watch
from lib.training import fitting

SIZES = (1, 4, 8, 20, 40, 56)  # samples; 60, and others between, are what is calibrated
LEVELS = (scoring.BORDERLINE, scoring.ALERT)
HEADS = ("channels", "samples", "baseline", "windows", "at 0.3 (promised {:.1f} %)", "at 0.7 (promised {:.2f} %)")


def cells(name, size, baseline, scores, wearer):
    """A line of the table: the shares of scores (N,) that reach each level; wearer (N,): whose they are."""
    each = [pd.Series(scores >= level).groupby(wearer).mean() for level in LEVELS]
    shares = [f"{100 * share.mean():.2f} ± {100 * share.sem():.2f} %" for share in each]
    return [name, size, baseline, f"{len(scores):,}", *shares]


def whole_windows(detector, samples, first, wearer):
    """The lines of whole windows, and each window's offset and whether its wearer's baseline is known."""
    known = follow(detector, samples, first, wearer, progress=tqdm)
    unknown = known.without_baselines(detector)
    name, size = next(iter(detector.calibration["sets"])), detector.sequence_length
    for baseline, found in {"handed back": known, "none": unknown}.items():
        scored = ~known.faulty
        yield cells(name, size, baseline, found.scores[scored], wearer[first][scored])


def short_windows(detector, samples, first, wearer, *, at_most, rng):
    """The lines of windows that are cut short, all with no baseline known."""
    drawn = np.sort(rng.permutation(first)[:at_most])
    fit = fitting.Fit(detector.describer, samples, detector.channels, progress=tqdm)
    found = fit.evidence_by_channel_set(detector.reference, drawn, SIZES)
    for name, by_size in found.items():
        for size, evidence in zip(SIZES, by_size, strict=True):
            limits = scoring.limits(detector.calibration, channel_set=name, size=np.full(len(drawn), size))
            yield cells(name, size, "none", scoring.anomaly_scores(evidence, limits), wearer[drawn])


def main(given):
    """Print the table."""
    detector = champion.load(given.run)
    interval_s = int(detector.interval_s)
    raw = watch.record_days(wearers=given.wearers, days=1, interval_s=interval_s, seed=given.seed, first_id=0)
    table, _ = clean.clean(readings.parse(raw), interval_s=interval_s)
    samples, wearer = clean.samples(table), table["user_id"].to_numpy()
    form = {"length": detector.sequence_length, "stride": grid.per_minute(interval_s), "trusted": clean.trusted(table)}
    first = windows.starts(clean.groups(table), **form)
    promised = (100 - detector.calibration[f"{name}_percentile"] for name in ("threshold", "alert"))
    heads = [*HEADS[:4], *(head.format(share) for head, share in zip(HEADS[4:], promised, strict=True))]
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    rng = np.random.default_rng(given.seed)
    for lines in (
        whole_windows(detector, samples, first, wearer),
        short_windows(detector, samples, first, wearer, at_most=given.short, rng=rng),
    ):
        for line in lines:
            print(f"| {' | '.join(map(str, line))} |", flush=True)


def arguments():
    """The command line's options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", default="default", help="whose model, of simulated wearers (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=102, help="of the wearers (default: %(default)s)")
    parser.add_argument("--wearers", type=int, default=100, help="a day each (default: %(default)s)")
    parser.add_argument("--short", type=int, default=10_000, help="windows to cut short (default: %(default)s)")
    given = parser.parse_args()
    refuse_known_seed(parser, given)
    return given


if __name__ == "__main__":
    main(arguments())
