"""A figure of the trend: a wearer's weeks with resting heart rate, the usual band, the score, and the onset."""

import pandas as pd

from lib.detector.trend import ALERT, BORDERLINE
from lib.evaluation.illness import SEARCHED
from lib.figures import style

BEFORE, AFTER = pd.Timedelta(days=17), pd.Timedelta(days=11)  # of the onset: what is drawn
_SMALL, _LARGE = 15, 17  # points, so that the figure can be read at a width of 400 pixels


def weeks(track, *, name, onset=None):
    """Draw resting heart rate against the usual band (top) and the trend's score with its levels (bottom).

    Parameters
    ----------
    track : DataFrame
        As `illness_rules.track` returns it.
    name : str
        The wearer.
    onset : Timestamp, optional
        When the wearer fell ill. Four weeks about it are drawn; without it, the last four.

    Returns
    -------
    Figure
    """
    end = track["timestamp"].iloc[-1] if onset is None else onset + AFTER
    drawn = track[track["timestamp"].between(end - BEFORE - AFTER, end)]
    with style.plt.rc_context({"font.size": _SMALL, "axes.labelsize": _SMALL, "axes.titlesize": _LARGE}):
        figure, axes = style.axes(7.2, rows=2)
        (above,), (below,) = axes
        axes[0, 0].get_gridspec().set_height_ratios([3, 2])
        _heart_rates(above, drawn)
        _scores(below, drawn)
        for axis in (above, below):
            axis.tick_params(labelsize=_SMALL)
            if onset is not None:
                axis.axvline(onset, color="black", linewidth=1.5, linestyle=(0, (1, 1)))
        if onset is not None:
            place = {"xycoords": ("data", "axes fraction"), "xytext": (-5, -5), "textcoords": "offset points"}
            above.annotate("onset", (onset, 1.0), ha="right", va="top", fontsize=_SMALL, **place)
        above.set_title(f"{name}: {_headline(drawn, onset)}", loc="left", fontweight="bold", parse_math=False)
        above.set_xlim(drawn["timestamp"].iloc[0], drawn["timestamp"].iloc[-1])
        style.time_axis(below)
        legend = {"loc": "outside lower center", "ncols": 3, "fontsize": _SMALL, "markerscale": 2, "frameon": False}
        figure.legend(*above.get_legend_handles_labels(), handletextpad=0.3, columnspacing=1.5, **legend)
    return figure


def _heart_rates(axis, drawn):
    """Hours at rest as dots, those above the band in red, on the band of usual ± spread."""
    time, low, high = drawn["timestamp"], drawn["usual"] - drawn["spread"], drawn["usual"] + drawn["spread"]
    axis.fill_between(time, low, high, color=style.BLUE, alpha=0.25, linewidth=0, label="usual")
    raised = drawn["bpm"] > high
    for rows, colour, label in ((~raised, style.GREY, "an hour at rest"), (raised, style.RED, "above usual")):
        axis.plot(time[rows], drawn["bpm"][rows], ".", color=colour, markersize=6, label=label)
    axis.set_ylabel("resting heart\nrate (bpm)")


def _scores(axis, drawn):
    """The score as an area, its two levels, and a mark where it alerts."""
    time, score = drawn["timestamp"], drawn["score"]
    axis.fill_between(time, 0, score, step="post", color=style.BLUE, alpha=0.6, linewidth=0)
    for level, colour, label in ((BORDERLINE, style.ORANGE, "borderline"), (ALERT, style.RED, "alert")):
        axis.fill_between(time, 0, score, where=score >= level, step="post", color=colour, linewidth=0)
        axis.axhline(level, color=colour, linewidth=1.5, linestyle="--")
        axis.annotate(
            label, (0, level), (4, 2), xycoords=("axes fraction", "data"), textcoords="offset points", va="bottom",
            color=colour, fontsize=_SMALL,
        )  # fmt: skip
    axis.set(
        ylabel="trend score", ylim=(0, 1.05), yticks=(0, BORDERLINE, ALERT, 1), yticklabels=(0, BORDERLINE, ALERT, 1)
    )


def _headline(drawn, onset):
    """Say when the trend first alerts; with an onset, in days from it, if it lies near enough to count."""
    alerts = drawn["timestamp"][drawn["score"] >= ALERT]
    if onset is not None:
        alerts = alerts[(alerts - onset).abs() <= pd.Timedelta(hours=SEARCHED)]
    if alerts.empty:
        return "the trend does not alert"
    if onset is None:
        return f"the trend alerts on {alerts.iloc[0]:%Y-%m-%d}"
    days = (alerts.iloc[0] - onset) / pd.Timedelta(days=1)
    return f"the trend alerts {abs(days):.1f} days {'before' if days < 0 else 'after'} onset"
