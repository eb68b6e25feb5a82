"""What an evaluation comes to: the headline figures, sentences about them, and a form that JSON can hold."""

import math
import os
import platform

import numpy as np
import pandas as pd

DEPLOYED = "deployed score"  # what the handler answers
VUS, RECALL = "VUS-PR", "recall at 1 a day"  # a ranking's columns that runs are compared by
NO_BASELINE = "deployed score, no baseline"  # to a wearer of whom it is handed none
LSTM, LSTM_BY_CHANNEL = "LSTM autoencoder", "LSTM autoencoder, by channel"  # its plain error alone; the better
OURS = (DEPLOYED, NO_BASELINE, LSTM, LSTM_BY_CHANNEL)  # the others are rivals
_AS_GOOD = 0.01  # of VUS-PR or AUROC
OWN = "the run's own test"  # what is evaluated unless a table is given
ANOTHER = "another table: metrics.json names it"  # in model.json, which is deployed and says of no data where they lay


def evaluated(table, events, *, path, known, wearer_days):
    """What was evaluated, a dict: a clean table and its events, of the file `path` or, where that is empty, OWN.

    known: the names of the wearers that the model learned from or was calibrated on; wearer_days: of
    `evaluation.wearer_days`. Its days are each wearer's dates with readings.
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


def introduction(seen):
    """What was evaluated, in sentences, of what `evaluated` returned."""
    known = seen["wearers_known"]
    same = "on other days" if seen["table"] == OWN else "and where on the same days, what follows flatters it"
    said = [
        "{table}: {wearers} wearers on {days} dates; worn and without a label are {wearer_days:.1f} wearer-days".format(
            **seen
        ),
        f"The model learned from or was calibrated on {known} of these wearers, {same}"
        if known
        else "The model never saw these wearers, nor was it calibrated on them",
        "{events} labelled events of {kinds} kinds".format(**seen),
    ]
    if not seen["events"]:
        said[-1] = (
            "No reading is labelled: what it finds can not be told, only what it takes for an anomaly in normal life"
        )
    elif seen["kinds"] == 1:
        said.append("With one kind alone, a mean over kinds is that kind's figure")
    return ".\n".join(said) + "."


def machine():
    """The kind of machine this is: system, processor and CPU cores. A training ends a little differently on each."""
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores"


def headline(summary):
    """The figures a reader asks for first, name to number, of a `score_card`'s summary; None where there is nothing.

    A macro figure, and recall, is the mean over the kinds of anomaly.
    """
    figures = {
        "auroc_macro": summary["auroc_macro"],
        "event_recall_at_0.3": summary["recall_macro_0.3"],
        "event_recall_at_0.7": summary["recall_macro_0.7"],
        "false_alarms_per_day_at_0.3": summary["false_alarms_per_day_0.3"],
        "false_alarms_per_day_at_0.7": summary["false_alarms_per_day_0.7"],
        "share_of_normal_at_0.3": summary["share_of_normal_0.3"],
        "share_of_normal_at_0.7": summary["share_of_normal_0.7"],
        "median_delay_s_at_0.7": summary["delay_s_0.7"],
    }
    return plain(figures)


def verdict(cards, totals):
    """Who finds what, in a few sentences, from {method: card} and {method: summary} of `evaluation.score_card`.

    Differences of less than a hundredth in AUROC count as none.
    """
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
            f"The deployed score leads on {_named(table.index[lead > _AS_GOOD])}.",
            f"The best other method is as good on {_named(table.index[lead.abs() <= _AS_GOOD])}.",
            f"Another method tells these better: {_named(table.index[lead < -_AS_GOOD])}.",
            f"The quality check finds more of these than the score does: {_named(gated)}.",
        ]
    )


def beside_simpler(vus_pr):
    """Whether the LSTM autoencoder's errors find more than those of what is simpler: sentences, of a Series by method.

    Leads of less than a hundredth count as none.
    """
    said, vus_pr = [], vus_pr.dropna()
    for lstm, error in ((LSTM, ""), (LSTM_BY_CHANNEL, ", by channel")):
        others = vus_pr.filter(items=[f"{name}{error}" for name in ("PCA", "dense autoencoder")])
        if lstm not in vus_pr or others.empty:
            continue
        lead = vus_pr[lstm] - others.max()
        than = "is ahead of" if lead > _AS_GOOD else "loses to" if lead < -_AS_GOOD else "is as good as"
        said.append(f"{lstm} {than} {others.idxmax()}: VUS-PR {vus_pr[lstm]:.3f} to {others.max():.3f}.")
    return "\n".join(said)


def _events_found(totals, level):
    recall, alarms = f"recall_macro_{level}", f"false_alarms_per_day_{level}"
    each = (f"{name} {total[recall]:.0%} ({total[alarms]:.1f})" for name, total in totals.items())
    return f"Events found at {level} (false alarms a wearer-day): " + ", ".join(each)


def agrees(figures):
    """Whether a metrics.json says the same twice: its headline and its methods' means are what its cards come to."""
    headline = figures["headline"]
    return _same(headline["auroc_macro"], figures["methods"][DEPLOYED]["auroc_macro"]) and all(
        _same(total[summed], value)
        for name, total in figures["methods"].items()
        for summed, value in _summed(figures["by_kind"][name]).items()
    )


def _summed(card):
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
    """`value` (a dict, Series or DataFrame of numbers, by row) as JSON has it: NaN becomes None."""
    if isinstance(value, pd.DataFrame):
        return {name: plain(row) for name, row in value.iterrows()}
    if isinstance(value, (dict, pd.Series)):
        return {name: plain(item) for name, item in value.items()}
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
