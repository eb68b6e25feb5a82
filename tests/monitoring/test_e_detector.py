"""The e-detector: by hand, its guarantee on observations without a change, and lasting calls."""

import numpy as np
import pytest

from lib.monitoring.e_detector import MEMORY, EDetector


def run(observations, *, mean, limit=1e9, bets=(0.5,)):
    """The evidence and the calls after each of the observations (n_times, n_features)."""
    detector, evidence, called = EDetector(np.array(mean), limit=limit, bets=bets), [], []
    for row in observations:
        detector.update(np.array(row, dtype=float))
        evidence.append(detector.evidence)
        called.append(detector.is_called)
    return evidence, called


def test_the_evidence_is_the_published_recursion():
    evidence, _ = run([[0.3], [0.0], [0.0], [0.5]], mean=[0.1])  # λ = 5: factors 2, 0.5, 0.5, 3
    assert evidence == pytest.approx([2, 1, 0.5, 3])


def test_bets_and_features_are_averaged():
    evidence, _ = run([[0.3, 0.1]], mean=[0.1, 0.1], bets=(0.5, 0.25))
    assert evidence == pytest.approx([np.mean([2, 1.5, 1, 1])])


def test_an_unknown_feature_keeps_its_evidence():
    evidence, _ = run([[0.3, 0.3], [np.nan, 0.0], [np.nan, np.nan]], mean=[0.1, 0.1])
    assert evidence == pytest.approx([2, 1.5, 1.5])


@pytest.mark.parametrize("bets", [(0.5,), (0.2, 0.9)])
def test_without_a_change_a_call_takes_at_least_the_limit_on_average(bets):
    rng, limit, times = np.random.default_rng(1), 30.0, []
    for _ in range(300):
        detector, time = EDetector(np.array([0.1, 0.3]), limit=limit, bets=bets), 0
        while not detector.is_called:
            detector.update(np.array([rng.random() < 0.1, rng.random() * 0.6], dtype=float))
            time += 1
        times.append(time)
    assert np.mean(times) - 2 * np.std(times) / np.sqrt(len(times)) >= limit


def test_a_lasting_change_is_one_call_that_ends_after_it():
    rng = np.random.default_rng(2)
    observations = [[mean + rng.uniform(-0.05, 0.05)] for mean in [0.1] * 30 + [0.4] * 60 + [0.05] * 30]
    _, called = run(observations, mean=[0.1], limit=100.0)
    starts = np.flatnonzero(np.diff(np.append(0, called)) == 1)
    assert len(starts) == 1
    assert 30 <= starts[0] < 38
    assert all(called[starts[0] : 90 + MEMORY - 3])
    assert not called[90 + MEMORY]
