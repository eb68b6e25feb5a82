"""Headline figures, the sentences about an evaluation, and whether a summary.json agrees with itself."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from lib.evaluation import summary

KINDS = ["spikes", "cadence_lock", "dropout"]


def cards(**aurocs):
    rest = {"events": 2, "recall_0.3": [0.5, 0.0, 0.0], "recall_0.7": 0.0, "found_by_gate": [0.0, 0.0, 1.0]}
    return {name: pd.DataFrame({"auroc": values, **rest}, index=KINDS) for name, values in aurocs.items()}


def totals(*methods, recall=0.25):
    total = {"events": 6, "auroc_macro": 0.65}
    total |= {
        f"{name}_{level}": recall for name in ("recall_macro", "false_alarms_per_day") for level in ("0.3", "0.7")
    }
    return {method: dict(total) for method in methods}


def verdict(**aurocs):
    return summary.verdict(cards(**aurocs), totals(*aurocs))


def test_the_verdict_names_the_kinds_where_a_rival_is_better_and_those_that_the_quality_check_finds():
    text = verdict(**{summary.DEPLOYED: [0.9, 0.4, np.nan], "PCA": [0.8, 0.5, 0.5]})
    assert "The deployed score leads on: spikes." in text
    assert "Another method is better on: cadence lock." in text
    assert "The quality check finds more events than the score does of: dropout." in text
    assert "over 2 kinds: deployed score 0.650, PCA 0.650" in text
    assert "Events found at 0.7 (false alarms per wearer-day): deployed score 25% (0.2), PCA 25% (0.2)" in text


def test_a_difference_of_less_than_a_hundredth_is_no_lead():
    text = verdict(**{summary.DEPLOYED: [0.9, 0.4, np.nan], "PCA": [0.895, 0.409, 0.5]})
    assert "leads on: none." in text
    assert "The best other method is as good on: spikes, cadence lock." in text


def test_the_verdict_puts_the_best_method_first():
    assert "kinds: PCA 0.700, deployed score 0.400" in verdict(**{summary.DEPLOYED: [0.4] * 3, "PCA": [0.7] * 3})


def test_the_verdict_on_a_test_without_events_says_that_there_is_nothing_to_compare():
    text = verdict(**{summary.DEPLOYED: [np.nan] * 3, "PCA": [np.nan] * 3})
    assert text == "No kind of anomaly has windows to compare the methods on."


def evaluated(*, path="", known=(), kinds=("spikes", "dropout")):
    """What was evaluated on two wearers, one on two days and one on one."""
    time = pd.to_datetime(["2026-03-02T23:59:55", "2026-03-03T00:00:00", "2026-03-02T08:00:00"])
    table = pd.DataFrame({"user_id": ["a", "a", "b"], "timestamp": time})
    events = pd.DataFrame({"kind": list(kinds)})
    return summary.evaluated(table, events, path=path, known=known, wearer_days=1.25)


def test_what_was_evaluated_is_recorded():
    assert evaluated(known=["a", "c"]) == {
        "table": "the run's own test",
        "samples": 3,
        "wearers": 2,
        "wearers_known": 1,
        "days": 3,
        "wearer_days": 1.25,
        "events": 2,
        "kinds": 2,
    }
    assert evaluated(path="watch.csv")["table"] == "watch.csv"


def test_unknown_wearers_are_reported():
    text = summary.introduction(evaluated())
    assert "the run's own test: 2 wearers on 3 dates; 1.2 wearer-days are worn and unlabelled." in text
    assert "The model neither learned from these wearers nor was calibrated on them." in text
    assert "2 labelled events of 2 kinds." in text


def test_known_wearers_are_reported():
    assert "calibrated on 2 of these wearers, on other days." in summary.introduction(evaluated(known=["a", "b"]))
    text = summary.introduction(evaluated(path="watch.csv", known=["a"]))
    assert "calibrated on 1 of these wearers, and results are too good if the days are the same." in text


def test_a_test_without_labels_or_with_one_kind_is_reported():
    assert "No reading is labelled" in summary.introduction(evaluated(kinds=()))
    assert "With one kind alone" in summary.introduction(evaluated(kinds=["spikes", "spikes"]))


def test_a_machine_is_named_by_its_kind():
    assert re.fullmatch(r"\w+ \w+, \d+ CPU cores", summary.machine())


def figures_of(**changes):
    """What a summary.json holds of a method, as far as `agrees` reads it."""
    card = summary.plain(cards(PCA=[0.9, 0.4, np.nan])["PCA"])
    total = {"events": 6, "auroc_macro": 0.65, "recall_macro_0.3": 0.5 / 3, "recall_macro_0.7": 0.0} | changes
    return {
        "headline": {"auroc_macro": 0.65},
        "methods": {summary.DEPLOYED: total},
        "by_kind": {summary.DEPLOYED: card},
    }


def test_consistent_figures_agree():
    assert summary.agrees(figures_of())


@pytest.mark.parametrize(
    "changes", [{"events": 5}, {"auroc_macro": 0.64}, {"recall_macro_0.3": None}, {"recall_macro_0.7": 0.1}]
)
def test_totals_that_are_not_the_means_of_the_card_do_not_agree(changes):
    assert not summary.agrees(figures_of(**changes))


def test_a_headline_of_other_figures_does_not_agree():
    assert not summary.agrees(figures_of() | {"headline": {"auroc_macro": 0.7}})


def test_figures_of_no_events_agree():
    total = {"events": 0, "auroc_macro": None, "recall_macro_0.3": None, "recall_macro_0.7": None}
    nothing = {"methods": {summary.DEPLOYED: total}, "by_kind": {summary.DEPLOYED: {}}}
    assert summary.agrees({"headline": {"auroc_macro": None}, **nothing})


def test_plain_values_fit_into_json():
    card = pd.DataFrame({"events": [2], "auroc": [np.nan]}, index=["spikes"])
    assert json.loads(json.dumps(summary.plain(card), allow_nan=False)) == {"spikes": {"events": 2.0, "auroc": None}}


def test_the_headline_takes_means_over_kinds():
    names = ("recall_macro", "false_alarms_per_day", "share_of_normal")
    total = {"auroc_macro": 0.75} | {f"{name}_{level}": 0.25 for name in names for level in ("0.3", "0.7")}
    figures = summary.headline(total | {"delay_s_0.7": 60.0})
    assert figures["auroc_macro"] == 0.75
    assert figures["median_delay_s_at_0.7"] == 60.0
    assert figures["event_recall_at_0.7"] == 0.25


def test_the_autoencoder_is_compared_with_simpler_models_by_both_errors():
    plain = pd.Series({"LSTM autoencoder": 0.42, "PCA": 0.45, "dense autoencoder": 0.44})
    by_channel = pd.Series(
        {"LSTM autoencoder, by channel": 0.62, "PCA, by channel": 0.615, "dense autoencoder, by channel": 0.5}
    )
    assert summary.beside_simpler(pd.concat([plain, by_channel])).splitlines() == [
        "LSTM autoencoder loses to PCA: VUS-PR 0.420 to 0.450.",
        "LSTM autoencoder, by channel is as good as PCA, by channel: VUS-PR 0.620 to 0.615.",
    ]
    assert "LSTM autoencoder is ahead of PCA: VUS-PR 0.470" in summary.beside_simpler(plain + [0.05, 0, 0])
    assert summary.beside_simpler(plain[:1]) == summary.beside_simpler(plain * np.nan) == ""
