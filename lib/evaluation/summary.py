"""What an evaluation amounts to: headline figures, sentences about them, and values that JSON can hold."""

import math
import os
import platform

import numpy as np
import pandas as pd

DEPLOYED = "deployed score"  # what the handler answers
NO_BASELINE = "deployed score, no baseline"  # what it answers without the wearer's baseline
LSTM, LSTM_BY_CHANNEL = "LSTM autoencoder", "LSTM autoencoder, by channel"  # its plain error; its errors by channel
OURS = (DEPLOYED, NO_BASELINE, LSTM, LSTM_BY_CHANNEL)  # all other methods are rivals
VUS, RECALL = "VUS-PR", "recall at 1 a day"  # columns of a ranking by which runs are compared
OWN = "the run's own test"  # what is evaluated unless a table is given
ANOTHER = "another table: metrics.json names it"  # in model.json, which is deployed and must not name data
_AS_GOOD = 0.01  # of VUS-PR or AUROC: smaller differences count as none


def evaluated(table, events, *, path, known, wearer_days):
    """What was evaluated, as a dict.

    Parameters
    ----------
    table, events : DataFrame
        A clean table and its labelled events.
    path : str
        The table's file; empty for OWN.
    known : collection of str
        The wearers that the model learned from or was calibrated on.
    wearer_days : float
        Of `events.wearer_days`. The dict's "days" counts each wearer's dates with readings instead.
    """
    wearer, day = table["user_id"].astype("str"), table["timestamp"].dt.normalize()
    return {
        "table": path or OWN,
        "samples": len(table),
        "wearers": wearer.nunique(),
        "wearers_known": int(wearer.drop_duplicates().isin(known).sum()),
        "days": int(day.groupby(wearer).nunique().sum()),
        "wearer_days": float(wearer_days),
        "events": len(events),
        "kinds": events["kind"].nunique(),
    }


def introduction(test):
    """Sentences on what was evaluated, from the dict of `evaluated`."""
    return ".\n".join([_size(test), _acquaintance(test), *_labels(test)]) + "."


def _size(test):
    dates, worn = f"{test['wearers']} wearers on {test['days']} dates", f"{test['wearer_days']:.1f} wearer-days"
    return f"{test['table']}: {dates}; {worn} are worn and unlabelled"


def _acquaintance(test):
    if not test["wearers_known"]:
        return "The model neither learned from these wearers nor was calibrated on them"
    caveat = "on other days" if test["table"] == OWN else "and results are too good if the days are the same"
    return f"The model learned from or was calibrated on {test['wearers_known']} of these wearers, {caveat}"


def _labels(test):
    if not test["events"]:
        yield "No reading is labelled, so detection cannot be measured, only false alarms on normal life"
        return
    yield f"{test['events']} labelled events of {test['kinds']} kinds"
    if test["kinds"] == 1:
        yield "With one kind alone, a mean over kinds is that kind's figure"


def machine():
    """The kind of machine: system, processor and CPU cores. Training ends slightly differently on each kind."""
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores"


def headline(total):
    """The figures to read first, by name, from a total of `score_card`; None where there is no data.

    Macro figures and recalls are means over the kinds of anomaly.
    """
    figures = {
        "auroc_macro": total["auroc_macro"],
        "event_recall_at_0.3": total["recall_macro_0.3"],
        "event_recall_at_0.7": total["recall_macro_0.7"],
        "false_alarms_per_day_at_0.3": total["false_alarms_per_day_0.3"],
        "false_alarms_per_day_at_0.7": total["false_alarms_per_day_0.7"],
        "share_of_normal_at_0.3": total["share_of_normal_0.3"],
        "share_of_normal_at_0.7": total["share_of_normal_0.7"],
        "median_delay_s_at_0.7": total["delay_s_0.7"],
    }
    return plain(figures)


def verdict(cards, totals):
    """Sentences on which method finds what, from {method: card} and {method: total} of `score_card`."""
    table = pd.DataFrame({name: card["auroc"] for name, card in cards.items()}).dropna()
    if table.empty:
        return "No kind of anomaly has windows to compare the methods on."
    mean = table.mean().sort_values(ascending=False)
    others = table.drop(columns=[DEPLOYED, NO_BASELINE], errors="ignore").max(axis=1)
    lead, card = table[DEPLOYED] - others, cards[DEPLOYED]
    gated = card.index[card["found_by_gate"] > card["recall_0.3"]]
    return "\n".join(
        [
            f"Mean AUROC over {len(table)} kinds: " + ", ".join(f"{name} {value:.3f}" for name, value in mean.items()),
            *(_events_found(totals, level) for level in ("0.3", "0.7")),
            f"The deployed score leads on: {_named(table.index[lead > _AS_GOOD])}.",
            f"The best other method is as good on: {_named(table.index[lead.abs() <= _AS_GOOD])}.",
            f"Another method is better on: {_named(table.index[lead < -_AS_GOOD])}.",
            f"The quality check finds more events than the score does of: {_named(gated)}.",
        ]
    )


def beside_simpler(vus_pr):
    """Sentences on whether the LSTM autoencoder's errors rank better than those of simpler models.

    `vus_pr` is a Series by method.
    """
    sentences, vus_pr = [], vus_pr.dropna()
    for lstm, error in ((LSTM, ""), (LSTM_BY_CHANNEL, ", by channel")):
        others = vus_pr.filter(items=[f"{name}{error}" for name in ("PCA", "dense autoencoder")])
        if lstm not in vus_pr or others.empty:
            continue
        lead = vus_pr[lstm] - others.max()
        relation = "is ahead of" if lead > _AS_GOOD else "loses to" if lead < -_AS_GOOD else "is as good as"
        sentences.append(f"{lstm} {relation} {others.idxmax()}: VUS-PR {vus_pr[lstm]:.3f} to {others.max():.3f}.")
    return "\n".join(sentences)


def _events_found(totals, level):
    recall, alarms = f"recall_macro_{level}", f"false_alarms_per_day_{level}"
    by_method = (f"{name} {total[recall]:.0%} ({total[alarms]:.1f})" for name, total in totals.items())
    return f"Events found at {level} (false alarms per wearer-day): " + ", ".join(by_method)


def agrees(figures):
    """Whether the headline and the methods' totals in a metrics.json are the means of its cards."""
    headline = figures["headline"]
    return _same(headline["auroc_macro"], figures["methods"][DEPLOYED]["auroc_macro"]) and all(
        _same(total[name], value)
        for method, total in figures["methods"].items()
        for name, value in _total_of(figures["by_kind"][method]).items()
    )


def _total_of(card):
    events = sum(row["events"] for row in card.values())
    columns = {"auroc_macro": "auroc", "recall_macro_0.3": "recall_0.3", "recall_macro_0.7": "recall_0.7"}
    known = {
        name: [row[column] for row in card.values() if row[column] is not None] for name, column in columns.items()
    }
    return {"events": events} | {name: np.mean(values) if values else None for name, values in known.items()}


def _same(one, other):
    return one is other is None or (one is not None and other is not None and math.isclose(one, other))


def _named(kinds):
    return ", ".join(kind.replace("_", " ") for kind in kinds) or "none"


def plain(value):
    """A dict, Series or DataFrame (by row) of numbers, or a number, as JSON can hold it: NaN becomes None."""
    if isinstance(value, pd.DataFrame):
        return {name: plain(row) for name, row in value.iterrows()}
    if isinstance(value, (dict, pd.Series)):
        return {name: plain(item) for name, item in value.items()}
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
