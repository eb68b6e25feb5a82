"""The figure of one window in its context: what was observed, what was expected, how it scored, and why."""

import numpy as np
import pandas as pd

from lib.detector.features import CHANNELS
from lib.detector.scoring import ALERT, BORDERLINE
from lib.figures import style

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
    figure, axes = style.axes(2.5 + 1.5 * len(channels), rows=len(channels) + 1)
    axes = np.ravel(axes)
    for axis, channel in zip(axes, channels, strict=False):
        axis.plot(*style.unbroken(table, channel), color=style.BLUE, linewidth=0.8, label="observed")
        made = expected[:, CHANNELS.index(channel)]
        axis.plot(table["timestamp"][inside], made, "--", color=style.ORANGE, label="as the autoencoder rebuilds it")
        axis.set_ylabel(style.label(channel, per=" a sample"))
    _scores(axes[-1], windows, scores, begin, end)
    shown = events[(events["end"] >= begin) & (events["start"] <= end)]
    for axis in axes:
        axis.axvspan(one["start"], one["end"], color="black", alpha=0.08, linewidth=0)
        style.shade(axis, shown.assign(start=shown["start"].clip(begin), end=shown["end"].clip(upper=end)), named=False)
    axes[0].legend(loc="upper left")
    axes[-1].set_xlim(begin, end)
    style.time_axis(axes[-1])
    kind, score = one["kind"].replace("_", " "), scores[place]
    said = f"{one['user_id']}, {kind}: " + ("no score" if np.isnan(score) else f"score {score:.2f}")
    figure.suptitle("\n".join([said, *reasons]))
    return figure


def _scores(axis, windows, scores, begin, end):
    there = ((windows["end"] >= begin) & (windows["end"] <= end)).to_numpy()
    axis.plot(windows["end"][there], scores[there], ".-", color="black", linewidth=0.6)
    for level, colour in ((BORDERLINE, style.ORANGE), (ALERT, style.RED)):
        axis.axhline(level, color=colour, linestyle="--", linewidth=1)
    axis.set(ylim=(0, 1), ylabel="score")
