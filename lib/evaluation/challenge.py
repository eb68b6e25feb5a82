"""Champion and challenger: whether a retrained model may take the place of the one before it, and why not.

Both score the same windows of the same wearers, of whom neither knows more than its own baseline told it. Which of them
ranks better is asked without any threshold (VUS-PR), and at a price in false alarms (event recall at one a
wearer-day); whether the challenger's own thresholds mean what they promise is asked of its normal windows.
"""

import hashlib
import json

import numpy as np
import pandas as pd

from lib.detector.export_folder import MODEL, NETWORK, NORMAL
from lib.evaluation import bootstrap, operating_point, vus
from lib.evaluation.summary import RECALL, VUS, plain
from lib.run import Run

CHALLENGER, CHAMPION, CHANCE = "challenger", "champion", "chance"
MARGINS = {VUS: 1, RECALL: 2}  # of `margin`: recall rests on some hundred events, and varies twice as much
OFF = {"reach 0.3": (0.2, 3.0), "reach 0.7": (0.1, 5.0)}  # times what is promised: further off is nonsense
MOST_ALARMED = 0.25  # of normal windows: a champion that alerts at more of them is told of something else than before
_PROMISED = 20  # windows: where fewer are promised, that none reaches a level says nothing


class NotExported(Exception):
    """A retrained model is worse than its base, or nobody can tell; the message says in what."""


def compare(windows, events, excess, *, days, seed):
    """What challenger and champion do on the same windows: a frame with a row a measure.

    windows, events: of `evaluation`; excess: {CHALLENGER: (N,), CHAMPION: (N,)}, the evidence over each one's own
    threshold, NaN where there is no score; days: of `resampling.days_by_wearer`. Columns: challenger, champion,
    difference with low and high (95 % of a bootstrap over wearers), and above_chance, the low end of the challenger's
    lead over scores drawn at random. NaN where there are fewer than two wearers or no events.
    """
    told = ~np.isnan(excess[CHALLENGER])
    chance = np.where(told, np.random.default_rng(seed).random(len(told)), np.nan)
    excess = {CHALLENGER: excess[CHALLENGER], CHAMPION: excess[CHAMPION], CHANCE: chance}
    draws = {
        VUS: bootstrap.vus_pr_draws(windows, excess, seed=seed),
        RECALL: bootstrap.recall_draws(windows, events, excess, days=days, seed=seed),
    }
    measured = {
        VUS: {name: vus.vus_pr(windows, of) for name, of in excess.items()},
        RECALL: {
            name: operating_point.recall_at(windows, events, of, days=float(days.sum())).recall_macro
            for name, of in excess.items()
        },
    }
    return pd.DataFrame({what: _row(measured[what], draws[what]) for what in draws}).T.rename_axis("measure")


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


def judge(compared, shares, *, margin, alarmed=0.0):
    """What speaks against the challenger, a list of sentences; empty where it may be exported.

    compared: of `compare`; shares: a frame with the rows of OFF and the columns promised, measured and windows, of the
    challenger's normal windows; alarmed: the share of the same at which the champion alerts. Not worse is a difference
    whose low end is above -margin (for recall, twice that): a test of non-inferiority, by which too small a test speaks
    against. So does one of a single wearer, which has no interval.
    """
    against = [_worse(what, row, MARGINS[what] * margin) for what, row in compared.iterrows()]
    against += [_nonsense(level, **shares.loc[level]) for level in OFF]
    if alarmed > MOST_ALARMED:
        against.append(
            f"the champion alerts at {alarmed:.0%} of these wearers' normal windows: the readings are not what they "
            "were; where they are right, and the wearers or the watch are others, force=true"
        )
    return [reason for reason in against if reason]


def _worse(what, row, margin):
    """A sentence where a measure (a row of `compare`) is worse, or tells nothing; else None."""
    if np.isnan(row["difference"]):
        return f"{what} can not be told: the test holds no labelled event, or too little normal life"
    if row["above_chance"] <= 0 and what == VUS:
        return f"{what} of {row[CHALLENGER]:.3f} is no better than chance on this test"
    if row["low"] > -margin:
        return None
    told = f"{what} is {row[CHALLENGER]:.3f}, the champion's {row[CHAMPION]:.3f}: {row['difference']:+.3f}"
    if np.isnan(row["low"]):
        return f"{told}, of a single test wearer, who tells nothing of others: two at least are wanted"
    return f"{told} ({row['low']:+.3f} to {row['high']:+.3f}), where above {-margin:+g} is wanted"


def _nonsense(level, promised, measured, windows):
    """A sentence where the share of normal windows that reach a level is nothing like what is promised; else None."""
    least, most = OFF[level]
    few = windows * promised < _PROMISED
    if np.isnan(measured) or measured > promised * most or (measured < promised * least and not few):
        return f"{measured:.2%} of {windows:,.0f} normal windows {level}, {promised:.2%} were promised"
    return None


def known_wearers(base, names):
    """How many of the wearers `names` run `base` learned from or was calibrated on; None where its data are gone.

    Of a run with another's weights at other limits, those of that one count.
    """
    path = Run.at(base).models / "lambda_export" / MODEL
    adjusted = json.loads(path.read_text(encoding="utf-8")).get("adjusted") if path.exists() else None
    if adjusted:
        return known_wearers(adjusted["from"]["run"], names)
    tables = [Run.at(base).data / f"processed/{part}.csv" for part in ("health_metrics", "calibration")]
    if not all(path.exists() for path in tables):
        return None
    known = [pd.read_csv(path, usecols=["user_id"], dtype=str)["user_id"].unique() for path in tables]
    return int(np.isin(np.unique(np.asarray(names, dtype=str)), np.concatenate(known)).sum())


def fingerprint(model):
    """The SHA-256 of what decides on a model's scores, of model.json's content: weights, normal windows, limits."""
    files = {name: model["files"].get(name) for name in (NETWORK, NORMAL)}
    decides = [files, *(model[name] for name in ("calibration", "scaler", "channels"))]
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()


def verdict(base, compared, shares, *, margin, model_sha256, known=None, alarmed=0.0):
    """All that is to be recorded of a challenge, as JSON has it.

    model_sha256: of `fingerprint`, of the model that was judged; known: of `known_wearers`; alarmed: as for `judge`.
    """
    against = judge(compared, shares, margin=margin, alarmed=alarmed)
    return {
        "base": base,
        "margin": margin,
        "passed": not against,
        "against": against,
        "measures": plain(compared),
        "calibration": plain(shares),
        "normal_at_which_the_champion_alerts": plain(alarmed),
        "test_wearers_known_to_the_champion": known,
        "model_sha256": model_sha256,
    }


def sentence(found):
    """A verdict in one line."""
    if not found["passed"]:
        return f"not shown to be as good as {found['base']!r}: " + "; ".join(found["against"])
    lead = ", ".join(f"{what} {row['difference']:+.3f}" for what, row in found["measures"].items())
    return f"as good as {found['base']!r} within a margin of {found['margin']:g}: {lead}"


def caution(found, *, wearers):
    """What makes a comparison kinder to the champion than to the challenger, in a sentence."""
    known = found["test_wearers_known_to_the_champion"]
    if known is None:
        return (
            f"Whether {found['base']!r} learned from any of these {wearers} wearers can not be told: its data are gone."
        )
    flattered = ", on whatever days: that flatters it" if known else ""
    return f"{found['base']!r} learned from {known} of these {wearers} wearers{flattered}."


def require(figures, *, model_sha256, force=False):
    """What speaks against exporting, of metrics.json's content, is raised as NotExported unless `force`.

    model_sha256: of `fingerprint`, of the model that is to be exported: a verdict on another is none. Returns a line
    that says what was decided and why.
    """
    found = figures.get("challenge")
    if not found:
        return "no base to compare with: exported as it is"
    if found["model_sha256"] != model_sha256:
        raise NotExported("04_evaluate judged another model than this one: --from 04 judges this")
    if found["passed"]:
        return sentence(found)
    if not force:
        raise NotExported(sentence(found))
    return f"exported by force=true, though {sentence(found)}"
