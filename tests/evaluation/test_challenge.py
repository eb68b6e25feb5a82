"""Champion and challenger: what speaks against a retrained model, and what does not."""

import json

import numpy as np
import pandas as pd
import pytest

from lib.evaluation import challenge
from lib.evaluation.challenge import CHALLENGER, CHAMPION, RECALL, VUS, NotExported
from lib.run import Run

DAY = pd.Timestamp("2026-03-02")
SHARES = pd.DataFrame(
    {"promised": [0.05, 0.001], "measured": [0.04, 0.0], "windows": [4000, 4000]}, index=["reach 0.3", "reach 0.7"]
)


@pytest.fixture(scope="module")
def test_life():
    """(windows, events, days) of ten wearers: 200 windows a minute apart each, of which 40 to 59 and 120 to 139 ill."""
    end = DAY + pd.to_timedelta(np.tile(np.arange(200), 10), unit="min")
    kind = np.where(np.isin(np.tile(np.arange(200), 10) // 20, (2, 6)), "ill", "normal")
    wearer = np.repeat([f"w{n}" for n in range(10)], 200)
    windows = pd.DataFrame({"user_id": wearer, "start": end - pd.Timedelta(minutes=5), "end": end, "kind": kind})
    begins = DAY + pd.to_timedelta(np.tile([40, 120], 10), unit="min")
    events = pd.DataFrame({"user_id": np.repeat([f"w{n}" for n in range(10)], 2), "kind": "ill", "start": begins})
    events["end"] = events["start"] + pd.Timedelta(minutes=19)
    return windows, events, pd.Series(0.111, index=pd.unique(wearer))


def excess(windows, *, separation, seed):
    """Evidence that lies `separation` spreads higher where a wearer is ill."""
    found = np.random.default_rng(seed).normal(3, 1, len(windows))
    return found + separation * (windows["kind"] == "ill").to_numpy()


def compared(test_life, challenger, champion):
    windows, events, days = test_life
    pair = {
        CHALLENGER: excess(windows, separation=challenger, seed=1),
        CHAMPION: excess(windows, separation=champion, seed=2),
    }
    return challenge.compare(windows, events, pair, days=days, seed=3)


def test_as_good_a_model_passes(test_life):
    found = compared(test_life, 3, 3)
    assert abs(found.loc[VUS, "difference"]) < 0.03
    assert found.loc[VUS, "low"] < found.loc[VUS, "difference"] < found.loc[VUS, "high"]
    assert challenge.judge(found, SHARES, margin=0.05) == []


def test_a_worse_model_is_told_by_how_much(test_life):
    against = challenge.judge(compared(test_life, 1.5, 3), SHARES, margin=0.05)
    assert len(against) == 2
    assert against[0].startswith("VUS-PR is 0.")
    assert against[0].endswith(", where above -0.05 is wanted")
    assert against[1].startswith("recall at 1 a day is ")
    assert against[1].endswith(", where above -0.1 is wanted")


def test_a_better_model_passes_without_any_margin(test_life):
    assert challenge.judge(compared(test_life, 3, 1.5), SHARES, margin=0.0) == []


def test_where_labels_are_noise_neither_can_be_told(test_life):
    against = challenge.judge(compared(test_life, 0, 0), SHARES, margin=0.05)
    assert any("is no better than chance on this test" in reason for reason in against)


def test_a_window_without_a_score_is_no_alarm_of_either(test_life):
    windows, events, days = test_life
    sure = excess(windows, separation=30, seed=1)
    stuck = np.where(np.arange(len(windows)) % 200 == 5, np.nan, sure)
    found = challenge.compare(windows, events, {CHALLENGER: stuck, CHAMPION: sure}, days=days, seed=3)
    assert found.loc[RECALL, [CHALLENGER, CHAMPION]].tolist() == [1, 1]


def row(difference, low, high, *, above_chance=0.3):
    row = {CHALLENGER: 0.7 + difference, CHAMPION: 0.7, "difference": difference, "low": low, "high": high}
    return row | {"above_chance": above_chance}


def measures(vus, recall):
    return pd.DataFrame({VUS: vus, RECALL: recall}).T


@pytest.mark.parametrize(
    ("vus", "recall", "against"),
    [
        (row(-0.01, -0.049, 0.02), row(-0.01, -0.099, 0.02), 0),
        (row(-0.01, -0.051, 0.02), row(-0.01, -0.099, 0.02), 1),  # it may be worse: the test is too small to tell
        (row(-0.01, -0.049, 0.02), row(-0.01, -0.101, 0.02), 1),
        (row(0.01, -0.049, 0.02, above_chance=-0.01), row(0.01, -0.01, 0.02), 1),
        (row(+0.04, np.nan, np.nan, above_chance=np.nan), row(+0.09, np.nan, np.nan), 2),  # one wearer
        (row(np.nan, np.nan, np.nan), row(np.nan, np.nan, np.nan), 2),  # no events
    ],
)
def test_not_worse_is_a_low_end_above_the_margin(vus, recall, against):
    assert len(challenge.judge(measures(vus, recall), SHARES, margin=0.05)) == against


def test_a_single_test_wearer_speaks_against_however_good_the_challenger_unless_it_is_forced(test_life):
    windows, events, days = test_life
    alone = (*(of[of["user_id"] == "w0"].reset_index(drop=True) for of in (windows, events)), days[["w0"]])
    found = compared(alone, 3, 1)
    assert found.loc[VUS, "difference"] > 0
    figures = {"challenge": challenge.verdict("old", found, SHARES, margin=0.05, model_sha256="abc")}
    with pytest.raises(NotExported, match="of a single test wearer, who tells nothing of others: two at least"):
        challenge.require(figures, model_sha256="abc")
    assert challenge.require(figures, model_sha256="abc", force=True).startswith("exported by force=true")


@pytest.mark.parametrize(
    ("at_borderline", "at_alert", "windows", "against"),
    [
        (0.05, 0.001, 40_000, []),
        (0.16, 0.001, 40_000, ["16.00% of 40,000 normal windows reach 0.3, 5.00% were promised"]),
        (0.009, 0.001, 40_000, ["0.90% of 40,000 normal windows reach 0.3, 5.00% were promised"]),
        (0.05, 0.006, 40_000, ["0.60% of 40,000 normal windows reach 0.7, 0.10% were promised"]),
        (0.05, 0.0, 40_000, ["0.00% of 40,000 normal windows reach 0.7, 0.10% were promised"]),
        (0.05, 0.0, 4_000, []),  # 4 were promised: that there are none says nothing
        (np.nan, np.nan, 0, ["nan% of 0 normal windows reach 0.3", "nan% of 0 normal windows reach 0.7"]),
    ],
)
def test_thresholds_that_mean_nothing_on_normal_life_do_not_pass(at_borderline, at_alert, windows, against):
    good = measures(row(0.1, 0.05, 0.2), row(0.1, 0.05, 0.2))
    shares = SHARES.assign(measured=[at_borderline, at_alert], windows=windows)
    found = challenge.judge(good, shares, margin=0.05)
    assert [reason.startswith(said) for reason, said in zip(found, against, strict=True)] == [True] * len(against)


def test_readings_at_most_of_which_the_champion_alerts_are_not_what_they_were():
    good = measures(row(0.5, 0.4, 0.6), row(0.5, 0.4, 0.6))
    assert challenge.judge(good, SHARES, margin=0.05, alarmed=0.2) == []
    (against,) = challenge.judge(good, SHARES, margin=0.05, alarmed=0.3)
    assert against.startswith("the champion alerts at 30% of these wearers' normal windows")


def verdict(difference=0.0, **changes):
    pair = measures(row(difference, difference - 0.01, difference + 0.01), row(0, -0.01, 0.01))
    return {"challenge": challenge.verdict("old", pair, SHARES, margin=0.05, model_sha256="abc") | changes}


def test_what_is_as_good_is_exported_and_the_sentence_says_by_which_figures():
    said = challenge.require(verdict(0.02), model_sha256="abc")
    assert said == "as good as 'old' within a margin of 0.05: VUS-PR +0.020, recall at 1 a day +0.000"


def test_what_is_worse_is_not_exported_unless_it_is_forced():
    with pytest.raises(NotExported, match=r"^not shown to be as good as 'old': VUS-PR is 0.500, the champion's 0.700"):
        challenge.require(verdict(-0.2), model_sha256="abc")
    said = challenge.require(verdict(-0.2), model_sha256="abc", force=True)
    assert said.startswith("exported by force=true, though not shown to be as good as 'old': VUS-PR is 0.500")


def test_a_verdict_on_another_model_is_none_even_by_force():
    with pytest.raises(NotExported, match="another model than this one: --from 04"):
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
def test_a_verdict_holds_for_the_same_weights_normal_windows_and_limits_alone(changed):
    model = {"files": {"lstm_model.onnx": "w1", "normal.npz": "n1"}, "calibration": {"threshold": 1.0, "alert": 2.0}}
    model |= {"scaler": {"mean": [70.0], "scale": [10.0]}, "channels": [True, True], "metrics": {}, "parameters": {}}
    judged = challenge.fingerprint(model)
    found = verdict(model_sha256=judged)
    written = json.loads(json.dumps(model | {"metrics": {"evaluation": 1}, "parameters": {"force": False}}))
    assert challenge.require(found, model_sha256=challenge.fingerprint(written)).startswith("as good as 'old'")
    with pytest.raises(NotExported, match="judged another model than this one"):
        challenge.require(found, model_sha256=challenge.fingerprint(model | changed))


def test_a_run_without_a_base_is_exported_as_it_is():
    assert challenge.require({}, model_sha256="abc") == "no base to compare with: exported as it is"


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
        "'old' learned from 2 of these 3 wearers, on whatever days: that flatters it."
    )
