"""One run, opened to explore it: its tables, its detector, its figures. Nothing here writes to the run."""

import json
from functools import cached_property

import pandas as pd

from lib import run as runs
from lib.data import readings as raw_tables
from lib.explore import comparison, readings, scores
from lib.explore.detector import Detector, model_folder
from lib.workflow.branch import branch

REMEMBERED_S = 28 * 86_400  # of a wearer's readings before those that are scored: about what a baseline remembers


class Run:
    """A finished run to explore. `Run.open("default")` opens it.

    Attributes
    ----------
    name : str
    test, calibration, development : DataFrame
        Its raw tables: user_id, timestamp (wall clock), instant (s), heartRate (bpm), counters; the test has labels.
    metrics : dict
        The content of metrics.json.
    detector : Detector
        The deployed detector.
    """

    def __init__(self, folders):
        self._folders, self._remembered, self._rivals = folders, pd.DataFrame(), {}

    @classmethod
    def open(cls, name="default"):
        """Open the run called `name`. Raises LookupError, naming those that exist, if there is no such run."""
        return cls(runs.open_run(name))

    def __repr__(self):
        wearers = self._remembered["user_id"].nunique() if len(self._remembered) else 0
        remembered = f"{wearers} wearer{'' if wearers == 1 else 's'} remembered"
        return f"<Run {self.name!r}, {len(self._steps)} steps done, {remembered}>"

    def __dir__(self):
        return [name for name in super().__dir__() if not name.startswith("_")]

    @property
    def name(self):
        return self._folders.name

    @property
    def _steps(self):
        return [step for step in self._folders.journal if step[0].isdigit()]

    @cached_property
    def test(self):
        return self._table("synthetic/anomalous_data.csv")

    @cached_property
    def calibration(self):
        return self._table("raw/calibration.csv")

    @cached_property
    def development(self):
        return self._table("raw/health_metrics.csv")

    def _table(self, path):
        path = self._folders.data / path
        if not path.exists():
            raise LookupError(f"run {self.name!r} has no {self._folders.show(path)}: ./run_all.sh run={self.name}")
        return raw_tables.read(path)

    @property
    def metrics(self):
        self._folders.recorded("04_evaluate")
        return json.loads((self._folders.models / "metrics.json").read_text(encoding="utf-8"))

    @cached_property
    def detector(self):
        return Detector.load(model_folder(self._folders))

    def score(self, source, *, timezone="UTC", counters="cumulative"):
        """Score readings as the deployed function does, a window a minute.

        Each wearer's earlier readings, up to four weeks, are kept from call to call. The baseline and the trend rest
        on them; `forget` drops them. Scoring the same readings again gives the same scores.

        Parameters
        ----------
        source : DataFrame, str or Path
            A raw table, such as `run.test`, or whatever `data_path=` takes.
        timezone : str
            IANA name, the local time of UTC timestamps.
        counters : {"cumulative", "interval"}
            Running counters, or amounts since the previous reading.

        Returns
        -------
        DataFrame
            user_id, time (wall clock of the window's last sample), score (0 to 1), level, reason, trend_score and
            trend_level. Minutes without a whole window have the trend alone.

        Raises
        ------
        ValueError
            If no window is whole. The message says what interrupts the readings.
        """
        raw = readings.read(source, timezone=timezone)
        began = raw.groupby("user_id")["instant"].transform("min")
        rows = scores.score(self.detector, pd.concat([self._earlier(raw), raw], ignore_index=True), counters=counters)
        first = raw.loc[raw["instant"] == began].drop_duplicates("user_id").set_index("user_id")["timestamp"]
        rows = rows[rows["time"] >= rows["user_id"].map(first)].reset_index(drop=True)
        if (rows["reason"] == scores.NO_WINDOW).all():
            form = {"length": self.detector.sequence_length, "interval_s": self.detector.interval_s}
            raise ValueError(readings.why_no_window(raw, counters=counters, **form))
        self._remember(raw)
        return rows

    def _earlier(self, raw):
        """Return what is remembered of these wearers' last weeks before these readings."""
        if self._remembered.empty:
            return self._remembered
        age = self._remembered["user_id"].map(raw.groupby("user_id")["instant"].min()) - self._remembered["instant"]
        return self._remembered[(age > 0) & (age <= REMEMBERED_S)]

    def _remember(self, raw):
        """Keep these readings, in place of others of the same wearers and times."""
        if len(self._remembered):
            span = raw.groupby("user_id")["instant"].agg(["min", "max"])
            low, high = (self._remembered["user_id"].map(span[end]) for end in ("min", "max"))
            self._remembered = self._remembered[~self._remembered["instant"].between(low, high)]
        self._remembered = pd.concat([self._remembered, raw.drop(columns="label", errors="ignore")], ignore_index=True)

    def forget(self):
        """Drop what was remembered of all wearers: the next call to `score` meets them for the first time."""
        self._remembered = pd.DataFrame()

    def compare(self, name, rival):
        """Measure a rival as the scorecard's methods were measured: on the same windows, by the same measures.

        Parameters
        ----------
        name : str
            What to call it.
        rival : scikit-learn outlier detector, or callable
            A detector with `score_samples`, which is fitted on statistics of windows of normal life. Or a function
            from windows, shape (n, length, 7) in bpm and amounts a sample, to n errors: the larger, the more unusual.

        Returns
        -------
        DataFrame
            The ranking of metrics.json, best first, with a row for each rival compared so far.

        Raises
        ------
        ValueError
            If the scorecard has that name, or the rival is neither.
        """
        ranking = self.metrics["ranking"]
        if name in ranking:
            raise ValueError(f"the scorecard has a {name!r}: choose another name for the rival")
        self._rivals[name] = self._comparison.row(rival)
        table = pd.DataFrame(ranking | self._rivals).T.astype(float)
        return table.sort_values(comparison.BEST, ascending=False)

    def branch(self, name, **parameters):
        """Make a new run of this one, with other parameters, and return it. Notebooks before the change are not rerun.

        Parameters
        ----------
        name : str
            The new run's name.
        **parameters
            Parameters of run_all.sh to change, such as `epochs=2`.

        Raises
        ------
        UsageError
            If the run exists, nothing changes, or a parameter is unknown.
        RuntimeError
            If a notebook fails. Its message is printed.
        """
        if status := branch(self._folders, name, parameters):
            raise RuntimeError(f"run {name!r} is not finished (status {status}); the message above says why")
        return type(self).open(name)

    @cached_property
    def _comparison(self):
        return comparison.Comparison(self._folders, self.metrics)
