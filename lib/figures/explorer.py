"""Explore a test: its worst windows, its false alarms and its missed events.

`picks` lists them, `Test.show` draws one with its reasons, and `Walk` is a widget that steps through the list.
"""

import os
from dataclasses import dataclass

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import display

from lib.detector import features
from lib.detector.detector import Detector, Personal
from lib.detector.features import CHANNELS
from lib.detector.following import Followed
from lib.detector.reasons import sentence
from lib.detector.scoring import ALERT, BORDERLINE
from lib.evaluation.events import EPISODE_S, NORMAL, windows_during
from lib.figures import style

WORST, FALSE, MISSED = LISTS = ("worst windows", "false alarms", "misses")
EVERYONE = "everyone"
CONTEXT = pd.Timedelta(minutes=15)  # drawn before and after a window


def interactive():
    """Whether someone may be looking at the notebook: not if `run_all.sh` executes it."""
    return os.environ.get("RUN_STAGED") != "1"


def picks(windows, events, scores, *, level, reported=None):
    """List what to look at.

    The worst windows are the highest of each episode that reaches `level`. The false alarms are those of episodes in
    normal life. Both are sorted from high to low. The misses are the best window of each event that never reaches the
    level, sorted from low to high.

    Parameters
    ----------
    windows, events : DataFrame
        As in `lib.evaluation.events`.
    scores : ndarray, shape (N,)
        Scores of the windows, NaN if there is none.
    level : float
    reported : ndarray of bool, shape (E,), optional
        Events that the quality check reports. They are not misses.

    Returns
    -------
    DataFrame
        list (one of LISTS), user_id, kind and window (its row).
    """
    heights, kinds = np.nan_to_num(scores, nan=-1.0), windows["kind"].to_numpy()
    worst = _peaks(windows, heights, heights >= level)
    false = _peaks(windows, heights, (heights >= level) & (kinds == NORMAL))
    unreported = events if reported is None else events[~np.asarray(reported)]
    best = [rows[heights[rows].argmax()] for rows in windows_during(windows, unreported) if len(rows)]
    missed = sorted((row for row in best if -1 < heights[row] < level), key=lambda row: heights[row])
    rows = np.array([*worst, *false, *missed], dtype=int)
    names = np.repeat(LISTS, [len(worst), len(false), len(missed)])
    listed = windows.iloc[rows][["user_id", "kind"]].assign(list=names, window=rows)
    return listed[["list", "user_id", "kind", "window"]].reset_index(drop=True)


def _peaks(windows, heights, selected):
    """The row of the highest selected window of each episode, from high to low."""
    rows = np.flatnonzero(selected)
    wearer, end = windows["user_id"].astype(str).to_numpy()[rows], windows["end"].to_numpy()[rows]
    order = np.lexsort((end, wearer))
    rows, wearer, end = rows[order], wearer[order], end[order]
    begins = (wearer[1:] != wearer[:-1]) | (np.diff(end) >= np.timedelta64(EPISODE_S, "s"))
    episode = np.cumsum(np.append(0, begins))[: len(rows)]
    descending = np.argsort(-heights[rows], kind="stable")
    _, highest = np.unique(episode[descending], return_index=True)
    return rows[descending[np.sort(highest)]]


@dataclass(frozen=True)
class Test:
    """A clean test table, its events, and the results of its windows."""

    table: pd.DataFrame
    events: pd.DataFrame
    windows: pd.DataFrame  # of `events.describe_windows`
    first: np.ndarray  # (N,) each window's first row in the table
    samples: np.ndarray  # (T, 7)
    followed: Followed
    detector: Detector

    def show(self, row):
        """The Figure of window `row`: observed and expected channels around it, scores and reasons."""
        user_id = self.windows["user_id"].iloc[row]
        wearer = (self.windows["user_id"] == user_id).to_numpy()
        figure, axes = _draw_context(
            self.table[(self.table["user_id"] == user_id).to_numpy()],
            self.windows.iloc[row],
            expected=self._expected(row),
            events=self.events[self.events["user_id"] == user_id],
        )
        _draw_scores(axes[-1], self.windows[wearer], self.followed.scores[wearer], self.windows.iloc[row])
        kind, score = self.windows["kind"].iloc[row].replace("_", " "), self.followed.scores[row]
        title = f"{user_id}, {kind}: " + ("no score" if np.isnan(score) else f"score {score:.2f}")
        figure.suptitle("\n".join([title, *(sentence(reason) for reason in self.reasons(row))]))
        return figure

    def reasons(self, row):
        """Reasons for the score of window `row`, as the deployed function reports them; none without a score."""
        if np.isnan(self.followed.scores[row]):
            return []
        known = {"personal": Personal(self.followed.offset[row]), "descriptors": self.followed.descriptors[row]}
        return self.detector.explain(self._window_samples(row), 0, self.detector.sequence_length, **known)

    def _window_samples(self, row):
        """The window's samples, (length, 7)."""
        return self.samples[self.first[row] : self.first[row] + self.detector.sequence_length]

    def _expected(self, row):
        """The autoencoder's reconstruction of the window, (length, 7) in raw units."""
        samples = self._window_samples(row)
        _, counted = self.detector.channel_set(samples)
        _, _, rebuilt = self.detector.describer.rebuild(samples, np.array([0]), counted=counted)
        return features.unscale(rebuilt[0], self.detector.describer.scaler)


def _draw_context(table, window, *, expected, events):
    """Draw one wearer's channels around a window (grey), and the window's expected channels (dashed).

    Returns the figure and its axes: one per channel that the watch reports, and an empty one for the scores.
    """
    begin, end = window["start"] - CONTEXT, window["end"] + CONTEXT
    table = table[(table["timestamp"] >= begin) & (table["timestamp"] <= end)]
    inside = (table["timestamp"] >= window["start"]) & (table["timestamp"] <= window["end"])
    channels = [channel for channel in CHANNELS if table[channel].notna().any()]
    figure, axes = style.axes(2.5 + 1.5 * len(channels), rows=len(channels) + 1)
    axes = np.ravel(axes)
    for axis, channel in zip(axes, channels, strict=False):
        axis.plot(*style.unbroken(table, channel), color=style.BLUE, linewidth=0.8, label="observed")
        values = expected[:, CHANNELS.index(channel)]
        axis.plot(table["timestamp"][inside], values, "--", color=style.ORANGE, label="expected by the autoencoder")
        axis.set_ylabel(style.label(channel, per=" a sample"))
    nearby = events[(events["end"] >= begin) & (events["start"] <= end)]
    nearby = nearby.assign(start=nearby["start"].clip(begin), end=nearby["end"].clip(upper=end))
    for axis in axes:
        axis.axvspan(window["start"], window["end"], color="black", alpha=0.08, linewidth=0)
        style.shade(axis, nearby, named=False)
    axes[0].legend(loc="upper left")
    axes[-1].set_xlim(begin, end)
    style.time_axis(axes[-1])
    return figure, axes


def _draw_scores(axis, windows, scores, window):
    """Draw the scores (N,) of one wearer's windows that end near `window`, and both levels."""
    begin, end = window["start"] - CONTEXT, window["end"] + CONTEXT
    inside = ((windows["end"] >= begin) & (windows["end"] <= end)).to_numpy()
    axis.plot(windows["end"][inside], scores[inside], ".-", color="black", linewidth=0.6)
    for level, colour in ((BORDERLINE, style.ORANGE), (ALERT, style.RED)):
        axis.axhline(level, color=colour, linestyle="--", linewidth=1)
    axis.set(ylim=(0, 1), ylabel="score")


class Walk(widgets.VBox):
    """A widget that steps through `picks` by list and wearer.

    Parameters
    ----------
    picked : DataFrame
        As returned by `picks`.
    show : callable
        Returns the figure of a window, given its row.
    """

    def __init__(self, picked, show):
        self.picked, self.show = picked, show
        names = sorted(picked["user_id"].astype(str).unique())
        self.list = widgets.Dropdown(options=LISTS, description="show")
        self.wearer = widgets.Dropdown(options=[EVERYONE, *names], description="of")
        self.number = widgets.BoundedIntText(value=1, min=1, max=1, description="number")
        self.previous, self.next = (widgets.Button(description=text) for text in ("previous", "next"))
        self.position, self.out = widgets.Label(), widgets.Output()
        controls = [self.list, self.wearer, self.number, self.previous, self.next, self.position]
        super().__init__([widgets.HBox(controls), self.out])
        self.list.observe(self._begin, "value")
        self.wearer.observe(self._begin, "value")
        self.number.observe(self._draw, "value")
        self.previous.on_click(lambda _: self._step(-1))
        self.next.on_click(lambda _: self._step(1))
        self._begin()

    @property
    def rows(self):
        """The windows of the selected list and wearer."""
        selected = self.picked["list"] == self.list.value
        if self.wearer.value != EVERYONE:
            selected &= self.picked["user_id"].astype(str) == self.wearer.value
        return self.picked["window"].to_numpy()[selected.to_numpy()]

    def _begin(self, _=None):
        self.number.max = max(1, len(self.rows))
        if self.number.value == 1:
            self._draw()
        self.number.value = 1  # draws if it changes

    def _step(self, change):
        self.number.value = min(self.number.max, max(1, self.number.value + change))

    def _draw(self, _=None):
        rows = self.rows
        self.position.value = f"{self.number.value} of {len(rows)}" if len(rows) else f"no {self.list.value}"
        self.out.clear_output(wait=True)
        with self.out:
            if len(rows):
                figure = self.show(int(rows[self.number.value - 1]))
                display(figure)
                plt.close(figure)
