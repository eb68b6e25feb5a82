"""Past alerts at other thresholds: what each would have spared wearers and what it would have missed."""

import numpy as np
import pandas as pd
from scipy import stats

from lib.detector.persistence import IN_A_ROW as PERSISTENCES
from lib.monitoring import log
from lib.monitoring.feedback import pad_held

_RESAMPLES = 2_000
_INTERVAL = (0.025, 0.975)  # quantiles of an interval that holds 95 %
_UNCHANGED = 1 - 1e-9, 1 + 1e-9  # factors that leave the level as it is, rounding aside


class Replay:
    """A past period replayed at other thresholds, judged by the alerts on which wearers gave feedback.

    A factor multiplies the alert level, and with it all limits. `persistence` is the number of windows in a row that
    must reach it. Requests that reached the level without an alert, because the model asked for more windows, stay
    silent at any other level. Intervals come from a bootstrap over days: what happens on one day is alike.

    Parameters
    ----------
    requests : DataFrame
        As `feedback.scored_requests` returns it, of one version.
    interval_s : float
        Seconds between the samples of its model.
    seed, resamples : int

    Attributes
    ----------
    wearer_days : ndarray, shape (n_days,)
    alerts, answered : int
        All alerts, and those with feedback.
    false, true, missed : ndarray of bool, shape (n_requests,)
        False alarms, right alerts and missed events.
    """

    def __init__(self, requests, *, interval_s, seed, resamples=_RESAMPLES):
        days, day = np.unique(requests["Time"].to_numpy("datetime64[D]"), return_inverse=True)
        self.wearer_days = np.bincount(day, log.wearer_days(requests, interval_s=interval_s), len(days))
        held = [pad_held(row) for row in requests["Held"]]
        self._day, self._held = day, np.stack(held) if held else np.empty((0, len(PERSISTENCES)))
        reached, correct = self._held[:, 0] >= 1, requests["correct"].to_numpy(dtype=float)
        alerted = reached & (requests["Alerts"] != 0).to_numpy() if "Alerts" in requests else reached
        self._silent = reached & ~alerted
        self.alerts = int(alerted.sum())
        self.false, self.true = alerted & (correct == 0), alerted & (correct == 1)
        self.missed = ~alerted & (correct == 0)
        self.answered = int((self.false | self.true).sum())
        self._weight = self.alerts / self.answered if self.answered else 0.0  # alerts that one with feedback stands for
        self._draws = _draw_days(len(days), resamples, np.random.default_rng(seed))

    def at(self, factor, persistence=1):
        """Replay at one threshold.

        Returns
        -------
        dict
            `false_alarms` per wearer-day, None without feedback on an alert. `missed`: share of right alerts that would
            not have fired. Both have the 95 % interval of the next such period. `alerts` that would have fired, and
            `caught`, the missed events among them. `factor` and `persistence`.
        """
        fires = (self._held[:, PERSISTENCES.index(persistence)] >= factor) & ~self._silent
        false_alarms = self._weight * self._by_day(self.false & fires)
        lost, right = self._by_day(self.true & ~fires), self._by_day(self.true)
        return {
            "factor": float(factor),
            "persistence": persistence,
            "alerts": int(fires.sum()),
            "false_alarms": _ratio(false_alarms.sum(), self.wearer_days.sum()) if self.answered else None,
            "false_alarms_interval": self._predict(false_alarms, self.wearer_days, weight=self._weight),
            "missed": _ratio(lost.sum(), right.sum()),
            "missed_interval": self._predict(lost, right, largest=1.0),
            "caught": int((self.missed & fires).sum()),
        }

    def _by_day(self, rows):
        return np.bincount(self._day[rows], minlength=len(self.wearer_days)).astype(float)

    def _predict(self, numerator, denominator, *, weight=1.0, largest=np.inf):
        """Return the 95 % interval of a ratio of daily sums in the next period: the chance of both periods together.

        weight: what one event adds to the numerator; largest: the largest possible ratio. The interval is at least as
        wide as that of a Poisson count with Jeffreys' prior, whose next count is negative binomial. Without it a
        period without events would promise none.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            first, second = ((draws @ numerator) / (draws @ denominator) for draws in self._draws)
        moved = (first - second)[np.isfinite(first - second)]
        if not (len(moved) and weight):
            return [None, None]
        total = denominator.sum()
        drawn = np.quantile(moved, _INTERVAL) + numerator.sum() / total
        counted = weight * stats.nbinom.ppf(_INTERVAL, round(numerator.sum() / weight) + 0.5, 0.5) / total
        return [max(0.0, float(min(drawn[0], counted[0]))), min(largest, float(max(drawn[1], counted[1])))]


def _draw_days(number, resamples, rng):
    """Draw how often each day occurs in two resamples of the period, (2, resamples, number)."""
    draws = np.zeros((2, resamples, number))
    if number:
        draws += rng.multinomial(number, np.full(number, 1 / number), size=(2, resamples))
    return draws


def _ratio(numerator, denominator):
    return float(numerator / denominator) if denominator else None


def propose(replay, candidates, *, cut, persistences=(1,)):
    """Propose the lowest candidate factor that removes the share `cut` of false alarms.

    Parameters
    ----------
    replay : Replay
    candidates : DataFrame
        `factor` and `percentile`, as `adjustment.candidates` returns them.
    cut : float
        Share of false alarms to remove, 0 to 1.
    persistences : sequence of int
        Windows in a row that may be asked for. Among those that suffice, the one that misses least is chosen, and
        the shortest of these.

    Returns
    -------
    dict or None
        What `Replay.at` returns, with `percentile` and `false_alarms_now`; None if no candidate suffices.
    """
    now = replay.at(1.0)["false_alarms"]
    if not now:
        return None
    lowest = [_lowest_factor(replay, candidates, (1 - cut) * now, persistence) for persistence in sorted(persistences)]
    best = min(filter(None, lowest), key=lambda option: option["missed"] or 0.0, default=None)
    return best and {**best, "false_alarms_now": now}


def _lowest_factor(replay, candidates, most, persistence):
    """Replay the lowest factor with at most `most` false alarms: above 1, or 1 with several windows in a row."""
    for factor, percentile in candidates[["factor", "percentile"]].sort_values("factor").to_numpy():
        option = replay.at(factor, persistence)
        is_stricter = factor > _UNCHANGED[1] or (factor >= _UNCHANGED[0] and persistence > 1)
        if is_stricter and option["false_alarms"] <= most:
            return {**option, "percentile": float(percentile)}
    return None


def readable(replayed):
    """Turn `Replay.at`'s dicts, each with its percentile, into a frame of texts."""
    rows = [
        {
            "percentile": f"{row['percentile']:g}",
            "times the level": f"{row['factor']:.2f}",
            "in a row": row["persistence"],
            "alerts": row["alerts"],
            "false alarms a wearer-day": _format_interval("{:.2f}", row["false_alarms"], row["false_alarms_interval"]),
            "right alerts missed": _format_interval("{:.0%}", row["missed"], row["missed_interval"]),
            "caught": row["caught"],
        }
        for row in replayed
    ]
    return pd.DataFrame(rows)


def _format_interval(number_format, value, ends):
    if value is None:
        return "–"
    return f"{number_format} ({number_format} to {number_format})".format(value, *ends)


def describe(proposal):
    """Say what a proposal would spare wearers and what it would cost. `proposal`: from `propose`, or None."""
    if not proposal:
        return "no proposal: no false alarm was reported, or no candidate removes enough of them"
    in_a_row = f", by {proposal['persistence']} windows in a row" if proposal["persistence"] > 1 else ""
    false_alarms = _format_next("{:.2f}", proposal["false_alarms_interval"])
    return (
        f"proposal: {proposal['factor']:.2f} times the alert level (percentile {proposal['percentile']:g}){in_a_row}: "
        f"{proposal['false_alarms']:.2f} false alarms a wearer-day {false_alarms} "
        f"instead of {proposal['false_alarms_now']:.2f}; {_describe_cost(proposal)}"
    )


def _describe_cost(proposal):
    if proposal["missed"] is None:
        return "no alert was reported as right, so what it would miss is unknown"
    return f"{proposal['missed']:.0%} of the right alerts missed {_format_next('{:.0%}', proposal['missed_interval'])}"


def _format_next(number_format, ends):
    return f"({number_format} to {number_format} next month)".format(*ends)
