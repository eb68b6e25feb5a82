"""The rivals' errors against figures worked out by hand."""

import numpy as np
import pytest

from lib.rivals import MeanRule, PrincipalComponents, errors, fit
from lib.windows import gather


def windows_of(heart_rates, *, length=4):
    windows = np.zeros((len(heart_rates), length, 7), dtype=np.float32)
    windows[:, :, 0] = np.array(heart_rates)[:, None]
    return windows


@pytest.fixture(scope="module")
def samples():
    return np.random.default_rng(0).normal(size=(300, 7)).astype(np.float32)


def test_a_rule_counts_standard_deviations_from_the_training_mean():
    rule = MeanRule.fit(windows_of([1, 3]), feature=0)  # mean 2, standard deviation 1
    assert rule.score(windows_of([2, 5, -2])).tolist() == [0, 3, 4]


def test_a_rule_reads_a_windows_mean_and_no_other_feature():
    window = np.zeros((1, 4, 7))
    window[0, :, 0] = [0, 10, 2, 0]
    window[0, :, 1:] = 99
    assert MeanRule(feature=0, mean=2.0, deviation=0.5).score(window).tolist() == [2.0]


def test_training_windows_that_are_all_alike_leave_the_rule_a_deviation_of_one():
    assert MeanRule.fit(windows_of([3, 3]), feature=0).score(windows_of([5])).tolist() == [2.0]


def test_components_rebuild_what_lies_in_their_plane_and_miss_what_does_not():
    rival = PrincipalComponents.fit(windows_of([0, 1, 2, 3]), components=1)
    odd = windows_of([1.5])
    odd[0, 2, 3] = 2.0  # off the line by 2 in one of 28 places
    assert rival.score(windows_of([10.0])) == pytest.approx([0], abs=1e-9)
    assert rival.score(odd) == pytest.approx([4 / 28], rel=1e-5)


def test_the_rivals_are_two_rules_of_one_feature_and_as_many_components_as_asked_for(samples):
    rivals = fit(gather(samples, np.arange(100), length=60), components=9)
    assert [rivals[name].feature for name in ("heart-rate rule", "steps rule")] == [0, 1]
    assert rivals["PCA"].pca.components_.shape == (9, 420)
    assert len(rivals) == 3


def test_the_same_seed_gives_the_same_components(samples):
    windows = gather(samples, np.arange(100), length=20)
    one, same = (PrincipalComponents.fit(windows, components=32, seed=3).score(windows) for _ in range(2))
    np.testing.assert_array_equal(one, same)


def test_fewer_windows_than_components_are_refused(samples):
    with pytest.raises(ValueError, match="n_components=32"):
        PrincipalComponents.fit(gather(samples, np.arange(10), length=20), components=32)


@pytest.mark.parametrize("name", ["heart-rate rule", "steps rule", "PCA"])
def test_errors_are_the_same_however_many_windows_a_batch_holds(samples, name):
    first = np.arange(0, 200, 3)
    windows = gather(samples, first, length=20)
    rival = fit(windows, components=8)[name]
    found = errors(rival, samples, first, length=20, batch_size=30)
    np.testing.assert_allclose(found, rival.score(windows), rtol=1e-5)
