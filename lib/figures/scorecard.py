"""Figures of the scorecard: methods, alert persistences and runs side by side. Each returns the Matplotlib Figure."""

from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from lib.figures import style

STATE_COLOURS = {"exported": style.BLUE, "adjusted": style.GREEN, "not exported": style.RED}  # other states are grey
_PERSISTENCE_COLOURS = (style.BLUE, style.ORANGE, style.GREEN, style.RED, style.PINK, style.GREY)
_PANELS = {  # column of `runs_table.table`: (title, whether it is a share)
    "VUS-PR": ("VUS-PR", False),
    "recall at 1 a day": ("events found at\n1 false alarm a day", True),
    "false alarms a day": ("false alarms a day\nat the alert level", False),
    "share at 0.3": ("normal windows\nthat reach 0.3", True),
}
_EXPECTED_SHARE = 0.05  # of normal windows that reach score 0.3


def recall_curves(curves, *, marked=1.0):
    """Draw event recall (mean over kinds) against false alarms per wearer-day.

    Parameters
    ----------
    curves : dict
        {method: frame of `operating_point.curve`}. The first method is the deployed one and drawn stronger.
    marked : float
        False alarms per day at a dotted line. The legend is sorted by recall there.
    """
    figure, axis = style.axes(5)
    colours = dict(zip(curves, ["black", *sns.color_palette("colorblind", len(curves) - 1)], strict=True))
    dashes = dict(zip(curves, cycle(("-", "--", "-.")), strict=False))
    deployed = next(iter(curves))
    for name in sorted(curves, key=lambda name: -_recall(curves[name], marked)):
        curve, strong = curves[name], name == deployed
        line = {"color": colours[name], "linestyle": dashes[name], "linewidth": 2.5 if strong else 1.4}
        line["zorder"] = 3 if strong else 2
        label = f"{name} ({_recall(curve, marked):.2f})"
        axis.plot(curve["false_alarms_per_day"], curve["recall_macro"], drawstyle="steps-post", label=label, **line)
    axis.axvline(marked, color="black", linestyle=":")
    _recall_axis(axis, ylim=(0, 1), xlabel="false alarms allowed (episodes per wearer-day)", title="Recall by method")
    figure.legend(title=f"method (recall at {marked:g} a day)", loc="outside right upper")
    return figure


def _recall_axis(axis, **properties):
    """Label an axis of event recall against false alarms."""
    axis.set(xscale="log", ylabel="events found (mean over kinds)", **properties)
    style.plain_numbers(axis.xaxis)
    axis.yaxis.set_major_formatter(PercentFormatter(xmax=1))


def _recall(curve, rate):
    """Recall at the largest allowed rate up to `rate`; 0 if the curve begins above it."""
    within = curve.loc[curve["false_alarms_per_day"] <= rate * (1 + 1e-9), "recall_macro"]
    return within.iloc[-1] if len(within) else 0.0


def recall_by_persistence(curves, compared, *, deployed):
    """Draw event recall against false alarms for each persistence, with a mark at the alert level.

    Parameters
    ----------
    curves, compared
        As returned by `evaluation.alerts`.
    deployed : str
        Name ("k of n") of the model's persistence, drawn stronger.
    """
    figure, axis = style.axes(4.8)
    for (name, curve), colour, mark in zip(curves.items(), cycle(_PERSISTENCE_COLOURS), cycle("os^Dv"), strict=False):
        strong, (alarms, recall) = name == deployed, compared.loc[name, ["false alarms a day", "recall"]]
        line = {"color": colour, "linewidth": 2.8 if strong else 1.4, "zorder": 4 if strong else 3}
        axis.plot(curve["false_alarms_per_day"], curve["recall_macro"], drawstyle="steps-post", **line)
        marker = {"color": colour, "markeredgecolor": "white", "markersize": 11 if strong else 9, "clip_on": False}
        label = f"{name}{' (deployed)' if strong else ''}: {recall:.0%} at {alarms:.2f} a day"
        x = max(alarms, curve["false_alarms_per_day"].iloc[0])  # fewer alarms than the axis shows: at its edge
        axis.plot(x, recall, mark, label=label, zorder=6, **marker)
    lowest = min(np.nanmin(curve["recall_macro"]) for curve in curves.values())
    rates = curve["false_alarms_per_day"]
    _recall_axis(
        axis,
        xlim=(rates.iloc[0], rates.iloc[-1]),
        ylim=(np.floor(10 * max(lowest - 0.1, 0)) / 10, 1),
        xlabel="false alarms (episodes per wearer-day)",
        title="Recall if an alert takes several windows",
    )
    axis.legend(title="windows for an alert: recall at the alert level", loc="lower right")
    return figure


def runs_side_by_side(table):
    """Draw recall and false alarms of runs, coloured by state.

    The dotted line is the best run's value, or the expected share of normal windows that reach 0.3. Missing values are
    left out.

    Parameters
    ----------
    table : DataFrame
        A row per run, as returned by `runs_table.table`.
    """
    figure, axes = plt.subplots(1, len(_PANELS), figsize=(style.WIDTH, 1.6 + 0.32 * len(table)), sharey=True)
    figure.set_layout_engine("constrained")
    y, names = np.arange(len(table))[::-1], list(table.index)
    colours = [STATE_COLOURS.get(state, style.GREY) for state in table["state"]]
    for axis, (column, (title, is_share)) in zip(axes, _PANELS.items(), strict=True):
        values = table[column].astype(float).to_numpy()
        axis.scatter(values, y, color=colours, s=45, zorder=3)
        axis.set(title=title, yticks=y, yticklabels=names, ylim=(-0.6, len(table) - 0.4))
        if is_share:
            axis.xaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
        if np.isfinite(values).any():
            axis.axvline(_reference(column, values), color="black", linestyle=":", linewidth=1)
    _state_legend(figure, table["state"])
    return figure


def _reference(column, values):
    if column == "share at 0.3":
        return _EXPECTED_SHARE
    return np.nanmin(values) if "alarms" in column else np.nanmax(values)


def _state_legend(figure, states):
    marks = [
        Line2D([], [], marker="o", linestyle="", color=STATE_COLOURS.get(state, style.GREY), label=state)
        for state in dict.fromkeys(states)
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=len(marks))
