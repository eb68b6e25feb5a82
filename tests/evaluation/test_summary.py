import json
import re

import numpy as np
import pandas as pd
import pytest

from lib.evaluation import summary as metrics

KINDS = ["spikes", "cadence_lock", "dropout"]


def cards(**aurocs):
    rest = {"events": 2, "recall_0.3": [0.5, 0.0, 0.0], "recall_0.7": 0.0, "found_by_gate": [0.0, 0.0, 1.0]}
    return {name: pd.DataFrame({"auroc": values, **rest}, index=KINDS) for name, values in aurocs.items()}


def totals(*methods, recall=0.25):
    each = {"events": 6, "auroc_macro": 0.65}
    each |= {f"{name}_{level}": recall for name in ("recall_macro", "false_alarms_per_day") for level in ("0.3", "0.7")}
    return {method: dict(each) for method in methods}


def verdict(**aurocs):
    return metrics.verdict(cards(**aurocs), totals(*aurocs))


def test_the_verdict_names_the_kinds_where_a_rival_is_better_and_those_that_the_quality_check_finds():
    text = verdict(**{metrics.DEPLOYED: [0.9, 0.4, np.nan], "PCA": [0.8, 0.5, 0.5]})
    assert "The deployed score leads on spikes." in text
    assert "Another method tells these better: cadence lock." in text
    assert "The quality check finds more of these than the score does: dropout." in text
    assert "over 2 kinds: deployed score 0.650, PCA 0.650" in text
    assert "Events found at 0.7 (false alarms a wearer-day): deployed score 25% (0.2), PCA 25% (0.2)" in text


def test_a_difference_of_less_than_a_hundredth_is_no_lead():
    text = verdict(**{metrics.DEPLOYED: [0.9, 0.4, np.nan], "PCA": [0.895, 0.409, 0.5]})
    assert "leads on none." in text
    assert "The best other method is as good on spikes, cadence lock." in text


def test_the_verdict_puts_the_best_method_first():
    assert "kinds: PCA 0.700, deployed score 0.400" in verdict(**{metrics.DEPLOYED: [0.4] * 3, "PCA": [0.7] * 3})


def test_the_verdict_on_a_test_without_events_says_that_there_is_nothing_to_compare():
    text = verdict(**{metrics.DEPLOYED: [np.nan] * 3, "PCA": [np.nan] * 3})
    assert text == "No kind of anomaly has windows to compare the methods on."


def evaluated(*, path="", known=(), kinds=("spikes", "dropout")):
    """Of two wearers, one on two days and one on one."""
    time = pd.to_datetime(["2026-03-02T23:59:55", "2026-03-03T00:00:00", "2026-03-02T08:00:00"])
    table = pd.DataFrame({"user_id": ["a", "a", "b"], "timestamp": time})
    events = pd.DataFrame({"kind": list(kinds)})
    return metrics.evaluated(table, events, path=path, known=known, wearer_days=1.25)


def test_what_was_evaluated_is_on_record():
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


def test_wearers_that_the_model_never_saw_are_said_to_be_so():
    text = metrics.introduction(evaluated())
    assert "the run's own test: 2 wearers on 3 dates; worn and without a label are 1.2 wearer-days." in text
    assert "The model never saw these wearers, nor was it calibrated on them." in text
    assert "2 labelled events of 2 kinds." in text


def test_days_of_wearers_that_the_model_knows_are_said_to_be_so():
    assert "calibrated on 2 of these wearers, on other days." in metrics.introduction(evaluated(known=["a", "b"]))
    given = metrics.introduction(evaluated(path="watch.csv", known=["a"]))
    assert "calibrated on 1 of these wearers, and where on the same days, what follows flatters it." in given


def test_a_test_without_labels_or_with_one_kind_is_said_to_be_so():
    assert "No reading is labelled" in metrics.introduction(evaluated(kinds=()))
    assert "With one kind alone" in metrics.introduction(evaluated(kinds=["spikes", "spikes"]))


def test_a_machine_is_told_by_its_cores_and_not_by_its_name():
    assert re.fullmatch(r"\w+ \w+, \d+ CPU cores", metrics.machine())


def figures_of(**changes):
    """What a metrics.json holds of a method, as far as `agrees` reads it."""
    card = metrics.plain(cards(PCA=[0.9, 0.4, np.nan])["PCA"])
    total = {"events": 6, "auroc_macro": 0.65, "recall_macro_0.3": 0.5 / 3, "recall_macro_0.7": 0.0} | changes
    return {
        "headline": {"auroc_macro": 0.65},
        "methods": {metrics.DEPLOYED: total},
        "by_kind": {metrics.DEPLOYED: card},
    }


def test_figures_that_say_the_same_twice_agree():
    assert metrics.agrees(figures_of())


@pytest.mark.parametrize(
    "changes", [{"events": 5}, {"auroc_macro": 0.64}, {"recall_macro_0.3": None}, {"recall_macro_0.7": 0.1}]
)
def test_figures_that_are_not_what_the_card_comes_to_do_not_agree(changes):
    assert not metrics.agrees(figures_of(**changes))


def test_a_headline_of_other_figures_does_not_agree():
    assert not metrics.agrees(figures_of() | {"headline": {"auroc_macro": 0.7}})


def test_figures_of_no_events_agree():
    total = {"events": 0, "auroc_macro": None, "recall_macro_0.3": None, "recall_macro_0.7": None}
    nothing = {"methods": {metrics.DEPLOYED: total}, "by_kind": {metrics.DEPLOYED: {}}}
    assert metrics.agrees({"headline": {"auroc_macro": None}, **nothing})


def test_nothing_that_json_lacks_is_left():
    card = pd.DataFrame({"events": [2], "auroc": [np.nan]}, index=["spikes"])
    assert json.loads(json.dumps(metrics.plain(card), allow_nan=False)) == {"spikes": {"events": 2.0, "auroc": None}}


def test_the_headline_takes_means_over_kinds():
    names = ("recall_macro", "false_alarms_per_day", "share_of_normal")
    summary = {"auroc_macro": 0.75} | {f"{name}_{level}": 0.25 for name in names for level in ("0.3", "0.7")}
    figures = metrics.headline(summary | {"delay_s_0.7": 60.0})
    assert figures["auroc_macro"] == 0.75
    assert figures["median_delay_s_at_0.7"] == 60.0
    assert figures["event_recall_at_0.7"] == 0.25


def test_the_autoencoder_is_held_to_what_is_simpler_by_either_error():
    found = pd.Series({"LSTM autoencoder": 0.42, "PCA": 0.45, "dense autoencoder": 0.44})
    by_channel = pd.Series(
        {"LSTM autoencoder, by channel": 0.62, "PCA, by channel": 0.615, "dense autoencoder, by channel": 0.5}
    )
    assert metrics.beside_simpler(pd.concat([found, by_channel])).splitlines() == [
        "LSTM autoencoder loses to PCA: VUS-PR 0.420 to 0.450.",
        "LSTM autoencoder, by channel is as good as PCA, by channel: VUS-PR 0.620 to 0.615.",
    ]
    assert "LSTM autoencoder is ahead of PCA: VUS-PR 0.470" in metrics.beside_simpler(found + [0.05, 0, 0])
    assert metrics.beside_simpler(found[:1]) == metrics.beside_simpler(found * np.nan) == ""
