"""Figures of what a log tells. Each function returns the Matplotlib Figure."""

import numpy as np

from lib.figures import style

_WAYS = {"HeartRate": "heart rate", "HeartRateMoving": "heart rate on the move", "Steps": "steps", "Errors": "errors"}


def errors(counts, shares):
    """Shares of the windows' errors by bin, (bins,) counts of the log beside those of calibration."""
    figure, axis = style.axes(3.2)
    place, total = np.arange(len(shares)), max(np.sum(counts), 1)
    axis.bar(place - 0.2, np.asarray(shares), width=0.4, color=style.GREY, label="calibration")
    axis.bar(place + 0.2, np.asarray(counts) / total, width=0.4, color=style.BLUE, label="the log")
    upper = np.cumsum(shares)
    axis.set_xticks(place, [f"to {share:.1%}" for share in upper[:-1]] + ["beyond"], rotation=45, ha="right")
    axis.set(ylabel="share of windows", xlabel="error, by its place among those of calibration")
    axis.set_title("Errors of the log's windows against calibration")
    axis.legend()
    return figure


def rates(by_day):
    """Alerts a wearer-day, readings lost, requests that failed or began cold, and the time taken, over days.

    by_day: of `monitoring.figures`, its index (Version, day). A colour a version.
    """
    figure, axes = style.axes(8.5, rows=4)
    for place, (version, rows) in enumerate(by_day.groupby(level=0, sort=False)):
        colour, time = f"C{place % 10}", rows.index.get_level_values(1)
        axes[0, 0].plot(time, rows["alerts_per_day"], "o-", markersize=3, color=colour, label=version)
        axes[1, 0].plot(time, rows["rejected"], "-", color=colour)
        axes[1, 0].plot(time, rows["unknown"], "--", color=colour)
        axes[2, 0].plot(time, rows["cold"], "-", color=colour)
        axes[2, 0].plot(time, rows["failed"], "--", color=colour)
        axes[3, 0].plot(time, rows["p99_ms"], "-", color=colour)
        axes[3, 0].plot(time, rows["median_ms"], "--", color=colour)
    axes[0, 0].set(ylabel="alerts\na wearer-day", title="Over time, by version")
    axes[1, 0].set(ylabel="share of readings\nrejected (—), unknown (- -)")
    axes[2, 0].set(ylabel="share of requests\ncold (—), failed (- -)")
    axes[3, 0].set(ylabel="ms: 99 of 100 (—),\nmedian (- -)")
    for axis in axes[:, 0]:
        axis.set_ylim(bottom=0)
    axes[0, 0].legend()
    style.time_axis(axes[-1, 0], what="day (UTC)")
    return figure


def drift(judged, limit):
    """How far each day lies from normal days, a line a name; days that are called stand out."""
    figure, axis = style.axes(3.6)
    for place, (name, rows) in enumerate(judged.groupby("name", sort=False)):
        axis.plot(rows["day"], rows["surprise"], ".-", markersize=4, color=f"C{place}", label=_WAYS.get(name, name))
        called = rows[rows["called"]]
        axis.plot(called["day"], called["surprise"], "o", color=style.RED, markersize=7, fillstyle="none")
    axis.axhline(limit, color="black", linestyle="--", linewidth=1, label="limit")
    axis.set(ylabel="standard deviations\nfrom normal days", title="Drift: each day against normal days")
    axis.set_ylim(bottom=0)
    axis.legend(ncols=5, loc="upper left")
    style.time_axis(axis, what="day (UTC)")
    return figure


def replay(table, *, proposed=None):
    """False alarms a wearer-day (left) and what would have been missed (right) over the factor, a line a persistence.

    table: rows of `feedback.Replay.at`; proposed: one of them, or None.
    """
    figure, axes = style.axes(3.6, columns=2)
    for place, (persistence, rows) in enumerate(table.groupby("persistence")):
        for axis, name in zip(axes[0], ("false_alarms", "missed"), strict=True):
            axis.plot(rows["factor"], rows[name], ".-", color=f"C{place}", label=f"{persistence} in a row")
            if persistence == 1 and rows[name].notna().any():
                low, high = np.array(rows[f"{name}_interval"].tolist(), dtype=float).T
                axis.fill_between(rows["factor"], low, high, color=f"C{place}", alpha=0.2, linewidth=0)
    for axis, label in zip(axes[0], ("false alarms a wearer-day", "share of right alerts missed"), strict=True):
        axis.set(xlabel="alert level, times what it is", ylabel=label)
        axis.set_ylim(bottom=0)
        if proposed:
            axis.axvline(proposed["factor"], color=style.RED, linestyle="--", linewidth=1)
    axes[0, 0].set_title("Last month at other thresholds")
    axes[0, 1].legend(title="windows")
    return figure
