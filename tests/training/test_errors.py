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
