"""What the watch reports of a life: spacing, counters and gaps; and recordings of simulated wearers."""

import numpy as np
import pandas as pd
import pytest

from lib.simulation.watch import _counter, _delivered, record_days, record_stretches, report

COLUMNS = ["user_id", "timestamp", "heartRate", "steps", "calories", "distance"]


def steady_life(*, hours, start="2026-03-02T00:00:00", steps=1.0):
    count = int(hours * 720)
    timestamp = np.datetime64(start) + 5 * np.arange(count).astype("timedelta64[s]")
    amounts = {"steps": steps, "calories": 0.1, "distance": 0.7}
    return pd.DataFrame({"timestamp": timestamp, "heartRate": 70.4, **amounts})


def reported(seed, **life):
    return report(steady_life(**life), user_id="a", interval_s=5, rng=np.random.default_rng(seed))


@pytest.fixture(scope="module")
def stretches():
    return record_stretches(samples=25_000, wearers=25, interval_s=5, seed=1)


def test_a_counter_starts_again_at_midnight_and_at_a_restart():
    late = pd.Series(pd.date_range("2026-03-02T23:59:50", periods=6, freq="5s"))
    restart = np.array([False, False, False, False, True, False])
    counter = _counter(np.array([2.0, 3, 4, 5, 6, 7]), late, restart)
    assert counter.tolist() == [2, 5, 4, 9, 6, 13]


def test_a_reading_has_the_columns_and_types_of_a_raw_table():
    table = reported(0, hours=1)
    assert list(table) == COLUMNS
    assert table["timestamp"].iloc[0] == "2026-03-02T00:00:00"
    assert table["heartRate"].dtype.kind == table["steps"].dtype.kind == "i"
    assert (table["calories"].round(2) == table["calories"]).all()
    assert (table["distance"].round(1) == table["distance"]).all()


def test_readings_are_one_to_three_intervals_apart():
    spacing = []
    for seed in range(10):
        moments = pd.to_datetime(reported(seed, hours=12)["timestamp"])
        spacing.append(moments.sort_values().drop_duplicates().diff().dt.total_seconds().dropna())
    spacing = pd.concat(spacing)
    usual = spacing[spacing <= 15]
    assert set(usual) == {5, 10, 15}
    assert len(usual) / len(spacing) > 0.999
    assert (usual == 5).mean() > 0.85


def test_counters_grow_while_the_watch_is_worn():
    table = reported(3, hours=2)
    assert (table["heartRate"] > 0).all()
    last = (pd.to_datetime(table["timestamp"]).max() - pd.Timestamp("2026-03-02")).total_seconds()
    assert table["steps"].max() == last / 5 + 1


def test_counters_do_not_grow_off_the_wrist():
    tables = [reported(seed, hours=24) for seed in range(20)]
    off = [table[table["heartRate"] == 0] for table in tables]
    lengths = [spell.groupby(["steps"]).size().max() for spell in off if len(spell)]
    assert len(lengths) >= 3
    assert min(lengths) > 60  # one value of the counter for minutes on end


def test_some_watches_send_nothing_off_the_wrist():
    gaps = [pd.to_datetime(reported(seed, hours=24)["timestamp"]).diff().dt.total_seconds().max() for seed in range(20)]
    assert max(gaps) > 600


def test_about_one_row_in_a_thousand_is_a_duplicate_or_late():
    table = pd.DataFrame({"timestamp": np.arange(100_000)})
    moments = _delivered(table, np.random.default_rng(0))["timestamp"]
    assert 40 < moments.duplicated().sum() < 110
    assert 40 < (moments.diff() < 0).sum() < 110
    assert set(moments) == set(table["timestamp"])


def test_stretches_have_exactly_the_requested_samples_and_wearers(stretches):
    assert len(stretches) == 25_000
    assert stretches["user_id"].nunique() == 25
    assert stretches["user_id"].iloc[0] == "sim-0000"


@pytest.mark.parametrize(("samples", "wearers"), [(7, 7), (100, 3), (2_001, 2)])
def test_small_recordings_have_exactly_the_requested_samples(samples, wearers):
    table = record_stretches(samples=samples, wearers=wearers, interval_s=30, seed=2, first_id=40)
    assert (len(table), table["user_id"].nunique()) == (samples, wearers)
    assert table["user_id"].min() == "sim-0040"


def test_fewer_samples_than_wearers_are_refused_by_value():
    with pytest.raises(ValueError, match="samples=4 wearers, got wearers=5"):
        record_stretches(samples=4, wearers=5, interval_s=5, seed=0)


def test_stretches_start_evenly_over_the_week(stretches):
    moments = pd.to_datetime(stretches["timestamp"])
    begins = moments[
        (moments.diff().abs() > pd.Timedelta("12h")) | (stretches["user_id"].shift() != stretches["user_id"])
    ]
    hours = np.sort((begins.dt.day_of_week * 24 + begins.dt.hour + begins.dt.minute / 60).to_numpy())
    assert len(hours) == 50
    assert np.abs(hours - (np.arange(50) + 0.5) * 168 / 50).max() < 5


def test_stretches_cover_a_few_more_grid_samples_than_readings(stretches):
    moments = pd.to_datetime(stretches["timestamp"])
    spacing = moments.groupby(stretches["user_id"]).diff().dt.total_seconds()
    assert 28_000 < spacing[(spacing > 0) & (spacing <= 15)].sum() / 5 < 34_000


def test_counters_of_a_stretch_include_the_day_before_it(stretches):
    hour = pd.to_datetime(stretches["timestamp"]).dt.hour
    evening = stretches[hour >= 20].groupby("user_id")["steps"].min()
    assert evening.median() > 1_000


def test_the_same_seed_gives_the_same_recording():
    def record(seed):
        return record_stretches(samples=600, wearers=2, interval_s=5, seed=seed)

    assert record(3).equals(record(3))
    assert not record(3).equals(record(4))


def test_a_wearer_does_not_depend_on_the_number_of_wearers():
    alone = record_days(wearers=1, days=1, interval_s=30, seed=9, first_id=101)
    many = record_days(wearers=3, days=1, interval_s=30, seed=9, first_id=100)
    same = many[many["user_id"] == "sim-0101"].reset_index(drop=True)
    assert same.equals(alone)


def test_first_days_are_spread_over_the_week():
    table = record_days(wearers=7, days=1, interval_s=30, seed=5, first_id=0)
    moments = pd.to_datetime(table["timestamp"])
    assert moments.groupby(table["user_id"]).agg(lambda moments: moments.dt.date.nunique()).eq(1).all()
    assert set(moments.dt.day_of_week) == set(range(7))
    assert moments.dt.hour.nunique() == 24


def test_progress_sees_every_wearer():
    seen = []

    def watch(numbers):
        for number in numbers:
            seen.append(number)
            yield number

    record_days(wearers=2, days=1, interval_s=60, seed=0, first_id=5, progress=watch)
    assert seen == [5, 6]
