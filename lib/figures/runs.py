"""Figures of many runs side by side. Each function returns the Matplotlib Figure."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from lib.figures import style

COLOURS = {"exported": style.BLUE, "adjusted": style.GREEN, "not exported": style.RED}  # others are grey
_PANELS = {  # column of `runs_table.table`: (title, what is a share)
    "VUS-PR": ("VUS-PR", False),
    "recall at 1 a day": ("events found at\n1 false alarm a day", True),
    "false alarms a day": ("false alarms a day\nat the alert level", False),
    "share at 0.3": ("normal windows\nthat reach 0.3", True),
}


def side_by_side(table):
    """A frame of `runs_table.table`, a line a run: what it finds, and at which price; colours tell its state.

    A run without a figure has none; the dotted line is the best of a measure, or what 0.3 promises.
    """
    figure, axes = plt.subplots(1, len(_PANELS), figsize=(style.WIDTH, 1.6 + 0.32 * len(table)), sharey=True)
    figure.set_layout_engine("constrained")
    place, names = np.arange(len(table))[::-1], list(table.index)
    colours = [COLOURS.get(state, style.GREY) for state in table["state"]]
    for axis, (column, (title, share)) in zip(axes, _PANELS.items(), strict=True):
        found = table[column].astype(float).to_numpy()
        axis.scatter(found, place, color=colours, s=45, zorder=3)
        axis.set(title=title, yticks=place, yticklabels=names, ylim=(-0.6, len(table) - 0.4))
        if share:
            axis.xaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
        if np.isfinite(found).any():
            line = 0.05 if column == "share at 0.3" else np.nanmin(found) if "alarms" in column else np.nanmax(found)
            axis.axvline(line, color="black", linestyle=":", linewidth=1)
    _legend(figure, table["state"])
    return figure


def _legend(figure, states):
    marks = [
        Line2D([], [], marker="o", linestyle="", color=COLOURS.get(state, style.GREY), label=state)
        for state in dict.fromkeys(states)
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=len(marks))
