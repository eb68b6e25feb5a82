"""Figures of the scorecard: methods side by side. Each function returns the Matplotlib Figure."""

from itertools import cycle

import seaborn as sns
from matplotlib.ticker import PercentFormatter

from lib.figures import style


def recall_curves(curves, *, marked=1.0):
    """Event recall (mean over kinds) over false alarms a wearer-day, from {method: frame of `operating_point.curve`}.

    The first method, the deployed one, is drawn stronger; a dotted line stands at `marked` false alarms a day. In the
    legend the methods stand in the order of their recall there.
    """
    figure, axis = style.axes(5)
    colours = dict(zip(curves, ["black", *sns.color_palette("colorblind", len(curves) - 1)], strict=True))
    dashes = dict(zip(curves, cycle(("-", "--", "-.")), strict=False))
    deployed = next(iter(curves))
    for name in sorted(curves, key=lambda name: -_recall(curves[name], marked)):
        curve, strong = curves[name], name == deployed
        look = {"color": colours[name], "linestyle": dashes[name], "linewidth": 2.5 if strong else 1.4}
        look["zorder"] = 3 if strong else 2
        label = f"{name} ({_recall(curve, marked):.2f})"
        axis.plot(curve["false_alarms_per_day"], curve["recall_macro"], drawstyle="steps-post", label=label, **look)
    axis.axvline(marked, color="black", linestyle=":")
    axis.set(
        xscale="log",
        ylim=(0, 1),
        xlabel="false alarms allowed (episodes a wearer-day)",
        ylabel="events found (mean over kinds)",
        title="What each method finds, at which price",
    )
    axis.xaxis.set_major_formatter("{x:g}")
    axis.yaxis.set_major_formatter(PercentFormatter(xmax=1))
    figure.legend(title=f"method (recall at {marked:g} a day)", loc="outside right upper")
    return figure


def _recall(curve, rate):
    """The recall at the largest allowed rate that is not above `rate`; 0 where the curve begins beyond it."""
    within = curve.loc[curve["false_alarms_per_day"] <= rate * (1 + 1e-9), "recall_macro"]
    return within.iloc[-1] if len(within) else 0.0
