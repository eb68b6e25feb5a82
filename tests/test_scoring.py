import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import scoring

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


def test_calibration_takes_the_percentiles_of_the_errors():
    made = scoring.calibrate(np.arange(1001.0), threshold_percentile=95, alert_percentile=99.9)
    assert made["threshold"] == pytest.approx(950)
    assert made["alert"] == pytest.approx(999)
    assert made["windows"] == 1001


def test_calibration_errors_that_are_all_alike_still_make_two_levels():
    made = scoring.calibrate(np.zeros(9), threshold_percentile=95, alert_percentile=99.9)
    assert 0 < made["threshold"] < made["alert"]


@pytest.mark.parametrize("percentiles", [(0, 99), (99, 95), (95, 100), (95, 95)])
def test_percentiles_out_of_order_are_refused_by_name(percentiles):
    low, high = percentiles
    with pytest.raises(ValueError, match=f"threshold_percentile={low} and alert_percentile={high}"):
        scoring.calibrate(np.ones(9), threshold_percentile=low, alert_percentile=high)


@pytest.mark.parametrize("values", [[], [1.0, np.nan]])
def test_errors_that_are_none_or_not_finite_are_refused(values):
    with pytest.raises(ValueError, match="calibration errors"):
        scoring.calibrate(np.array(values), threshold_percentile=95, alert_percentile=99)


def test_ten_windows_beyond_the_999_permille_need_ten_thousand():
    assert scoring.windows_needed(99.9) == pytest.approx(10_000, abs=1)


def test_a_window_is_stuck_when_its_heart_rate_holds_for_five_minutes():
    windows = np.zeros((3, 70, 7))
    windows[:, :, 0] = np.arange(70)
    windows[1, 5:65, 0] = 80
    windows[2, 5:64, 0] = 80
    assert scoring.stuck(windows, interval_s=5).tolist() == [False, True, False]
