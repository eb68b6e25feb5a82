"""What is each part of the deployed score worth? Prints a table.

    .venv/bin/python benchmarks/ablation.py [--run default] [--seed 101]

Wearers are simulated anew, none of whom the run has in its tables: of those without an anomaly, half give the windows
of normal life to compare with and half the limits; the others, with anomalies, tell what is found. All windows are
described once, by the run's model; then the evidence is fitted without one part at a time, with as many windows to
compare with as the run has. So parts may be chosen by this table: the run's own test has no say in it.
"""

import argparse
import json
import sys
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from tqdm import tqdm

from lib.data import clean, readings
from lib.detector import baseline, features, grid, windows
from lib.detector.descriptors import HEART_RATE, LEVELLED, NAMES, still
from lib.detector.faults import faults
from lib.detector.neighbours import Reference
from lib.evaluation import bootstrap, champion, operating_point
from lib.evaluation.auroc import auroc_by_kind
from lib.evaluation.events import describe_windows, labelled_events, wearer_days
from lib.evaluation.vus import vus_pr
from lib.run import Run
from lib.simulation import anomalies, watch
from lib.training import fitting, rivals
from lib.training.errors import feature_errors, window_errors

IS_ERROR = np.array([name.startswith("error") for name in NAMES])  # (23,)
LSTM, PCA = "LSTM", "PCA"  # whose errors
WHOLE, PLAIN = "all of it", "the LSTM's plain error alone"
PARTS = {
    WHOLE: {},
    "without the LSTM's errors": {"kept": ~IS_ERROR},
    "with PCA's errors in their place": {"errors": PCA},
    "without the window statistics": {"kept": IS_ERROR},
    "without the rare half of the compared windows": {"rare": False},
    "without the wearer's own baseline": {"own": False},
    "without the weight of a fast heart": {"weighed": False},
    "with the wearer's own spread, too": {"spread": True},
}
KINDS = ("bradycardia", "tachycardia", "ill_raised")  # which the baseline and that weight are there for
HEADS = ("score", "VUS-PR", "difference (95 % over wearers)", "recall at 1 false alarm a day", "AUROC")
EVENTS_PER_DAY = 12
BATCH = 48  # windows rebuilt at once
QUARTILES = 1.349  # standard deviations from the first to the third, of a normal distribution


@dataclass(frozen=True)
class Described:
    """A table's windows, a minute apart, by all that any part of the score rests on."""

    table: pd.DataFrame  # clean
    first: np.ndarray  # (N,) the rows they start at
    columns: dict  # {whose errors: (N, 23)}, otherwise those of `evidence.describe`
    plain: np.ndarray  # (N,) the autoencoder's mean squared error
    faulty: np.ndarray  # (N,) booleans
    offset: np.ndarray  # (N,) bpm, of the wearer's own baseline as far as it is known
    minutes: np.ndarray  # (N,) still minutes that it rests on

    @classmethod
    def of(cls, raw, detector, rebuild):
        """Those of a raw table; rebuild: what PCA makes of scaled windows (N, length, 7)."""
        describer, channels = detector.describer, detector.channels
        table, _ = clean.clean(raw, interval_s=describer.interval_s)
        usable = clean.worn(table) if "label" in table else clean.trusted(table)
        form = {"length": describer.length, "stride": grid.per_minute(describer.interval_s), "trusted": usable}
        first = windows.starts(clean.groups(table), **form)
        ours, errors = np.empty((len(first), len(NAMES))), np.empty((len(first), IS_ERROR.sum()))
        plain, faulty = np.empty(len(first)), np.empty(len(first), dtype=bool)
        samples, size = clean.samples(table), np.full(BATCH, describer.length)
        for low in tqdm(range(0, len(first), BATCH)):
            batch = slice(low, low + BATCH)
            raw, scaled, rebuilt = describer.rebuild(samples, first[batch], counted=channels)
            ours[batch] = describer.describe_rebuilt(raw, scaled, rebuilt, size[: len(raw)])
            errors[batch] = rivals.log_errors_by_channel(scaled, rebuild=rebuild)
            plain[batch] = window_errors(feature_errors(scaled, rebuilt), channels)
            faulty[batch] = faults(raw, interval_s=describer.interval_s, counted=channels) != grid.OK
        columns = {LSTM: ours, PCA: np.column_stack([ours[:, ~IS_ERROR], errors])}
        owner = pd.factorize(table["user_id"])[0][first]
        offset, minutes = baseline.follow(owner, ours, ~faulty, first, interval_s=describer.interval_s)
        return cls(table, first, columns, plain, faulty, offset, minutes)

    def windows(self, errors, *, own):
        """The DescribedWindows with the reconstruction errors of that method, and without baselines unless `own`."""
        faults = np.where(self.faulty, grid.STUCK, grid.OK)
        return fitting.DescribedWindows(self.first, self.columns[errors], faults, own * self.offset, self.minutes)


def spreads(described):
    """Each window's wearer's own spread of heart rate at rest, bpm (N,), known before it; NaN for none.

    Of the histogram that the baseline is: between its quartiles. Also the still minutes (N,) it rests on.
    """
    columns, place = described.columns[LSTM], np.append(0, np.arange(baseline.BINS) + 1)
    learns, found = ~described.faulty & still(columns), np.full(len(columns), np.nan)
    minutes = np.zeros(len(columns))
    for rows in described.table.iloc[described.first].reset_index().groupby("user_id", observed=True).indices.values():
        own, spread = baseline.Baseline(), np.nan
        for row in rows:
            found[row], minutes[row] = spread, own.total
            if learns[row]:
                own.add(columns[row, HEART_RATE : HEART_RATE + 1])
                low, high = np.interp([0.25, 0.75], np.append(0, np.cumsum(own.minutes)) / own.total, place)
                spread = (high - low) * baseline.STEP / QUARTILES
    return found, minutes


def in_own_spreads(tables):
    """The Described tables with the heart rate about each wearer's own level in units of their own spread, shrunk.

    The unit of all is the median wearer's spread, toward which each is shrunk by `baseline.SHRUNK` minutes.
    """
    told = [spreads(described) for described in tables]
    usual = np.nanmedian(np.concatenate([found for found, _ in told]))
    moved = []
    for described, (found, minutes) in zip(tables, told, strict=True):
        own = (np.nan_to_num(found) * minutes + usual * baseline.SHRUNK) / (minutes + baseline.SHRUNK)
        columns, level = described.columns[LSTM].copy(), described.offset[:, None]
        columns[:, LEVELLED] = level + (columns[:, LEVELLED] - level) * (usual / own)[:, None]
        moved.append(replace(described, columns={LSTM: columns}))
    return moved


def compared_by(kept):
    """A Reference that is fitted and compared by its descriptors `kept` (23,) alone; a fast heart still counts."""

    class PartialReference(Reference):
        def _products(self, scaled, known):
            return super()._products(np.where(kept, scaled, 0), np.where(kept, known, 0))

    return PartialReference


def error_ratio(
    compare, limit, test, detector, *, kept=True, errors=LSTM, rare=True, own=True, weighed=True, spread=False
):
    """The evidence over the threshold, (N,), of the windows of `test`, without a part of the score.

    compare, limit, test: the Described windows to compare with, for the limits, and to judge.
    """
    if spread:
        compare, limit, test = in_own_spreads([compare, limit, test])
    rng, at_most = np.random.default_rng(0), len(detector.reference.descriptors)
    drawn = np.arange(len(compare.first)) if rare else rng.permutation(len(compare.first))[:at_most]
    fit = fitting.Fit(detector.describer, None, detector.channels)
    compared, limiting, judged = (table.windows(errors, own=own) for table in (compare, limit, test))
    reference = fit.reference(compared[drawn], limiting, at_most=at_most, rng=rng, kind=compared_by(kept))
    if not weighed:
        reference = replace(reference, ceilings=np.zeros_like(reference.ceilings))
    percentile = detector.calibration["threshold_percentile"]
    thresholds = [np.percentile(fit.evidence(reference, limiting, known=False), percentile)] * 2
    if own:
        thresholds[True] = np.percentile(fit.evidence(reference, limiting[limiting.known], known=True), percentile)
    known = judged.known & own
    counted = detector.channels[: len(features.CHANNELS)]
    evidence = reference.evidence(judged.descriptors, counted, judged.offset, known)
    return np.where(test.faulty, np.nan, evidence / np.array(thresholds)[known.astype(int)])


def rows(measured, test, detector):
    """The table's rows of {score: (N,)}, the windows' evidence in `test`."""
    seen = describe_windows(test.table, test.first, length=detector.sequence_length)
    events = labelled_events(test.table)
    days = wearer_days(test.table, interval_s=detector.interval_s)
    draws = bootstrap.vus_pr_draws(seen, measured, bootstrap.Resampling(seed=1))
    vus = {name: vus_pr(seen, found) for name, found in measured.items()}
    for name, found in measured.items():
        low, high = bootstrap.interval(draws[name] - draws[WHOLE])
        span = "" if np.isnan(low) else f" ({low:+.3f} to {high:+.3f})"  # none of a single wearer
        less = "" if name == WHOLE else f"{vus[name] - vus[WHOLE]:+.3f}{span}"
        recall = operating_point.recall_at(seen, events, found, days=days).recall_macro
        auroc = auroc_by_kind(found, seen["kind"])
        by_kind = [f"{auroc.get(kind, np.nan):.2f}" for kind in KINDS]
        yield [name, f"{vus[name]:.3f}", less, f"{recall:.2f}", f"{auroc.mean():.3f}", *by_kind]


def simulated(seed, *, normal, labelled, days, interval_s):
    """The raw tables of wearers to compare with, of those for the limits, a day each, and of labelled ones."""
    form = {"interval_s": interval_s, "seed": seed}
    calm = readings.parse(watch.record_days(wearers=normal, days=1, first_id=0, **form))
    life = readings.parse(watch.record_days(wearers=labelled, days=days, first_id=normal, **form))
    injection = anomalies.Injection(events_per_day=EVENTS_PER_DAY, interval_s=interval_s)
    test, _ = anomalies.inject(life, injection, rng=np.random.default_rng(seed))
    other = calm["user_id"].isin(calm["user_id"].unique()[1::2])
    return calm[~other].reset_index(drop=True), calm[other].reset_index(drop=True), test


def fitted_pca(run, detector):
    """PCA of the windows that the run's autoencoder learned from, with as many components as that has in the middle."""
    components = json.loads((run.models / "model.json").read_text())["parameters"]["encoding_dim"]
    samples = clean.samples(clean.load(run.data / "processed/health_metrics.csv"))
    scaled = features.scale(samples, detector.describer.scaler)
    learned = windows.gather(scaled, np.load(run.models / "windows.npz")["train"], length=detector.sequence_length)
    return rivals.PrincipalComponents(components).fit(learned)


def main(given):
    """Print the table."""
    run = Run.at(given.run)
    detector = champion.load(given.run)
    pca = fitted_pca(run, detector)
    people = {"normal": given.normal, "labelled": given.labelled, "days": given.days}
    raw = simulated(given.seed, **people, interval_s=int(detector.interval_s))
    tables = [Described.of(table, detector, pca.rebuild) for table in raw]
    measured = {name: error_ratio(*tables, detector, **without) for name, without in tqdm(PARTS.items())}
    measured[PLAIN] = np.where(tables[-1].faulty, np.nan, tables[-1].plain)
    heads = [*HEADS, *(kind.replace("_", " ") for kind in KINDS)]
    for cells in (heads, ["---"] * len(heads), *rows(measured, tables[-1], detector)):
        print(f"| {' | '.join(cells)} |", flush=True)


def refuse_known_seed(parser, given):
    """End the script where there is no run `given.run`, or it has the wearers of `given.seed` in its tables."""
    ran = Run.at(given.run).journal.get("ran", {}).get("01_generate")
    if not ran:
        sys.exit(f"there is no run {given.run!r}: ./run_all.sh run={given.run} makes it")
    if ran["parameters"]["seed"] == given.seed:
        parser.error(f"--seed {given.seed}: run {given.run!r} has the wearers of this seed in its tables")


def arguments():
    """The command line's options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", default="default", help="whose model, of simulated wearers (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=101, help="of the wearers (default: %(default)s)")
    parser.add_argument("--normal", type=int, default=36, help="wearers without an anomaly (default: %(default)s)")
    parser.add_argument("--labelled", type=int, default=24, help="wearers with anomalies (default: %(default)s)")
    parser.add_argument("--days", type=int, default=2, help="of each of those (default: %(default)s)")
    given = parser.parse_args()
    refuse_known_seed(parser, given)
    return given


if __name__ == "__main__":
    main(arguments())
