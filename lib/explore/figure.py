"""The figure of one wearer's scores: score and trend over time, levels, and what the alerts say."""

import matplotlib.pyplot as plt
import numpy as np

from lib.detector import trend
from lib.detector.scoring import ALERT, BORDERLINE
from lib.evaluation.events import EPISODE_S
from lib.figures import style

MOST_REASONS = 6  # episodes whose reason is written below the figure
_COLOURS = {"normal": style.BLUE, "borderline": style.ORANGE, "anomaly": style.RED}


def plot(scored):
    """Draw one wearer's scores and trend over time, and say below what made the highest episodes unusual.

    Parameters
    ----------
    scored : DataFrame
        Of `Run.score`, of one wearer.

    Returns
    -------
    Figure
        A notebook shows it if it is a cell's last expression.

    Raises
    ------
    ValueError
        If there is more than one wearer, or no row.
    """
    if scored.empty:
        raise ValueError("expected scores of one wearer, got an empty table")
    name = style.one_wearer(scored)
    peaks = episodes(scored).head(MOST_REASONS).sort_values("time")
    with plt.rc_context():
        style.style()
        figure, axes = style.axes(5 + 0.2 * len(peaks), rows=2)
        axis, below = axes.ravel()
        _draw_score(axis, scored, peaks)
        _draw_trend(below, scored)
        axis.set_title(f"{name}: score of each minute's window")
        style.time_axis(below)
        if len(peaks):
            figure.supxlabel("\n".join(_sentences(peaks)), x=0.01, ha="left", fontsize="small")
        plt.close(figure)  # otherwise a notebook shows it twice
    return figure


def episodes(scored):
    """Return the highest window of each episode of one wearer that reaches 0.3, from high to low."""
    raised = scored[scored["score"] >= BORDERLINE].sort_values("time")
    apart = raised["time"].diff().dt.total_seconds() >= EPISODE_S
    highest = raised.groupby(apart.cumsum())["score"].idxmax()
    return raised.loc[highest].sort_values("score", ascending=False)


def _draw_score(axis, scored, peaks):
    for level, colour in _COLOURS.items():
        rows = scored[scored["level"] == level]
        axis.plot(rows["time"], rows["score"], ".", markersize=4, color=colour, label=level)
    for value, colour in ((BORDERLINE, style.ORANGE), (ALERT, style.RED)):
        axis.axhline(value, color=colour, linestyle="--", linewidth=1)
    for number, peak in enumerate(peaks.itertuples(), start=1):
        axis.annotate(f"{number}", (peak.time, peak.score), (0, 5), textcoords="offset points", ha="center")
    axis.set(ylim=(-0.02, 1.08), ylabel="score (0 to 1)", xlim=_limits(scored))
    axis.legend(loc="upper left", bbox_to_anchor=(1, 1))


def _draw_trend(axis, scored):
    axis.plot(scored["time"], scored["trend_score"], color="black", linewidth=1)
    for value, colour in ((trend.BORDERLINE, style.ORANGE), (trend.ALERT, style.RED)):
        axis.axhline(value, color=colour, linestyle="--", linewidth=1)
    axis.set(ylim=(-0.02, 1.08), ylabel="trend (0 to 1)")
    if not scored["trend_score"].notna().any():
        text = f"no trend yet: it needs {trend.KNOWN_HOURS} hours at rest"
        axis.annotate(text, (0.5, 0.5), xycoords="axes fraction", ha="center", va="center", color=style.GREY)


def _limits(scored):
    """Return the first and last time, a minute apart at least."""
    begin, end = scored["time"].min(), scored["time"].max()
    return begin, max(end, begin + np.timedelta64(60, "s"))


def _sentences(peaks):
    return [
        f"{number}  {peak.time:%d %b %H:%M}, {peak.score:.2f}: {peak.reason}"
        for number, peak in enumerate(peaks.itertuples(), start=1)
    ]
