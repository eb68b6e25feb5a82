"""What wearers said of answers, and what other thresholds would have done to those alerts.

Feedback is a table of `request_id`, `correct` (was the answer right?) and an optional `note`; or of `user_id`,
`timestamp`, `correct`, with the app's own table of requests to tell which answer is meant, for the log knows no wearer.
Of an alert, `correct` false is a false alarm; of an answer without one, it is an event that was missed.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from lib.detector.persistence import IN_A_ROW as PERSISTENCES
from lib.monitoring import log

_RESAMPLES = 2_000
_LONGEST_NOTE = 200  # characters
_MOST_LISTED = 40  # requests
_ENDS = (0.025, 0.975)  # of an interval that holds 95 %
_AS_IT_IS = 1 - 1e-9, 1 + 1e-9  # a factor that changes nothing, rounding aside
_TRUE, _FALSE = {"true", "1", "1.0", "yes"}, {"false", "0", "0.0", "no"}


class BadFeedback(ValueError):
    """A table that can not be read, or says what can not be understood."""


def read(path, *, requests_path=""):
    """Feedback as a frame of request_id, correct (boolean), note, the last word on each request counting.

    path: a CSV file, or "" for no feedback; requests_path: the app's, of user_id, from, to, request_id, wanted where
    the feedback names wearers and times; times without an offset are UTC. Rows that meet no request of the app's are
    left out, and counted in the frame's `attrs["unmatched"]`. Raises BadFeedback.
    """
    given = _csv(path, "feedback_path") if path else pd.DataFrame(columns=["request_id", "correct"])
    if "correct" not in given:
        raise BadFeedback(f"feedback_path={path}: has no column correct")
    if "request_id" not in given:
        given = _matched(given, path, requests_path)
    said = given["correct"].fillna("").astype(str).str.strip().str.lower()
    bad = said[~said.isin(_TRUE | _FALSE)]
    if len(bad):
        raise BadFeedback(
            f"feedback_path={path}: row {bad.index[0] + 2}: correct is {bad.iloc[0]!r}, not true or false"
        )
    known = given["request_id"].notna()
    note = given["note"] if "note" in given else pd.Series("", index=given.index)
    found = pd.DataFrame({"request_id": given["request_id"][known].astype(str), "correct": said[known].isin(_TRUE)})
    found["note"] = note[known].fillna("").astype(str).str[:_LONGEST_NOTE]
    found = found.drop_duplicates("request_id", keep="last", ignore_index=True)
    found.attrs["unmatched"] = int((~known).sum())
    return found


def _csv(path, name):
    try:
        return pd.read_csv(Path(path), dtype=str, keep_default_na=False, na_values=[""])  # NA may be a name
    except (OSError, ValueError) as error:
        raise BadFeedback(f"{name}={path}: can not be read as CSV ({type(error).__name__})") from None


def _matched(given, path, requests_path):
    """The feedback with the request_id of the wearer's request whose readings span the timestamp, None without."""
    if not {"user_id", "timestamp"} <= set(given):
        raise BadFeedback(f"feedback_path={path}: request_id is wanted, or user_id and timestamp")
    if not requests_path:
        raise BadFeedback(f"feedback_path={path}: names wearers, so requests_path is wanted: which request was whose")
    requests = _csv(requests_path, "requests_path")
    missing = sorted({"user_id", "from", "to", "request_id"} - set(requests))
    if missing:
        raise BadFeedback(f"requests_path={requests_path}: has no column {', '.join(missing)}")
    when = _times(given["timestamp"], f"feedback_path={path}")
    begin, end = (_times(requests[name], f"requests_path={requests_path}") for name in ("from", "to"))
    spans = {
        user: (begin[rows], end[rows], requests["request_id"].to_numpy()[rows])
        for user, rows in requests.groupby("user_id").indices.items()
    }
    found = [_spanning(spans.get(user), moment) for user, moment in zip(given["user_id"], when, strict=True)]
    return given.assign(request_id=pd.Series(found, index=given.index, dtype=object))


def _times(texts, where):
    """The moments (N,) of a column's texts, NaT where a cell is empty. Raises BadFeedback for one that tells none."""
    moments = pd.to_datetime(texts, utc=True, format="ISO8601", errors="coerce")
    bad = texts[moments.isna() & texts.notna()]
    if len(bad):
        wanted = "an ISO 8601 time, such as 2026-03-02T08:01:05+01:00, is wanted"
        raise BadFeedback(f"{where}: row {bad.index[0] + 2}: {texts.name} is {bad.iloc[0]!r}: {wanted}")
    return moments.to_numpy()


def _spanning(spans, moment):
    if spans is None:
        return None
    begin, end, names = spans
    inside = np.flatnonzero((begin <= moment) & (moment <= end))
    return names[inside[-1]] if len(inside) else None


def unmet(lines, said):
    """How many rows of `read`'s feedback met no request: none of the app's table, or none of the log's."""
    return said.attrs.get("unmatched", 0) + int((~said["request_id"].isin(lines["RequestId"])).sum())


def answered(lines, said):
    """The scored requests of a log's table, with `correct` (1, 0, NaN where nobody said) and note of the feedback."""
    scored = lines[lines["Held"].notna()].reset_index(drop=True)
    of_request = said.set_index("request_id")
    correct = scored["RequestId"].map(of_request["correct"].astype(float))
    return scored.assign(correct=correct, note=scored["RequestId"].map(of_request["note"]).fillna(""))


def listed(requests, proposed, *, most=_MOST_LISTED):
    """The alerts, and the events reported as missed, each with what the proposal would make of it: a frame for people.

    requests: of `answered`; proposed: of `proposal`, or None. The newest first, at most `most`; of more, those that
    wearers spoke of come before others.
    """
    alerted, spoken = requests["Alerts"] == 1, requests["correct"].notna()
    shown = requests[alerted | (requests["correct"] == 0)].assign(spoken=spoken)
    shown = shown.sort_values(["spoken", "Time"], ascending=False)[:most].sort_values("Time", ascending=False)
    rows = [
        {
            "time": f"{of.Time:%Y-%m-%d %H:%M}",
            "request": of.RequestId,
            "held by 1, 3, 6, 12, 24": " ".join(f"{value:.2f}" for value in _five(of.Held)),
            "feedback": _word(of.Alerts == 1, of.correct),
            "note": of.note,
            "at the proposal": _becomes(of, proposed),
        }
        for of in shown.itertuples()
    ]
    return pd.DataFrame(rows)


def _word(alerted, correct):
    if np.isnan(correct):
        return "–"
    return ("right" if correct else "false alarm") if alerted else "missed event"


def _becomes(request, proposed):
    """Whether an alert would still fire at the proposal, and where it would not, whether it was right."""
    if not proposed:
        return "–"
    held = _five(request.Held)[PERSISTENCES.index(proposed["persistence"])]
    if request.Alerts != 1:
        return "silent, still missed"  # no proposal is lower, and what stayed silent stays so
    if held >= proposed["factor"]:
        return "fires"
    return "silent, would be missed" if request.correct == 1 else "silent"


class Replay:
    """A past stretch at other thresholds: what each would have made of the alerts that wearers spoke of.

    requests: of `answered`, one version's; interval_s: of its model. A factor multiplies the alert level (and with it
    all limits); persistence: the windows in a row that must reach it, one of PERSISTENCES. Days are drawn anew for the
    intervals: what happens on one is alike. Of no requests nothing is told. What reached the level and did not alert,
    for the model itself asked for more windows, stays silent at any other.
    """

    def __init__(self, requests, *, interval_s, seed, resamples=_RESAMPLES):
        held = np.stack([_five(of) for of in requests["Held"]]) if len(requests) else np.empty((0, len(PERSISTENCES)))
        days, day = np.unique(requests["Time"].to_numpy("datetime64[D]"), return_inverse=True)
        self.worn = np.bincount(day, log.worn(requests, interval_s=interval_s), len(days))  # wearer-days
        self._day, self._held = day, held
        reached, said = held[:, 0] >= 1, requests["correct"].to_numpy(dtype=float)
        alerted = reached & (requests["Alerts"] != 0).to_numpy() if "Alerts" in requests else reached
        self._silent = reached & ~alerted
        self.alerts = int(alerted.sum())
        self.false, self.true = alerted & (said == 0), alerted & (said == 1)
        self.missed = ~alerted & (said == 0)
        self.answered = int((self.false | self.true).sum())
        self._weight = self.alerts / self.answered if self.answered else 0.0  # each speaks for so many
        rng = np.random.default_rng(seed)
        self._draws = np.zeros((2, resamples, len(days)))
        if len(days):
            self._draws += rng.multinomial(len(days), np.full(len(days), 1 / len(days)), size=(2, resamples))

    def at(self, factor, persistence=1):
        """What this would have come to, a dict.

        false_alarms: a wearer-day, None where nobody spoke of an alert; missed: the share of the alerts found right
        that would not have fired; of both the interval in which the next such stretch's is to be expected (95 %).
        """
        fires = (self._held[:, PERSISTENCES.index(persistence)] >= factor) & ~self._silent
        alarms = self._weight * self._by_day(self.false & fires)
        lost, right = self._by_day(self.true & ~fires), self._by_day(self.true)
        return {
            "factor": float(factor),
            "persistence": persistence,
            "alerts": int(fires.sum()),
            "false_alarms": _ratio(alarms.sum(), self.worn.sum()) if self.answered else None,
            "false_alarms_interval": self._next(alarms, self.worn, each=self._weight),
            "missed": _ratio(lost.sum(), right.sum()),
            "missed_interval": self._next(lost, right, most=1.0),
            "caught": int((self.missed & fires).sum()),
        }

    def _by_day(self, rows):
        return np.bincount(self._day[rows], minlength=len(self.worn)).astype(float)

    def _next(self, above, below, *, each=1.0, most=np.inf):
        """The interval of a ratio of sums over another such month: this one's and that one's chance together.

        each: what one event adds to `above`; most: what the ratio can not exceed. It is at least as wide as that of a
        Poisson count with Jeffreys' prior, whose next one is negative binomial: of no events no draw of days has any.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            first, second = ((draws @ above) / (draws @ below) for draws in self._draws)
        moved = (first - second)[np.isfinite(first - second)]
        if not (len(moved) and each):
            return [None, None]
        drawn = np.quantile(moved, _ENDS) + above.sum() / below.sum()
        counted = each * stats.nbinom.ppf(_ENDS, round(above.sum() / each) + 0.5, 0.5) / below.sum()
        return [max(0.0, float(min(drawn[0], counted[0]))), min(most, float(max(drawn[1], counted[1])))]


def _five(held):
    """Held as (5,), whatever a line may say."""
    return np.append(held, np.zeros(len(PERSISTENCES)))[: len(PERSISTENCES)]


def _ratio(above, below):
    return float(above / below) if below else None


def proposal(replay, candidates, *, cut, persistences=(1,)):
    """The lowest of the candidate factors that rids wearers of the share `cut` of false alarms; None where none does.

    candidates: a frame of factor and percentile; persistences: windows in a row that may be asked for; of those by
    which it can be done, the one that misses least, and the shortest of these. It is what `Replay.at` says of it, with
    the percentile and what is expected now.
    """
    now = replay.at(1.0)["false_alarms"]
    if not now:
        return None
    enough = [_lowest(replay, candidates, (1 - cut) * now, persistence) for persistence in sorted(persistences)]
    found = min(filter(None, enough), key=lambda found: found["missed"] or 0.0, default=None)
    return found and {**found, "false_alarms_now": now}


def _lowest(replay, candidates, most, persistence):
    """What `Replay.at` says of the lowest factor with so few false alarms: above 1, or 1 for several windows."""
    for factor, percentile in candidates[["factor", "percentile"]].sort_values("factor").to_numpy():
        found = replay.at(factor, persistence)
        asks_for_more = factor > _AS_IT_IS[1] or (factor >= _AS_IT_IS[0] and persistence > 1)
        if asks_for_more and found["false_alarms"] <= most:
            return {**found, "percentile": float(percentile)}
    return None


def readable(replayed):
    """A frame of `Replay.at`'s dicts, each with its percentile, as texts for people."""
    rows = [
        {
            "percentile": f"{row['percentile']:g}",
            "times the level": f"{row['factor']:.2f}",
            "in a row": row["persistence"],
            "alerts": row["alerts"],
            "false alarms a wearer-day": _span("{:.2f}", row["false_alarms"], row["false_alarms_interval"]),
            "right alerts missed": _span("{:.0%}", row["missed"], row["missed_interval"]),
            "caught": row["caught"],
        }
        for row in replayed
    ]
    return pd.DataFrame(rows)


def _span(form, value, ends):
    return "–" if value is None else f"{form} ({form} to {form})".format(value, *ends)


def sentence(proposed):
    """What a proposal would spare wearers and what it would cost, in words; proposed: of `proposal`, or None."""
    if not proposed:
        return "no proposal: nobody spoke of a false alarm, or no candidate spares enough of them"
    in_a_row = f", by {proposed['persistence']} windows in a row" if proposed["persistence"] > 1 else ""
    cost = "nobody found an alert right, so what it would miss is not known"
    if proposed["missed"] is not None:
        cost = "{:.0%} of the alerts found right missed".format(proposed["missed"])
        cost += " ({:.0%} to {:.0%} next month)".format(*proposed["missed_interval"])
    return (
        f"proposal: {proposed['factor']:.2f} times the alert level (percentile {proposed['percentile']:g}){in_a_row}: "
        f"{proposed['false_alarms']:.2f} false alarms a wearer-day "
        + "({:.2f} to {:.2f} next month)".format(*proposed["false_alarms_interval"])
        + f" instead of {proposed['false_alarms_now']:.2f}; {cost}"
    )
