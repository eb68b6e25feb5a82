"""Figures of a model: its training, its errors and its results. Each function returns the Matplotlib Figure."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.ticker import MaxNLocator

from lib.detector.features import CHANNELS
from lib.detector.scoring import ALERT, BORDERLINE
from lib.figures import style

MIN_SPAN = (10, 3, 0.2, 3)  # bpm, steps, kcal, m: least range of an axis, so that noise does not look large


def history(history):
    """Draw training and validation loss by epoch.

    A dotted line on a second axis is the learning rate at the end of each epoch. The axis of the losses is logarithmic
    if they span more than a factor of 10.

    Parameters
    ----------
    history : list of dict
        loss, val_loss and learning_rate of each epoch.
    """
    rows = pd.DataFrame(history)
    epochs = np.arange(1, len(rows) + 1)
    figure, axis = style.axes(4)
    for name, label, colour in (("loss", "training", style.BLUE), ("val_loss", "validation", style.ORANGE)):
        axis.plot(epochs, rows[name], "o-", markersize=3, color=colour, label=label)
    best = rows["val_loss"].idxmin()
    axis.plot(epochs[best], rows["val_loss"][best], "*", markersize=13, color=style.ORANGE, label="best")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    rate = axis.twinx()
    axis.plot([], ":", color=style.GREY, label="learning rate")
    rate.plot(epochs, rows["learning_rate"], ":", color=style.GREY)
    rate.set(ylabel="learning rate", ylim=(0, None))
    rate.grid(False)
    losses = rows[["loss", "val_loss"]].to_numpy()
    if losses.max() > 10 * losses.min() > 0:
        axis.set_yscale("log")
        style.plain_numbers(axis.yaxis)
    axis.set(
        xlabel="epoch",
        ylabel="loss (mean squared error, scaled units)",
        title=f"Training: the weights of epoch {epochs[best]} of {len(epochs)} are used",
    )
    axis.legend()
    return figure


def error_distributions(errors_by_name, threshold, alert):
    """Draw histograms of windows' evidence, in percent of each group, and the two levels.

    Parameters
    ----------
    errors_by_name : dict
        {group: evidence (N,)}. Values that are not finite are left out.
    threshold, alert : float
        Evidence at scores 0.3 and 0.7.
    """
    errors_by_name = {name: values[np.isfinite(values)] for name, values in errors_by_name.items()}
    positive = np.concatenate(list(errors_by_name.values()))
    positive = positive[positive > 0]
    bins = np.geomspace(positive.min(), positive.max() * 1.001, 61)
    figure, axis = style.axes(4.5)
    colours = sns.color_palette("colorblind", len(errors_by_name))
    for (name, values), colour in zip(errors_by_name.items(), colours, strict=True):
        values = np.maximum(values, bins[0])  # a logarithmic axis cannot show 0
        weights = np.full(len(values), 100 / max(len(values), 1))
        line = {"histtype": "step", "linewidth": 1.6, "color": colour, "label": f"{name} ({len(values):,})"}
        axis.hist(values, bins=bins, weights=weights, **line)
    for value, label, line in ((threshold, "threshold: score 0.3", "--"), (alert, "alert: score 0.7", "-")):
        axis.axvline(value, color="black", linestyle=line, linewidth=1, label=label)
    axis.set_xscale("log")
    style.plain_numbers(axis.xaxis)
    axis.set(
        xlabel="evidence of a window (1 = the threshold)",
        ylabel="share of the windows (%)",
        title="Distribution of the evidence",
    )
    axis.legend()
    return figure


def limits_by_size(calibration, *, interval_s):
    """Draw threshold (solid) and alert level (dashed) of each channel set against a window's length in seconds."""
    figure, axis = style.axes(4)
    seconds = np.array(calibration["sizes"]) * interval_s
    colours = (style.BLUE, style.ORANGE, style.GREEN, style.RED)
    for (name, limits), colour in zip(calibration["sets"].items(), colours, strict=False):
        axis.plot(seconds, limits["threshold"], color=colour, marker="o", label=name)
        axis.plot(seconds, limits["alert"], color=colour, marker="o", linestyle="--")
    axis.set(xscale="log", yscale="log", xlabel="length of a window (s)", ylabel="evidence")
    style.plain_numbers(axis.xaxis, axis.yaxis)
    axis.set_xticks(seconds, [f"{value:g}" for value in seconds])
    axis.minorticks_off()
    axis.legend()
    return figure


def reconstruction(window, reconstructed, title, *, interval_s=5):
    """Draw observed and expected channels of one window: two arrays (length, 7) in raw units."""
    minutes = np.arange(len(window)) * interval_s / 60
    figure, axes = style.axes(5, rows=2, columns=2)
    for number, (axis, channel) in enumerate(zip(axes.flat, CHANNELS, strict=True)):
        axis.plot(minutes, window[:, number], color=style.BLUE, label="observed")
        axis.plot(minutes, reconstructed[:, number], "--", color=style.ORANGE, label="expected")
        axis.set_ylabel(style.label(channel, per=" a sample"))
        low, high = axis.get_ylim()
        margin = max(0, MIN_SPAN[number] - (high - low)) / 2
        axis.set_ylim(low - margin, high + margin)
    for axis in axes[-1]:
        axis.set_xlabel("time in the window (minutes)")
    axes[0, 0].legend()
    figure.suptitle(title)
    return figure


def auroc_bars(scorecards):
    """Draw a heat map of AUROC by kind of anomaly (rows) and method (columns).

    A grey cell with a dash means that no window of the kind was scored.

    Parameters
    ----------
    scorecards : dict
        {method: Series of AUROC by kind}
    """
    grid = pd.DataFrame(scorecards)
    figure, axis = style.axes(2.3 + 0.32 * len(grid))
    names, bar = _readable(grid.index), {"label": "AUROC (0.5 = chance)"}
    cells = {"cmap": "vlag_r", "vmin": 0, "vmax": 1, "annot": True, "fmt": ".2f", "linewidths": 1}
    sns.heatmap(grid, yticklabels=names, cbar_kws=bar, ax=axis, **cells)
    for row, column in np.argwhere(grid.isna()):
        axis.text(column + 0.5, row + 0.5, "–", ha="center", va="center")
    axis.set(xlabel="", ylabel="", title="How well windows of each kind differ from normal windows")
    axis.set_facecolor("gainsboro")
    axis.grid(visible=False)
    axis.tick_params(rotation=0)
    axis.set_xticks(axis.get_xticks(), grid.columns, rotation=35, ha="right", rotation_mode="anchor")
    return figure


def _readable(kinds):
    return [kind.replace("_", " ") for kind in kinds]


def recall_bars(card):
    """Draw the percentage of events found, by kind, at each level of a score card and by the quality gate."""
    shares = card.filter(regex="^recall_|^found_by_gate$") * 100
    names = {"found_by_gate": "not scored: off the wrist, or a faulty sensor"}
    shares = shares.rename(columns=lambda name: names.get(name, name.replace("recall_", "score ≥ ")))
    shares.index = [f"{name} ({n})" for name, n in zip(_readable(card.index), card["events"], strict=True)]
    figure, axis = style.axes(1.8 + 0.42 * len(card))
    shares.plot.barh(color=[style.ORANGE, style.RED, style.GREY], width=0.75, legend=False, ax=axis)
    axis.invert_yaxis()
    axis.grid(axis="y", visible=False)
    axis.set(xlim=(0, 100), xlabel="events found (%)", ylabel="kind (events)", title="Events found")
    figure.legend(loc="outside lower center", ncols=shares.shape[1])
    return figure


def score_timeline(windows, scores, events):
    """Draw one wearer's scores at the ends of the windows, both levels, and the wearer's events (shaded).

    Parameters
    ----------
    windows : DataFrame
        Windows of one wearer.
    scores : ndarray, shape (N,)
    events : DataFrame
        Events of any wearers.

    Raises
    ------
    ValueError
        If there is more than one wearer.
    """
    name = style.one_wearer(windows)
    begin, end = windows["start"].min(), windows["end"].max()
    events = events[(events["user_id"] == name) & (events["end"] >= begin) & (events["start"] <= end)]
    figure, axis = style.axes(4)
    axis.plot(windows["end"], scores, ".", markersize=2.5, color="black")
    for value, label, colour in ((BORDERLINE, "borderline", style.ORANGE), (ALERT, "alert", style.RED)):
        axis.axhline(value, color=colour, linestyle="--", linewidth=1)
        axis.annotate(label, (1.005, value), xycoords=("axes fraction", "data"), va="center", color=colour)
    style.shade(axis, events, named=True)
    axis.set(
        xlim=(begin, end), ylim=(0, 1), ylabel="anomaly score (0 to 1)", title=f"{name}: scores and labelled events"
    )
    style.time_axis(axis)
    return figure
