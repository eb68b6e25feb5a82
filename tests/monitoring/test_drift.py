"""Drift: simulated deployments stay quiet, and planted changes are called soon and as one lasting call."""

import importlib.util

import numpy as np
import pandas as pd
import pytest
import streamed_log

from lib.files import ROOT
from lib.monitoring import drift, log
from lib.monitoring.drift import Reference
from lib.monitoring.histogram_days import daily_counts

MONDAY = np.datetime64("2026-03-02")


def days(number, *, after=0):
    return MONDAY + after + np.arange(number)


def normal_counts(number, *, seed=0, total=1000, shares=(0.2, 0.3, 0.5)):
    """Counts of days whose shares differ a little."""
    rng = np.random.default_rng(seed)
    drawn = rng.dirichlet(np.array(shares) * 500, size=number)
    return {"Steps": np.stack([rng.multinomial(total, day) for day in drawn]).astype(float)}


def fit(number, *, seed=0):
    return Reference.fit(days(number), normal_counts(number, seed=seed), seed=1)


def test_a_day_far_out_is_called_and_one_with_few_counts_is_not_judged():
    judged = fit(28).judge(days(3, after=28), {"Steps": np.array([[205.0, 296, 499], [900, 50, 50], [200, 0, 0]])})
    assert judged["called"].tolist() == [False, True, False]
    assert judged["judged"].tolist() == [True, True, False]
    assert judged["shift"][1] == pytest.approx(0.5 * (0.05 - 0.95) + 0.3 * (0.05 - 0.9) / 1 + 0.2 * 0, abs=0.4)
    assert judged["evidence"][2] == judged["evidence"][1]


def test_a_small_change_is_called_by_its_duration_as_one_lasting_call():
    changed = normal_counts(40, seed=3, shares=(0.26, 0.32, 0.42))
    judged = fit(28).judge(days(40, after=28), changed)
    (call,) = drift.calls(judged)
    assert (call["kind"], call["lasts"]) == ("inputs", True)
    assert pd.Timestamp(MONDAY) + pd.Timedelta(days=28) < call["first"] < pd.Timestamp(MONDAY) + pd.Timedelta(days=48)


def test_a_change_that_passes_is_a_call_that_ends():
    changed = normal_counts(20, seed=3, shares=(0.5, 0.2, 0.3))["Steps"]
    counts = {"Steps": np.concatenate([changed, normal_counts(40, seed=4)["Steps"]])}
    (call,) = drift.calls(fit(28).judge(days(60, after=28), counts))
    assert not call["lasts"]
    assert (call["last"] - pd.Timestamp(MONDAY)).days < 28 + 20 + 10


def test_inputs_and_errors_are_called_apart():
    reference = {name: normal_counts(28, seed=seed)["Steps"] for seed, name in enumerate(("Steps", "Errors"))}
    reference = Reference.fit(days(28), reference, seed=1)
    counts = {"Steps": normal_counts(5, seed=3)["Steps"], "Errors": normal_counts(5, seed=4, shares=(0.8, 0.1, 0.1))}
    counts["Errors"] = counts["Errors"]["Steps"]
    (call,) = drift.calls(reference.judge(days(5, after=28), counts))
    assert call["kind"] == "errors"


def test_fewer_normal_days_need_a_larger_change():
    changed = {"Steps": np.array([[320.0, 290, 390]])}
    few, many = (fit(number).judge(days(1, after=70), changed)["evidence"][0] for number in (7, 70))
    assert few < many


def test_the_judgement_is_the_same_each_time():
    changed = normal_counts(5, seed=3)
    pd.testing.assert_frame_equal(*(fit(14).judge(days(5, after=14), changed) for _ in range(2)))


def test_too_few_normal_days_are_refused():
    with pytest.raises(ValueError, match="expected 7 or more normal days, got 6"):
        fit(6)
    assert drift.judge_later_days(np.empty(0, dtype="datetime64[D]"), {}, None, seed=1) is None


def test_the_days_after_the_normal_ones_are_judged():
    counts = normal_counts(10)
    judged = drift.judge_later_days(days(10), counts, (days(9), {"Steps": counts["Steps"][:9]}), seed=1)
    assert judged["day"].tolist() == [pd.Timestamp("2026-03-11")]


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("drift_benchmark", ROOT / "benchmarks/drift.py")
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    return benchmark


@pytest.fixture(scope="module")
def deployments(benchmark):
    """Eight deployments of twenty wearers of a small pool, three normal months each."""
    pool = benchmark.Pool.simulate(24, seed=2, days=28)
    return benchmark.summarise(pd.DataFrame([benchmark.measure(pool, 20, seed=n, months=3) for n in range(8)]))["all"]


def test_normal_months_are_quiet(deployments):
    assert deployments["false calls"] <= 1  # of two years of days


def test_a_changed_sensor_half_the_steps_and_older_people_are_called(deployments):
    assert deployments["sensor 6 bpm high: called on day 1"] == 1
    assert deployments["half the steps: called on day 1"] == 1
    assert deployments["others, 20 years older: within 30 days"] == 1


def test_a_changed_sensor_is_called_by_what_the_handler_logs(tmp_path):
    detector = streamed_log.model(tmp_path)
    lives = [streamed_log.life(number, days=4)[:4] for number in range(8)]
    changed = [streamed_log.offset(life[0], 12) for life in lives]
    normal = {
        name: np.stack([_logged(detector, [life[day] for life in lives])[name] for day in range(4)])
        for name in detector.population
    }
    which = np.random.default_rng(1).integers(4, size=28)
    reference = Reference.fit(days(28), {name: daily[which] * 1.0 for name, daily in normal.items()}, seed=1)
    counts = {name: np.stack([daily] * 3) for name, daily in _logged(detector, changed).items()}
    assert any(call["kind"] == "inputs" for call in drift.calls(reference.judge(days(3, after=28), counts)))


def _logged(detector, wearers):
    """The counts {name: (bins,)} of a day of these wearers' readings, as the handler logs them."""
    lines = [
        line
        for number, readings in enumerate(wearers)
        for line in streamed_log.wearer_day(detector, readings, request_id=str(number), day_ms=0)
    ]
    _, counts = daily_counts(log.parse_lines(lines)[0], detector.population)
    return {name: daily.sum(axis=0) for name, daily in counts.items()}
