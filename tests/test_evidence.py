import numpy as np
import pytest
from conftest import SCALER, life

from lib import evidence, features, windows
from lib.evidence import NAMES, NEEDS, Normal

ALL = np.array([True] * 4)
WIDTH = len(NAMES)


def normal(columns, *, mean=0.0, scale=1.0):
    columns = np.asarray(columns, dtype=np.float32)
    return Normal.of(np.zeros(7), np.full(WIDTH, mean), np.full(WIDTH, scale), columns)


def row(**values):
    made = np.zeros(WIDTH)
    for name, value in values.items():
        made[NAMES.index(name.replace("_", " "))] = value
    return made


def test_the_evidence_is_the_mean_distance_to_the_three_nearest():
    known = normal([row(steps=1), row(steps=2), row(steps=3), row(steps=50)])
    assert known.distances(row()[None], ALL) == pytest.approx(2)
    assert known.distances(np.stack([row(), row(steps=2)]), ALL) == pytest.approx([2, 2 / 3])


def test_columns_of_channels_that_do_not_count_have_no_part_in_it_even_unknown():
    known = normal([row(steps=1, distance=9)] * 3)
    asked = np.full(WIDTH, np.nan)
    asked[~NEEDS[:, 3]] = 0
    assert known.distances(asked[None], np.array([True, True, True, False])) == pytest.approx(1)


def test_each_window_may_have_channels_of_its_own():
    known = normal([row(steps=3, distance=4)] * 3)
    counted = np.array([[True] * 4, [True, True, True, False], [True, False, False, True]])
    assert known.distances(np.zeros((3, WIDTH)), counted) == pytest.approx([5, 3, 4])


def test_a_wearers_own_level_moves_the_heart_rate_and_nothing_else():
    known = normal([row()] * 3)
    above = row(heart_rate=7, lowest_heart_rate=7, highest_heart_rate=7, steps=2)
    assert known.distances(above[None], ALL, 7.0) == pytest.approx(2)
    assert known.distances(np.stack([above, above]), ALL, np.array([7.0, 4.0])) == pytest.approx([2, np.sqrt(27 + 4)])


def test_of_many_windows_half_are_drawn_and_half_are_those_furthest_from_them():
    rng = np.random.default_rng(0)
    usual, rare = rng.normal(size=(1000, WIDTH)), 40 + rng.normal(size=(3, WIDTH))
    columns = np.concatenate([usual, rare])
    fitted = Normal.fit(columns, curve=np.zeros(7), at_most=60, rng=rng)
    assert len(fitted.columns) == 60
    assert (fitted.columns * fitted.scale + fitted.mean > 20).all(axis=1).sum() == 3
    few = Normal.fit(columns[:40], curve=np.zeros(7), at_most=60, rng=rng)
    assert len(few.columns) == 40


def test_windows_that_lack_a_value_or_are_none_are_nothing_to_compare_with():
    with pytest.raises(ValueError, match="0 windows"):
        Normal.fit(np.empty((0, WIDTH)), curve=np.zeros(7), at_most=4, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="1 values absent"):
        Normal.fit(np.where(np.arange(WIDTH) == 3, np.nan, np.zeros((1, WIDTH))), curve=0, at_most=4, rng=None)


def test_it_comes_back_as_it_was_saved(tmp_path):
    columns = np.random.default_rng(0).normal(size=(50, WIDTH))
    made = Normal.fit(columns, curve=np.arange(7.0), at_most=20, rng=np.random.default_rng(0))
    made.save(tmp_path / "normal.npz")
    read = Normal.load(tmp_path / "normal.npz")
    np.testing.assert_array_equal(read.distances(columns, ALL), made.distances(columns, ALL))
    np.testing.assert_array_equal(read.curve, made.curve)


def test_the_share_of_a_channel_is_what_its_columns_add_and_one_of_two_is_shared():
    known = normal([row()] * 3)
    shares = known.shares(row(steps=3, distance_for_the_steps=3), ALL)
    np.testing.assert_allclose(shares, [0, 0.75, 0, 0.25], atol=1e-6)


def test_what_is_expected_of_a_channel_is_what_it_was_where_the_others_were_alike():
    at_rest, running = row(heart_rate=0), row(heart_rate=80, steps=np.log(160 + 1), most_steps=5)
    known = normal([at_rest] * 3 + [running] * 3)
    racing = row(heart_rate=80)  # at rest
    expected = known.expected(racing, ALL, 0.0)
    assert expected[0] == pytest.approx(0, abs=1e-4)


def test_the_usual_heart_rate_follows_the_hour():
    hours = np.arange(0, 24, 0.25)
    samples = np.column_stack([60 + 10 * np.cos(2 * np.pi * (hours - 15) / 24), np.zeros((96, 3))])
    made = np.column_stack([samples, features.calendar(3600 * hours)])[:, None]
    curve = evidence.fit_curve(made)
    np.testing.assert_allclose(evidence.usual(made[:, -1], curve), samples[:, 0], atol=1e-6)


def test_the_usual_heart_rate_is_that_of_windows_without_a_step():
    made = life(600)
    made[:, 0], made[:, 1] = 60, 0
    made[300:, :2] = 120, 9
    curve = evidence.fit_curve(windows.gather(made, np.array([0, 100, 350, 500]), length=60))
    assert evidence.usual(made[59:60], curve) == pytest.approx(60, abs=1e-3)


def test_a_window_is_described_by_what_it_rests_on_alone():
    samples = life(200)
    raw = windows.gather(samples, np.array([0, 50]), length=60, size=np.array([60, 20]))
    given = features.scale(raw, SCALER)
    form = {"interval_s": 5, "curve": np.zeros(7)}
    both = evidence.describe(raw, given, given + 1, size=np.array([60, 20]), **form)
    alone = evidence.describe(raw[1:, -20:], given[1:, -20:], given[1:, -20:] + 1, size=np.array([20]), **form)
    np.testing.assert_allclose(both[1], alone[0])
    errors = both[:, NAMES.index("error of heartRate")]
    np.testing.assert_allclose(errors, np.log(1 + 1e-4))
    np.testing.assert_allclose(both[:, NAMES.index("error of changes of heartRate")], np.log(1e-4), atol=1e-6)
