"""Champion and challenger: the reasons against a retrained model."""

import json

import numpy as np
import pandas as pd
import pytest

from lib.evaluation import challenge
from lib.evaluation.challenge import CHALLENGER, CHAMPION, RECALL, VUS, Findings, NotExported
from lib.run import Run

DAY = pd.Timestamp("2026-03-02")
SHARES = pd.DataFrame(
    {"promised": [0.05, 0.001], "measured": [0.04, 0.0], "windows": [4000, 4000]}, index=["reach 0.3", "reach 0.7"]
)


@pytest.fixture(scope="module")
def test_life():
    """(windows, events, days) of ten wearers: 200 windows each, a minute apart, ill in 40 to 59 and 120 to 139."""
    end = DAY + pd.to_timedelta(np.tile(np.arange(200), 10), unit="min")
    kind = np.where(np.isin(np.tile(np.arange(200), 10) // 20, (2, 6)), "ill", "normal")
    wearer = np.repeat([f"w{n}" for n in range(10)], 200)
    windows = pd.DataFrame({"user_id": wearer, "start": end - pd.Timedelta(minutes=5), "end": end, "kind": kind})
    begins = DAY + pd.to_timedelta(np.tile([40, 120], 10), unit="min")
    events = pd.DataFrame({"user_id": np.repeat([f"w{n}" for n in range(10)], 2), "kind": "ill", "start": begins})
    events["end"] = events["start"] + pd.Timedelta(minutes=19)
    return windows, events, pd.Series(0.111, index=pd.unique(wearer))


def error_ratio(windows, *, separation, seed):
    """Evidence that lies `separation` standard deviations higher where a wearer is ill."""
    noise = np.random.default_rng(seed).normal(3, 1, len(windows))
    return noise + separation * (windows["kind"] == "ill").to_numpy()


def judge(measures, shares=SHARES, *, margin=0.05, alarmed=0.0):
    return challenge.judge(Findings(measures, shares, alarmed), margin=margin)


def compared(test_life, challenger, champion):
    windows, events, days = test_life
    pair = {
        CHALLENGER: error_ratio(windows, separation=challenger, seed=1),
        CHAMPION: error_ratio(windows, separation=champion, seed=2),
    }
    return challenge.compare(windows, events, pair, days=days, seed=3)


def test_as_good_a_model_passes(test_life):
    comparison = compared(test_life, 3, 3)
    assert abs(comparison.loc[VUS, "difference"]) < 0.03
    assert comparison.loc[VUS, "low"] < comparison.loc[VUS, "difference"] < comparison.loc[VUS, "high"]
    assert judge(comparison) == []


def test_a_worse_model_is_reported_with_its_figures(test_life):
    against = judge(compared(test_life, 1.5, 3))
    assert len(against) == 2
    assert against[0].startswith("VUS-PR is 0.")
    assert ": expected above -0.05, got -0." in against[0]
    assert against[1].startswith("recall at 1 a day is ")
    assert ": expected above -0.1, got -0." in against[1]


def test_a_better_model_passes_without_any_margin(test_life):
    assert judge(compared(test_life, 3, 1.5), margin=0.0) == []


def test_a_challenger_that_is_no_better_than_chance_does_not_pass(test_life):
    against = judge(compared(test_life, 0, 0))
    assert any("is no better than chance on this test" in reason for reason in against)


def test_a_window_without_a_score_raises_no_alarm(test_life):
    windows, events, days = test_life
    sure = error_ratio(windows, separation=30, seed=1)
    stuck = np.where(np.arange(len(windows)) % 200 == 5, np.nan, sure)
    comparison = challenge.compare(windows, events, {CHALLENGER: stuck, CHAMPION: sure}, days=days, seed=3)
    assert comparison.loc[RECALL, [CHALLENGER, CHAMPION]].tolist() == [1, 1]


def row(difference, low, high, *, above_chance=0.3):
    row = {CHALLENGER: 0.7 + difference, CHAMPION: 0.7, "difference": difference, "low": low, "high": high}
    return row | {"above_chance": above_chance}


def measures(vus, recall):
    return pd.DataFrame({VUS: vus, RECALL: recall}).T


@pytest.mark.parametrize(
    ("vus", "recall", "against"),
    [
        (row(-0.01, -0.049, 0.02), row(-0.01, -0.099, 0.02), 0),
        (row(-0.01, -0.051, 0.02), row(-0.01, -0.099, 0.02), 1),  # the test is too small to exclude that it is worse
        (row(-0.01, -0.049, 0.02), row(-0.01, -0.101, 0.02), 1),
        (row(0.01, -0.049, 0.02, above_chance=-0.01), row(0.01, -0.01, 0.02), 1),
        (row(+0.04, np.nan, np.nan, above_chance=np.nan), row(+0.09, np.nan, np.nan), 2),  # one wearer
        (row(np.nan, np.nan, np.nan), row(np.nan, np.nan, np.nan), 2),  # no events
    ],
)
def test_not_worse_is_a_low_end_above_the_margin(vus, recall, against):
    assert len(judge(measures(vus, recall))) == against


def test_a_single_test_wearer_speaks_against_even_a_better_challenger_unless_forced(test_life):
    windows, events, days = test_life
    alone = (*(table[table["user_id"] == "w0"].reset_index(drop=True) for table in (windows, events)), days[["w0"]])
    comparison = compared(alone, 3, 1)
    assert comparison.loc[VUS, "difference"] > 0
    figures = {"challenge": challenge.verdict("old", Findings(comparison, SHARES), margin=0.05, model_sha256="abc")}
    with pytest.raises(NotExported, match="from a test with one wearer: expected 2 or more"):
        challenge.require(figures, model_sha256="abc")
    assert challenge.require(figures, model_sha256="abc", force=True).startswith("exported by force=true")


@pytest.mark.parametrize(
    ("at_borderline", "at_alert", "windows", "against"),
    [
        (0.05, 0.001, 40_000, []),
        (0.16, 0.001, 40_000, ["16.00% of 40,000 normal windows reach 0.3: expected about 5.00%"]),
        (0.009, 0.001, 40_000, ["0.90% of 40,000 normal windows reach 0.3: expected about 5.00%"]),
        (0.05, 0.006, 40_000, ["0.60% of 40,000 normal windows reach 0.7: expected about 0.10%"]),
        (0.05, 0.0, 40_000, ["0.00% of 40,000 normal windows reach 0.7: expected about 0.10%"]),
        (0.05, 0.0, 4_000, []),  # 4 were promised: a share of 0 is no evidence
        (np.nan, np.nan, 0, ["nan% of 0 normal windows reach 0.3", "nan% of 0 normal windows reach 0.7"]),
    ],
)
def test_thresholds_that_break_their_promise_on_normal_life_do_not_pass(at_borderline, at_alert, windows, against):
    good = measures(row(0.1, 0.05, 0.2), row(0.1, 0.05, 0.2))
    shares = SHARES.assign(measured=[at_borderline, at_alert], windows=windows)
    reasons = judge(good, shares)
    starts = [reason.startswith(start) for reason, start in zip(reasons, against, strict=True)]
    assert starts == [True] * len(against)


def test_a_champion_that_alerts_at_much_of_normal_life_speaks_against():
    good = measures(row(0.5, 0.4, 0.6), row(0.5, 0.4, 0.6))
    assert judge(good, alarmed=0.2) == []
    (against,) = judge(good, alarmed=0.3)
    assert against.startswith("the champion alerts at 30% of these wearers' normal windows")


def verdict(difference=0.0, **changes):
    pair = measures(row(difference, difference - 0.01, difference + 0.01), row(0, -0.01, 0.01))
    return {"challenge": challenge.verdict("old", Findings(pair, SHARES), margin=0.05, model_sha256="abc") | changes}


def test_a_model_that_is_as_good_is_exported_with_its_figures():
    line = challenge.require(verdict(0.02), model_sha256="abc")
    assert line == "as good as 'old' within a margin of 0.05: VUS-PR +0.020, recall at 1 a day +0.000"


def test_a_worse_model_is_not_exported_unless_forced():
    with pytest.raises(NotExported, match=r"^not shown to be as good as 'old': VUS-PR is 0.500, the champion's 0.700"):
        challenge.require(verdict(-0.2), model_sha256="abc")
    line = challenge.require(verdict(-0.2), model_sha256="abc", force=True)
    assert line.startswith("exported by force=true, though not shown to be as good as 'old': VUS-PR is 0.500")


def test_a_verdict_on_another_model_does_not_count_even_by_force():
    with pytest.raises(NotExported, match="got one on another: --from 04"):
        challenge.require(verdict(0.02), model_sha256="def", force=True)


@pytest.mark.parametrize(
    "changed",
    [
        {"files": {"lstm_model.onnx": "w2", "normal.npz": "n1"}},
        {"files": {"lstm_model.onnx": "w1", "normal.npz": "n2"}},
        {"calibration": {"threshold": 1.0, "alert": 2.5}},
        {"scaler": {"mean": [71.0], "scale": [10.0]}},
        {"channels": [True, False]},
    ],
)
def test_a_verdict_only_holds_for_the_same_weights_normal_windows_and_limits(changed):
    model = {"files": {"lstm_model.onnx": "w1", "normal.npz": "n1"}, "calibration": {"threshold": 1.0, "alert": 2.0}}
    model |= {"scaler": {"mean": [70.0], "scale": [10.0]}, "channels": [True, True], "metrics": {}, "parameters": {}}
    judged = challenge.fingerprint(model)
    figures = verdict(model_sha256=judged)
    written = json.loads(json.dumps(model | {"metrics": {"evaluation": 1}, "parameters": {"force": False}}))
    assert challenge.require(figures, model_sha256=challenge.fingerprint(written)).startswith("as good as 'old'")
    with pytest.raises(NotExported, match="got one on another"):
        challenge.require(figures, model_sha256=challenge.fingerprint(model | changed))


def test_a_run_without_a_base_is_exported():
    assert challenge.require({}, model_sha256="abc") == "exported without a comparison: the run has no base"


def test_wearers_that_the_champion_learned_from_are_counted(tmp_path, monkeypatch):
    monkeypatch.setenv("RUNS_HOME", str(tmp_path))
    assert challenge.known_wearers("old", ["7", "8"]) is None
    folder = Run.at("old").data / "processed"
    folder.mkdir(parents=True)
    (folder / "health_metrics.csv").write_text("user_id,steps\n07,1\n8,1\n8,1\n")
    (folder / "calibration.csv").write_text("user_id,steps\n9,1\n")
    assert challenge.known_wearers("old", ["7", "8", "9", "9"]) == 2
    export = Run.at("adjusted").models / "lambda_export"
    export.mkdir(parents=True)
    (export / "model.json").write_text(json.dumps({"adjusted": {"from": {"run": "old"}, "factor": 1.2}}))
    assert challenge.known_wearers("adjusted", ["7", "8", "9", "9"]) == 2
    assert challenge.caution(verdict(test_wearers_known_to_the_champion=2)["challenge"], wearers=3) == (
        "'old' learned from 2 of these 3 wearers, which favours it even if the days differ."
    )
