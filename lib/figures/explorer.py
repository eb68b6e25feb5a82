"""A walk through a test: its worst windows, its false alarms and its misses, one after the other.

`picks` finds them, `Test.show` draws one with its reasons, and `Walk` is the widget that goes from one to the next.
"""

import os
from dataclasses import dataclass

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import display

from lib.detector import features
from lib.detector.detector import Detector
from lib.detector.following import Followed
from lib.detector.reasons import sentence
from lib.evaluation.events import EPISODE_S, NORMAL, windows_during
from lib.figures import windows as explorer_figures

WORST, FALSE, MISSED = LISTS = ("worst windows", "false alarms", "misses")
EVERYONE = "everyone"


def interactive():
    """Whether somebody may be looking: not where `run_all.sh` executes the notebook."""
    return os.environ.get("RUN_STAGED") != "1"


def picks(windows, events, scores, *, level, reported=None):
    """What to look at: a frame of list (one of LISTS), user_id, kind and window (its row), each list in order.

    windows, events: of `lib.evaluation.events`; scores (N,), NaN where there is none. The worst windows are the
    highest of each episode that reaches `level`, the false alarms those of episodes in normal life, highest first.
    The misses are the best window of each event that never reaches it, the lowest first. reported (E,) boolean: the
    events that the quality check found, which are no misses; none, unless given.
    """
    strange, kinds = np.nan_to_num(scores, nan=-1.0), windows["kind"].to_numpy()
    worst = _peaks(windows, strange, strange >= level)
    false = _peaks(windows, strange, (strange >= level) & (kinds == NORMAL))
    left = events if reported is None else events[~np.asarray(reported)]
    best = [during[strange[during].argmax()] for during in windows_during(windows, left) if len(during)]
    missed = sorted((row for row in best if -1 < strange[row] < level), key=lambda row: strange[row])
    rows = np.array([*worst, *false, *missed], dtype=int)
    listed = np.repeat(LISTS, [len(worst), len(false), len(missed)])
    found = windows.iloc[rows][["user_id", "kind"]].assign(list=listed, window=rows)
    return found[["list", "user_id", "kind", "window"]].reset_index(drop=True)


def _peaks(windows, strange, among):
    """The row of the highest window of each episode among those, highest first."""
    rows = np.flatnonzero(among)
    wearer, ended = windows["user_id"].astype(str).to_numpy()[rows], windows["end"].to_numpy()[rows]
    order = np.lexsort((ended, wearer))
    rows, wearer, ended = rows[order], wearer[order], ended[order]
    another = (wearer[1:] != wearer[:-1]) | (np.diff(ended) >= np.timedelta64(EPISODE_S, "s"))
    episode = np.cumsum(np.append(0, another))[: len(rows)]
    falling = np.argsort(-strange[rows], kind="stable")
    _, highest = np.unique(episode[falling], return_index=True)
    return rows[falling[np.sort(highest)]]


@dataclass(frozen=True)
class Test:
    """A clean test table, its events, and what each of its windows got."""

    table: pd.DataFrame
    events: pd.DataFrame
    windows: pd.DataFrame  # of `events.describe_windows`
    first: np.ndarray  # (N,) each window's first row in the table
    samples: np.ndarray  # (T, 7)
    followed: Followed
    detector: Detector

    def show(self, row):
        """The Figure of window `row`: the channels around it, observed and expected, the scores, and the reasons."""
        wearer = (self.windows["user_id"] == self.windows["user_id"].iloc[row]).to_numpy()
        rows = (self.table["user_id"] == self.windows["user_id"].iloc[row]).to_numpy()
        return explorer_figures.window(
            self.table[rows],
            self.windows[wearer],
            self.followed.scores[wearer],
            place=int(wearer[:row].sum()),
            expected=self._expected(row),
            events=self.events[self.events["user_id"] == self.windows["user_id"].iloc[row]],
            reasons=[sentence(why) for why in self.reasons(row)],
        )

    def reasons(self, row):
        """Why window `row` got its score, as the function would say it; nothing for one without a score."""
        if np.isnan(self.followed.scores[row]):
            return []
        told = {"offset": self.followed.offset[row], "columns": self.followed.columns[row]}
        return self.detector.explain(self._samples_of(row), 0, self.detector.sequence_length, **told)

    def _samples_of(self, row):
        """The window's samples, (length, 7)."""
        return self.samples[self.first[row] : self.first[row] + self.detector.sequence_length]

    def _expected(self, row):
        """The window as the autoencoder rebuilds it, (length, 7) in raw units."""
        samples = self._samples_of(row)
        _, counted = self.detector.channel_set(samples)
        ((_, _, _, rebuilt, _),) = self.detector.describer.batches(samples, np.array([0]), counted=counted)
        return features.unscale(rebuilt[0], self.detector.describer.scaler)


class Walk(widgets.VBox):
    """A widget that goes through the rows of `picks` by list and wearer; `show(window)` gives the figure of one."""

    def __init__(self, picked, show):
        self.picked, self.show = picked, show
        names = sorted(picked["user_id"].astype(str).unique())
        self.which = widgets.Dropdown(options=LISTS, description="show")
        self.who = widgets.Dropdown(options=[EVERYONE, *names], description="of")
        self.place = widgets.BoundedIntText(value=1, min=1, max=1, description="number")
        self.back, self.on = (widgets.Button(description=said) for said in ("previous", "next"))
        self.said, self.out = widgets.Label(), widgets.Output()
        super().__init__([widgets.HBox([self.which, self.who, self.place, self.back, self.on, self.said]), self.out])
        self.which.observe(self._begin, "value")
        self.who.observe(self._begin, "value")
        self.place.observe(self._draw, "value")
        self.back.on_click(lambda _: self._step(-1))
        self.on.on_click(lambda _: self._step(1))
        self._begin()

    @property
    def rows(self):
        """The windows that list and wearer leave."""
        mine = self.picked["list"] == self.which.value
        if self.who.value != EVERYONE:
            mine &= self.picked["user_id"].astype(str) == self.who.value
        return self.picked["window"].to_numpy()[mine.to_numpy()]

    def _begin(self, _=None):
        self.place.max = max(1, len(self.rows))
        if self.place.value == 1:
            self._draw()
        self.place.value = 1  # draws where it is another

    def _step(self, by):
        self.place.value = min(self.place.max, max(1, self.place.value + by))

    def _draw(self, _=None):
        rows = self.rows
        self.said.value = f"{self.place.value} of {len(rows)}" if len(rows) else f"no {self.which.value}"
        self.out.clear_output(wait=True)
        with self.out:
            if len(rows):
                figure = self.show(int(rows[self.place.value - 1]))
                display(figure)
                plt.close(figure)
