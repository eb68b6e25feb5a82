import numpy as np
import pytest

from lib.detector import habits
from lib.detector.descriptors import NAMES, NEEDS
from lib.detector.neighbours import Reference

ALL = np.array([True] * 4)
WIDTH = len(NAMES)


CURVE = np.append(np.zeros(7), 5.0)  # 5 bpm for each unit in the logarithm of the steps


@pytest.fixture(autouse=True)
def unclipped(monkeypatch):
    """Large differences count in full, so that distances can be worked out by hand."""
    monkeypatch.setattr(habits, "CLIP", 1e9)


def reference(columns, *, spreads=(8.0, 4.0), ceilings=(0.0,) * 4):
    form = {"spreads": np.array(spreads), "ceilings": np.array(ceilings)}
    descriptors = np.asarray(columns, dtype=np.float32)
    return Reference.of(curve=CURVE, mean=np.zeros(WIDTH), scale=np.ones(WIDTH), descriptors=descriptors, **form)


def row(**values):
    made = np.zeros(WIDTH)
    for name, value in values.items():
        made[NAMES.index(name.replace("_", " "))] = value
    return made


def test_the_distance_is_the_mean_of_those_to_the_three_nearest():
    known = reference([row(steps=1), row(steps=2), row(steps=3), row(steps=50)])
    assert known.distances(row()[None], ALL) == pytest.approx(2)
    assert known.distances(np.stack([row(), row(steps=2)]), ALL) == pytest.approx([2, 2 / 3])


def test_columns_of_channels_that_do_not_count_have_no_part_in_it_even_unknown():
    known = reference([row(steps=1, distance=9)] * 3)
    asked = np.full(WIDTH, np.nan)
    asked[~NEEDS[:, 3]] = 0
    assert known.distances(asked[None], np.array([True, True, True, False])) == pytest.approx(1)


def test_each_window_may_have_channels_of_its_own():
    known = reference([row(steps=3, distance=4)] * 3)
    counted = np.array([[True] * 4, [True, True, True, False], [True, False, False, True]])
    assert known.distances(np.zeros((3, WIDTH)), counted) == pytest.approx([5, 3, 4])


def test_a_wearers_own_level_moves_the_heart_rate_and_nothing_else():
    known = reference([row()] * 3)
    above = row(heart_rate=7, lowest_heart_rate=7, highest_heart_rate=7, steps=2)
    assert known.distances(above[None], ALL, 7.0) == pytest.approx(2)
    assert known.distances(np.stack([above, above]), ALL, np.array([7.0, 4.0])) == pytest.approx([2, np.sqrt(27 + 4)])


def test_windows_are_compared_in_their_wearers_own_units():
    known = reference([row(steps=1)] * 3)
    own = row(steps=10), np.where(row(steps=1) > 0, 5.0, 1.0)  # their mean and spread
    assert known.distances(row(steps=15)[None], ALL, level=own) == pytest.approx(0, abs=1e-6)
    assert known.distances(row(steps=10)[None], ALL, level=own) == pytest.approx(1)
    assert known.expected(row(heart_rate=1, steps=15), ALL, level=own)[1] == pytest.approx(np.exp(15) - 1, rel=1e-3)


def test_an_error_weighs_half_of_a_statistic():
    known = reference([row()] * 3)
    asked = row()
    asked[15] = 6.0
    assert known.distances(asked[None], ALL) == pytest.approx(3)


def test_what_two_descriptors_say_in_common_counts_less_than_what_one_of_them_says_alone():
    rng = np.random.default_rng(0)
    columns = rng.normal(size=(2000, WIDTH))
    columns[:, 1] = columns[:, 0] + 0.1 * rng.normal(size=2000)
    fitted = Reference.fit(columns, np.zeros(2000), ALL, curve=CURVE, at_most=2000, rng=rng)
    together, alone = np.zeros((2, WIDTH))
    together[:2], alone[0] = 6.0, 6.0
    assert fitted.distances(together[None], ALL) < 0.7 * fitted.distances(alone[None], ALL)


def test_windows_are_compared_with_all_folds_but_their_own():
    rng, columns = np.random.default_rng(0), np.random.default_rng(1).normal(size=(40, WIDTH))
    fold = np.arange(40) % 4
    fitted = Reference.fit(columns, np.zeros(40), ALL, curve=CURVE, at_most=40, rng=rng, fold=fold)
    pairs = fitted.apart(fold)
    assert [len(others.descriptors) for others, _ in pairs] == [30] * 4
    assert sorted(np.concatenate([places for _, places in pairs])) == list(range(40))
    others, places = pairs[1]
    assert (fold[places] == 1).all()
    assert (others.distances(columns[places], ALL) > fitted.distances(columns[places], ALL)).all()


def test_of_many_windows_half_are_drawn_and_half_are_those_furthest_from_them():
    rng = np.random.default_rng(0)
    usual, rare = rng.normal(size=(1000, WIDTH)), 40 + rng.normal(size=(3, WIDTH))
    columns = np.concatenate([usual, rare])
    fitted = Reference.fit(columns, np.zeros(1003), ALL, curve=CURVE, at_most=60, rng=rng)
    assert len(fitted.descriptors) == 60
    assert (fitted.descriptors[:, :15] > 5).all(axis=1).sum() == 3  # spreads
    few = Reference.fit(columns[:40], np.zeros(40), ALL, curve=CURVE, at_most=60, rng=rng)
    assert len(few.descriptors) == 40


def test_windows_that_lack_a_value_or_are_none_are_nothing_to_compare_with():
    with pytest.raises(ValueError, match="got 0 with 0 missing"):
        Reference.fit(np.empty((0, WIDTH)), np.empty(0), ALL, curve=CURVE, at_most=4, rng=np.random.default_rng(0))
    one = np.where(np.arange(WIDTH) == 3, np.nan, np.zeros((1, WIDTH)))
    with pytest.raises(ValueError, match="got 1 with 1 missing"):
        Reference.fit(one, np.zeros(1), ALL, curve=CURVE, at_most=4, rng=None)


def test_channels_that_the_data_lack_leave_no_trace():
    rng = np.random.default_rng(0)
    columns = rng.normal(size=(40, WIDTH))
    columns[:, NEEDS[:, 2:].any(axis=1)] = np.nan
    two = np.array([True, True, False, False])
    fitted = Reference.fit(columns, np.zeros(40), two, curve=CURVE, at_most=20, rng=rng).with_ceilings(columns, 0.0)
    assert np.isfinite(fitted.evidence(columns, two, 0.0, True)).all()
    assert (fitted.ceilings > 0).tolist() == [True, True, False, False]


def test_it_comes_back_as_it_was_saved(tmp_path):
    columns = np.random.default_rng(0).normal(size=(50, WIDTH))
    form = {"curve": np.arange(8.0), "at_most": 20, "rng": np.random.default_rng(0)}
    made = Reference.fit(columns, np.zeros(50), ALL, **form).with_ceilings(columns * 2, 0.0)
    made.save(tmp_path / "normal.npz")
    read = Reference.load(tmp_path / "normal.npz")
    np.testing.assert_array_equal(read.evidence(columns, ALL), made.evidence(columns, ALL))
    np.testing.assert_array_equal(read.curve, made.curve)


def lifted(asked, ceiling=100.0, *, counted=ALL, offset=0.0, known=True):
    """By how much, in logarithms, the evidence of one window lies above its distance."""
    compared = reference([row()] * 3, ceilings=[ceiling] * 4)
    form = (asked[None], counted, offset)
    return np.log(compared.evidence(*form, known) / compared.distances(*form))[0]


def test_a_heart_faster_than_hour_and_steps_explain_lends_the_evidence_weight():
    raised = row(heart_rate=4, most_calories=1)
    assert lifted(raised, 1e30) == pytest.approx(0.8, rel=0.02)  # one spread, and hardly a ceiling
    assert lifted(raised, 1e30, known=False) == pytest.approx(0.4, rel=0.02)  # half of the wider spread
    assert lifted(row(heart_rate=40), 1e30) == pytest.approx(1.6, rel=0.02)  # two spreads at most
    assert lifted(row(heart_rate=-9)) == 0
    assert lifted(row(heart_rate=10, steps=2)) == 0  # what two units of steps explain
    assert lifted(raised, offset=4.0) == 0  # the wearer's own level


def test_no_lift_goes_beyond_the_ceiling_or_changes_which_window_is_more_unusual():
    distances = np.linspace(4, 12, 50)
    compared = reference([row()] * 3, ceilings=[8.0] * 4)
    asked = np.stack([row(heart_rate=4, most_calories=np.sqrt(of**2 - 16)) for of in distances])
    found = compared.evidence(asked, ALL, 0.0, True)
    assert (np.diff(found) > 0).all()
    assert (found[distances < 8] <= 8 + 1e-6).all()
    np.testing.assert_allclose(found[distances >= 8], distances[distances >= 8], rtol=1e-5)


def test_nothing_is_lifted_where_there_are_no_steps_to_explain_the_heart_rate():
    asked = np.full(WIDTH, np.nan)
    asked[~NEEDS[:, 1:].any(axis=1)] = 10.0
    assert lifted(asked, counted=np.array([True, False, False, False])) == pytest.approx(0, abs=1e-6)


def test_ceilings_are_what_one_in_twenty_normal_windows_exceeds_in_each_channel_set():
    compared = reference([row()] * 3).with_ceilings(np.stack([row(distance=of) for of in range(101)]), 0.0)
    np.testing.assert_allclose(compared.ceilings, [0, 0, 0, 95], atol=1e-6)


def test_the_spread_is_that_about_what_the_steps_explain_and_smaller_where_the_wearer_is_known():
    rng = np.random.default_rng(0)
    steps, offset = rng.uniform(0, 5, 4000), rng.choice([-12.0, 12.0], 4000)
    columns = rng.normal(size=(4000, WIDTH))
    columns[:, NAMES.index("steps")] = steps
    columns[:, NAMES.index("heart rate")] = 5 * steps + offset + rng.normal(0, 3, 4000)
    spreads = Reference.fit(columns, offset, ALL, curve=CURVE, at_most=50, rng=rng).spreads
    np.testing.assert_allclose(spreads, [np.hypot(12, 3), 3], rtol=0.03)


def test_the_share_of_a_channel_is_what_its_columns_add_and_one_of_two_is_shared():
    known = reference([row()] * 3)
    shares = known.shares(row(steps=3, distance_for_the_steps=3), ALL)
    np.testing.assert_allclose(shares, [0, 0.75, 0, 0.25], atol=1e-6)


def test_what_is_expected_of_a_channel_is_what_it_was_where_the_others_were_alike():
    at_rest, running = row(heart_rate=0), row(heart_rate=80, steps=np.log(160 + 1), most_steps=5)
    known = reference([at_rest] * 3 + [running] * 3)
    racing = row(heart_rate=80)  # at rest
    expected = known.expected(racing, ALL, 0.0)
    assert expected[0] == pytest.approx(0, abs=1e-4)


def test_of_a_channel_that_comes_alone_normal_lifes_mean_is_expected_however_rare_the_compared_windows_are():
    known = reference([row(heart_rate=80)] * 6)
    heart_rate_alone = np.array([True, False, False, False])
    assert known.expected(row(heart_rate=120), heart_rate_alone)[0] == 0
