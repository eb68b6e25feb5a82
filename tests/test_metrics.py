import json

import numpy as np
import pandas as pd

from lib import metrics


def cards(**aurocs):
    kinds = ["spikes", "cadence_lock", "dropout"]
    return {name: pd.DataFrame({"auroc": values}, index=kinds) for name, values in aurocs.items()}


def test_the_verdict_names_the_kinds_where_a_rival_is_better_and_those_that_are_not_scored():
    text = metrics.verdict(cards(**{metrics.LSTM: [0.9, 0.4, np.nan], "PCA": [0.8, 0.5, 0.5]}))
    assert "leads on 1: spikes." in text
    assert "finds better: cadence lock." in text
    assert "only the quality check can find it: dropout." in text
    assert "over 2 kinds: LSTM autoencoder 0.650, PCA 0.650" in text


def test_the_verdict_on_a_test_without_events_says_that_there_is_nothing_to_compare():
    text = metrics.verdict(cards(**{metrics.LSTM: [np.nan] * 3, "PCA": [np.nan] * 3}))
    assert text == "No kind of anomaly has windows to compare the methods on."


def test_nothing_that_json_lacks_is_left():
    card = pd.DataFrame({"events": [2], "auroc": [np.nan]}, index=["spikes"])
    assert json.loads(json.dumps(metrics.plain(card), allow_nan=False)) == {"spikes": {"events": 2.0, "auroc": None}}


def test_the_headline_takes_means_over_kinds():
    card = pd.DataFrame({"auroc": [0.5, 1.0], "delay_s_0.7": [60.0, np.nan]}, index=["spikes", "stuck"])
    names = ("recall_macro", "false_alarms_per_day", "share_of_normal")
    summary = {"auroc_macro": 0.75} | {f"{name}_{level}": 0.25 for name in names for level in ("0.3", "0.7")}
    figures = metrics.headline(card, summary)
    assert figures["auroc_macro"] == 0.75
    assert figures["median_delay_s_at_0.7"] == 60.0
    assert figures["event_recall_at_0.7"] == 0.25
