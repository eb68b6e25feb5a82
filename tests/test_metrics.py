import json

import numpy as np
import pandas as pd

from lib import metrics


def test_the_verdict_names_the_kinds_where_a_rival_is_better():
    text = metrics.verdict(
        {
            metrics.LSTM: pd.Series({"spikes": 0.9, "stuck": 0.4, "none": np.nan}),
            "PCA": pd.Series({"spikes": 0.8, "stuck": 0.5, "none": 0.5}),
        }
    )
    assert "leads on 1 of 2 kinds: spikes." in text
    assert "finds better: stuck." in text
    assert "LSTM autoencoder 0.650, PCA 0.650" in text


def test_nothing_that_json_lacks_is_left():
    card = pd.DataFrame({"events": [2], "auroc": [np.nan]}, index=["spikes"])
    assert json.loads(json.dumps(metrics.plain(card), allow_nan=False)) == {"spikes": {"events": 2.0, "auroc": None}}


def test_the_headline_takes_means_over_kinds():
    card = pd.DataFrame({"auroc": [0.5, 1.0], "delay_s_0.7": [60.0, np.nan]}, index=["spikes", "stuck"])
    names = ("recall_macro", "false_alarms_per_day", "share_of_normal")
    summary = {f"{name}_{level}": 0.25 for name in names for level in ("0.3", "0.7")}
    figures = metrics.headline(card, summary)
    assert figures["auroc_macro"] == 0.75
    assert figures["median_delay_s_at_0.7"] == 60.0
    assert figures["event_recall_at_0.7"] == 0.25
