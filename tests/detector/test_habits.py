"""A wearer's habits, worked out by hand."""

import json

import numpy as np
import pytest

from lib.detector import habits
from lib.detector.habits import BINS, FORGETS, LEAST, MOST, SHRUNK, WIDTH, Habits

MEAN, SCALE = np.zeros(WIDTH), np.ones(WIDTH)


def learned(values, ratios=(), *, before=None):
    values = np.repeat(np.reshape(np.asarray(values, dtype=float), (-1, 1)), WIDTH, axis=1)
    return (before or Habits()).learned(values, np.asarray(ratios, dtype=float), MEAN, SCALE)


def test_nobody_known_has_the_populations_level_and_limits():
    own, spread = Habits().level(MEAN + 2, SCALE * 3)
    np.testing.assert_allclose(own, 2)
    np.testing.assert_allclose(spread, 3)
    assert Habits().limit_ratio == 1


def test_the_level_is_the_own_mean_shrunk_toward_the_populations():
    own, _ = learned([4.0] * SHRUNK).level(MEAN, SCALE)
    np.testing.assert_allclose(own, 2.0)
    own, spread = learned([3.0, 5.0] * (50 * SHRUNK // 2 // 1)).level(MEAN, SCALE)
    np.testing.assert_allclose(own, 4.0 * 25 / 26)  # FORGETS halves it once
    assert 1 < spread[0] < 1.3  # their own is 1; a little more for what is not yet known of their level


def test_a_strange_window_moves_a_known_level_by_four_spreads_at_most():
    known = learned(np.zeros(400))
    strange, very = (learned([value], before=known).level(MEAN, SCALE)[0][0] for value in (50.0, 5000.0))
    assert strange == very
    assert 0 < strange < 5 / (400 + SHRUNK)


def test_a_descriptor_without_a_value_teaches_nothing():
    absent = np.full((300, WIDTH), np.nan)
    own, spread = Habits().learned(absent, np.empty(0), MEAN + 7, SCALE * 2).level(MEAN + 7, SCALE * 2)
    np.testing.assert_allclose(own, 7)
    np.testing.assert_allclose(spread, 2)


def test_a_wearer_whose_life_is_more_restless_has_wider_limits_by_how_well_that_is_known():
    ratios = np.full(720, 1.5)
    assert learned(np.zeros(720), ratios).limit_ratio == pytest.approx(np.sqrt(1.5), rel=0.08)
    assert learned(np.zeros(7200), np.full(7200, 1.5)).limit_ratio == pytest.approx(1.5, rel=0.12)


@pytest.mark.parametrize(("ratio", "bound"), [(1e6, MOST), (1e-6, LEAST)])
def test_no_life_however_strange_moves_a_limit_beyond_the_bounds(ratio, bound):
    assert learned(np.zeros(9000), np.full(9000, ratio)).limit_ratio == pytest.approx(bound)


def test_old_windows_are_forgotten_by_halves():
    full = learned(np.ones(FORGETS + 10), np.ones(FORGETS + 10))
    assert full.windows == (FORGETS + 10) / 2
    np.testing.assert_allclose(full.total, full.windows)
    assert full.evidence.sum() == full.windows


def test_translation_keeps_small_differences_and_takes_the_logarithm_of_large_ones():
    own, spread = np.full(WIDTH, 10.0), np.full(WIDTH, 2.0)
    values = np.repeat([[10.0], [12.0], [4.0], [10 + 2 * (3 + np.e - 1)]], WIDTH, axis=1)
    translated = habits.translated(values, (own, spread), MEAN + 1, SCALE * 5)
    np.testing.assert_allclose(translated[:, 0], [1, 6, -14, 1 + 5 * 4])


def test_habits_come_back_from_json_as_they_were_and_are_small():
    rng = np.random.default_rng(0)
    made = Habits().learned(rng.normal(5, 3, (4000, WIDTH)), rng.uniform(0.1, 2, 4000), MEAN, SCALE)
    text = json.dumps(made.to_json(), separators=(",", ":"))
    assert len(text) < 1000
    read = Habits.from_json(json.loads(text))
    np.testing.assert_allclose(read.level(MEAN, SCALE), made.level(MEAN, SCALE), rtol=1e-3)
    assert read.limit_ratio == pytest.approx(made.limit_ratio, rel=1e-3)


@pytest.mark.parametrize(
    "change",
    [
        {"windows": -1},
        {"windows": float("nan")},
        {"windows": True},
        {"mean": [0] * (WIDTH - 1)},
        {"mean": ["0"] * WIDTH},
        {"spread": [-1.0] * WIDTH},
        {"evidence": [1e9] * BINS},
    ],
)
def test_what_are_no_habits_is_refused(change):
    with pytest.raises(ValueError, match="habits"):
        Habits.from_json(Habits().to_json() | change)


def test_a_histogram_of_more_windows_than_were_learned_from_weighs_no_more_than_those():
    crowded = Habits().to_json() | {"windows": 100, "evidence": [1000] * BINS}
    assert Habits.from_json(crowded).evidence.sum() == pytest.approx(100)


def test_a_window_knows_only_what_was_before_it_and_only_of_its_own_wearer():
    wearer, minute = np.repeat([0, 1], 40), np.tile(np.arange(40), 2)
    values = np.repeat(np.where(wearer == 0, 4.0, -4.0)[:, None], WIDTH, axis=1)
    own, _ = habits.levels_so_far(values, wearer, minute, MEAN, SCALE)
    assert (own[minute < 15] == 0).all()
    np.testing.assert_allclose(own[20], learned([4.0] * 15).level(MEAN, SCALE)[0])
    np.testing.assert_allclose(own[40:], -own[:40])
    ratios = habits.limit_ratios_so_far(np.full(80, 1.5), wearer, minute)
    assert (ratios[minute < 15] == 1).all()
    assert ratios[39] == learned(np.zeros(30), np.full(30, 1.5)).limit_ratio
