import numpy as np
import pandas as pd
import pytest

from lib import dataset, readings


def raw(wearers, days):
    moments = pd.date_range("2026-03-02", periods=days * 24, freq="h").astype(str)
    rows = [(f"w{number}", moment, 70) for number in range(wearers) for moment in moments]
    return readings.parse(pd.DataFrame(rows, columns=["user_id", "timestamp", "heartRate"]))


@pytest.mark.parametrize(("wearers", "by"), [(1, "day"), (4, "day"), (5, "wearer"), (20, "wearer")])
def test_parts_share_no_unit_and_lose_no_reading(wearers, by):
    table = raw(wearers, 8)
    made = dataset.recorded(table, seed=1)
    parts = [made.development, made.calibration, made.test]
    names = [set(dataset.units(part, by=by)) for part in parts]
    assert made.by == by
    assert sum(map(len, parts)) == len(table)
    assert sum(map(len, names)) == len(set.union(*names))
    assert set(made.validation) < names[0]


def test_every_wearer_has_days_in_each_part_when_days_are_split():
    made = dataset.recorded(raw(2, 10), seed=1)
    for part in (made.development, made.calibration, made.test):
        assert part["user_id"].nunique() == 2


def test_too_few_days_are_refused():
    with pytest.raises(ValueError, match="too few to split"):
        dataset.recorded(raw(1, 2), seed=1)


def test_simulated_tables_have_the_readings_and_wearers_asked_for():
    made = dataset.simulated(
        samples=1000, wearers=5, calibration_wearers=2, test_wearers=1, test_days=1, interval_s=5, seed=1
    )
    assert len(made.development) == 1000
    counts = [part["user_id"].nunique() for part in (made.development, made.calibration, made.test)]
    assert counts == [5, 2, 1]
    everyone = np.concatenate([p["user_id"].unique() for p in (made.development, made.calibration, made.test)])
    assert len(set(everyone)) == 8
    assert len(made.validation) == 1


@pytest.mark.parametrize(("name", "value"), [("wearers", 1), ("calibration_wearers", 0), ("test_days", 0)])
def test_numbers_that_make_no_dataset_are_named(name, value):
    numbers = {"samples": 100, "wearers": 2, "calibration_wearers": 1, "test_wearers": 1, "test_days": 1}
    with pytest.raises(ValueError, match=f"{name}={value}"):
        dataset.simulated(**numbers | {name: value}, interval_s=5, seed=1)
