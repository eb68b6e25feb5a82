import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.detector import grid, scoring

CALIBRATION = {"threshold": 1.0, "alert": 4.0}
errors = st.floats(0, 1e12)


def test_errors_are_means_over_time_and_over_the_features_there_are():
    windows, rebuilt = np.zeros((1, 2, 7)), np.zeros((1, 2, 7))
    windows[0, :, 0], windows[0, 0, 1] = 2, 4
    by_feature = scoring.feature_errors(windows, rebuilt)
    np.testing.assert_array_equal(by_feature, [[4, 8, 0, 0, 0, 0, 0]])
    assert scoring.window_errors(by_feature, [True] * 7) == pytest.approx(12 / 7)
    assert scoring.window_errors(by_feature, [True] + [False] * 6) == 4


@pytest.mark.parametrize(("error", "score"), [(0, 0), (0.5, 0.15), (1, 0.3), (2.5, 0.5), (4, 0.7), (8, 0.85)])
def test_scores_are_anchored_at_the_two_levels(error, score):
    assert scoring.anomaly_scores([error], CALIBRATION)[0] == pytest.approx(score)


@given(errors, errors)
def test_a_larger_error_never_scores_lower_and_no_score_leaves_0_to_1(one, other):
    low, high = scoring.anomaly_scores(sorted([one, other]), CALIBRATION)
    assert 0 <= low <= high <= 1


def test_levels_begin_at_their_scores():
    scores = [0.0, 0.2999, 0.3, 0.6999, 0.7, 1.0, np.nan]
    assert [scoring.level(score) for score in scores] == ["normal"] * 2 + ["borderline"] * 2 + ["anomaly"] * 2 + [
        "unknown"
    ]


def test_padding_does_not_count_in_the_error():
    windows, rebuilt = np.zeros((2, 4, 7)), np.zeros((2, 4, 7))
    windows[:, :2, 0], windows[:, 2:, 0] = 9, 2
    by_feature = scoring.feature_errors(windows, rebuilt, np.array([2, 4]))
    assert by_feature[:, 0].tolist() == [4, (2 * 81 + 2 * 4) / 4]


def test_limits_are_interpolated_in_logarithms_between_the_sizes():
    known = {"threshold": [1.0, 100.0], "alert": [2.0, 200.0]}
    limits = scoring.limits({"sizes": [1, 4], "sets": {"all": known}}, channel_set="all", size=np.array([1, 2, 4]))
    np.testing.assert_allclose(limits["threshold"], [1, 10, 100])
    np.testing.assert_allclose(limits["alert"], [2, 20, 200])


def test_each_window_is_read_against_its_own_limits():
    limits = {"threshold": np.array([1.0, 10.0]), "alert": np.array([4.0, 40.0])}
    np.testing.assert_allclose(scoring.anomaly_scores([1, 40], limits), [0.3, 0.7])


def faults(windows, counted=(True,) * 7, **form):
    return scoring.faults(windows, interval_s=5, counted=counted, **form).tolist()


def test_more_than_a_body_can_do_in_a_window_is_a_fault_and_a_stuck_sensor_another():
    windows = np.zeros((5, 60, 7))
    windows[:, :, 0] = np.arange(60)
    windows[0, :, 1:4] = [25.0, 2.5, 62.5]  # all that is possible in 5 s
    windows[1, 7, 1] = 1500  # what was done in five minutes, counted at once
    windows[2, 7, 3] = 3751
    windows[3, :, 2] = np.nan
    windows[4, :, 0], windows[4, 7, 1] = 80, 1501
    assert faults(windows) == [grid.OK, grid.OK, grid.IMPLAUSIBLE, grid.OK, grid.STUCK]
    without_distance = [True] * 3 + [False] + [True] * 3
    assert faults(windows, without_distance) == [grid.OK] * 4 + [grid.STUCK]


def test_of_a_short_window_a_minutes_counts_are_possible_and_padding_does_not_count():
    windows = np.zeros((3, 60, 7))
    windows[:, :, 0] = np.arange(60)
    windows[0, 59, 1], windows[1, 59, 1], windows[2, :58, 1] = 300, 301, 20
    assert faults(windows, size=np.array([1, 1, 3])) == [grid.OK, grid.IMPLAUSIBLE, grid.OK]


def test_a_window_is_stuck_when_its_heart_rate_holds_for_five_minutes():
    windows = np.zeros((3, 70, 7))
    windows[:, :, 0] = np.arange(70)
    windows[1, 5:65, 0] = 80
    windows[2, 5:64, 0] = 80
    assert scoring.stuck(windows, interval_s=5).tolist() == [False, True, False]


def test_a_window_of_five_minutes_is_stuck_with_nine_in_ten_samples_alike():
    windows = np.zeros((3, 60, 7))
    windows[:, :, 0] = 80
    windows[0, 5::12, 0] = [81, 79, 95, 60, 81]
    windows[1, ::10, 0] = 81  # six
    windows[2, ::8, 0] = 81  # eight
    assert scoring.stuck(windows, interval_s=5).tolist() == [True, True, False]
    assert scoring.stuck(windows, interval_s=4).tolist() == [False] * 3  # four minutes
    assert scoring.stuck(windows, interval_s=5, size=np.array([59, 58, 60])).tolist() == [False] * 3


def test_padding_does_not_make_a_window_stuck():
    windows = np.full((2, 70, 7), 80.0)
    windows[:, 60:, 0] = np.arange(10)
    assert scoring.stuck(windows, interval_s=5, size=np.array([70, 11])).tolist() == [True, False]
