"""The figure of one window in its context: what was observed, what was expected, how it scored, and why."""

import numpy as np
import pandas as pd

from lib import canvas
from lib.features import CHANNELS
from lib.scoring import ALERT, BORDERLINE

CONTEXT = pd.Timedelta(minutes=15)  # shown before and after the window


def window(table, windows, scores, *, place, expected, events, reasons):
    """The channels of one wearer around a window (grey), what the autoencoder made of it (dashed), and the scores.

    table: the wearer's clean table; windows, scores (N,): theirs, of which `place` is shown; expected (length, 7): in
    raw units; events: theirs; reasons: sentences. Channels that the watch lacks are left out.
    """
    one = windows.iloc[place]
    begin, end = one["start"] - CONTEXT, one["end"] + CONTEXT
    table = table[(table["timestamp"] >= begin) & (table["timestamp"] <= end)]
    inside = (table["timestamp"] >= one["start"]) & (table["timestamp"] <= one["end"])
    channels = [channel for channel in CHANNELS if table[channel].notna().any()]
    figure, axes = canvas.axes(2.5 + 1.5 * len(channels), rows=len(channels) + 1)
    axes = np.ravel(axes)
    for axis, channel in zip(axes, channels, strict=False):
        axis.plot(*canvas.unbroken(table, channel), color=canvas.BLUE, linewidth=0.8, label="observed")
        made = expected[:, CHANNELS.index(channel)]
        axis.plot(table["timestamp"][inside], made, "--", color=canvas.ORANGE, label="as the autoencoder rebuilds it")
        axis.set_ylabel(canvas.label(channel, per=" a sample"))
    _scores(axes[-1], windows, scores, begin, end)
    shown = events[(events["end"] >= begin) & (events["start"] <= end)]
    for axis in axes:
        axis.axvspan(one["start"], one["end"], color="black", alpha=0.08, linewidth=0)
        canvas.shade(
            axis, shown.assign(start=shown["start"].clip(begin), end=shown["end"].clip(upper=end)), named=False
        )
    axes[0].legend(loc="upper left")
    axes[-1].set_xlim(begin, end)
    canvas.time_axis(axes[-1])
    kind, score = one["kind"].replace("_", " "), scores[place]
    said = f"{one['user_id']}, {kind}: " + ("no score" if np.isnan(score) else f"score {score:.2f}")
    figure.suptitle("\n".join([said, *reasons]))
    return figure


def _scores(axis, windows, scores, begin, end):
    there = ((windows["end"] >= begin) & (windows["end"] <= end)).to_numpy()
    axis.plot(windows["end"][there], scores[there], ".-", color="black", linewidth=0.6)
    for level, colour in ((BORDERLINE, canvas.ORANGE), (ALERT, canvas.RED)):
        axis.axhline(level, color=colour, linestyle="--", linewidth=1)
    axis.set(ylim=(0, 1), ylabel="score")
