import numpy as np
import pandas as pd
import pytest

from lib.data import clean, readings, split


def raw(wearers, days):
    moments = pd.date_range("2026-03-02", periods=days * 24, freq="h").astype(str)
    rows = [(f"w{number}", moment, 70) for number in range(wearers) for moment in moments]
    return readings.parse(pd.DataFrame(rows, columns=["user_id", "timestamp", "heartRate"]))


@pytest.mark.parametrize(("wearers", "by"), [(1, "day"), (4, "day"), (5, "wearer"), (20, "wearer")])
def test_parts_share_no_unit_and_lose_no_reading(wearers, by):
    table = raw(wearers, 8)
    made = split.recorded(table, seed=1)
    parts = [made.development, made.calibration, made.test]
    names = [set(split.units(part, by=by)) for part in parts]
    assert made.by == by
    assert sum(map(len, parts)) == len(table)
    assert sum(map(len, names)) == len(set.union(*names))
    assert set(made.validation) < names[0]


def test_every_wearer_has_days_in_each_part_when_days_are_split():
    made = split.recorded(raw(2, 10), seed=1)
    for part in (made.development, made.calibration, made.test):
        assert part["user_id"].nunique() == 2


def labelled(table, *units, by):
    return table.assign(label=np.where(np.isin(split.units(table, by=by), units), "illness", ""))


@pytest.mark.parametrize(("by", "count", "ill"), [("wearer", 9, ("w3", "w7")), ("day", 2, ("w0 2026-03-04",))])
def test_labelled_wearers_or_days_are_in_the_test_alone(by, count, ill):
    table = labelled(raw(count, 8), *ill, by=by)
    made = split.recorded(table, seed=1)
    assert made.by == by
    learned = {*split.units(made.development, by=by), *split.units(made.calibration, by=by)}
    assert learned.isdisjoint(ill)
    assert not {"label"} & {*made.development, *made.calibration}
    assert set(made.test["label"]) == {"", "illness"}
    assert len(made.development) + len(made.calibration) + len(made.test) == len(table)


def test_where_few_wearers_have_no_labels_days_are_split():
    table = labelled(raw(6, 8), "w0 2026-03-02", "w1 2026-03-02", by="day")
    assert split.recorded(table, seed=1).by == "day"


def test_readings_that_are_all_labelled_are_for_the_test_path():
    with pytest.raises(ValueError, match="0 days without labels are too few .* as test_path="):
        split.recorded(raw(1, 8).assign(label="illness"), seed=1)


def test_too_few_days_are_refused():
    with pytest.raises(ValueError, match="too few to split"):
        split.recorded(raw(1, 2), seed=1)


def test_simulated_tables_have_the_readings_and_wearers_asked_for():
    made = split.simulated(
        samples=1000,
        wearers=5,
        calibration_wearers=2,
        test_wearers=1,
        test_days=1,
        interval_s=5,
        counters="cumulative",
        seed=1,
    )
    assert len(made.development) == 1000
    counts = [part["user_id"].nunique() for part in (made.development, made.calibration, made.test)]
    assert counts == [5, 2, 1]
    everyone = np.concatenate([p["user_id"].unique() for p in (made.development, made.calibration, made.test)])
    assert len(set(everyone)) == 8
    assert len(made.validation) == 1


def test_simulated_interval_counters_tell_of_the_same_life():
    numbers = {"samples": 1000, "wearers": 3, "calibration_wearers": 2, "test_wearers": 1, "test_days": 1}
    parts = {
        form: split.simulated(**numbers, interval_s=5, counters=form, seed=1).calibration
        for form in ("cumulative", "interval")
    }
    one, other = (clean.clean(part, interval_s=5, counters=form)[0] for form, part in parts.items())
    assert (parts["interval"]["steps"] < 200).all()
    assert parts["cumulative"]["steps"].max() > 1000
    later = one["user_id"].duplicated()  # what came before a wearer's first sample is not known
    for channel in ("heartRate", "steps", "calories", "distance"):
        np.testing.assert_allclose(one[channel][later], other[channel][later], atol=1e-6)


@pytest.mark.parametrize(("name", "value"), [("wearers", 1), ("calibration_wearers", 0), ("test_days", 0)])
def test_numbers_that_make_no_dataset_are_named(name, value):
    numbers = {"samples": 100, "wearers": 2, "calibration_wearers": 1, "test_wearers": 1, "test_days": 1}
    with pytest.raises(ValueError, match=f"{name}={value}"):
        split.simulated(**numbers | {name: value}, interval_s=5, counters="cumulative", seed=1)


def clean_table(spacing_s, *, wearers=1, lacks=()):
    """An hour of readings of wearers w0, w1, …, cleaned to 5 s; those that are named lack distance."""
    moments = pd.date_range("2026-03-02", periods=3600 // spacing_s, freq=f"{spacing_s}s").astype(str)
    rows = [
        (f"w{number}", moment, 70 + place % 3, place, place, None if f"w{number}" in lacks else place)
        for number in range(wearers)
        for place, moment in enumerate(moments)
    ]
    columns = ["user_id", "timestamp", "heartRate", "steps", "calories", "distance"]
    table, _ = clean.clean(readings.parse(pd.DataFrame(rows, columns=columns)), interval_s=5)
    return table


def test_a_watch_that_reports_too_seldom_for_a_window_is_told_its_spacing():
    with pytest.raises(ValueError, match="no training window") as caught:
        split.require_windows([], clean_table(30), part="training", length=60, interval_s=5)
    assert str(caught.value) == (
        "no training window: 60 trusted samples in a row are wanted, 5 s apart; there are 120 samples (120 ok) in 120 "
        "segments, the longest of 1; segments begin 30 s apart, so that interval_s=30 may be what the watch's readings "
        "want"
    )


def test_a_table_without_long_segments_and_one_without_samples_are_told_too():
    short = clean_table(5).head(40)
    with pytest.raises(ValueError, match="40 samples .* in 1 segments, the longest of 40; a smaller sequence_length="):
        split.require_windows([], short, part="validation", length=60, interval_s=5)
    with pytest.raises(ValueError, match=r"0 samples \(none\) in 0 segments, the longest of 0; "):
        split.require_windows([], short.head(0), part="calibration", length=60, interval_s=5)
    split.require_windows([0], short, part="training", length=40, interval_s=5)


def test_what_a_wearer_never_reports_is_known_of_each_row():
    table = clean_table(5, wearers=2, lacks=["w1"])
    reports = split.reported(table)
    assert reports.shape == (len(table), 7)
    lacking = (table["user_id"] == "w1").to_numpy()
    assert (reports[:, 3] == ~lacking).all()
    assert np.delete(reports, 3, axis=1).all()


def test_what_a_wearer_reports_less_than_half_of_the_time_counts_as_not_reported():
    table = clean_table(5)
    table.loc[: len(table) * 6 // 10, "distance"] = np.nan
    assert not split.reported(table)[:, 3].any()
    table = clean_table(5)
    table.loc[: len(table) * 4 // 10, "distance"] = np.nan
    assert split.reported(table)[:, 3].all()


def test_the_channels_counted_are_the_most_that_one_wearer_reports_in_full():
    no_distance, no_calories, no_heart_rate = (np.arange(7) != lacking for lacking in (3, 2, 0))
    assert split.in_full([True] * 7, np.array([no_distance, [True] * 7])).all()
    np.testing.assert_array_equal(split.in_full([True] * 7, np.array([no_distance, no_calories])), no_distance)
    with pytest.raises(ValueError, match="no wearer reports heartRate and hour_sin"):
        split.in_full([True] * 7, np.array([no_heart_rate]))


def calm(*days_of):
    """A clean table of wearers, each of so many days, a sample and a segment a day."""
    made = [(str(wearer), f"2026-03-{2 + day:02}", day) for wearer, days in enumerate(days_of) for day in range(days)]
    table = pd.DataFrame(made, columns=["user_id", "timestamp", "segment"])
    return table.assign(timestamp=pd.to_datetime(table["timestamp"]))


def test_calibration_wearers_have_a_role_each_or_days_where_they_are_few():
    rng = np.random.default_rng(0)
    by_wearer = split.roles(calm(2, 2, 2, 2), by="wearer", rng=rng)
    assert set(by_wearer) == {0, 1, 2}
    assert (by_wearer[::2] == by_wearer[1::2]).all()
    assert sorted(split.roles(calm(3), by="wearer", rng=rng)) == [0, 1, 2]


def test_of_many_calibration_wearers_a_sixth_is_compared_with_and_half_give_the_limits():
    roles = split.roles(calm(*[1] * 36), by="wearer", rng=np.random.default_rng(0))
    assert np.bincount(roles).tolist() == [6, 18, 12]


def test_one_day_is_split_by_segment_and_two_segments_are_too_few():
    table = calm(3).assign(timestamp=pd.Timestamp("2026-03-02"))
    assert sorted(split.roles(table, by="day", rng=np.random.default_rng(0))) == [0, 1, 2]
    with pytest.raises(ValueError, match="2 unbroken stretches"):
        split.roles(table[:2], by="day", rng=np.random.default_rng(0))
