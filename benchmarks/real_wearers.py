"""How does the detector do on real people's life? Prints two tables, per wearer.

    .venv/bin/python benchmarks/real_wearers.py [--data ../shared/data] [--run default]

(a) The model of a run on simulated wearers follows each real wearer's unlabelled life. After the first worn day, one
window in 20 should reach 0.3, one in 1,000 should reach 0.7, and alerts should be rare.

(b) Each group of wearers is compared with its own first week: the run's network, a reference and limits of seven days.
The seven days after have injected anomalies. Beside it stand nearest neighbours on the 15 statistics and the clock, of
the same seven days. Windows and events of broken sensors are left out. Recall is at one false alarm a wearer-day, one
threshold for all of the group.

--data (or the environment variable REAL_DATA) is a folder with `fitbit/` and `stanford/`: Furberg et al. 2016 (Zenodo
53894, CC BY 4.0) and Mishra et al. 2020 (Nat Biomed Eng 4). Without it, nothing is measured. About ten minutes.
"""

import argparse
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.neighbors import NearestNeighbors
from tqdm import tqdm

from lib.data import clean, readings
from lib.detector import grid, statistics, windows
from lib.detector.features import CHANNELS
from lib.detector.following import follow
from lib.detector.scoring import ALERT, BORDERLINE
from lib.evaluation import champion, events, operating_point
from lib.evaluation.vus import vus_pr
from lib.run import ROOT
from lib.simulation.anomalies import Injection, inject
from lib.training import fitting

DATA = os.environ.get("REAL_DATA") or ROOT.parent / "shared/data"
GROUPS = {  # name: (files, counters)
    "fitbit": ("fitbit/fitbit_*.csv.gz", "cumulative"),
    "stanford": ("stanford/stcov0[1268].csv.gz", "interval"),
}
DAYS = 7  # of learning, and of the test
WORN_READINGS = 4000  # of a day that counts as worn
FIRST_DAY = 1440  # windows, a minute apart, before which a wearer is not yet known
EPISODE_S = 600
HEADS = ("group", "method", "VUS-PR", "recall at 1 a day", "recall at 0.7", "false alarms a day at 0.7")
SENSORS = ("stuck_sensor", "dropout")


@dataclass(frozen=True)
class Life:
    """One wearer's readings, cleaned."""

    name: str
    raw: pd.DataFrame
    counters: str
    days: np.ndarray  # datetime64[D]: those worn, from the first

    def between(self, begin, end):
        """The raw readings of the worn days number `begin` to `end` (excluded)."""
        day = self.raw["timestamp"].to_numpy().astype("datetime64[D]")
        return self.raw[(day >= self.days[begin]) & (day <= self.days[min(end, len(self.days)) - 1])]


def lives(folder, pattern, counters):
    """The Life of each wearer of a group."""
    for path in sorted(Path(folder).glob(pattern)):
        raw = readings.read(str(path))
        if counters == "interval":
            raw = raw.drop(columns=[name for name in ("calories", "distance") if name in raw])
        day = raw["timestamp"].to_numpy().astype("datetime64[D]")
        names, counts = np.unique(day[(raw["heartRate"] > 0).to_numpy()], return_counts=True)
        yield Life(path.name.split(".")[0], raw, counters, names[counts >= WORN_READINGS])


@dataclass(frozen=True)
class Windows:
    """Windows of one wearer, a minute apart, with their descriptors."""

    table: pd.DataFrame
    samples: np.ndarray  # (T, 7)
    first: np.ndarray  # (N,)
    descriptors: np.ndarray  # (N, 23)
    faults: np.ndarray  # (N,)

    @classmethod
    def of(cls, raw, counters, detector):
        """The windows of raw readings."""
        table, _ = clean.clean(raw, interval_s=detector.interval_s, counters=counters)
        samples, length = clean.samples(table), detector.sequence_length
        form = {"length": length, "stride": grid.per_minute(detector.interval_s), "trusted": clean.worn(table)}
        first = windows.starts(clean.groups(table), **form)
        whole = windows.whole(samples, first, length=length)
        counted = whole & ~np.isnan(samples).all(axis=0)
        described = detector.describer.describe(samples, first, counted=counted, progress=tqdm)
        return cls(table, samples, first, *described)

    @property
    def end(self):
        """The time of each window's last sample."""
        return events.describe_windows(self.table, self.first, length=60)["end"]


def followed(detector, *parts):
    """The Followed of Windows of one wearer, one part after the other, of the last part alone."""
    lengths = np.cumsum([0, *(len(part.samples) for part in parts)])[:-1]
    first = np.concatenate([part.first + low for part, low in zip(parts, lengths, strict=True)])
    samples = np.concatenate([part.samples for part in parts])
    described = tuple(np.concatenate([getattr(part, name) for part in parts]) for name in ("descriptors", "faults"))
    result = follow(detector, samples, first, np.zeros(len(samples)), described=described)
    return result, slice(len(first) - len(parts[-1].first), None)


def calm_life(detector, part):
    """Shares of windows after the first day at 0.3 and 0.7, and alerts a worn day."""
    scores = followed(detector, part)[0].scores
    known = ~np.isnan(scores)
    scores, end = scores[known][FIRST_DAY:], part.end.to_numpy()[known][FIRST_DAY:]
    alerts = end[scores >= ALERT]
    episodes = int((np.diff(alerts) > np.timedelta64(EPISODE_S, "s")).sum()) + bool(len(alerts))
    return (scores >= BORDERLINE).mean(), (scores >= ALERT).mean(), episodes / (len(scores) / 1440)


def own(detector, parts):
    """The detector with a reference and limits of a group's own windows, each day compared with all the others."""
    samples = np.concatenate([part.samples for part in parts])
    low = np.cumsum([0, *(len(part.samples) for part in parts)])[:-1]
    rows = np.concatenate([part.first[part.faults == grid.OK] + at for part, at in zip(parts, low, strict=True)])
    wearer = np.repeat(np.arange(len(parts)), [int((part.faults == grid.OK).sum()) for part in parts])
    day = np.concatenate([part.end.dt.dayofyear.to_numpy()[part.faults == grid.OK] for part in parts])
    channels = windows.whole(samples, rows, length=detector.sequence_length).all(axis=0)
    describer = detector.describer
    form = {"scaler": describer.scaler, "length": describer.length, "interval_s": describer.interval_s}
    describer = fitting.describer_of(describer.network, samples, rows, **form)
    fit = fitting.Fit(describer, samples, channels, progress=tqdm)
    described = fit.describe(rows, wearer, fold=1000 * wearer + day)
    reference = fit.reference(described, described, at_most=8000, rng=np.random.default_rng(1))
    limits = fit.limits(reference, described, (95.0, 99.9), short=slice(None, None, 10), sizes=[60])
    return replace(detector, describer=describer, reference=reference, calibration=limits, channels=channels)


def neighbours(learned, tested, interval_s):
    """Errors of each part of `tested` by the rival: mean distance to the five nearest of the windows `learned`."""
    columns = [_plain(part, interval_s) for part in learned]
    known = np.concatenate(columns)
    used = ~np.isnan(known).all(axis=0)
    known = known[~np.isnan(known[:, used]).any(axis=1)][:, used]
    mean, scale = known.mean(axis=0), np.maximum(known.std(axis=0), 1e-6)
    near = NearestNeighbors(n_neighbors=5).fit((known - mean) / scale)
    asked = [np.nan_to_num((_plain(part, interval_s)[:, used] - mean) / scale) for part in tested]
    return [near.kneighbors(values)[0].mean(axis=1) for values in asked]


def _plain(part, interval_s):
    """The 15 statistics of windows, heart rate as it is, and the clock."""
    raw = windows.gather(part.samples, part.first, length=60)
    batches = np.array_split(raw, 1 + len(raw) // 4096)
    plain = np.concatenate([statistics.window_statistics(batch, interval_s=interval_s) for batch in batches])
    return np.column_stack([plain, raw[:, -1, len(CHANNELS) : len(CHANNELS) + 2]])


def scored(parts, errors, names):
    """Pooled windows, events, errors and days of a group, without those of broken sensors."""
    tables = []
    for part, error, name in zip(parts, errors, names, strict=True):
        seen = events.describe_windows(part.table, part.first, length=60).assign(user_id=name)
        happened = events.labelled_events(part.table).assign(user_id=name)
        broken = happened["kind"].isin(SENSORS)
        begin, end = seen["start"].to_numpy(), seen["end"].to_numpy()
        touched = np.zeros(len(seen), dtype=bool)
        for event in happened[broken].itertuples():
            touched |= (end >= event.start) & (begin <= event.end)
        errors_ = np.where(part.faults == grid.OK, error, np.nan)
        tables.append((seen[~touched], happened[~broken], errors_[~touched]))
    seen, happened, errors_ = (list(values) for values in zip(*tables, strict=True))
    days = sum(events.wearer_days(part.table, interval_s=5) for part in parts)
    pooled = (pd.concat(values, ignore_index=True) for values in (seen, happened))
    return *pooled, np.concatenate(errors_), days


def figures(parts, errors, names, at=None):
    """VUS-PR, recall at one false alarm a day, AUROC by kind; with `at`, recall and false alarms a day from it on."""
    seen, happened, error, days = scored(parts, errors, names)
    point = operating_point.recall_at(seen, happened, error, days=days)
    cells = [f"{vus_pr(seen, error):.3f}", f"{point.recall_macro:.2f}"]
    if at is not None:
        there = operating_point.at_threshold(seen, happened, error, at, days=days)
        cells += [f"{there.recall_macro:.2f}", f"{there.false_alarms_per_day:.1f}"]
    return cells


def main(options):
    """Print the tables."""
    if not Path(options.data).is_dir():
        print(f"no real wearers at {options.data}: nothing measured; --data names their folder", file=sys.stderr)
        return 0
    detector = champion.load(options.run)
    measure(detector, options.data)
    return 0


def measure(detector, folder):
    """Print the tables of a detector."""
    groups = {name: list(lives(folder, *how)) for name, how in GROUPS.items()}
    print("| wearer | at 0.3 | at 0.7 | alerts a day |\n|---|---|---|---|")
    rows = []
    for people in groups.values():
        for life in people:
            part = Windows.of(life.between(0, DAYS + 3), life.counters, detector)
            rows.append(calm_life(detector, part))
            print(f"| {life.name} | {rows[-1][0]:.1%} | {rows[-1][1]:.2%} | {rows[-1][2]:.2f} |", flush=True)
    mean = np.mean(rows, axis=0)
    print(f"| mean of {len(rows)} | {mean[0]:.1%} | {mean[1]:.2%} | {mean[2]:.2f} |\n", flush=True)
    print(f"| {' | '.join(HEADS)} |\n|{'---|' * len(HEADS)}")
    for name, people in groups.items():
        own_run(name, people, detector)


def own_run(name, people, detector, *, rate=4, seed=2):
    """Print the rows of a group: the rival, the run's detector, the group's own detector."""
    names, learned, tested = [life.name for life in people], [], []
    for life in people:
        learned.append(Windows.of(life.between(0, DAYS), life.counters, detector))
        how = Injection(events_per_day=rate, interval_s=5, counters=life.counters)
        raw = life.between(DAYS, 2 * DAYS).reset_index(drop=True)
        labelled, _ = inject(raw, how, rng=np.random.default_rng(seed))
        tested.append(Windows.of(labelled, life.counters, detector))
    rival = neighbours(learned, tested, detector.interval_s)
    print(f"| {name} | nearest neighbours | {' | '.join(figures(tested, rival, names))} | – | – |", flush=True)
    for method, judge in {"the run's detector": detector, "the group's own": own(detector, learned)}.items():
        ratios = []
        for before, after in zip(learned, tested, strict=True):
            result, last = followed(judge, *(redescribed(part, judge) for part in (before, after)))
            ratios.append((result.alert_ratio)[last])
        print(f"| {name} | {method} | {' | '.join(figures(tested, ratios, names, at=1.0))} |", flush=True)


def redescribed(part, detector):
    """The same windows, their usual heart rate by the hour that of another detector."""
    counted = windows.whole(part.samples, part.first, length=60) & detector.channels
    descriptors, faults = detector.describer.describe(part.samples, part.first, counted=counted)
    return replace(part, descriptors=descriptors, faults=faults)


def arguments():
    """The command line's options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default=DATA, help="a folder with fitbit/ and stanford/ (default: %(default)s)")
    parser.add_argument("--run", default="default", help="a run on simulated wearers (default: %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main(arguments()))
