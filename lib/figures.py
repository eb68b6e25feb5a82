"""The notebooks' figures: each function draws one from frames or arrays and returns the Matplotlib Figure.

Times are the wearer's wall clock. Ten inches wide, in seaborn's colour-blind palette.
"""

import matplotlib.dates as mdates
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.ticker import MaxNLocator

from lib import evaluation, runs
from lib.features import CHANNELS, UNITS
from lib.grid import QUALITIES
from lib.scoring import ALERT, BORDERLINE

WIDTH = 10  # inches
MOST_WEARERS = 40
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
LEAST_SPAN = (10, 3, 0.2, 3)  # bpm, steps, kcal, m: of an axis over one window, where noise would look large
BLUE, ORANGE, GREEN, RED, _, _, PINK, GREY = sns.color_palette("colorblind")[:8]
_QUALITY_COLOURS = dict(zip(QUALITIES, (BLUE, GREEN, ORANGE, RED, (0.8, 0.8, 0.8)), strict=True))


def style():
    """Set the look that all figures share; called once, at a notebook's top."""
    sns.set_theme(context="notebook", style="whitegrid", palette="colorblind", font_scale=0.85)


def save(figure, path):
    """Write a figure as PNG, and return it."""
    with runs.writing(path) as new:
        figure.savefig(new, dpi=150, bbox_inches="tight")
    return figure


def day(table):
    """The channels of one wearer's clean table over time; amounts a minute; labelled spans shaded by kind.

    Channels that the watch lacks are left out. Raises ValueError when there is more than one wearer.
    """
    name = _one_wearer(table)
    channels = [channel for channel in CHANNELS if table[channel].notna().any()]
    figure, axes = _axes(1 + 2 * len(channels), rows=len(channels))
    axes = np.atleast_1d(axes).ravel()
    for axis, channel in zip(axes, channels, strict=True):
        time, values = _unbroken(table, channel) if channel == "heartRate" else _a_minute(table, channel)
        axis.plot(time, values, color=BLUE, linewidth=0.7)
        axis.set_ylabel(_label(channel, per=" a minute"))
        _shade(axis, evaluation.events(table), named=axis is axes[0])
    _time_axis(axes[-1])
    axes[0].set_title(f"{name}: what the watch says, on a regular grid")
    return figure


def _label(channel, *, per):
    """An axis label: what and, in a line of its own, in which unit; amounts are `per` something."""
    if channel == "heartRate":
        return "heart rate\n(bpm)"
    return f"steps{per}" if channel == "steps" else f"{channel}\n({UNITS[channel]}{per})"


def _one_wearer(table):
    names = table["user_id"].unique()
    if len(names) != 1:
        raise ValueError(f"{len(names)} wearers: one is wanted")
    return names[0]


def _axes(height, *, rows=1, columns=1):
    """A figure `height` inches high, and its axes: one, or an array of (rows, columns)."""
    figure, axes = plt.subplots(rows, columns, figsize=(WIDTH, height), sharex=True, squeeze=False)
    figure.set_layout_engine("constrained")
    return figure, axes if rows * columns > 1 else axes[0, 0]


def _unbroken(table, channel):
    """Times and values with a NaN between segments, so that no line crosses a hole."""
    starts = np.flatnonzero(np.diff(table["segment"].to_numpy())) + 1
    time = table["timestamp"].to_numpy()
    return np.insert(time, starts, time[starts]), np.insert(table[channel].to_numpy(float), starts, np.nan)


def _a_minute(table, channel):
    """Each minute and its mean amount, for as many samples as a whole minute has; NaN where it has none."""
    minutes = table.set_index("timestamp")[channel].resample("min")
    amounts = minutes.mean() * minutes.count().max()
    return amounts.index, amounts.to_numpy()


def _shade(axis, events, *, named):
    """Shade the events' spans; `named` writes the kind beside each one's start."""
    for event in events.itertuples():
        axis.axvspan(event.start, event.end, color=PINK, alpha=0.4, linewidth=0)
        if named:
            _name(axis, event.kind.replace("_", " "), event.start)


def _name(axis, text, x):
    """Write `text` upright beside a place on the x axis, from the top down."""
    place = {"xy": (x, 0.98), "xycoords": ("data", "axes fraction"), "va": "top", "ha": "right"}
    axis.annotate(text, rotation=90, fontsize="small", **place)


def _time_axis(axis):
    locator = mdates.AutoDateLocator()
    axis.xaxis.set_major_locator(locator)
    axis.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator))
    axis.set_xlabel("wall clock")


def coverage(table, *, interval_s):
    """Hours of samples of each wearer, stacked by quality; of more than 40 wearers the first 40 by name."""
    samples = table.groupby(["user_id", "quality"], observed=True).size().unstack(fill_value=0)
    hours = samples.reindex(columns=list(QUALITIES), fill_value=0).sort_index() * interval_s / 3600
    shown = hours.head(MOST_WEARERS)
    figure, axis = _axes(1.6 + 0.22 * len(shown))
    shown = shown.set_index(shown.index.astype(str))
    shown.plot.barh(stacked=True, color=_QUALITY_COLOURS, width=0.8, linewidth=0, legend=False, ax=axis)
    axis.set_ylim(len(shown) - 0.4, -0.6)  # the first on top
    axis.grid(axis="y", visible=False)
    axis.set(xlabel="samples (hours)", ylabel="wearer")
    number = f"{len(shown)} of {len(hours)}" if len(hours) > len(shown) else f"{len(hours)}"
    axis.set_title(f"What was recorded, by quality: {number} wearers")
    labels = [quality.replace("_", " ") for quality in QUALITIES]
    figure.legend(labels=labels, handles=axis.containers, loc="outside lower center", ncols=len(labels))
    return figure


def before_after(raw, table):
    """One wearer's raw readings (left) and clean samples (right), over the clock hour with most steps.

    The wearer is the clean table's first. Channels that the watch lacks are left out.
    """
    user_id = table["user_id"].iloc[0]
    table, hour = _busiest_hour(table[table["user_id"] == user_id])
    raw = raw[raw["user_id"] == user_id]
    raw = raw[raw["timestamp"].dt.floor("h") == hour].sort_values("instant")
    channels = [channel for channel in CHANNELS if channel in raw and raw[channel].notna().any()]
    figure, axes = _axes(1 + 1.7 * len(channels), rows=len(channels), columns=2)
    for (before, after), channel in zip(axes, channels, strict=True):
        before.plot(raw["timestamp"], raw[channel], ".", markersize=3, color=ORANGE)
        after.plot(*_unbroken(table, channel), color=BLUE, linewidth=0.9)
        before.set_ylabel(_label(channel, per=""))
        after.set_ylabel(_label(channel, per=" a sample"))
    axes[0, 0].set_title(f"{user_id}, {hour:%Y-%m-%d %H}:00: {len(raw):,} readings")
    axes[0, 1].set_title(f"{len(table):,} clean samples")
    for axis in axes[-1]:
        _time_axis(axis)
    return figure


def _busiest_hour(table):
    """The rows of the clock hour with most steps, or most samples where there are no steps; and that hour."""
    hour = table["timestamp"].dt.floor("h")
    steps = table["steps"].groupby(hour).sum()
    busiest = (steps if steps.any() else hour.groupby(hour).size()).idxmax()
    return table[hour == busiest], busiest


def hours(table):
    """Heat map of the number of samples by weekday and hour of the day."""
    time = table["timestamp"].dt
    counts = pd.crosstab(time.day_of_week, time.hour).reindex(index=range(7), columns=range(24), fill_value=0)
    figure, axis = _axes(3.2)
    look = {"cmap": "viridis", "vmin": 0, "linewidths": 0.5, "cbar_kws": {"label": "samples"}}
    sns.heatmap(counts, yticklabels=WEEKDAYS, ax=axis, **look)
    axis.set(xlabel="hour of the day (wall clock)", ylabel="", title="When the samples were taken")
    axis.tick_params(rotation=0)
    return figure


def history(history):
    """Training and validation loss by epoch, from dicts of loss, val_loss and learning_rate.

    A dotted line marks an epoch from which on the learning rate was smaller; the axis is logarithmic where
    the losses span more than a factor of 10.
    """
    rows = pd.DataFrame(history)
    epochs = np.arange(1, len(rows) + 1)
    figure, axis = _axes(4)
    for name, label, colour in (("loss", "training", BLUE), ("val_loss", "validation", ORANGE)):
        axis.plot(epochs, rows[name], "o-", markersize=3, color=colour, label=label)
    best = rows["val_loss"].idxmin()
    axis.plot(epochs[best], rows["val_loss"][best], "*", markersize=13, color=ORANGE, label="best")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    for place in np.flatnonzero(rows["learning_rate"].diff() < 0):
        axis.axvline(epochs[place], color=GREY, linestyle=":")
        _name(axis, f"learning rate {rows['learning_rate'][place]:.1e}", epochs[place])
    losses = rows[["loss", "val_loss"]].to_numpy()
    axis.set_yscale("log" if losses.max() > 10 * losses.min() > 0 else "linear")
    axis.set(
        xlabel="epoch",
        ylabel="loss (mean squared error, scaled units)",
        title=f"Training: best epoch {epochs[best]} of {len(epochs)}; its weights are used",
    )
    axis.legend()
    return figure


def error_distributions(errors_by_name, threshold, alert):
    """Histograms of window errors, {name: (N,)}, each in percent of its windows, and the two levels."""
    errors_by_name = {name: values[np.isfinite(values)] for name, values in errors_by_name.items()}
    positive = np.concatenate(list(errors_by_name.values()))
    positive = positive[positive > 0]
    bins = np.geomspace(positive.min(), positive.max() * 1.001, 61)
    figure, axis = _axes(4.5)
    colours = sns.color_palette("colorblind", len(errors_by_name))
    for (name, values), colour in zip(errors_by_name.items(), colours, strict=True):
        values = np.maximum(values, bins[0])  # a log axis has no place for 0
        weights = np.full(len(values), 100 / max(len(values), 1))
        look = {"histtype": "step", "linewidth": 1.6, "color": colour, "label": f"{name} ({len(values):,})"}
        axis.hist(values, bins=bins, weights=weights, **look)
    for value, label, line in ((threshold, "threshold: score 0.3", "--"), (alert, "alert: score 0.7", "-")):
        axis.axvline(value, color="black", linestyle=line, linewidth=1, label=label)
    axis.set_xscale("log")
    axis.set(
        xlabel="reconstruction error of a window (scaled units)",
        ylabel="share of the windows (%)",
        title="How errors are distributed",
    )
    axis.legend()
    return figure


def limits_by_size(calibration, *, interval_s):
    """Threshold (solid) and alert level (dashed) of each channel set over the seconds a window rests on."""
    figure, axis = _axes(4)
    seconds = np.array(calibration["sizes"]) * interval_s
    for (name, known), colour in zip(calibration["sets"].items(), (BLUE, ORANGE, GREEN, RED), strict=False):
        axis.plot(seconds, known["threshold"], color=colour, marker="o", label=name)
        axis.plot(seconds, known["alert"], color=colour, marker="o", linestyle="--")
    axis.set(xscale="log", yscale="log", xlabel="a window rests on (s)", ylabel="error")
    axis.set_xticks(seconds, [f"{value:g}" for value in seconds])
    axis.minorticks_off()
    axis.legend()
    return figure


def reconstruction(window, reconstructed, title, *, interval_s=5):
    """Observed and expected channels of one window: two (length, 7) arrays in raw units."""
    minutes = np.arange(len(window)) * interval_s / 60
    figure, axes = _axes(5, rows=2, columns=2)
    for number, (axis, channel) in enumerate(zip(axes.flat, CHANNELS, strict=True)):
        axis.plot(minutes, window[:, number], color=BLUE, label="observed")
        axis.plot(minutes, reconstructed[:, number], "--", color=ORANGE, label="expected")
        axis.set_ylabel(_label(channel, per=" a sample"))
        low, high = axis.get_ylim()
        margin = max(0, LEAST_SPAN[number] - (high - low)) / 2
        axis.set_ylim(low - margin, high + margin)
    for axis in axes[-1]:
        axis.set_xlabel("time in the window (minutes)")
    axes[0, 0].legend()
    figure.suptitle(title)
    return figure


def auroc_bars(scorecards):
    """Heat map of AUROC by kind of anomaly (rows) and method (columns), from {method: Series by kind}."""
    grid = pd.DataFrame(scorecards)
    figure, axis = _axes(1.5 + 0.32 * len(grid))
    names, bar = _readable(grid.index), {"label": "AUROC (0.5 = chance)"}
    look = {"cmap": "vlag_r", "vmin": 0, "vmax": 1, "annot": True, "fmt": ".2f", "linewidths": 1}
    sns.heatmap(grid, yticklabels=names, cbar_kws=bar, ax=axis, **look)
    axis.set(xlabel="", ylabel="", title="How well windows of each kind stand out from normal ones")
    axis.grid(visible=False)
    axis.tick_params(rotation=0)
    return figure


def _readable(kinds):
    return [kind.replace("_", " ") for kind in kinds]


def recall_bars(card):
    """Percent of events found, by kind, at each level of a score card, and of those that the gate finds."""
    shares = card.filter(regex="^recall_|^found_by_gate$") * 100
    names = {"found_by_gate": "not scored: off the wrist or stuck"}
    shares = shares.rename(columns=lambda name: names.get(name, name.replace("recall_", "score ≥ ")))
    shares.index = [f"{name} ({n})" for name, n in zip(_readable(card.index), card["events"], strict=True)]
    figure, axis = _axes(1.8 + 0.42 * len(card))
    shares.plot.barh(color=[ORANGE, RED, GREY], width=0.75, legend=False, ax=axis)
    axis.invert_yaxis()
    axis.grid(axis="y", visible=False)
    axis.set(xlim=(0, 100), xlabel="events found (%)", ylabel="kind (events)", title="Events found")
    figure.legend(loc="outside lower center", ncols=shares.shape[1])
    return figure


def score_timeline(windows, scores, events):
    """One wearer's anomaly scores (N,) at the ends of their windows, with the two levels and the wearer's events
    at that time shaded.

    Raises ValueError when the windows are of more than one wearer.
    """
    name = _one_wearer(windows)
    begin, end = windows["start"].min(), windows["end"].max()
    events = events[(events["user_id"] == name) & (events["end"] >= begin) & (events["start"] <= end)]
    figure, axis = _axes(4)
    axis.plot(windows["end"], scores, ".", markersize=2.5, color="black")
    for value, label, colour in ((BORDERLINE, "borderline", ORANGE), (ALERT, "alert", RED)):
        axis.axhline(value, color=colour, linestyle="--", linewidth=1)
        axis.annotate(label, (0.005, value), xycoords=("axes fraction", "data"), va="bottom", color=colour)
    _shade(axis, events, named=True)
    axis.set(
        xlim=(begin, end), ylim=(0, 1), ylabel="anomaly score (0 to 1)", title=f"{name}: scores and labelled events"
    )
    _time_axis(axis)
    return figure
