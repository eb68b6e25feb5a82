"""What does each component of the deployed score contribute? Prints a table.

    .venv/bin/python benchmarks/ablation.py [--run default] [--seed 101]

New wearers are simulated, none of whom the run has in its tables. Half of those without an anomaly give the windows to
compare with, the other half the limits; wearers with anomalies show what is found. All windows are described once, by
the run's model. Then the evidence is fitted without one component at a time, with as large a reference as the run's.
Components may be chosen by this table, because the run's own test is not used.
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
from lib.detector.descriptors import NAMES
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


@dataclass(frozen=True)
class Variant:
    """The score without a component, or with another in its place."""

    descriptors: np.ndarray | bool = True  # (23,) booleans: those that windows are compared by
    errors: str = LSTM  # whose reconstruction errors
    rare: bool = True  # whether half of the reference is the rarest of normal life
    baselines: bool = True
    lift: bool = True  # whether a raised heart rate counts more


VARIANTS = {
    WHOLE: Variant(),
    "without the LSTM's errors": Variant(descriptors=~IS_ERROR),
    "with PCA's errors in their place": Variant(errors=PCA),
    "without the window statistics": Variant(descriptors=IS_ERROR),
    "without the rare half of the compared windows": Variant(rare=False),
    "without the wearer's own baseline": Variant(baselines=False),
    "without the weight of a fast heart": Variant(lift=False),
}
KINDS = ("bradycardia", "tachycardia", "ill_raised")  # the reason for the baseline and the lift
HEADS = ("score", "VUS-PR", "difference (95 % over wearers)", "recall at 1 false alarm a day", "AUROC")
EVENTS_PER_DAY = 12
BATCH = 48  # windows rebuilt at once


@dataclass(frozen=True)
class Described:
    """A table's windows, a minute apart, by all that any component of the score needs."""

    table: pd.DataFrame  # clean
    first: np.ndarray  # (N,) the rows they start at
    descriptors: dict  # {whose errors: (N, 23)}
    plain: np.ndarray  # (N,) the autoencoder's mean squared error
    faulty: np.ndarray  # (N,) booleans
    offset: np.ndarray  # (N,) bpm, of the wearer's own baseline as far as it is known
    minutes: np.ndarray  # (N,) still minutes that it rests on
    per_minute: int  # samples

    @classmethod
    def from_raw(cls, raw, detector, rebuild):
        """Describe a raw table's windows; rebuild: callable, PCA's reconstruction of scaled windows (N, length, 7)."""
        describer, channels = detector.describer, detector.channels
        table, _ = clean.clean(raw, interval_s=describer.interval_s)
        usable = clean.worn(table) if "label" in table else clean.trusted(table)
        stride = grid.per_minute(describer.interval_s)
        first = windows.starts(clean.groups(table), length=describer.length, stride=stride, trusted=usable)
        descriptors, errors = np.empty((len(first), len(NAMES))), np.empty((len(first), IS_ERROR.sum()))
        plain, faulty = np.empty(len(first)), np.empty(len(first), dtype=bool)
        samples, size = clean.samples(table), np.full(BATCH, describer.length)
        for low in tqdm(range(0, len(first), BATCH)):
            batch = slice(low, low + BATCH)
            raw, scaled, rebuilt = describer.rebuild(samples, first[batch], counted=channels)
            descriptors[batch] = describer.describe_rebuilt(raw, scaled, rebuilt, size[: len(raw)])
            errors[batch] = rivals.log_errors_by_channel(scaled, rebuild=rebuild)
            plain[batch] = window_errors(feature_errors(scaled, rebuilt), channels)
            faulty[batch] = faults(raw, interval_s=describer.interval_s, counted=channels) != grid.OK
        by_errors = {LSTM: descriptors, PCA: np.column_stack([descriptors[:, ~IS_ERROR], errors])}
        owner = pd.factorize(table["user_id"])[0][first]
        offset, minutes = baseline.follow(owner, descriptors, ~faulty, first, interval_s=describer.interval_s)
        return cls(table, first, by_errors, plain, faulty, offset, minutes, stride)

    def windows(self, variant):
        """The DescribedWindows for a Variant of the score."""
        faulty, offset = np.where(self.faulty, grid.STUCK, grid.OK), variant.baselines * self.offset
        wearer = pd.factorize(self.table["user_id"])[0][self.first]
        minute, fold = self.first // self.per_minute, np.zeros(len(self.first), dtype=int)
        known = (offset, self.minutes, wearer, minute, fold)
        return fitting.DescribedWindows(self.first, self.descriptors[variant.errors], faulty, *known)


def reference_of(chosen):
    """A kind of Reference that compares by the descriptors `chosen` (23,) alone."""

    class PartialReference(Reference):
        def _products(self, scaled, known):
            return super()._products(np.where(chosen, scaled, 0), np.where(chosen, known, 0))

    return PartialReference


def error_ratio(compare, limit, test, detector, variant):
    """The evidence over the threshold, (N,), of the windows of `test` by a Variant of the score.

    compare, limit, test: the Described windows to compare with, for the limits, and to judge.
    """
    rng, at_most = np.random.default_rng(0), len(detector.reference.descriptors)
    drawn = np.arange(len(compare.first)) if variant.rare else rng.permutation(len(compare.first))[:at_most]
    fit = fitting.Fit(detector.describer, None, detector.channels)
    compared, limiting, judged = (table.windows(variant) for table in (compare, limit, test))
    kind = reference_of(variant.descriptors)
    reference = fit.reference(compared[drawn], limiting, at_most=at_most, rng=rng, kind=kind)
    if not variant.lift:
        reference = replace(reference, ceilings=np.zeros_like(reference.ceilings))
    percentile = detector.calibration["threshold_percentile"]
    thresholds = [np.percentile(fit.evidence(reference, limiting, known=False), percentile)] * 2
    counted, personal = detector.channels[: len(features.CHANNELS)], {}
    if variant.baselines:
        own = fit.evidence(reference, limiting, known=True, level=fitting.levels(reference, limiting))
        own /= fitting.own_limit_ratios(own, limiting, percentile)
        thresholds[True] = np.percentile(own[limiting.known], percentile)
        personal = fit.personal(reference, judged, {"own": {"": {"threshold": [thresholds[True]]}}})
    known, ratio = (personal.pop(name, default) for name, default in (("known", False), ("limit_ratio", 1.0)))
    evidence = reference.evidence(judged.descriptors, counted, known=known, **personal) / ratio
    known = np.broadcast_to(known, len(evidence)).astype(int)
    return np.where(test.faulty, np.nan, evidence / np.array(thresholds)[known])


def rows(measured, test, detector):
    """The table's rows of {score: (N,)}, the windows' evidence in `test`."""
    seen = describe_windows(test.table, test.first, length=detector.sequence_length)
    events = labelled_events(test.table)
    days = wearer_days(test.table, interval_s=detector.interval_s)
    draws = bootstrap.vus_pr_draws(seen, measured, bootstrap.Resampling(seed=1))
    vus = {name: vus_pr(seen, ratio) for name, ratio in measured.items()}
    for name, ratio in measured.items():
        low, high = bootstrap.interval(draws[name] - draws[WHOLE])
        span = "" if np.isnan(low) else f" ({low:+.3f} to {high:+.3f})"  # none of a single wearer
        less = "" if name == WHOLE else f"{vus[name] - vus[WHOLE]:+.3f}{span}"
        recall = operating_point.recall_at(seen, events, ratio, days=days).recall_macro
        auroc = auroc_by_kind(ratio, seen["kind"])
        by_kind = [f"{auroc.get(kind, np.nan):.2f}" for kind in KINDS]
        yield [name, f"{vus[name]:.3f}", less, f"{recall:.2f}", f"{auroc.mean():.3f}", *by_kind]


def simulated(seed, *, normal, labelled, days, interval_s):
    """The raw tables of wearers to compare with, of those for the limits, a day each, and of labelled ones."""
    drawn = {"interval_s": interval_s, "seed": seed}
    calm = readings.parse(watch.record_days(wearers=normal, days=1, first_id=0, **drawn))
    life = readings.parse(watch.record_days(wearers=labelled, days=days, first_id=normal, **drawn))
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


def main(options):
    """Print the table."""
    run = Run.at(options.run)
    detector = champion.load(options.run)
    pca = fitted_pca(run, detector)
    people = {"normal": options.normal, "labelled": options.labelled, "days": options.days}
    raw = simulated(options.seed, **people, interval_s=int(detector.interval_s))
    tables = [Described.from_raw(table, detector, pca.rebuild) for table in raw]
    measured = {name: error_ratio(*tables, detector, variant) for name, variant in tqdm(VARIANTS.items())}
    measured[PLAIN] = np.where(tables[-1].faulty, np.nan, tables[-1].plain)
    heads = [*HEADS, *(kind.replace("_", " ") for kind in KINDS)]
    for cells in (heads, ["---"] * len(heads), *rows(measured, tables[-1], detector)):
        print(f"| {' | '.join(cells)} |", flush=True)


def refuse_known_seed(parser, options):
    """End the script where there is no run `options.run`, or it has the wearers of `options.seed` in its tables."""
    ran = Run.at(options.run).journal.get("ran", {}).get("01_generate")
    if not ran:
        sys.exit(f"there is no run {options.run!r}: ./run_all.sh run={options.run} makes it")
    if ran["parameters"]["seed"] == options.seed:
        parser.error(f"--seed {options.seed}: run {options.run!r} has the wearers of this seed in its tables")


def arguments():
    """The command line's options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", default="default", help="whose model, of simulated wearers (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=101, help="of the wearers (default: %(default)s)")
    parser.add_argument("--normal", type=int, default=36, help="wearers without an anomaly (default: %(default)s)")
    parser.add_argument("--labelled", type=int, default=24, help="wearers with anomalies (default: %(default)s)")
    parser.add_argument("--days", type=int, default=2, help="of each of those (default: %(default)s)")
    options = parser.parse_args()
    refuse_known_seed(parser, options)
    return options


if __name__ == "__main__":
    main(arguments())
