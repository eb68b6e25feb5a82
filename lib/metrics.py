"""What a scorecard comes to: the headline figures, a sentence of comparison, and a form that JSON can hold."""

import math

import pandas as pd

LSTM = "LSTM autoencoder"


def headline(card, summary):
    """The figures a reader asks for first, name to number, of a `score_card`; None where there is nothing.

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
        "median_delay_s_at_0.7": card["delay_s_0.7"].median(),
    }
    return plain(figures)


def verdict(cards):
    """Who finds what, in a few sentences, from {method: card} of `evaluation.score_card`, the autoencoder's first."""
    by_method = pd.DataFrame({name: card["auroc"] for name, card in cards.items()})
    table = by_method.dropna()
    if table.empty:
        return "No kind of anomaly has windows to compare the methods on."
    mean = table.mean().sort_values(ascending=False)
    rivals = table.drop(columns=LSTM).max(axis=1)
    behind = table.index[table[LSTM] < rivals]
    ahead = table.index[table[LSTM] >= rivals]
    never_scored = by_method.index[by_method[LSTM].isna()]
    return "\n".join(
        [
            f"Mean AUROC over {len(table)} kinds: " + ", ".join(f"{name} {value:.3f}" for name, value in mean.items()),
            f"The autoencoder leads on {len(ahead)}: {_named(ahead)}.",
            f"A simpler method finds better: {_named(behind)}.",
            f"No window of it was scored, so that only the quality check can find it: {_named(never_scored)}.",
        ]
    )


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
