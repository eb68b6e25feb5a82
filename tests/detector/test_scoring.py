import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.detector import scoring

CALIBRATION = {"threshold": 1.0, "alert": 4.0}
errors = st.floats(0, 1e12)


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


def test_limits_are_interpolated_in_logarithms_between_the_sizes():
    known = {"threshold": [1.0, 100.0], "alert": [2.0, 200.0]}
    limits = scoring.limits({"sizes": [1, 4], "sets": {"all": known}}, channel_set="all", size=np.array([1, 2, 4]))
    np.testing.assert_allclose(limits["threshold"], [1, 10, 100])
    np.testing.assert_allclose(limits["alert"], [2, 20, 200])


def test_each_window_is_read_against_its_own_limits():
    limits = {"threshold": np.array([1.0, 10.0]), "alert": np.array([4.0, 40.0])}
    np.testing.assert_allclose(scoring.anomaly_scores([1, 40], limits), [0.3, 0.7])
