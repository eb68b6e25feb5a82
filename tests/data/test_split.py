"""Splits of readings, roles in calibration, and what a clean table covers."""

import numpy as np
import pandas as pd
import pytest

from lib.data import clean, coverage, readings, split


def raw(wearers, days):
    moments = pd.date_range("2026-03-02", periods=days * 24, freq="h").astype(str)
    rows = [(f"w{number}", moment, 70) for number in range(wearers) for moment in moments]
    return readings.parse(pd.DataFrame(rows, columns=["user_id", "timestamp", "heartRate"]))


@pytest.mark.parametrize(("wearers", "by"), [(1, "day"), (4, "day"), (5, "wearer"), (20, "wearer")])
def test_splits_share_no_unit_and_lose_no_reading(wearers, by):
    table = raw(wearers, 8)
    dataset = split.split_readings(table, seed=1)
    tables = [dataset.development, dataset.calibration, dataset.test]
    names = [set(split.units(one, by=by)) for one in tables]
    assert dataset.by == by
    assert sum(map(len, tables)) == len(table)
    assert sum(map(len, names)) == len(set.union(*names))
    assert set(dataset.validation) < names[0]


def test_every_wearer_has_days_in_each_split_if_days_are_split():
    dataset = split.split_readings(raw(2, 10), seed=1)
    for table in (dataset.development, dataset.calibration, dataset.test):
        assert table["user_id"].nunique() == 2


def labelled(table, *units, by):
    return table.assign(label=np.where(np.isin(split.units(table, by=by), units), "illness", ""))


@pytest.mark.parametrize(("by", "count", "ill"), [("wearer", 9, ("w3", "w7")), ("day", 2, ("w0 2026-03-04",))])
def test_labelled_wearers_or_days_are_in_the_test_alone(by, count, ill):
    table = labelled(raw(count, 8), *ill, by=by)
    dataset = split.split_readings(table, seed=1)
    assert dataset.by == by
    not_tested = {*split.units(dataset.development, by=by), *split.units(dataset.calibration, by=by)}
    assert not_tested.isdisjoint(ill)
    assert not {"label"} & {*dataset.development, *dataset.calibration}
    assert set(dataset.test["label"]) == {"", "illness"}
    assert len(dataset.development) + len(dataset.calibration) + len(dataset.test) == len(table)


def test_days_are_split_if_few_wearers_have_no_labels():
    table = labelled(raw(6, 8), "w0 2026-03-02", "w1 2026-03-02", by="day")
    assert split.split_readings(table, seed=1).by == "day"


def test_readings_that_are_all_labelled_are_refused():
    with pytest.raises(ValueError, match="0 days without labels are too few .* as test_path="):
        split.split_readings(raw(1, 8).assign(label="illness"), seed=1)


def test_too_few_days_are_refused():
    with pytest.raises(ValueError, match="too few to split .* training needs 4 days or 5 wearers"):
        split.split_readings(raw(1, 2), seed=1)


def test_the_days_named_as_enough_to_calibrate_on_are():
    calibration = [(split._splits(days, by="day") == "calibration").sum() for days in range(4, 20)]
    assert 4 + next(number for number, count in enumerate(calibration) if count >= 3) == split.DAYS_TO_CALIBRATE


def test_simulated_tables_have_the_requested_readings_and_wearers():
    size = split.SimulationSize(samples=1000, wearers=5, calibration_wearers=2, test_wearers=1, test_days=1)
    dataset = split.simulate_dataset(size, interval_s=5, counters="cumulative", seed=1)
    assert len(dataset.development) == 1000
    counts = [table["user_id"].nunique() for table in (dataset.development, dataset.calibration, dataset.test)]
    assert counts == [5, 2, 1]
    everyone = np.concatenate(
        [table["user_id"].unique() for table in (dataset.development, dataset.calibration, dataset.test)]
    )
    assert len(set(everyone)) == 8
    assert len(dataset.validation) == 1


def test_interval_counters_and_running_counters_describe_the_same_life():
    size = split.SimulationSize(samples=1000, wearers=3, calibration_wearers=2, test_wearers=1, test_days=1)
    raw_tables = {
        counters: split.simulate_dataset(size, interval_s=5, counters=counters, seed=1).calibration
        for counters in ("cumulative", "interval")
    }
    running, interval = (
        clean.clean(table, interval_s=5, counters=counters)[0] for counters, table in raw_tables.items()
    )
    assert (raw_tables["interval"]["steps"] < 200).all()
    assert raw_tables["cumulative"]["steps"].max() > 1000
    later = running["user_id"].duplicated()  # amounts of a wearer's first sample are unknown
    for channel in ("heartRate", "steps", "calories", "distance"):
        np.testing.assert_allclose(running[channel][later], interval[channel][later], atol=1e-6)


@pytest.mark.parametrize(("name", "value"), [("wearers", 1), ("calibration_wearers", 0), ("test_days", 0)])
def test_impossible_sizes_are_refused_by_name(name, value):
    numbers = {"samples": 100, "wearers": 2, "calibration_wearers": 1, "test_wearers": 1, "test_days": 1}
    with pytest.raises(ValueError, match=f"{name}={value}"):
        split.SimulationSize(**numbers | {name: value})


def clean_table(spacing_s, *, wearers=1, lacks=()):
    """An hour of readings of wearers w0, w1, …, cleaned to 5 s; the wearers in `lacks` have no distance."""
    moments = pd.date_range("2026-03-02", periods=3600 // spacing_s, freq=f"{spacing_s}s").astype(str)
    rows = [
        (f"w{number}", moment, 70 + place % 3, place, place, None if f"w{number}" in lacks else place)
        for number in range(wearers)
        for place, moment in enumerate(moments)
    ]
    columns = ["user_id", "timestamp", "heartRate", "steps", "calories", "distance"]
    table, _ = clean.clean(readings.parse(pd.DataFrame(rows, columns=columns)), interval_s=5)
    return table


def test_the_error_for_sparse_readings_suggests_their_spacing():
    with pytest.raises(ValueError, match="no training window") as caught:
        coverage.require_windows([], clean_table(30), split="training", length=60, interval_s=5)
    assert str(caught.value) == (
        "no training window: expected 60 trusted samples in a row, 5 s apart, got 120 samples (120 ok) in 120 segments, "
        "the longest of 1; segments begin 30 s apart, so try interval_s=30"
    )


def test_the_error_for_short_segments_suggests_a_shorter_sequence():
    short = clean_table(5).head(40)
    with pytest.raises(
        ValueError, match="40 samples .* in 1 segments, the longest of 40; try a smaller sequence_length="
    ):
        coverage.require_windows([], short, split="validation", length=60, interval_s=5)
    with pytest.raises(ValueError, match=r"0 samples \(none\) in 0 segments, the longest of 0; "):
        coverage.require_windows([], short.head(0), split="calibration", length=60, interval_s=5)
    coverage.require_windows([0], short, split="training", length=40, interval_s=5)


def test_reported_channels_are_given_for_each_row():
    table = clean_table(5, wearers=2, lacks=["w1"])
    reports = coverage.reported_channels(table)
    assert reports.shape == (len(table), 7)
    lacking = (table["user_id"] == "w1").to_numpy()
    assert (reports[:, 3] == ~lacking).all()
    assert np.delete(reports, 3, axis=1).all()


def test_a_channel_reported_less_than_half_of_the_time_is_not_reported():
    table = clean_table(5)
    table.loc[: len(table) * 6 // 10, "distance"] = np.nan
    assert not coverage.reported_channels(table)[:, 3].any()
    table = clean_table(5)
    table.loc[: len(table) * 4 // 10, "distance"] = np.nan
    assert coverage.reported_channels(table)[:, 3].all()


def test_the_largest_channel_set_that_a_wearer_reports_in_full_is_chosen():
    no_distance, no_calories, no_heart_rate = (np.arange(7) != lacking for lacking in (3, 2, 0))
    assert coverage.largest_channel_set([True] * 7, np.array([no_distance, [True] * 7])).all()
    np.testing.assert_array_equal(
        coverage.largest_channel_set([True] * 7, np.array([no_distance, no_calories])), no_distance
    )
    with pytest.raises(ValueError, match="no wearer reports heartRate and hour_sin"):
        coverage.largest_channel_set([True] * 7, np.array([no_heart_rate]))


def calibration_table(*days_by_wearer):
    """A clean table of wearers with one sample and one segment per day."""
    wearer_days = [(wearer, day) for wearer, days in enumerate(days_by_wearer) for day in range(days)]
    rows = [(str(wearer), f"2026-03-{2 + day:02}", day) for wearer, day in wearer_days]
    table = pd.DataFrame(rows, columns=["user_id", "timestamp", "segment"])
    return table.assign(timestamp=pd.to_datetime(table["timestamp"]))


def test_roles_are_assigned_to_wearers_or_to_days_of_few_wearers():
    rng = np.random.default_rng(0)
    by_wearer = split.roles(calibration_table(2, 2, 2, 2), by="wearer", rng=rng)
    assert set(by_wearer) == {0, 1, 2}
    assert (by_wearer[::2] == by_wearer[1::2]).all()
    assert sorted(split.roles(calibration_table(3), by="wearer", rng=rng)) == [0, 1, 2]


def test_of_many_wearers_a_sixth_is_for_comparison_and_half_for_the_limits():
    roles = split.roles(calibration_table(*[1] * 36), by="wearer", rng=np.random.default_rng(0))
    assert np.bincount(roles).tolist() == [6, 18, 12]


def test_one_day_is_assigned_by_segment_and_two_segments_are_too_few():
    table = calibration_table(3).assign(timestamp=pd.Timestamp("2026-03-02"))
    assert sorted(split.roles(table, by="day", rng=np.random.default_rng(0))) == [0, 1, 2]
    with pytest.raises(ValueError, match="expected 3 or more segments .* got 2"):
        split.roles(table[:2], by="day", rng=np.random.default_rng(0))
