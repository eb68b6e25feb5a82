"""What is training on simulated wearers worth on real ones, and what do new limits recover? Prints a table.

    .venv/bin/python benchmarks/transfer.py --data watch.csv.gz [--run default]
    .venv/bin/python benchmarks/transfer.py --real march [--run default]

The model of a run on simulated wearers follows real wearers through held-out days with injected anomalies, three times:
unchanged, with limits from the real wearers' calibration days, and with windows of those days to compare with, too. If
days are held out and not wearers, this is repeated for each wearer with the days of the others alone. With --data, days
(or wearers) are held out and anomalies injected as by 01_generate. A finished run on real wearers (--real) has done so
already; its own detector, trained on the other days (or wearers), is the last row. Takes some minutes.
"""

import argparse
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from tqdm import tqdm

from lib.data import clean, coverage, readings, split
from lib.detector import grid
from lib.detector.following import follow
from lib.detector.scoring import ALERT, BORDERLINE
from lib.detector.windows import starts
from lib.evaluation import champion
from lib.evaluation.events import describe_windows, labelled_events, wearer_days
from lib.evaluation.score_card import EvaluationSet, score_card
from lib.evaluation.vus import vus_pr
from lib.files import resolve
from lib.run import Run
from lib.simulation import anomalies
from lib.training import fitting

LEVELS = {"0.3": BORDERLINE, "0.7": ALERT}
EVENTS_PER_DAY = 12
HEADS = ("VUS-PR", "AUROC", "normal at 0.3", "normal at 0.7", "recall at 0.7", "false alarms a day at 0.7")


@dataclass(frozen=True)
class Windows:
    """Windows of a clean table, a minute apart."""

    table: pd.DataFrame
    values: np.ndarray  # (T, 7) in raw units, NaN where not all wearers report a channel
    first: np.ndarray  # (N,) the rows they start at

    @classmethod
    def from_clean(cls, table, channels, detector, *, usable):
        """Windows of `usable` samples (T,) alone; channels (7,): what all wearers report."""
        stride = grid.per_minute(detector.interval_s)
        first = starts(clean.groups(table), length=detector.sequence_length, stride=stride, trusted=usable)
        return cls(table, np.where(channels, clean.samples(table), np.nan), first)


def prepared(path, detector, *, seed=1):
    """The clean calibration and test tables of real readings, as 01 and 02 make them, and what they are split by."""
    interval_s = round(detector.interval_s)
    tables = split.split_readings(readings.read(resolve(path)), seed=seed)
    injection = anomalies.Injection(events_per_day=EVENTS_PER_DAY, interval_s=interval_s)
    test, _ = anomalies.inject(tables.test, injection, rng=np.random.default_rng(seed))
    calm, test = (clean.clean(table, interval_s=interval_s)[0] for table in (tables.calibration, test))
    return calm, test, tables.by


def prepared_by(run):
    """The same of a finished run."""
    calm, test = (clean.load(run.data / f"processed/{name}.csv") for name in ("calibration", "anomalous_data"))
    return calm, test, run.recorded("01_generate")["split_by"]


def adapted(detector, calm, role, *, channels, compare):
    """The detector with limits from the windows `calm` of role 1 and 2 (N,); with `compare`, beside those of role 0.

    channels (7,): the features that all wearers report.
    """
    describer, compared = detector.describer, role == fitting.COMPARED
    if compare:
        describer = fitting.describer_of(
            describer.network,
            calm.values,
            calm.first[compared],
            scaler=describer.scaler,
            length=describer.length,
            interval_s=describer.interval_s,
        )
    fit = fitting.Fit(describer, calm.values, channels, progress=tqdm)
    wearer = pd.factorize(calm.table["user_id"])[0][calm.first]
    described = fit.describe(calm.first, wearer, learns=lambda faults: faults == grid.OK)
    reference, limiting = detector.reference, described[~compared]
    if compare:
        at_most, rng = len(reference.descriptors), np.random.default_rng(1)
        reference = fit.reference(described[compared], limiting, at_most=at_most, rng=rng)
    percentiles = [detector.calibration[level] for level in ("threshold_percentile", "alert_percentile")]
    limits = fit.limits(reference, limiting, percentiles, sizes=[describer.length])
    return replace(detector, describer=describer, reference=reference, calibration=limits)


def row(name, detector, test):
    """A line of the table: what the detector does on the windows `test`."""
    seen = describe_windows(test.table, test.first, length=detector.sequence_length)
    events = labelled_events(test.table)
    days = wearer_days(test.table, interval_s=detector.interval_s)
    followed = follow(detector, test.values, test.first, test.table["user_id"].astype("str"), progress=tqdm)
    labelled = EvaluationSet(seen, events, days, gated=np.full(len(events), False))
    _, figures = score_card(labelled, followed.scores, LEVELS)
    cells = [
        f"{vus_pr(seen, np.where(followed.faulty, np.nan, followed.error_ratio)):.3f}",
        f"{figures['auroc_macro']:.3f}",
    ]
    cells += [f"{figures['share_of_normal_0.3']:.1%}", f"{figures['share_of_normal_0.7']:.2%}"]
    cells += [f"{figures['recall_macro_0.7']:.2f}", f"{figures['false_alarms_per_day_0.7']:.1f}"]
    return f"| {name} | {' | '.join(cells)} |"


def without_each(calm, test, detector, channels):
    """For each wearer: the calm Windows of all others, their roles, and the test Windows of this one."""
    for name in test.table["user_id"].unique():
        others, this_one = calm.table["user_id"] != name, test.table["user_id"] == name
        usable = {"calm": clean.trusted(calm.table)[others], "test": clean.worn(test.table)[this_one]}
        of_others = Windows.from_clean(
            calm.table[others].reset_index(drop=True), channels, detector, usable=usable["calm"]
        )
        of_this_one = Windows.from_clean(
            test.table[this_one].reset_index(drop=True), channels, detector, usable=usable["test"]
        )
        yield of_others, _roles(of_others, by="day"), of_this_one


def _roles(calm, *, by):
    return split.roles(calm.table.iloc[calm.first], by=by, rng=np.random.default_rng(1))


def main(options):
    """Print the table."""
    detector = champion.load(options.run)
    calm, test, by = prepared_by(Run.at(options.real)) if options.real else prepared(options.data, detector)
    channels = np.logical_and.reduce([coverage.reported_channels(table).all(axis=0) for table in (calm, test)])
    calm = Windows.from_clean(calm, channels, detector, usable=clean.trusted(calm))
    test = Windows.from_clean(test, channels, detector, usable=clean.worn(test))
    role = _roles(calm, by=by)
    print(f"| | {' | '.join(HEADS)} |\n|---|{'---|' * len(HEADS)}")
    print(row("simulated model, as it is", detector, test), flush=True)
    for name, compare in {"its thresholds from real life": False, "compared with real life, too": True}.items():
        print(row(name, adapted(detector, calm, role, channels=channels, compare=compare), test), flush=True)
    if by == "day":
        for number, (others, role_of_others, wearer) in enumerate(
            without_each(calm, test, detector, channels), start=1
        ):
            beside = adapted(detector, others, role_of_others, channels=channels, compare=True)
            print(row(f"the same, of the other wearers alone: wearer {number}", beside, wearer), flush=True)
    if options.real:
        print(row(f"trained on the other {by}s", champion.load(options.real), test))


def arguments():
    """The command line's options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", default="default", help="a run on simulated wearers (default: %(default)s)")
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("--data", help="real wearers' readings: a file, a folder or a glob")
    who.add_argument("--real", help="a finished run on real wearers")
    return parser.parse_args()


if __name__ == "__main__":
    main(arguments())
