"""The rivals' errors against figures worked out by hand."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator

from lib.detector.windows import gather
from lib.training.rivals import (
    Chance,
    DenseAutoencoder,
    MeanRule,
    PrincipalComponents,
    RecentLife,
    errors_by_channel,
    fit,
    on_statistics,
)

UNITS = {"scaler": {"mean": [70.0, 5.0, 0.4, 3.5], "scale": [10.0, 1.0, 0.1, 1.0]}, "interval_s": 5}
RESIDUAL = RecentLife(1800, in_spreads=False)
IN_SPREADS = RecentLife(1800, in_spreads=True)


def windows_of(heart_rates, *, length=4):
    windows = np.zeros((len(heart_rates), length, 7), dtype=np.float32)
    windows[:, :, 0] = np.array(heart_rates)[:, None]
    return windows


@pytest.fixture(scope="module")
def samples():
    return np.random.default_rng(0).normal(size=(300, 7)).astype(np.float32)


def test_a_rule_counts_standard_deviations_from_the_training_mean():
    rule = MeanRule(0).fit(windows_of([1, 3]))  # mean 2, standard deviation 1
    assert rule.score(windows_of([2, 5, -2])).tolist() == [0, 3, 4]


def test_a_rule_reads_a_windows_mean_and_no_other_feature():
    window = np.zeros((1, 4, 7))
    window[0, :, 0] = [0, 10, 2, 0]
    window[0, :, 1:] = 99
    rule = MeanRule(0).fit(windows_of([1.5, 2.5]))  # mean 2, standard deviation 0.5
    assert rule.score(window).tolist() == [2.0]


def test_identical_training_windows_give_the_rule_a_deviation_of_one():
    assert MeanRule(0).fit(windows_of([3, 3])).score(windows_of([5])).tolist() == [2.0]


def test_components_rebuild_what_lies_in_their_plane_and_miss_what_does_not():
    rival = PrincipalComponents(1).fit(windows_of([0, 1, 2, 3]))
    odd = windows_of([1.5])
    odd[0, 2, 3] = 2.0  # off the line by 2 in one of 28 places
    assert rival.score(windows_of([10.0])) == pytest.approx([0], abs=1e-9)
    assert rival.score(odd) == pytest.approx([4 / 28], rel=1e-5)


@pytest.fixture(scope="module")
def rivals(samples):
    learned, compared = (gather(samples, np.arange(first, 100), length=20) for first in (0, 1))
    return fit(learned, compared, components=8, **UNITS)


def test_rules_read_one_feature_and_pca_has_the_given_number_of_components(rivals):
    assert [rivals[name].feature for name in ("heart-rate rule", "steps rule")] == [0, 1]
    assert rivals["PCA"].pipeline[-1].components_.shape == (8, 140)


def test_rivals_keep_their_names(rivals):
    rules = ["heart-rate rule", "steps rule", "rolling z-score", "moving average"]
    rebuilt = ["PCA", "PCA, by channel", "dense autoencoder", "dense autoencoder, by channel"]
    assert list(rivals) == [*rules, *rebuilt, "isolation forest", "nearest neighbours", "random"]


def test_rivals_that_compare_only_know_the_windows_to_compare_with(rivals, samples):
    only_learned = gather(samples, np.array([0]), length=20)
    for name in ("PCA, by channel", "dense autoencoder, by channel"):
        assert rivals[name].score(only_learned)[0] > 0.01


def test_a_window_far_from_all_training_windows_has_larger_errors(rivals, samples):
    usual, odd = gather(samples, np.array([30]), length=20), gather(samples, np.array([30]), length=20)
    odd[:, :, 0] += 12
    for name in ("nearest neighbours", "isolation forest", "dense autoencoder"):
        assert rivals[name].score(odd) > rivals[name].score(usual)


def test_errors_by_channel_find_a_small_error_in_a_channel_that_never_has_one():
    windows = np.random.default_rng(0).normal(size=(300, 20, 7))
    windows[:, :, 3] *= 0.01
    rival = errors_by_channel(np.zeros_like).fit(windows[:250])
    others = windows[250:].copy()
    others[:25, :, 3] *= 5  # still the smallest error of all channels
    errors = rival.score(others)
    assert errors[:25].min() > errors[25:].max()
    plain = np.square(others).mean(axis=(1, 2))
    assert (plain[:25] < plain[25:].max()).mean() > 0.8  # a mean over channels hardly separates them


class LargestValue(BaseEstimator):
    """A detector to which the largest value of any column is the most unusual."""

    def fit(self, columns, y=None):
        self.fitted_ = True
        return self

    def score_samples(self, columns):
        return -np.abs(columns).max(axis=1)


def test_statistics_weigh_alike_in_any_unit():
    heart = windows_of([-1, 1, -1, 1])  # 60 and 80 bpm; the other statistics never change
    rival = on_statistics(LargestValue(), **UNITS).fit(heart)
    assert rival.score(windows_of([2])) == pytest.approx([2])  # 90 bpm against 70, with a deviation of 10


def test_the_dense_autoencoder_learns_what_training_windows_have_in_common():
    together = np.repeat(np.random.default_rng(1).normal(size=(400, 1, 1)), 7, axis=2).repeat(4, axis=1)
    rival = DenseAutoencoder(1, epochs=40).fit(together.astype(np.float32))
    apart = together[:50] * np.array([1, -1, 1, -1, 1, -1, 1])
    assert rival.score(together[:50]).mean() < 0.1 * rival.score(apart).mean()


def test_the_same_seed_gives_the_same_dense_autoencoder(samples):
    windows = gather(samples, np.arange(100), length=4)
    one, same = (DenseAutoencoder(3, epochs=2).fit(windows).score(windows) for _ in range(2))
    np.testing.assert_array_equal(one, same)


def test_random_errors_are_reproducible_and_distinct(samples):
    one, same = (Chance(seed=4).score(np.zeros((50, 20, 7))) for _ in range(2))
    np.testing.assert_array_equal(one, same)
    assert len(set(one)) == 50


def test_the_same_seed_gives_the_same_components(samples):
    windows = gather(samples, np.arange(100), length=20)
    one, same = (PrincipalComponents(32, seed=3).fit(windows).score(windows) for _ in range(2))
    np.testing.assert_array_equal(one, same)


def test_fewer_windows_than_components_are_refused(samples):
    with pytest.raises(ValueError, match="n_components=32"):
        PrincipalComponents(32).fit(gather(samples, np.arange(10), length=20))


@pytest.mark.parametrize("name", ["heart-rate rule", "PCA", "dense autoencoder", "nearest neighbours"])
def test_errors_do_not_depend_on_the_batch_size(rivals, samples, name):
    first = np.arange(0, 200, 3)
    errors = rivals[name].errors(samples, first, length=20, wearer=np.zeros(len(first)), batch_size=30)
    np.testing.assert_allclose(errors, rivals[name].score(gather(samples, first, length=20)), rtol=1e-4)


def test_recent_life_uses_wearers_and_end_times(rivals, samples):
    first, wearer = np.arange(8), np.repeat([0, 1], 4)
    heart = gather(samples, first, length=20)[:, :, 0].mean(axis=1, dtype=np.float64)
    at_default = {"length": 20, "wearer": wearer}
    errors = rivals["moving average"].errors(samples, first, **at_default)
    expected = np.abs([heart[3] - heart[:3].mean(), heart[7] - heart[4:7].mean()])
    assert errors[[3, 7]] == pytest.approx(expected)
    hourly = np.arange(8).astype("datetime64[h]")
    assert not rivals["moving average"].errors(samples, first, ended=hourly, **at_default).any()


def at(*minutes):
    return np.array(minutes, dtype="datetime64[m]")


def test_a_window_is_compared_with_the_mean_of_those_before_it():
    errors = RESIDUAL.in_sequence(np.array([1.0, 3, 2, 8]), np.zeros(4), at(0, 1, 2, 3))
    assert errors.tolist() == [0, 0, 0, 6]  # 8 against 2; the first three have too few before them


def test_a_z_score_divides_by_the_recent_standard_deviation():
    errors = IN_SPREADS.in_sequence(np.array([1.0, 3, 2, 8]), np.zeros(4), at(0, 1, 2, 3))
    assert errors[-1] == pytest.approx(6 / (1 + 0.05))  # 1, 3 and 2 have a standard deviation of 1


def test_a_heart_rate_below_the_recent_one_counts_like_one_above():
    errors = RESIDUAL.in_sequence(np.array([1.0, 3, 2, -4]), np.zeros(4), at(0, 1, 2, 3))
    assert errors[-1] == 6


def test_wearers_are_compared_with_themselves():
    means, wearer = np.array([1.0, 50, 3, 50, 2, 50, 8]), np.array(list("abababa"))
    assert RESIDUAL.in_sequence(means, wearer, at(*range(7))).tolist() == [0, 0, 0, 0, 0, 0, 6]


def test_windows_that_ended_longer_ago_do_not_count():
    errors = RESIDUAL.in_sequence(np.array([100.0, 1, 1, 1, 1]), np.zeros(5), at(0, 28, 29, 30, 31))
    assert errors.tolist() == [0, 0, 0, 33, 0]  # at minute 30, minute 0 still counts; at 31 it does not


def test_after_a_long_gap_errors_are_zero_until_three_windows_are_recent():
    errors = RESIDUAL.in_sequence(np.array([1.0, 1, 1, 9, 9, 9, 7]), np.zeros(7), at(0, 1, 2, 60, 61, 62, 63))
    assert errors.tolist() == [0, 0, 0, 0, 0, 0, 2]


def test_windows_further_apart_reach_no_further_back():
    every_ten = RESIDUAL.in_sequence(np.array([40.0, 1, 2, 3, 4]), np.zeros(5), at(0, 10, 20, 30, 40))
    assert every_ten.tolist() == [0, 0, 0, pytest.approx(34 / 3), 2]  # 3 against 43/3, 4 against 2


def test_nothing_later_than_a_window_changes_its_error():
    means = np.random.default_rng(0).normal(size=60)
    full = IN_SPREADS.in_sequence(means, np.zeros(60), at(*range(60)))
    beginning = IN_SPREADS.in_sequence(means[:40], np.zeros(40), at(*range(40)))
    assert beginning[3:].all()
    np.testing.assert_array_equal(full[:40], beginning)


def test_a_constant_heart_rate_leaves_the_spread_a_floor():
    errors = IN_SPREADS.in_sequence(np.array([2.0, 2, 2, 3]), np.zeros(4), at(0, 1, 2, 3))
    assert errors[-1] == pytest.approx(1 / 0.05)


def test_windows_out_of_order_are_refused():
    with pytest.raises(ValueError, match="expected windows in time order"):
        RESIDUAL.in_sequence(np.ones(3), np.zeros(3), at(2, 1, 3))
