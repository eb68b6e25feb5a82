"""Wearers followed through their windows, and the same windows without a baseline."""

import numpy as np
import pytest
from conftest import life

from lib.detector.detector import Detector
from lib.detector.following import follow


@pytest.fixture(scope="module")
def detector(export):
    return Detector.load(export)


def test_without_baselines_each_window_scores_as_a_strangers(detector):
    samples, first, wearer = life(3000, seed=4), np.arange(0, 2940, 12), np.repeat(["ada", "ben"], 1500)
    samples[:, 1] = 0  # still minutes, which a baseline learns from
    followed = follow(detector, samples, first, wearer)
    assert followed.minutes.max() > 100
    strangers = followed.without_baselines(detector)
    expected = [detector.score(samples[row : row + 60], np.zeros(60, dtype=int)).scores[0] for row in first[::40]]
    np.testing.assert_allclose(strangers.scores[::40], expected, rtol=1e-6)
    unknown = followed.offset == 0
    np.testing.assert_allclose(strangers.scores[unknown], followed.scores[unknown], rtol=1e-6)


def test_a_window_that_lacks_a_channel_is_scored_by_its_largest_channel_set(detector):
    samples, first = life(200, seed=4), np.array([0, 100])
    samples[:70, 3] = np.nan
    followed = follow(detector, samples, first, ["ada"] * 200)
    assert followed.channel_set.tolist() == ["without distance", "all channels"]
    assert np.isfinite(followed.without_baselines(detector).scores).all()
