"""Injected anomalies: where they are placed, and what they leave unchanged."""

import numpy as np
import pandas as pd
import pytest
from conftest import FITBIT, needs_fitbit
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.data import readings
from lib.simulation.anomalies import MIN_DISTANCE_S, Injection, inject
from lib.simulation.anomaly_kinds import KINDS
from lib.simulation.recording import amounts as counter_amounts
from lib.simulation.watch import record_days

COUNTERS = ["steps", "calories", "distance"]


def generator(seed=0):
    return np.random.default_rng(seed)


def test_a_counter_that_falls_starts_from_zero():
    assert counter_amounts(np.array([10.0, 12, 3, 5, np.nan, 6]), np.zeros(6)).tolist() == [0, 2, 3, 2, 0, 1]


@pytest.fixture(scope="module")
def raw():
    return readings.parse(record_days(wearers=6, days=1, interval_s=10, seed=3, first_id=0))


@pytest.fixture(scope="module")
def injected(raw):
    return inject(raw, Injection(events_per_day=12, interval_s=10), rng=generator(1))


def in_order(table):
    order = pd.to_datetime(table["timestamp"]).argsort(kind="stable").to_numpy()
    order = order[np.argsort(table["user_id"].to_numpy()[order], kind="stable")]
    return table.iloc[order].reset_index(drop=True)


def amounts(table, name):
    growth = table.groupby("user_id")[name].diff().fillna(0)
    return growth.where(growth >= 0, table[name]).to_numpy()


def test_every_row_between_start_and_end_carries_the_kind(injected):
    labelled, events = injected
    spans = 0
    moments = pd.to_datetime(labelled["timestamp"])
    for event in events.itertuples():
        inside = (labelled["user_id"] == event.user_id) & moments.between(event.start, event.end)
        assert set(labelled.loc[inside, "label"]) == {event.kind}
        spans += inside.sum()
    assert spans == (labelled["label"] != "").sum() > 0


def test_nothing_changes_outside_the_spans(raw, injected):
    before, after = in_order(raw), in_order(injected[0])
    normal = (after["label"] == "").to_numpy()
    assert (before["heartRate"] == after["heartRate"])[normal].all()
    for name in COUNTERS:
        np.testing.assert_allclose(amounts(before, name)[normal], amounts(after, name)[normal], atol=1e-6)


def test_rows_types_and_other_columns_stay_the_same(raw):
    extra = raw.assign(battery=np.arange(len(raw)))
    labelled, _ = inject(extra, Injection(events_per_day=12, interval_s=10), rng=generator(1))
    untouched = ["user_id", "timestamp", "battery"]
    assert labelled[untouched].equals(extra[untouched])
    assert labelled[["heartRate", *COUNTERS]].dtypes.equals(raw[["heartRate", *COUNTERS]].dtypes)


def test_the_argument_is_not_changed(raw):
    copy = raw.copy()
    inject(raw, Injection(events_per_day=12, interval_s=10), rng=generator(1))
    assert raw.equals(copy)


def test_the_same_seed_gives_the_same_anomalies(raw, injected):
    again = inject(raw, Injection(events_per_day=12, interval_s=10), rng=generator(1))
    assert again[0].equals(injected[0])
    assert again[1].equals(injected[1])


def test_spans_are_twenty_minutes_apart(injected):
    for _, events in injected[1].groupby("user_id"):
        events = events.sort_values("start")
        pause = pd.to_datetime(events["start"]).to_numpy()[1:] - pd.to_datetime(events["end"]).to_numpy()[:-1]
        assert (pause > np.timedelta64(MIN_DISTANCE_S, "s")).all()


def test_spans_have_the_length_of_their_kind(injected):
    events = injected[1]
    minutes = (pd.to_datetime(events["end"]) - pd.to_datetime(events["start"])).dt.total_seconds() / 60
    for kind, length in zip(events["kind"], minutes, strict=True):
        shortest, longest = KINDS[kind].minutes
        assert shortest - 1 <= length <= longest


def test_kinds_are_drawn_about_equally_often(injected):
    counts = injected[1]["kind"].value_counts()
    anywhere = counts[[name for name, kind in KINDS.items() if kind.place in ("any", "rest")]]
    assert set(counts.index) == set(KINDS)
    assert anywhere.max() - anywhere.min() <= 3


def test_anomalies_are_in_worn_life_without_holes(raw, injected):
    before, after = in_order(raw), in_order(injected[0])
    spacing = pd.to_datetime(before["timestamp"]).groupby(before["user_id"]).diff().dt.total_seconds()
    inside = (after["label"] != "").to_numpy()
    assert spacing[inside].max() <= 30
    assert (before["heartRate"][inside] > 0).all()


def test_resting_kinds_are_at_rest_and_active_kinds_in_activity(raw, injected):
    before, after = in_order(raw), in_order(injected[0])
    rate = pd.Series(amounts(before, "steps")).groupby(after["label"].to_numpy()).mean() * 6  # about a minute
    assert rate["tachycardia"] < 8
    assert rate["ignores_activity"] > 50
    assert rate["activity_in_sleep"] == 0


def test_activity_in_sleep_happens_at_night(injected):
    events = injected[1]
    starts = pd.to_datetime(events.loc[events["kind"] == "activity_in_sleep", "start"])
    assert (starts.dt.hour < 6).all()


def test_a_shifted_clock_repeats_readings_of_8_to_12_hours_away(raw, injected):
    before, after = in_order(raw), in_order(injected[0])
    event = injected[1].query("kind == 'clock_shift'").iloc[0]
    wearer = (before["user_id"] == event["user_id"]).to_numpy()
    moments = pd.to_datetime(before["timestamp"])
    shifted = after["heartRate"][wearer & moments.between(event["start"], event["end"]).to_numpy()].to_numpy()
    original = before["heartRate"][wearer].to_numpy()
    windows = np.lib.stride_tricks.sliding_window_view(original, len(shifted))
    matches = moments[wearer].to_numpy()[np.flatnonzero((windows == shifted).all(axis=1))]
    shift_h = np.abs(matches - np.datetime64(event["start"])) / np.timedelta64(1, "h")
    assert len(matches) == 1
    assert 8 <= shift_h[0] <= 12.05


def test_interval_counters_change_inside_the_spans_only(raw):
    ordered = in_order(raw)
    amount = ordered.assign(**{name: amounts(ordered, name) for name in COUNTERS})
    labelled, _ = inject(amount, Injection(events_per_day=12, interval_s=10, counters="interval"), rng=generator(1))
    normal = labelled["label"] == ""
    assert labelled.loc[normal, COUNTERS].equals(amount.loc[normal, COUNTERS])
    assert (labelled[COUNTERS] >= 0).all(axis=None)
    assert not labelled.loc[~normal, COUNTERS].equals(amount.loc[~normal, COUNTERS])


def test_kinds_that_need_an_absent_column_are_left_out(raw):
    _, events = inject(
        raw.drop(columns=["calories", "distance"]), Injection(events_per_day=12, interval_s=10), rng=generator()
    )
    assert set(events["kind"]) == set(KINDS) - {"calories_mismatch", "distance_mismatch"}


def test_existing_labels_stay_and_no_anomaly_overlaps_them(raw):
    known = raw.assign(label=np.where(np.arange(len(raw)) % 5000 < 2500, "illness", ""))
    labelled, events = inject(known, Injection(events_per_day=12, interval_s=10), rng=generator())
    ill = known["label"] == "illness"
    assert len(events) > 5
    assert (labelled["label"] == "illness").equals(ill)
    assert labelled.loc[ill, "heartRate"].equals(raw.loc[ill, "heartRate"])


def test_missing_values_stay_missing(raw):
    holes = raw.astype({"heartRate": float, "steps": float})
    holes.loc[::50, "heartRate"] = np.nan
    holes.loc[::40, "steps"] = np.nan
    labelled, _ = inject(
        holes, Injection(events_per_day=12, interval_s=10, kinds=["distance_mismatch", "spikes"]), rng=generator()
    )
    assert labelled[["heartRate", "steps"]].isna().equals(holes[["heartRate", "steps"]].isna())


def test_a_table_too_short_for_any_event_stays_normal(raw):
    labelled, events = inject(raw.head(8), Injection(events_per_day=5_000, interval_s=10), rng=generator())
    assert events.empty
    assert (labelled["label"] == "").all()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"kinds": ["flu"]}, "'flu'"),
        ({"severities": [1.5]}, "severity=1.5"),
        ({"counters": "sum"}, "counters='sum'"),
    ],
)
def test_an_unknown_choice_is_refused_by_value(wrong, message):
    with pytest.raises(ValueError, match=message):
        inject(raw, Injection(events_per_day=1, interval_s=10, **wrong), rng=generator())


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    resets=st.lists(st.integers(1, 4_000), max_size=4),
    decimals=st.integers(0, 3),
)
def test_amounts_outside_spans_survive_any_resets_and_decimals(seed, resets, decimals):
    rng = generator(seed)
    step = rng.choice([0, 0, 15], 4_320).astype(float)
    restart = np.isin(np.arange(4_320), resets)
    table = pd.DataFrame({"timestamp": pd.date_range("2026-03-02T12:00:00", periods=4_320, freq="10s")})
    table = table.assign(user_id="a", heartRate=rng.integers(60, 90, 4_320))
    for name, factor in {"steps": 1, "calories": 0.04, "distance": 0.7}.items():
        amount = step if name == "steps" else np.round(factor * (step + 0.3), decimals)
        total = np.cumsum(amount)
        before = np.maximum.accumulate(np.where(restart, total, 0))
        table[name] = np.round(total - before, 6)
    table = readings.parse(table)
    labelled, _ = inject(
        table, Injection(events_per_day=40, interval_s=10, kinds=["calories_mismatch", "clock_shift"]), rng=rng
    )
    normal = (labelled["label"] == "").to_numpy()
    for name in COUNTERS:
        assert (labelled[name] >= 0).all()
        np.testing.assert_allclose(amounts(labelled, name)[normal], amounts(table, name)[normal], atol=1e-5)


@needs_fitbit
def test_real_wearers_get_every_kind_and_keep_their_amounts():
    table = readings.read(FITBIT).groupby("user_id").head(60_000).reset_index(drop=True)
    labelled, events = inject(table, Injection(events_per_day=12, interval_s=5), rng=generator())
    assert set(events["kind"]) == set(KINDS)
    normal = (labelled["label"] == "").to_numpy()
    assert (labelled["heartRate"] == table["heartRate"])[normal].all()
    for name in COUNTERS:
        np.testing.assert_allclose(amounts(labelled, name)[normal], amounts(table, name)[normal], atol=1e-6)
