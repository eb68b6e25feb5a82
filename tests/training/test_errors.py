import numpy as np
import pytest

from lib.training import errors


def test_errors_are_means_over_time_and_over_the_features_there_are():
    windows, rebuilt = np.zeros((1, 2, 7)), np.zeros((1, 2, 7))
    windows[0, :, 0], windows[0, 0, 1] = 2, 4
    by_feature = errors.feature_errors(windows, rebuilt)
    np.testing.assert_array_equal(by_feature, [[4, 8, 0, 0, 0, 0, 0]])
    assert errors.window_errors(by_feature, [True] * 7) == pytest.approx(12 / 7)
    assert errors.window_errors(by_feature, [True] + [False] * 6) == 4


def test_padding_does_not_count_in_the_error():
    windows, rebuilt = np.zeros((2, 4, 7)), np.zeros((2, 4, 7))
    windows[:, :2, 0], windows[:, 2:, 0] = 9, 2
    by_feature = errors.feature_errors(windows, rebuilt, np.array([2, 4]))
    assert by_feature[:, 0].tolist() == [4, (2 * 81 + 2 * 4) / 4]
