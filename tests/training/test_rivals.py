"""The rivals' errors against figures worked out by hand."""

import numpy as np
import pytest

from lib.detector.windows import gather
from lib.training import rivals as methods
from lib.training.rivals import (
    Chance,
    DenseAutoencoder,
    MeanRule,
    OfStatistics,
    PrincipalComponents,
    errors,
    fit,
    neighbours,
)


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


FORM = {"scaler": {"mean": [70.0, 5.0, 0.4, 3.5], "scale": [10.0, 1.0, 0.1, 1.0]}, "interval_s": 5}


@pytest.fixture(scope="module")
def rivals(samples):
    learned, compared = (gather(samples, np.arange(first, 100), length=20) for first in (0, 1))
    return fit(learned, compared, components=8, **FORM)


def test_rules_read_one_feature_and_components_are_as_many_as_asked_for(rivals):
    assert [rivals[name].feature for name in ("heart-rate rule", "steps rule")] == [0, 1]
    assert rivals["PCA"].pca.components_.shape == (8, 140)


def test_rivals_keep_their_names(rivals):
    rules = ["heart-rate rule", "steps rule", "rolling z-score", "moving average"]
    rebuilt = ["PCA", "PCA, by channel", "dense autoencoder", "dense autoencoder, by channel"]
    assert list(rivals) == [*rules, *rebuilt, "isolation forest", "nearest neighbours", "random"]


def test_who_compares_does_so_with_the_windows_for_it_alone(rivals, samples):
    known, apart = (gather(samples, np.array([first]), length=20) for first in (50, 0))
    for name in ("PCA, by channel", "dense autoencoder, by channel"):
        assert rivals[name].score(apart)[0] > 0.01  # which learned to rebuild it, but has not compared with it


def test_a_window_far_from_all_training_windows_is_strange_to_neighbours_and_forest(rivals, samples):
    usual, odd = gather(samples, np.array([30]), length=20), gather(samples, np.array([30]), length=20)
    odd[:, :, 0] += 12
    for name in ("nearest neighbours", "isolation forest", "dense autoencoder"):
        assert rivals[name].score(odd) > rivals[name].score(usual)


def test_neighbours_give_the_mean_distance_to_the_nearest_five():
    columns = np.array([[0.0], [1], [2], [3], [4], [100]])
    assert neighbours(columns)(np.array([[0.0], [10]])).tolist() == [2, 8]  # of 0 to 4, and of 10 to 6


def test_fewer_training_windows_than_neighbours_are_all_neighbours():
    assert neighbours(np.array([[0.0], [4]]))(np.array([[1.0]])).tolist() == [2]


def test_errors_by_channel_find_a_small_error_where_there_is_never_one():
    windows = np.random.default_rng(0).normal(size=(300, 20, 7))
    windows[:, :, 3] *= 0.01
    rival = methods.ErrorsByChannel.fit(windows[:250], np.zeros_like)
    asked = windows[250:].copy()
    asked[:25, :, 3] *= 5  # still the smallest error of all channels
    found = rival.score(asked)
    assert found[:25].min() > found[25:].max()
    plain = np.square(asked).mean(axis=(1, 2))
    assert (plain[:25] < plain[25:].max()).mean() > 0.8  # their mean hardly tells them


def test_an_unknown_column_is_as_good_as_a_usual_one():
    unlike = methods.unlike(np.random.default_rng(0).normal(size=(200, 2)))
    assert unlike(np.array([[np.nan, 9.0]])) > 5
    assert unlike(np.array([[np.nan, 0.0]])) < 1


def test_statistics_weigh_alike_whatever_their_unit():
    heart = windows_of([-1, 1, -1, 1])  # 60 and 80 bpm; the other statistics never change
    rival = OfStatistics.fit(heart, lambda _: lambda columns: np.abs(columns).max(axis=1), **FORM)
    assert rival.score(windows_of([2])) == pytest.approx([2])  # 90 bpm against 70, with a deviation of 10


def test_the_dense_autoencoder_learns_what_training_windows_have_in_common():
    together = np.repeat(np.random.default_rng(1).normal(size=(400, 1, 1)), 7, axis=2).repeat(4, axis=1)
    rival = DenseAutoencoder.fit(together.astype(np.float32), components=1, epochs=40)
    apart = together[:50] * np.array([1, -1, 1, -1, 1, -1, 1])
    assert rival.score(together[:50]).mean() < 0.1 * rival.score(apart).mean()


def test_the_same_seed_gives_the_same_dense_autoencoder(samples):
    windows = gather(samples, np.arange(100), length=4)
    one, same = (DenseAutoencoder.fit(windows, components=3, epochs=2).score(windows) for _ in range(2))
    np.testing.assert_array_equal(one, same)


def test_random_errors_are_the_same_for_the_same_seed_and_no_two_alike(samples):
    one, same = (Chance(seed=4).score(np.zeros((50, 20, 7))) for _ in range(2))
    np.testing.assert_array_equal(one, same)
    assert len(set(one)) == 50


def test_the_same_seed_gives_the_same_components(samples):
    windows = gather(samples, np.arange(100), length=20)
    one, same = (PrincipalComponents.fit(windows, components=32, seed=3).score(windows) for _ in range(2))
    np.testing.assert_array_equal(one, same)


def test_fewer_windows_than_components_are_refused(samples):
    with pytest.raises(ValueError, match="n_components=32"):
        PrincipalComponents.fit(gather(samples, np.arange(10), length=20), components=32)


@pytest.mark.parametrize("name", ["heart-rate rule", "PCA", "dense autoencoder", "nearest neighbours"])
def test_errors_are_the_same_however_many_windows_a_batch_holds(rivals, samples, name):
    first = np.arange(0, 200, 3)
    found = errors(rivals[name], samples, first, length=20, wearer=np.zeros(len(first)), batch_size=30)
    np.testing.assert_allclose(found, rivals[name].score(gather(samples, first, length=20)), rtol=1e-4)


def test_recent_life_is_told_whose_windows_they_are_and_when_they_ended(rivals, samples):
    first, wearer = np.arange(8), np.repeat([0, 1], 4)
    heart = gather(samples, first, length=20)[:, :, 0].mean(axis=1, dtype=np.float64)
    at = {"length": 20, "wearer": wearer}
    found = errors(rivals["moving average"], samples, first, **at)
    expected = np.abs([heart[3] - heart[:3].mean(), heart[7] - heart[4:7].mean()])
    assert found[[3, 7]] == pytest.approx(expected)
    hourly = np.arange(8).astype("datetime64[h]")
    assert not errors(rivals["moving average"], samples, first, ended=hourly, **at).any()
