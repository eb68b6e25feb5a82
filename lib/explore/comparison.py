"""A rival beside the scorecard's methods: 04_evaluate's windows and measures, for one more method."""

import json
import time

import numpy as np

from lib.data import clean
from lib.detector import features, grid, windows
from lib.detector.detector import Detector
from lib.detector.following import follow
from lib.evaluation import bootstrap, operating_point, summary, vus
from lib.evaluation.events import describe_windows, gate_delays, labelled_events, wearer_days
from lib.training import rivals

BEST = summary.VUS  # the column by which methods are ranked


class Comparison:
    """The windows of a run's evaluation. `row` measures a rival on them.

    Parameters
    ----------
    run : lib.run.Run
    metrics : dict
        The content of metrics.json.

    Raises
    ------
    ValueError
        If the run was evaluated on another table, or otherwise than its record says.
    """

    def __init__(self, run, metrics):
        if metrics["evaluated"]["table"] != summary.OWN:
            raise ValueError(f"run {run.name!r} was evaluated on {metrics['evaluated']['table']}, not on its own test")
        made_with = run.journal.get("ran", {}).get("04_evaluate", {}).get("parameters", {})
        model = json.loads((run.models / "model.json").read_text(encoding="utf-8"))
        self.scaler, self.length, self.interval_s = model["scaler"], model["sequence_length"], model["interval_s"]
        self.stride = made_with.get("score_stride") or grid.per_minute(self.interval_s)
        self.resampling = bootstrap.Resampling(made_with.get("seed", 1))
        self.table, self.learned, self.calm = (
            clean.load(run.data / f"processed/{name}.csv")
            for name in ("anomalous_data", "health_metrics", "calibration")
        )
        self._place_windows(np.load(run.models / "windows.npz"), expected=metrics["evaluated"]["windows"])
        self._describe(Detector.load(run.models))

    def _place_windows(self, known, *, expected):
        """Find the windows of the test, of the calibration, and those to learn from and to compare with."""
        groups, worn = clean.groups(self.table), clean.worn(self.table)
        self.first = windows.starts(groups, length=self.length, stride=self.stride, trusted=worn)
        if len(self.first) != expected:
            raise ValueError(
                f"expected the {expected:,} windows of metrics.json, got {len(self.first):,}: evaluate the run again"
            )
        owner = self.calm["user_id"].astype("str").to_numpy()[known["calibration"]]
        self.usual = known["calibration"][windows.stretches(owner, at_most=rivals.MOST_CALIBRATED)]
        self.to_learn, self.to_compare = known["train"], known["compared"]

    def _describe(self, detector):
        """Describe the windows and events that are measured."""
        self.seen = describe_windows(self.table, self.first, length=self.length)
        self.usual_seen = describe_windows(self.calm, self.usual, length=self.length)
        self.events = labelled_events(self.table)
        wearer = self.table["user_id"].astype("str")
        faulty = follow(detector, clean.samples(self.table), self.first, wearer).faulty
        self.days = wearer_days(self.table, interval_s=self.interval_s)
        self.usual_days = len(self.usual) * self.stride * self.interval_s / 86_400
        self.by_wearer = bootstrap.days_by_wearer(self.table, interval_s=self.interval_s)
        self.gate = gate_delays(self.table, self.seen, self.events, faulty)
        self.scaled = features.scale(clean.samples(self.table), self.scaler)
        self.usual_scaled = features.scale(clean.samples(self.calm), self.scaler)

    def row(self, detector_or_function):
        """Return the figures of a scorecard's row, {column: value}.

        Parameters
        ----------
        detector_or_function : scikit-learn outlier detector, or callable
            As `Run.compare` takes it.
        """
        rival = rivals.of(detector_or_function, scaler=self.scaler, interval_s=self.interval_s)
        rival.fit(self._normal_windows(compared=rival.compares))
        began = time.perf_counter()
        errors = self._errors(rival, self.scaled, self.first, self.seen)
        seconds = time.perf_counter() - began
        usual = self._errors(rival, self.usual_scaled, self.usual, self.usual_seen)
        gated = {"days": self.days, "gate_delays": self.gate}
        threshold = operating_point.calibrated(self.usual_seen, usual, days=self.usual_days)
        return (
            self._vus(errors)
            | self._recall(operating_point.recall_at(self.seen, self.events, errors, **gated), errors)
            | _calibrated(operating_point.at_threshold(self.seen, self.events, errors, threshold, **gated))
            | {"ms a window": 1000 * seconds / len(errors)}
        )

    def _normal_windows(self, *, compared):
        """Return scaled windows of normal life: those to compare with, or those that the autoencoder learned from."""
        if compared:
            return windows.gather(self.usual_scaled, self.to_compare, length=self.length)
        learned = features.scale(clean.samples(self.learned), self.scaler)
        return windows.gather(learned, self.to_learn, length=self.length)

    def _errors(self, rival, samples, first, seen):
        wearer = seen["user_id"].astype("str")
        return rival.errors(samples, first, length=self.length, wearer=wearer, ended=seen["end"])

    def _vus(self, errors):
        drawn = bootstrap.vus_pr_draws(self.seen, {"rival": errors}, self.resampling)["rival"]
        return _with_interval(summary.VUS, vus.vus_pr(self.seen, errors), drawn)

    def _recall(self, point, errors):
        errors_of = {"rival": errors}
        drawn = bootstrap.recall_draws(self.seen, self.events, errors_of, self.resampling, days=self.by_wearer)["rival"]
        return _with_interval(summary.RECALL, point.recall_macro, drawn) | {
            "with the gate": point.recall_macro_with_gate,
            "median delay (s)": point.delay_s,
            "delay with the gate (s)": point.delay_with_gate_s,
        }


def _with_interval(column, value, drawn):
    low, high = bootstrap.interval(drawn)
    return {column: value, f"{column}, low": low, f"{column}, high": high}


def _calibrated(point):
    return {
        "calibrated: recall": point.recall_macro,
        "calibrated: with the gate": point.recall_macro_with_gate,
        "calibrated: delay with the gate (s)": point.delay_with_gate_s,
        "calibrated: false alarms a day": point.false_alarms_per_day,
    }
