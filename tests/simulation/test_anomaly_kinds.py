"""What each kind of anomaly does to a span of readings."""

from dataclasses import replace

import numpy as np
import pytest

from lib.simulation.anomaly_kinds import KINDS, Span, quantised, steps_per_minute

COUNTERS = ["steps", "calories", "distance"]


def generator(seed=0):
    return np.random.default_rng(seed)


def span(*, minutes=10, heart_rate=70.0, cadence=0, resting=60.0):
    seconds = np.arange(0.0, 60 * minutes, 5)
    steps = np.diff(np.floor(seconds * cadence / 60), prepend=0)
    heart = heart_rate + np.resize([0.0, 1, 2, 1], len(seconds))
    return Span(seconds, heart, steps, 0.1 + 0.03 * steps, 0.7 * steps, resting)


def changed(kind, before, *, severity=1.0, seed=0):
    return KINDS[kind].apply(before, severity=severity, rng=generator(seed))


@pytest.mark.parametrize(("severity", "raised"), [(0.4, 43), (1.0, 70)])
def test_tachycardia_raises_the_heart_by_25_to_70_bpm(severity, raised):
    after = changed("tachycardia", span(), severity=severity)
    assert np.median(after.heart_rate[-60:]) == pytest.approx(71 + raised, abs=1)


def test_bradycardia_lowers_the_heart_by_25_bpm():
    assert np.median(changed("bradycardia", span()).heart_rate) == pytest.approx(46, abs=1)


def test_bradycardia_never_goes_below_30():
    assert changed("bradycardia", span(heart_rate=40.0)).heart_rate.min() >= 30


def test_an_irregular_rhythm_scatters_without_memory():
    heart = changed("irregular_rhythm", span(minutes=60)).heart_rate
    assert heart.std() / heart.mean() == pytest.approx(0.16, abs=0.03)
    assert abs(np.corrcoef(heart[1:], heart[:-1])[0, 1]) < 0.12


def test_spikes_are_few_and_isolated():
    before = span(minutes=15)
    jump = np.abs(changed("spikes", before).heart_rate - before.heart_rate)
    assert 5 <= (jump > 0).sum() <= 40
    assert jump[jump > 0].min() >= 54


def test_a_stuck_sensor_repeats_its_first_value():
    assert set(changed("stuck_sensor", span()).heart_rate) == {70.0}


def test_a_dropout_is_zero_throughout():
    assert set(changed("dropout", span()).heart_rate) == {0.0}


@pytest.mark.parametrize(("kind", "least"), [("stuck_sensor", 0.8), ("dropout", 0.6)])
def test_a_milder_fault_lets_some_readings_through(kind, least):
    before = span(minutes=60)
    before = replace(before, heart_rate=before.heart_rate + np.arange(len(before.heart_rate)))
    after = changed(kind, before, severity=0.4)
    assert least < np.mean(after.heart_rate != before.heart_rate) < 0.99


def test_a_heart_rate_that_ignores_activity_stays_at_rest():
    after = changed("ignores_activity", span(heart_rate=120.0, cadence=110))
    assert np.abs(after.heart_rate - 60).max() < 8


def test_cadence_lock_reports_steps_per_minute_as_heart_rate():
    after = changed("cadence_lock", span(heart_rate=130.0, cadence=108))
    assert np.median(after.heart_rate) == pytest.approx(108, abs=2)
    assert (after.heart_rate[3:-3] < 120).all()


@pytest.mark.parametrize("kind", ["distance", "calories"])
def test_a_mismatch_scales_one_channel_fivefold_either_way_and_no_other(kind):
    before = span(cadence=100)
    ratios = set()
    for seed in range(8):
        after = changed(f"{kind}_mismatch", before, seed=seed)
        ratios.add(round(float(getattr(after, kind).sum() / getattr(before, kind).sum()), 3))
        assert after.heart_rate is before.heart_rate
        assert after.steps is before.steps
    assert ratios == {round(np.exp(1.6), 3), round(np.exp(-1.6), 3)}


def test_activity_in_sleep_adds_steps_distance_and_energy():
    before = span()
    after = changed("activity_in_sleep", before)
    assert after.steps.sum() == pytest.approx(110 * (600 - 5) / 60, rel=0.03)
    assert (after.steps % 1 == 0).all()
    assert after.distance.sum() / after.steps.sum() == pytest.approx(0.675, abs=0.08)
    assert after.calories.sum() == pytest.approx(3.5 * before.calories.sum())


@pytest.mark.parametrize(("severity", "raised"), [(0.5, 11), (1.0, 14)])
def test_illness_raises_the_heart_by_8_to_14_bpm_for_hours(severity, raised):
    before = span(minutes=120)
    rise = changed("ill_raised", before, severity=severity).heart_rate - before.heart_rate
    assert rise[-1] == pytest.approx(raised, abs=0.1)
    assert (np.diff(rise) >= -1e-9).all()


def test_a_shifted_clock_repeats_the_readings_of_another_time():
    other = span(heart_rate=95.0, cadence=60)
    after = changed("clock_shift", replace(span(heart_rate=50.0), elsewhere=other))
    assert (after.heart_rate == other.heart_rate).all()
    assert (after.steps == other.steps).all()


@pytest.mark.parametrize("kind", [name for name in KINDS if name not in ("cadence_lock", "clock_shift")])
def test_higher_severity_is_further_from_normal(kind):
    before = span(minutes=30, heart_rate=110.0, cadence=100)
    before = replace(before, heart_rate=before.heart_rate + np.linspace(0, 30, len(before.seconds)))

    def difference(severity):
        total = 0.0
        for seed in range(5):
            after = changed(kind, before, severity=severity, seed=seed)
            total += np.abs(after.heart_rate - before.heart_rate).sum()
            total += sum(
                np.abs(np.log((getattr(after, c) + 1e-3) / (getattr(before, c) + 1e-3))).sum() for c in COUNTERS
            )
        return total

    assert difference(0.4) < difference(0.7) < difference(1.0)


def test_every_kind_leaves_a_span_of_the_same_length_without_negative_amounts():
    before = replace(span(cadence=60), elsewhere=span(cadence=90))
    for kind in KINDS:
        after = changed(kind, before)
        assert len(after.heart_rate) == len(before.heart_rate)
        assert min(after.steps.min(), after.calories.min(), after.distance.min()) >= 0


def test_heart_rate_is_reported_in_whole_bpm_within_range():
    assert quantised(np.array([0, 12.0, 71.4, 71.6, 300.0])).tolist() == [0, 30, 71, 72, 230]


def test_cadence_is_counted_over_a_centred_window():
    seconds = np.arange(0.0, 300, 5)
    assert steps_per_minute(np.full(60, 9.0), seconds, window_s=60)[10:50].tolist() == [108.0] * 40
