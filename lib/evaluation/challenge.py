"""Champion and challenger: whether a retrained model may replace the previous one, and why not.

Both models score the same windows of the same wearers. VUS-PR compares their ranking without a threshold, and event
recall compares them at one false alarm per wearer-day. The challenger's own thresholds are checked on its normal
windows.
"""

import hashlib
import json
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lib.detector.export_folder import MODEL, NETWORK, NORMAL
from lib.evaluation import bootstrap, operating_point, vus
from lib.evaluation.summary import RECALL, VUS, plain
from lib.run import Run

CHALLENGER, CHAMPION, CHANCE = "challenger", "champion", "chance"
MARGINS = {VUS: 1, RECALL: 2}  # times `margin`: recall rests on some hundred events and varies twice as much
TOLERATED = {"reach 0.3": (0.2, 3.0), "reach 0.7": (0.1, 5.0)}  # times the promised share
MOST_ALARMED = 0.25  # of normal windows: if the champion alerts at more, the readings have changed
_FEWEST_PROMISED = 20  # windows: if fewer are promised, a share of 0 is no evidence


class NotExported(Exception):
    """A retrained model is worse than its base, or the test cannot tell. The message gives the reasons."""


@dataclass(frozen=True)
class Findings:
    """What a challenge measured."""

    measures: pd.DataFrame  # of `compare`
    shares: pd.DataFrame  # of its normal windows: rows as TOLERATED; columns promised, measured, windows
    alarmed: float = 0.0  # the share of these windows at which the champion alerts


def compare(windows, events, error_ratios, *, days, seed):
    """Measure challenger and champion on the same windows.

    Parameters
    ----------
    windows, events : DataFrame
        As in `lib.evaluation.events`.
    error_ratios : dict
        CHALLENGER and CHAMPION: the evidence over each model's threshold, shape (n_windows,); NaN without a score.
    days : Series by user_id
        Of `bootstrap.days_by_wearer`.
    seed : int

    Returns
    -------
    DataFrame, one row a measure
        Columns challenger, champion, difference with low and high (95 %, a bootstrap over wearers), and above_chance,
        the low end of the challenger's lead over random scores. NaN with fewer than two wearers or without events.
    """
    scored = ~np.isnan(error_ratios[CHALLENGER])
    chance = np.where(scored, np.random.default_rng(seed).random(len(scored)), np.nan)
    error_ratios = {CHALLENGER: error_ratios[CHALLENGER], CHAMPION: error_ratios[CHAMPION], CHANCE: chance}
    resampling, all_days = bootstrap.Resampling(seed), float(days.sum())
    draws = {
        VUS: bootstrap.vus_pr_draws(windows, error_ratios, resampling),
        RECALL: bootstrap.recall_draws(windows, events, error_ratios, resampling, days=days),
    }
    measured = {
        VUS: {name: vus.vus_pr(windows, errors) for name, errors in error_ratios.items()},
        RECALL: {
            name: operating_point.recall_at(windows, events, errors, days=all_days).recall_macro
            for name, errors in error_ratios.items()
        },
    }
    rows = {measure: _row(measured[measure], draws[measure]) for measure in draws}
    return pd.DataFrame(rows).T.rename_axis("measure")


def _row(measured, draws):
    low, high = bootstrap.interval(draws[CHALLENGER] - draws[CHAMPION])
    above_chance, _ = bootstrap.interval(draws[CHALLENGER] - draws[CHANCE])
    return {
        CHALLENGER: measured[CHALLENGER],
        CHAMPION: measured[CHAMPION],
        "difference": measured[CHALLENGER] - measured[CHAMPION],
        "low": low,
        "high": high,
        "above_chance": above_chance,
    }


def judge(findings, *, margin):
    """The reasons against the challenger, a list of sentences; empty if it may be exported.

    The challenger is not worse if the low end of a difference is above -margin (for recall, -2 margin). This is a test
    of non-inferiority, so a test that is too small speaks against it. A test with one wearer has no interval and also
    speaks against it.
    """
    against = [_worse(measure, row, MARGINS[measure] * margin) for measure, row in findings.measures.iterrows()]
    against += [_broken_promise(level, **findings.shares.loc[level]) for level in TOLERATED]
    if findings.alarmed > MOST_ALARMED:
        against.append(
            f"the champion alerts at {findings.alarmed:.0%} of these wearers' normal windows, so the readings have "
            "changed; if they are right because the wearers or the watch are new, use force=true"
        )
    return [reason for reason in against if reason]


def _worse(measure, row, margin):
    """Why a measure (a row of `compare`) speaks against the challenger, or None."""
    if np.isnan(row["difference"]):
        return f"{measure} cannot be measured: the test has no labelled event, or too little normal life"
    if row["above_chance"] <= 0 and measure == VUS:
        return f"{measure} of {row[CHALLENGER]:.3f} is no better than chance on this test"
    if row["low"] > -margin:
        return None
    figures = f"{measure} is {row[CHALLENGER]:.3f}, the champion's {row[CHAMPION]:.3f}: {row['difference']:+.3f}"
    if np.isnan(row["low"]):
        return f"{figures}, from a test with one wearer: expected 2 or more, to tell how much wearers differ"
    return f"{figures}: expected above {-margin:+g}, got {row['low']:+.3f} to {row['high']:+.3f}"


def _broken_promise(level, promised, measured, windows):
    """Why the share of normal windows that reach a level is far from what is promised, or None."""
    least, most = TOLERATED[level]
    too_few = windows * promised < _FEWEST_PROMISED
    if np.isnan(measured) or measured > promised * most or (measured < promised * least and not too_few):
        return f"{measured:.2%} of {windows:,.0f} normal windows {level}: expected about {promised:.2%}"
    return None


def known_wearers(base, names):
    """How many of the wearers `names` run `base` learned from or was calibrated on; None if its data are gone.

    For a run that adjusted the limits of another run's model, the wearers of that run count.
    """
    path = Run.at(base).models / "lambda_export" / MODEL
    adjusted = json.loads(path.read_text(encoding="utf-8")).get("adjusted") if path.exists() else None
    if adjusted:
        return known_wearers(adjusted["from"]["run"], names)
    tables = [Run.at(base).data / f"processed/{table}.csv" for table in ("health_metrics", "calibration")]
    if not all(path.exists() for path in tables):
        return None
    known = [pd.read_csv(path, usecols=["user_id"], dtype=str)["user_id"].unique() for path in tables]
    return int(np.isin(np.unique(np.asarray(names, dtype=str)), np.concatenate(known)).sum())


def fingerprint(model):
    """The SHA-256 of what decides the scores of a model.json's content: weights, normal windows, limits."""
    files = {name: model["files"].get(name) for name in (NETWORK, NORMAL)}
    deciding = [files, *(model[name] for name in ("calibration", "scaler", "channels"))]
    return hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()


def verdict(base, findings, *, margin, model_sha256, known=None):
    """The record of a challenge, ready for JSON.

    Parameters
    ----------
    base : str
        Name of the champion's run.
    findings : Findings
    margin : float
        Of VUS-PR; for recall, twice that.
    model_sha256 : str
        Of `fingerprint`, of the model that was judged.
    known : int, optional
        Of `known_wearers`.
    """
    against = judge(findings, margin=margin)
    return {
        "base": base,
        "margin": margin,
        "passed": not against,
        "against": against,
        "measures": plain(findings.measures),
        "calibration": plain(findings.shares),
        "normal_at_which_the_champion_alerts": plain(findings.alarmed),
        "test_wearers_known_to_the_champion": known,
        "model_sha256": model_sha256,
    }


def sentence(judgement):
    """A verdict in one line."""
    base = repr(judgement["base"])
    if not judgement["passed"]:
        return f"not shown to be as good as {base}: " + "; ".join(judgement["against"])
    lead = ", ".join(f"{measure} {row['difference']:+.3f}" for measure, row in judgement["measures"].items())
    return f"as good as {base} within a margin of {judgement['margin']:g}: {lead}"


def caution(judgement, *, wearers):
    """One sentence on what favours the champion: how many of the test's `wearers` it already knows."""
    base, known = repr(judgement["base"]), judgement["test_wearers_known_to_the_champion"]
    if known is None:
        return f"Whether {base} learned from any of these {wearers} wearers is unknown: its data are gone."
    favour = ", which favours it even if the days differ" if known else ""
    return f"{base} learned from {known} of these {wearers} wearers{favour}."


def require(figures, *, model_sha256, force=False):
    """Decide whether a model may be exported, and return one line that says why.

    Parameters
    ----------
    figures : dict
        Content of metrics.json.
    model_sha256 : str
        Of `fingerprint`, of the model to export.
    force : bool
        Export a model that did not pass.

    Raises
    ------
    NotExported
        If the challenge was not passed and `force` is false, or if another model was judged.
    """
    judgement = figures.get("challenge")
    if not judgement:
        return "exported without a comparison: the run has no base"
    if judgement["model_sha256"] != model_sha256:
        raise NotExported("expected a verdict on this model, got one on another: --from 04 judges this one")
    if judgement["passed"]:
        return sentence(judgement)
    if not force:
        raise NotExported(sentence(judgement))
    return f"exported by force=true, though {sentence(judgement)}"
