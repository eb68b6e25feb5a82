"""Figures of a log. Each function returns the Matplotlib Figure."""

import numpy as np
import pandas as pd

from lib.figures import style

_LABELS = {"HeartRate": "heart rate", "HeartRateMoving": "heart rate on the move", "Steps": "steps", "Errors": "errors"}

_EVIDENCE = (1e-2, 1e8)  # drawn between these


def errors(counts, shares):
    """Draw the distribution of the windows' errors over bins, in the log and in calibration.

    Parameters
    ----------
    counts : ndarray, shape (bins,)
        Windows of the log.
    shares : ndarray, shape (bins,)
        Shares of the calibration windows.
    """
    figure, axis = style.axes(3.2)
    x, total = np.arange(len(shares)), max(np.sum(counts), 1)
    axis.bar(x - 0.2, np.asarray(shares), width=0.4, color=style.GREY, label="calibration")
    axis.bar(x + 0.2, np.asarray(counts) / total, width=0.4, color=style.BLUE, label="the log")
    upper = np.cumsum(shares)
    axis.set_xticks(x, [f"to {share:.1%}" for share in upper[:-1]] + ["beyond"], rotation=45, ha="right")
    axis.set(ylabel="share of windows", xlabel="error, as a quantile of calibration")
    axis.set_title("Errors in the log and in calibration")
    axis.legend()
    return figure


def rates(by_day):
    """Draw alerts per wearer-day, lost readings, failed and cold requests, and latency over days.

    Parameters
    ----------
    by_day : DataFrame
        Figures by version and day, as returned by `monitoring.health`. Each version has a colour.
    """
    figure, axes = style.axes(8.5, rows=4)
    for number, (version, rows) in enumerate(by_day.groupby(level=0, sort=False)):
        colour, time = f"C{number % 10}", rows.index.get_level_values(1)
        axes[0, 0].plot(time, rows["alerts_per_day"], "o-", markersize=3, color=colour, label=version)
        axes[1, 0].plot(time, rows["rejected"], ".-", color=colour)
        axes[1, 0].plot(time, rows["unknown"], ".--", color=colour)
        axes[2, 0].plot(time, rows["cold"], ".-", color=colour)
        axes[2, 0].plot(time, rows["failed"], ".--", color=colour)
        axes[3, 0].plot(time, rows["p99_ms"], ".-", color=colour)
        axes[3, 0].plot(time, rows["median_ms"], ".--", color=colour)
    axes[0, 0].set(ylabel="alerts\nper wearer-day", title="Over time, by version")
    axes[1, 0].set(ylabel="share of readings\nrejected (—), unknown (- -)")
    axes[2, 0].set(ylabel="share of requests\ncold (—), failed (- -)")
    axes[3, 0].set(ylabel="ms: 99th percentile (—),\nmedian (- -)")
    for axis in axes[:, 0]:
        axis.set_ylim(bottom=0)
    axes[0, 0].legend()
    _day_axis(axes[-1, 0], by_day.index.get_level_values(1))
    return figure


def drift(judged, limit):
    """Draw the evidence of a change over the days, a line per name, with a ring around days of a call."""
    figure, axis = style.axes(3.6)
    for number, (name, rows) in enumerate(judged.groupby("name", sort=False)):
        evidence = rows["evidence"].clip(*_EVIDENCE)
        axis.plot(rows["day"], evidence, ".-", markersize=4, color=f"C{number}", label=_LABELS.get(name, name))
        called = rows["called"]
        axis.plot(rows["day"][called], evidence[called], "o", color=style.RED, markersize=7, fillstyle="none")
    axis.axhline(limit, color="black", linestyle="--", linewidth=1, label="limit")
    axis.set(yscale="log", ylabel="evidence of a change", title="Drift: evidence that days differ from normal days")
    style.plain_numbers(axis.yaxis)
    axis.legend(ncols=5, loc="upper left")
    _day_axis(axis, judged["day"])
    return figure


def _day_axis(axis, days):
    """Label an x axis of days, and let it end half a day beyond them: a single day would be drawn among years."""
    if len(days):
        half = pd.Timedelta(hours=12)
        axis.set_xlim(min(days) - half, max(days) + half)
    style.time_axis(axis, name="day (UTC)")


def replay(table, *, proposed=None):
    """Draw false alarms per wearer-day (left) and missed alerts (right) against the factor, a line per persistence.

    Parameters
    ----------
    table : DataFrame
        Rows of `feedback.Replay.at`.
    proposed : dict, optional
        One of the rows.
    """
    figure, axes = style.axes(3.6, columns=2)
    for number, (persistence, rows) in enumerate(table.groupby("persistence")):
        for axis, name in zip(axes[0], ("false_alarms", "missed"), strict=True):
            axis.plot(rows["factor"], rows[name], ".-", color=f"C{number}", label=f"{persistence} in a row")
            if persistence == 1 and rows[name].notna().any():
                low, high = np.array(rows[f"{name}_interval"].tolist(), dtype=float).T
                axis.fill_between(rows["factor"], low, high, color=f"C{number}", alpha=0.2, linewidth=0)
    for axis, label in zip(axes[0], ("false alarms per wearer-day", "share of true alerts missed"), strict=True):
        axis.set(xlabel="alert level, relative to the current one", ylabel=label)
        axis.set_ylim(bottom=0)
        if proposed:
            axis.axvline(proposed["factor"], color=style.RED, linestyle="--", linewidth=1)
    axes[0, 0].set_title("Last month at other thresholds")
    axes[0, 1].legend(title="windows")
    return figure
