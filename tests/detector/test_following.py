"""Following wearers whose windows were described before."""

import numpy as np
import pytest
from conftest import life

from lib.detector.detector import Detector
from lib.detector.following import follow


@pytest.fixture(scope="module")
def detector(export):
    return Detector.load(export)


def test_described_windows_are_not_described_again_and_score_the_same(detector, monkeypatch):
    samples, first, wearer = life(2400, seed=4), np.arange(0, 2340, 12), np.repeat(["ada", "ben"], 1200)
    anew = follow(detector, samples, first, wearer, baselines=False)
    described = follow(detector, samples, first, wearer)
    monkeypatch.setattr(type(detector.describer), "describe", None)
    again = follow(
        detector, samples, first, wearer, baselines=False, described=(described.descriptors, described.faults)
    )
    np.testing.assert_array_equal(again.scores, anew.scores)
    assert not again.minutes.any()
