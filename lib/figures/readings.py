"""Figures of readings, from clean and raw tables. Each function returns the Matplotlib Figure."""

import numpy as np
import pandas as pd
import seaborn as sns

from lib.detector import features, heart_rate
from lib.detector.features import CHANNELS
from lib.detector.grid import QUALITIES
from lib.evaluation.events import labelled_events
from lib.figures import style

MAX_WEARERS = 40
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_COLOURS = (style.BLUE, style.GREEN, style.ORANGE, style.RED, (0.8, 0.8, 0.8))
_QUALITY_COLOURS = dict(zip(QUALITIES, _COLOURS, strict=True))


def day(table):
    """Draw the channels of one wearer's clean table over time, with labelled spans shaded.

    Steps, calories and distance are amounts per minute. Channels that the watch does not report are left out.

    Parameters
    ----------
    table : DataFrame
        A clean table.

    Raises
    ------
    ValueError
        If there is more than one wearer.
    """
    name = style.one_wearer(table)
    channels = [channel for channel in CHANNELS if table[channel].notna().any()]
    figure, axes = style.axes(1 + 2 * len(channels), rows=len(channels))
    axes = np.atleast_1d(axes).ravel()
    for axis, channel in zip(axes, channels, strict=True):
        time, values = style.unbroken(table, channel) if channel == "heartRate" else _per_minute(table, channel)
        axis.plot(time, values, color=style.BLUE, linewidth=0.7)
        axis.set_ylabel(style.label(channel, per=" a minute"))
        style.shade(axis, labelled_events(table), named=axis is axes[0])
    style.time_axis(axes[-1])
    axes[0].set_title(f"{name}: clean samples")
    return figure


def usual_day(curve, offsets):
    """Draw the usual heart rate at rest by hour, and (thin) that of wearers with these offsets from it, in bpm."""
    hours = np.linspace(0, 24, 97)
    usual = heart_rate.usual(np.column_stack([np.zeros((97, 4)), features.calendar(3600 * hours)]), curve)
    figure, axis = style.axes(3.5)
    for number, offset in enumerate(offsets):
        axis.plot(hours, usual + offset, color=style.GREY, linewidth=0.6, label=None if number else "a wearer's own")
    axis.plot(hours, usual, color=style.BLUE, linewidth=2, label="usual")
    axis.set(xlabel="hour of the day", ylabel="heart rate at rest\n(bpm)", xticks=range(0, 25, 3), xlim=(0, 24))
    axis.legend()
    return figure


def _per_minute(table, channel):
    """The minutes, and their mean amounts scaled to a whole minute; NaN for a minute without samples."""
    minutes = table.set_index("timestamp")[channel].resample("min")
    amounts = minutes.mean() * minutes.count().max()
    return amounts.index, amounts.to_numpy()


def coverage(table, *, interval_s):
    """Draw each wearer's hours of samples, stacked by quality, for the first MAX_WEARERS wearers by name."""
    samples = table.groupby(["user_id", "quality"], observed=True).size().unstack(fill_value=0)
    hours = samples.reindex(columns=list(QUALITIES), fill_value=0).sort_index() * interval_s / 3600
    first = hours.head(MAX_WEARERS)
    figure, axis = style.axes(1.6 + 0.22 * len(first))
    first = first.set_index(first.index.astype(str))
    first.plot.barh(stacked=True, color=_QUALITY_COLOURS, width=0.8, linewidth=0, legend=False, ax=axis)
    axis.set_ylim(len(first) - 0.4, -0.6)  # the first wearer is on top
    axis.grid(axis="y", visible=False)
    axis.set(xlabel="samples (hours)", ylabel="wearer")
    number = f"{len(first)} of {len(hours)}" if len(hours) > len(first) else f"{len(hours)}"
    axis.set_title(f"Recorded time by quality: {number} wearers")
    labels = [quality.replace("_", " ") for quality in QUALITIES]
    figure.legend(labels=labels, handles=axis.containers, loc="outside lower center", ncols=len(labels))
    return figure


def before_after(raw, table):
    """Draw raw readings (left) and clean samples (right) of the clean table's first wearer.

    The figure covers the clock hour with most steps. Channels that the watch does not report are left out.
    """
    user_id = table["user_id"].iloc[0]
    table, hour = _busiest_hour(table[table["user_id"] == user_id])
    raw = raw[raw["user_id"] == user_id]
    raw = raw[raw["timestamp"].dt.floor("h") == hour].sort_values("instant")
    channels = [channel for channel in CHANNELS if channel in raw and raw[channel].notna().any()]
    figure, axes = style.axes(1 + 1.7 * len(channels), rows=len(channels), columns=2)
    for (before, after), channel in zip(axes, channels, strict=True):
        before.plot(raw["timestamp"], raw[channel], ".", markersize=3, color=style.ORANGE)
        after.plot(*style.unbroken(table, channel), color=style.BLUE, linewidth=0.9)
        before.set_ylabel(style.label(channel, per=""))
        after.set_ylabel(style.label(channel, per=" a sample"))
    axes[0, 0].set_title(f"{user_id}, {hour:%Y-%m-%d %H}:00: {len(raw):,} readings")
    axes[0, 1].set_title(f"{len(table):,} clean samples")
    for axis in axes[-1]:
        style.time_axis(axis)
    return figure


def _busiest_hour(table):
    """The rows of the clock hour with most steps (without steps: most samples), and that hour."""
    hour = table["timestamp"].dt.floor("h")
    steps = table["steps"].groupby(hour).sum()
    busiest = (steps if steps.any() else hour.groupby(hour).size()).idxmax()
    return table[hour == busiest], busiest


def hours(table):
    """Draw a heat map of the number of samples by weekday and hour of the day."""
    time = table["timestamp"].dt
    counts = pd.crosstab(time.day_of_week, time.hour).reindex(index=range(7), columns=range(24), fill_value=0)
    figure, axis = style.axes(3.2)
    cells = {"cmap": "viridis", "vmin": 0, "linewidths": 0.5, "cbar_kws": {"label": "samples"}}
    sns.heatmap(counts, yticklabels=WEEKDAYS, ax=axis, **cells)
    axis.set(xlabel="hour of the day (wall clock)", ylabel="", title="Samples by hour and weekday")
    axis.tick_params(rotation=0)
    return figure
