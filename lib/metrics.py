"""What a scorecard comes to: the headline figures, a sentence of comparison, and a form that JSON can hold."""

import math

import pandas as pd

LSTM = "LSTM autoencoder"


def headline(card, summary):
    """The figures a reader asks for first, name to number, of a `score_card`; None where there is nothing.

    A macro figure is the mean over the kinds of anomaly.
    """
    figures = {
        "auroc_macro": card["auroc"].mean(),
        "event_recall_at_0.3": summary["recall_macro_0.3"],
        "event_recall_at_0.7": summary["recall_macro_0.7"],
        "false_alarms_per_day_at_0.3": summary["false_alarms_per_day_0.3"],
        "false_alarms_per_day_at_0.7": summary["false_alarms_per_day_0.7"],
        "share_of_normal_at_0.3": summary["share_of_normal_0.3"],
        "share_of_normal_at_0.7": summary["share_of_normal_0.7"],
        "median_delay_s_at_0.7": card["delay_s_0.7"].median(),
    }
    return plain(figures)


def verdict(auroc):
    """Who finds what, in two or three sentences: {method: AUROC by kind} compared, the autoencoder's first."""
    table = pd.DataFrame(auroc).dropna()
    mean = table.mean().sort_values(ascending=False)
    rivals = table.drop(columns=LSTM).max(axis=1)
    behind = table.index[table[LSTM] < rivals]
    ahead = table.index[table[LSTM] >= rivals]
    return "\n".join(
        [
            "Mean AUROC over the kinds: " + ", ".join(f"{name} {value:.3f}" for name, value in mean.items()),
            f"The autoencoder leads on {len(ahead)} of {len(table)} kinds: {', '.join(ahead) or 'none'}.",
            f"A simpler method finds better: {', '.join(behind) or 'none'}.",
        ]
    )


def plain(value):
    """`value` (a dict, Series or DataFrame of numbers, by row) as JSON has it: NaN becomes None."""
    if isinstance(value, pd.DataFrame):
        return {name: plain(row) for name, row in value.iterrows()}
    if isinstance(value, (dict, pd.Series)):
        return {name: plain(item) for name, item in value.items()}
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
