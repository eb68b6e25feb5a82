"""Replayed alerts: by hand, and against simulated months to come."""

import numpy as np
import pandas as pd
import pytest
from scored_requests import DAY_READINGS, ROWS, requests

from lib.monitoring import replay as replay_module
from lib.monitoring.replay import Replay, propose

WITHOUT_FEEDBACK = (2, (1.2, 0), None)


@pytest.fixture
def replay():
    return Replay(requests(*ROWS), interval_s=5, seed=1)


def choices(*factors):
    return pd.DataFrame({"percentile": 99.9 + 0.01 * np.arange(len(factors)), "factor": factors})


@pytest.mark.parametrize(
    ("factor", "persistence", "alerts", "false", "missed", "caught"),
    [
        (1.0, 1, 5, 2, 0.0, 0),
        (1.3, 1, 3, 1, 0.0, 0),
        (1.55, 1, 2, 0, 0.0, 0),
        (2.0, 1, 1, 0, 0.5, 0),
        (0.8, 1, 7, 2, 0.0, 1),
        (1.0, 3, 3, 2, 0.5, 0),
        (1.0, 24, 0, 0, 1.0, 0),
    ],
)
def test_a_replay_counts_what_would_have_fired(replay, factor, persistence, alerts, false, missed, caught):
    result = replay.at(factor, persistence)
    weight = 5 / 4  # four of five alerts have feedback
    assert (result["alerts"], result["caught"]) == (alerts, caught)
    assert result["false_alarms"] == pytest.approx(weight * false / 8)  # of eight wearer-days
    assert result["missed"] == pytest.approx(missed)
    low, high = result["false_alarms_interval"]
    assert low <= result["false_alarms"] <= high


def test_without_feedback_false_alarms_are_unknown():
    silent = Replay(requests(WITHOUT_FEEDBACK), interval_s=5, seed=1)
    result = silent.at(1.0)
    assert (result["false_alarms"], result["missed"]) == (None, None)
    assert (result["false_alarms_interval"], result["missed_interval"]) == ([None, None], [None, None])
    assert propose(silent, choices(1.5), cut=0.5) is None


def test_without_a_scored_request_a_replay_is_empty_and_proposes_nothing():
    empty = Replay(requests(), interval_s=5, seed=1)
    result = empty.at(1.0)
    assert (empty.alerts, empty.answered, result["alerts"]) == (0, 0, 0)
    assert (result["false_alarms"], result["missed_interval"]) == (None, [None, None])
    assert propose(empty, choices(1.5), cut=0.5) is None


def test_a_month_without_events_does_not_promise_another(replay):
    result = replay.at(1.55)
    assert (result["false_alarms"], result["missed"]) == (0, 0)
    assert result["false_alarms_interval"] == pytest.approx([0, 3 * 5 / 4 / 8])  # 97.5 % of months have at most 3
    assert result["missed_interval"] == [0, 1]  # of two right alerts


def test_the_proposal_is_the_lowest_candidate_that_spares_enough(replay):
    proposal = propose(replay, choices(0.9, 1.1, 1.3, 1.6), cut=0.5)
    assert (proposal["factor"], proposal["percentile"]) == (1.3, 99.92)
    assert proposal["false_alarms"] == pytest.approx(proposal["false_alarms_now"] / 2)
    assert propose(replay, choices(0.9, 1.1, 1.3, 1.6), cut=0.9)["factor"] == 1.6
    assert propose(replay, choices(0.9, 1.1), cut=0.5) is None


@pytest.mark.parametrize("rounding", [-1e-15, 0, 1e-15])
def test_an_unchanged_level_is_a_proposal_only_with_several_windows_in_a_row(rounding):
    rows = [(2, (3.0, 0.5), 0), (2, (2.0, 0.4), 0), (3, (1.2, 1.1), 1)]
    replay, same = Replay(requests(*rows), interval_s=5, seed=1), choices(1 + rounding)
    assert propose(replay, same, cut=0.01) is None
    assert propose(replay, same, cut=0.5, persistences=(1, 3))["persistence"] == 3


def test_a_replay_is_printed_with_its_bounds_and_a_dash_for_the_unknown(replay):
    bounds = {"false_alarms_interval": [0, 0.31], "missed_interval": [0, 1]}
    (known,) = replay_module.readable([{**replay.at(1.3), "percentile": 99.9, **bounds}]).to_dict("records")
    assert known == {
        "percentile": "99.9",
        "times the level": "1.30",
        "in a row": 1,
        "alerts": 3,
        "false alarms a wearer-day": "0.16 (0.00 to 0.31)",
        "right alerts missed": "0% (0% to 100%)",
        "caught": 0,
    }
    silent = Replay(requests(WITHOUT_FEEDBACK), interval_s=5, seed=1).at(1.0)
    unknown = replay_module.readable([silent | {"percentile": 99.9}]).iloc[0]
    assert unknown[["false alarms a wearer-day", "right alerts missed"]].tolist() == ["–", "–"]


def test_a_proposal_is_described_by_what_it_spares_and_costs_and_the_bounds_of_both(replay):
    bounds = {"false_alarms_interval": [0.0, 0.2], "missed_interval": [0.1, 0.9]}
    proposal = propose(replay, choices(2.0), cut=0.5) | bounds
    assert replay_module.describe(proposal) == (
        "proposal: 2.00 times the alert level (percentile 99.9): 0.00 false alarms a wearer-day (0.00 to 0.20 next "
        "month) instead of 0.31; 50% of the right alerts missed (10% to 90% next month)"
    )
    assert "(percentile 99.9), by 3 windows in a row: " in replay_module.describe({**proposal, "persistence": 3})


def test_what_a_proposal_misses_is_unknown_where_no_alert_was_reported_as_right():
    rows = [(2, (1.2, 1.1), 0), (3, (1.5, 1.5), 0), (4, (2.5, 1.5), None)]
    proposal = propose(Replay(requests(*rows), interval_s=5, seed=1), choices(2.0), cut=0.5)
    assert replay_module.describe(proposal).endswith(
        "; no alert was reported as right, so what it would miss is unknown"
    )
    assert replay_module.describe(None).startswith("no proposal: no false alarm was reported")


def month(rng, *, wearer_days=900, false_per_day=0.8, true_per_day=0.2, feedback_share=0.5):
    """Thirty days of requests: false alarms barely reach the level, right ones exceed it, and some days are worse."""
    rows = []
    for day in range(1, 31):
        worse = rng.gamma(4, 1 / 4)
        for correct, rate, height in ((0, false_per_day * worse, 0.3), (1, true_per_day, 1.2)):
            held = 1 + rng.exponential(height, rng.poisson(rate * wearer_days / 30))
            rows += [(day, (peak, 0.0), correct if rng.random() < feedback_share else None) for peak in held]
        rows += [(day, (0.5, 0.0), None)] * (wearer_days // 30)
    table = requests(*rows)
    return table.assign(Readings=np.where(table["Held"].str[0] < 1, DAY_READINGS, 0))


def test_false_alarms_are_cut_by_half_and_the_figures_hold_in_later_months():
    rng, holds, left = np.random.default_rng(11), [], []
    for _ in range(20):
        proposal = propose(Replay(month(rng), interval_s=5, seed=1), choices(*np.linspace(1, 3, 81)), cut=0.5)
        after = Replay(month(rng, feedback_share=1.0), interval_s=5, seed=1)
        later = after.at(proposal["factor"])
        left.append(later["false_alarms"] / after.at(1.0)["false_alarms"])
        for name, widest in (("false_alarms", proposal["false_alarms"]), ("missed", 0.35)):
            low, high = proposal[f"{name}_interval"]
            holds.append(low <= later[name] <= high)
            assert high - low < widest
    assert np.mean(left) <= 0.5
    assert max(left) < 0.5 + 2 * np.sqrt(0.25 / 700)  # of some 720 false alarms a month, each spared by even chance
    assert np.mean(holds) > 0.85  # of 40 intervals of 95 %
