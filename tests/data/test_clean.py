"""Cleaning: the grid, and the account of every reading."""

import numpy as np
import pandas as pd
import pytest
from conftest import FITBIT, needs_fitbit

from lib.data import clean, readings
from lib.detector import features


def raw(rows, columns="user_id timestamp heartRate steps"):
    return readings.parse(pd.DataFrame(rows, columns=columns.split()))


def at(second, user="a"):
    return user, f"2026-03-02T07:{second // 60:02d}:{second % 60:02d}"


def test_every_reading_is_used_or_rejected_for_a_reason():
    rows = [(*at(0), 60, 1), (*at(10), 62, 3), (*at(5), 61, 2), (*at(10), 63, 4)]
    rows += [(*at(15), 0, 4), (*at(20), 300, 4), (*at(25), None, 4), (*at(30), 64, 5)]
    _, account = clean.clean(raw(rows), interval_s=5)
    assert account["readings"] == 8
    assert account["used"] == 4
    assert account["rejected"] == {"duplicate": 1, "not_worn": 2, "implausible_heart_rate": 1}
    assert account["mended"] == {"out_of_order": 1, "negative_count": 0}


def test_the_last_reading_of_an_instant_is_kept():
    table, _ = clean.clean(raw([(*at(0), 60, 1), (*at(5), 61, 2), (*at(5), 71, 2)]), interval_s=5)
    assert table["heartRate"].tolist() == [60, 71]


def test_wearers_are_kept_apart_and_have_the_columns_of_the_clean_table():
    rows = [(*at(0, "b"), 60, 1), (*at(0, "a"), 80, 1), (*at(5, "b"), 61, 2)]
    table, _ = clean.clean(raw(rows), interval_s=5)
    assert table["user_id"].tolist() == ["a", "b", "b"]
    names = "user_id segment timestamp heartRate steps calories distance hour_sin hour_cos is_weekend quality"
    assert list(table) == names.split()
    assert clean.groups(table).tolist() == [0, 1, 1]


def test_interval_counters_add_up_to_the_reported_amounts():
    rows = [(*at(0), 60, 3), (*at(5), 61, 4), (*at(10), 62, 5)]
    table, account = clean.clean(raw(rows), interval_s=5, counters="interval")
    assert table["steps"].tolist() == [3, 4, 5]
    assert account["counted"]["steps"] == account["counted_in_samples"]["steps"] == 12


@pytest.mark.parametrize("counters", features.COUNTER_FORMS)
def test_a_missing_channel_stays_unknown(counters):
    rows = [(*at(0), 60, None), (*at(5), 61, None), (*at(10), 62, None)]
    table, _ = clean.clean(raw(rows), interval_s=5, counters=counters)
    assert table["steps"].isna().all()


@pytest.mark.parametrize("counters", features.COUNTER_FORMS)
def test_a_negative_count_is_unknown_and_reported(counters):
    rows = [(*at(0), 60, 3), (*at(5), 61, -4), (*at(10), 62, 5)]
    table, account = clean.clean(raw(rows), interval_s=5, counters=counters)
    assert account["mended"]["negative_count"] == 1
    assert table["steps"].tolist() == {"cumulative": [1, 1, 1], "interval": [3, 2.5, 2.5]}[counters]


def test_a_counter_above_half_of_yesterdays_starts_again_at_midnight():
    rows = [("a", "2026-03-02T23:59:55", 60, 1647), ("a", "2026-03-03T00:00:00", 61, 842)]
    _, account = clean.clean(raw(rows), interval_s=5)
    assert account["counted"]["steps"] == 842


def test_growth_outside_the_samples_is_reported():
    rows = [(*at(0), 60, 0), (*at(5), 61, 10), (*at(605), 62, 610), (*at(610), 63, 610)]
    table, account = clean.clean(raw(rows), interval_s=5)
    assert account["counted"]["steps"] == 610
    assert account["counted_in_samples"]["steps"] == pytest.approx(table["steps"].sum())
    assert table["steps"].tolist() == [10, 10, 5, 0]  # 600 steps in 600 s: the sample after the hole has its 5 s


def walk(known, *, count=1440):
    """Readings every 5 s of a wearer who walks 5 m in that time; `known` (count,): where distance is reported."""
    when = pd.date_range("2026-03-02T07:00:00", periods=count, freq="5s").astype(str)
    rows = [("a", when[place], 60 + place % 9, 5 * place if known[place] else None) for place in range(count)]
    return raw(rows, "user_id timestamp heartRate distance")


@pytest.mark.parametrize("reported", [slice(0, 720), slice(720, None)])
@pytest.mark.parametrize("counters", features.COUNTER_FORMS)
def test_nothing_is_counted_while_a_counter_is_not_reported(reported, counters):
    known = np.zeros(1440, dtype=bool)
    known[reported] = True
    table = walk(known)
    if counters == "interval":
        table["distance"] = table["distance"].where(table["distance"].isna(), 5.0)
    cleaned, account = clean.clean(table, interval_s=5, counters=counters)
    np.testing.assert_array_equal(cleaned["distance"].notna(), known)
    assert (cleaned["distance"][known] == 5).all()
    assert account["counted_in_samples"]["distance"] == pytest.approx(account["counted"]["distance"], abs=5)


def test_a_long_gap_loses_interval_amounts_but_no_running_count():
    known = np.ones(1440, dtype=bool)
    known[600:700] = False
    table = walk(known)
    running, account = clean.clean(table, interval_s=5)
    assert (running["distance"] == 5).all()
    assert account["counted_in_samples"]["distance"] == account["counted"]["distance"] + 5  # the first sample's
    table["distance"] = np.where(known, 5.0, np.nan)
    interval, _ = clean.clean(table, interval_s=5, counters="interval")
    assert interval["distance"][600:701].isna().all()
    assert (interval["distance"].drop(range(600, 701)) == 5).all()


def test_amounts_reported_once_a_minute_are_spread_over_it():
    known = np.arange(1440) % 12 == 0
    table = walk(known)
    table["distance"] = np.where(known, 60.0, np.nan)
    cleaned, _ = clean.clean(table, interval_s=5, counters="interval")
    assert cleaned["distance"][1:1429].tolist() == [5] * 1428


def test_samples_have_the_label_of_their_reading():
    rows = [(*at(0), 60, 0, ""), (*at(5), 61, 10, "spikes"), (*at(15), 61, 10, "")]
    table, _ = clean.clean(raw(rows, "user_id timestamp heartRate steps label"), interval_s=5)
    assert table["label"].tolist() == ["", "spikes", "spikes", ""]


def test_a_loaded_table_equals_the_saved_one(tmp_path):
    rows = [(*at(0), 60, 0, ""), (*at(5), 61, 10, "spikes"), (*at(15), 0, 10, "")]
    table, _ = clean.clean(raw(rows, "user_id timestamp heartRate steps label"), interval_s=5)
    clean.save(table, tmp_path / "table.csv")
    again = clean.load(tmp_path / "table.csv")
    np.testing.assert_array_equal(clean.samples(again), clean.samples(table))
    for name in ("user_id", "quality", "label", "segment"):
        assert again[name].tolist() == table[name].tolist()
    assert (again["timestamp"] == table["timestamp"]).all()


def test_names_that_look_like_numbers_or_missing_values_are_kept(tmp_path):
    names = ["007", "1e5", "NA", "nan", "a, b", 'the "third"']
    table, _ = clean.clean(raw([(*at(0, user), 60, 0) for user in names]), interval_s=5)
    clean.save(table, tmp_path / "table.csv")
    assert sorted(clean.load(tmp_path / "table.csv")["user_id"]) == sorted(names)


@pytest.mark.parametrize(("name", "value"), [("interval_s", 0), ("interval_s", -5), ("counters", "both")])
def test_a_bad_parameter_is_named(name, value):
    with pytest.raises(ValueError, match=name):
        clean.clean(raw([(*at(0), 60, 0)]), **{"interval_s": 5} | {name: value})


@needs_fitbit
def test_real_wearers_are_accounted_for_and_their_days_add_up():
    table = readings.read(FITBIT)
    cleaned, account = clean.clean(table, interval_s=5)
    assert account["readings"] == 557_492 == account["used"] + sum(account["rejected"].values())
    assert cleaned["heartRate"].between(20, 250).all()
    lost = account["counted"]["steps"] - account["counted_in_samples"]["steps"]
    assert 0 <= lost < 0.02 * account["counted"]["steps"]
    wearer = "fitbit-4388161847"  # no steps were counted in gaps of 2016-04-13
    reported = table[(table["user_id"] == wearer) & (table["timestamp"] < "2016-04-14")]["steps"].max()
    counted = cleaned[(cleaned["user_id"] == wearer) & (cleaned["timestamp"] < "2016-04-14")]["steps"].sum()
    assert counted == pytest.approx(reported, abs=1)
