"""The common style of all figures: axes, labels, and how wearers, times and events are drawn.

Figures are ten inches wide and use seaborn's colour-blind palette. Times are the wearer's wall clock.
"""

import matplotlib.dates as mdates
import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns

from lib import files
from lib.detector.features import UNITS

WIDTH = 10  # inches
BLUE, ORANGE, GREEN, RED, _, _, PINK, GREY = sns.color_palette("colorblind")[:8]


def style():
    """Set the common style of all figures. A notebook calls it once, at the top.

    Names come from data, so a dollar sign in one does not begin a formula.
    """
    plain_text = {"text.parse_math": False}
    sns.set_theme(context="notebook", style="whitegrid", palette="colorblind", font_scale=0.85, rc=plain_text)


def save(figure, path):
    """Write a figure as PNG, and return it."""
    with files.writing(path) as new:
        figure.savefig(new, dpi=150, bbox_inches="tight")
    return figure


def axes(height, *, rows=1, columns=1):
    """A figure with a height in inches, and its axes: one, or an array (rows, columns)."""
    figure, axes = plt.subplots(rows, columns, figsize=(WIDTH, height), sharex=True, squeeze=False)
    figure.set_layout_engine("constrained")
    return figure, axes if rows * columns > 1 else axes[0, 0]


def plain_numbers(*axes):
    """Label logarithmic axes, such as `axis.xaxis`, with plain numbers: powers are formulas, which are off."""
    for axis in axes:
        axis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.set_minor_formatter(lambda value, _: f"{value:g}" if f"{value:e}"[0] in "25" else "")


def label(channel, *, per):
    """The axis label of a channel with its unit. `per` is the denominator of amounts, such as " a minute"."""
    if channel == "heartRate":
        return "heart rate\n(bpm)"
    return f"steps{per}" if channel == "steps" else f"{channel}\n({UNITS[channel]}{per})"


def one_wearer(table):
    """The name of a table's only wearer. Raises ValueError if there is not exactly one."""
    names = table["user_id"].unique()
    if len(names) != 1:
        raise ValueError(f"expected a table of one wearer, got {len(names)} wearers; select one")
    return names[0]


def unbroken(table, channel):
    """Times and values with a NaN between segments, so that no line crosses a gap."""
    starts = np.flatnonzero(np.diff(table["segment"].to_numpy())) + 1
    time = table["timestamp"].to_numpy()
    return np.insert(time, starts, time[starts]), np.insert(table[channel].to_numpy(float), starts, np.nan)


def shade(axis, events, *, named):
    """Shade the spans of events, and write the kind at the start of each if `named`."""
    for event in events.itertuples():
        axis.axvspan(event.start, event.end, color=PINK, alpha=0.4, linewidth=0)
        if named:
            write_upright(axis, event.kind.replace("_", " "), event.start)


def write_upright(axis, text, x):
    """Write text upright beside a position on the x axis, starting at the top."""
    position = {"xy": (x, 0.98), "xycoords": ("data", "axes fraction"), "va": "top", "ha": "right"}
    axis.annotate(text, rotation=90, fontsize="small", **position)


def time_axis(axis, *, name="wall clock"):
    """Label an x axis of times with its name and its days. Call it after setting the limits."""
    locator = mdates.AutoDateLocator()
    axis.xaxis.set_major_locator(locator)
    axis.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator, show_offset=False))
    first, last = (f"{mdates.num2date(end):%Y-%m-%d}" for end in axis.get_xlim())
    axis.set_xlabel(f"{name}, {first}" + (f" to {last}" if last != first else ""))
