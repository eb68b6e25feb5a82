"""Drift: the statistics by hand, planted shifts that are called within a day, and quiet normal months."""

import importlib.util
from functools import cache

import numpy as np
import pandas as pd
import pytest
import streamed_log

from lib.files import ROOT
from lib.monitoring import drift, log
from lib.monitoring.drift import Usual

WEARERS, DAYS = 18, 2  # each wearer has a day's log for every day
NORMAL_DAYS = 28


def test_the_shift_is_how_much_likelier_above_than_below():
    shift = drift.shift(np.array([[0, 0, 4], [2, 2, 0], [1, 1, 2], [0, 0, 0]]), np.array([1, 1, 2]))
    np.testing.assert_allclose(shift, [0.5, 0.125 - 0.625, 0, np.nan])


def test_the_stability_index_is_the_symmetric_divergence():
    index = drift.stability_index(np.array([[1.5, 5.5], [3.5, 3.5]]), np.array([3.5, 3.5]))
    np.testing.assert_allclose(index, [(0.25 - 0.5) * np.log(0.5) + (0.75 - 0.5) * np.log(1.5), 0])


def test_an_empty_bin_has_a_finite_index():
    assert np.isfinite(drift.stability_index(np.array([[0, 9]]), np.array([5, 5]))).all()


def test_counts_are_summed_by_day_and_lists_of_other_bins_left_out():
    lines = pd.DataFrame({"Time": pd.to_datetime(["2026-03-02T01", "2026-03-02T23", "2026-03-03T00", "2026-03-04T00"])})
    lines["Steps"] = [np.array([1, 2]), np.array([3, 0]), np.array([1, 1, 1]), None]
    days, counts = drift.daily_counts(lines, {"Steps": {"edges": [0.0]}})
    assert [str(day) for day in days] == ["2026-03-02", "2026-03-03", "2026-03-04"]
    np.testing.assert_array_equal(counts["Steps"], [[4, 2], [0, 0], [0, 0]])


def test_a_day_cut_off_by_the_start_or_end_of_the_log_is_left_out():
    times = pd.date_range("2026-03-02T14:00", "2026-03-07T13:50", freq="10min")
    lines = pd.DataFrame({"Time": times, "Steps": [np.array([1, 0])] * len(times)})
    days, counts = drift.daily_counts(lines, {"Steps": {"edges": [0.0]}})
    assert [str(day) for day in days] == ["2026-03-03", "2026-03-04", "2026-03-05", "2026-03-06"]
    assert counts["Steps"][:, 0].tolist() == [144] * 4
    days, _ = drift.daily_counts(lines.drop(range(60, 150)), {"Steps": {"edges": [0.0]}})  # an outage cuts off no day
    assert len(days) == 4


def normal_days(number, *, seed=0, total=1000, shares=(0.2, 0.3, 0.5)):
    return {"Steps": np.random.default_rng(seed).multinomial(total, shares, size=number).astype(float)}


def test_a_day_beyond_the_limit_is_called_and_one_with_few_counts_is_not_judged():
    usual = Usual.fit(normal_days(14), seed=1)
    days = np.array(["2026-03-02", "2026-03-03", "2026-03-04"], dtype="datetime64[D]")
    judged = usual.judge(days, {"Steps": np.array([[205.0, 296, 499], [400, 300, 300], [200, 0, 0]])})
    assert judged["called"].tolist() == [False, True, False]
    assert judged["judged"].tolist() == [True, True, False]
    assert judged["shift"][1] == pytest.approx(0.21 - 0.47, abs=0.02)


def test_fewer_normal_days_give_a_wider_limit():
    few, many = (Usual.fit(normal_days(number), seed=1).limit for number in (7, 40))
    assert few > 1.3 * many


def test_the_limit_is_the_same_each_time():
    assert Usual.fit(normal_days(14), seed=1).limit == Usual.fit(normal_days(14), seed=1).limit


def test_too_few_normal_days_are_refused():
    with pytest.raises(ValueError, match="expected 7 or more normal days, got 6"):
        Usual.fit(normal_days(6), seed=1)
    assert drift.judge_later_days(np.empty(0, dtype="datetime64[D]"), {}, None, seed=1) == (None, None)


def test_the_days_after_the_normal_ones_are_judged():
    days, counts = np.arange("2026-03-01", "2026-03-11", dtype="datetime64[D]"), normal_days(10)
    normal = days[:9], {"Steps": counts["Steps"][:9]}
    _, judged = drift.judge_later_days(days, counts, normal, seed=1)
    assert judged["day"].tolist() == [pd.Timestamp("2026-03-10")]


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    return streamed_log.model(tmp_path_factory.mktemp("model"))


@cache
def lives(first, years):
    return [streamed_log.life(number, days=DAYS, years=years)[:DAYS] for number in range(first, first + WEARERS)]


@pytest.fixture(scope="module")
def stream(detector):
    """A function of a change to readings: the counts {name: (WEARERS, DAYS, bins)} that the handler then logs."""

    def counts_of(change=list, *, first=0, years=0):
        counted = []
        for number, life in enumerate(lives(first, years)):
            for place, readings in enumerate(life):
                lines = streamed_log.wearer_day(detector, change(readings), request_id=f"{number}-{place}", day_ms=0)
                _, counts = drift.daily_counts(log.parse_lines(lines)[0], detector.population)
                counted.append({name: daily.sum(axis=0) for name, daily in counts.items()})
        return {
            name: np.stack([by_name[name] for by_name in counted]).reshape(WEARERS, DAYS, -1) for name in counted[0]
        }

    return counts_of


@pytest.fixture(scope="module")
def normal(stream):
    return stream()


def days_of(counts, number, *, seed):
    """The counts of `number` days, each made of one random day of each wearer."""
    which = np.random.default_rng(seed).integers(DAYS, size=(number, WEARERS))
    return {name: daily[np.arange(WEARERS), which].sum(axis=1) for name, daily in counts.items()}


@pytest.fixture(scope="module")
def usual(normal):
    return Usual.fit(days_of(normal, NORMAL_DAYS, seed=1), seed=1)


def called(usual, counts, number, *, seed):
    """Which of `number` days are called for a change of the inputs."""
    judged = usual.judge(np.arange(number), days_of(counts, number, seed=seed))
    return judged[judged["name"].isin(drift.INPUTS)].groupby("day")["called"].any()


@pytest.fixture(scope="module")
def deployment():
    """The row of benchmarks/drift.py for 40 wearers, who live on after the normal days."""
    spec = importlib.util.spec_from_file_location("drift_benchmark", ROOT / "benchmarks/drift.py")
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    return benchmark.measured(40, seed=0, months=3)


def test_forty_wearers_live_three_normal_months_with_no_false_call(deployment):
    assert deployment["false calls in 3 months"] == 0


def test_shifts_are_called_on_each_new_day_and_new_people_twenty_years_older_on_nine_in_ten(deployment):
    assert (deployment["sensor 6 bpm high"], deployment["half the steps"]) == (1, 1)
    assert deployment["others, 20 years older"] > 0.9


def test_a_sensor_that_reads_six_bpm_too_high_is_called_on_its_first_day(usual, stream):
    assert called(usual, stream(lambda readings: streamed_log.offset(readings, 6)), 20, seed=3).all()


def test_half_the_steps_are_called_on_their_first_day(usual, stream):
    assert called(usual, stream(streamed_log.half_steps), 20, seed=3).all()


def test_a_new_population_twenty_years_older_is_called_on_its_first_day(usual, stream):
    assert called(usual, stream(first=100, years=20), 20, seed=3).all()
