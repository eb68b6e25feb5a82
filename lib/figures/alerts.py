"""Figures of persistence. Each function returns the Matplotlib Figure."""

from itertools import cycle

import numpy as np
from matplotlib.ticker import PercentFormatter

from lib.figures import style

_COLOURS = (style.BLUE, style.ORANGE, style.GREEN, style.RED, style.PINK, style.GREY)


def price(curves, compared, *, deployed):
    """Event recall over false alarms by persistence, and a mark where the alert level puts it.

    curves, compared: of `lib.evaluation.alerts`; deployed: the name ("k of n") of the model's own, drawn stronger.
    """
    figure, axis = style.axes(4.8)
    for (name, curve), colour, mark in zip(curves.items(), cycle(_COLOURS), cycle("os^Dv"), strict=False):
        strong, (alarms, recall) = name == deployed, compared.loc[name, ["false alarms a day", "recall"]]
        look = {"color": colour, "linewidth": 2.8 if strong else 1.4, "zorder": 4 if strong else 3}
        axis.plot(curve["false_alarms_per_day"], curve["recall_macro"], drawstyle="steps-post", **look)
        dot = {"color": colour, "markeredgecolor": "white", "markersize": 11 if strong else 9, "clip_on": False}
        label = f"{name}{' (deployed)' if strong else ''}: {recall:.0%} at {alarms:.2f} a day"
        shown = max(alarms, curve["false_alarms_per_day"].iloc[0])  # fewer than the axis shows: at its edge
        axis.plot(shown, recall, mark, label=label, zorder=6, **dot)
    lowest = min(np.nanmin(curve["recall_macro"]) for curve in curves.values())
    axis.set(
        xscale="log",
        xlim=(curve["false_alarms_per_day"].iloc[0], curve["false_alarms_per_day"].iloc[-1]),
        ylim=(np.floor(10 * max(lowest - 0.1, 0)) / 10, 1),
        xlabel="false alarms (episodes a wearer-day)",
        ylabel="events found (mean over kinds)",
        title="Alerts that take several windows: what is found, at which price",
    )
    axis.xaxis.set_major_formatter("{x:g}")
    axis.yaxis.set_major_formatter(PercentFormatter(xmax=1))
    axis.legend(title="an alert takes: at the alert level", loc="lower right")
    return figure
