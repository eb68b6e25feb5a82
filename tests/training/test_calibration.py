import numpy as np
import pytest

from lib.detector import scoring
from lib.training import calibration

PERCENTILES = (95, 99.9)


def calibrate(whole, percentiles=PERCENTILES):
    errors = {"all channels": np.stack([whole * 3, whole])}
    return calibration.calibrate(errors, whole, sizes=[1, 60], percentiles=percentiles)


def test_whole_windows_have_the_percentiles_of_all_their_errors():
    errors = {"all channels": np.ones((2, 5))}
    fitted = calibration.calibrate(errors, np.arange(1001.0), sizes=[1, 60], percentiles=PERCENTILES)
    assert fitted["threshold"] == pytest.approx(950)
    assert fitted["windows"] == 1001
    assert fitted["sets"]["all channels"]["threshold"] == [pytest.approx(1), pytest.approx(950)]


def test_many_errors_give_their_own_percentile():
    errors = np.random.default_rng(0).exponential(size=60_000)
    assert calibration.upper_percentile(errors, 99.9) == np.percentile(errors, 99.9)


def test_the_tail_of_few_errors_is_nearer_the_truth_than_their_percentile():
    truth = -np.log(0.001)  # of the standard exponential distribution
    rng = np.random.default_rng(0)
    samples = rng.exponential(size=(60, 1000))
    fitted = np.array([calibration.upper_percentile(sample, 99.9) for sample in samples])
    taken = np.percentile(samples, 99.9, axis=1)
    assert np.abs(fitted - truth).mean() < np.abs(taken - truth).mean()


def test_a_tail_never_reaches_beyond_twice_the_largest_error():
    errors = np.append(np.ones(900), np.geomspace(1.1, 1e9, 100))
    assert calibration.upper_percentile(errors, 99.99) <= 2e9


def test_errors_that_are_all_alike_still_make_two_levels():
    fitted = calibrate(np.zeros(9))
    assert 0 < fitted["threshold"] < fitted["alert"]


@pytest.mark.parametrize("percentiles", [(0, 99), (99, 95), (95, 100), (95, 95)])
def test_percentiles_out_of_order_are_refused_by_name(percentiles):
    low, high = percentiles
    with pytest.raises(ValueError, match=f"threshold_percentile={low} and alert_percentile={high}"):
        calibrate(np.ones(9), percentiles)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "^expected calibration windows of normal life, got none: more wearers or days are needed$"),
        (
            [1.0, np.nan],
            "^expected finite evidence, got 1 of 2 calibration windows without: .* a smaller learning_rate=$",
        ),
    ],
)
def test_evidence_that_is_missing_or_not_finite_is_refused_with_the_remedy(values, message):
    with pytest.raises(ValueError, match=message):
        calibrate(np.array(values))


def test_ten_windows_beyond_the_999_permille_need_ten_thousand():
    assert calibration.windows_needed(99.9) == pytest.approx(10_000, abs=1)


def test_sizes_go_from_one_sample_to_a_whole_window():
    assert calibration.sizes(60) == [1, 2, 3, 5, 12, 26, 52, 57, 60]
    assert calibration.sizes(8) == [1, 2, 3, 5, 7, 8]
    assert calibration.sizes(3) == [1, 2, 3]
    assert calibration.sizes(2) == [1, 2]
    assert calibration.sizes(1) == [1]


def test_the_shares_of_the_calibration_errors_are_those_promised():
    errors = {"all channels": np.random.default_rng(0).exponential(size=(2, 60_000))}
    fitted = calibration.calibrate(errors, errors["all channels"][1], sizes=[2, 60], percentiles=PERCENTILES)
    shares = calibration.shares(errors, fitted, sizes=[2, 60])
    np.testing.assert_allclose(shares["reach 0.3"], 0.05, atol=1e-3)
    np.testing.assert_allclose(shares["reach 0.7"], 0.001, atol=1e-4)
    assert shares.index.tolist() == [("all channels", 2), ("all channels", 60)]
    assert shares["windows"].tolist() == [60_000, 60_000]


def test_one_sample_alone_never_reaches_the_alert_level():
    evidence = {"all channels": np.random.default_rng(0).exponential(size=(2, 60_000))}
    limits = calibration.calibrate(evidence, evidence["all channels"][1], sizes=[1, 60], percentiles=PERCENTILES)
    shares = calibration.shares(evidence, limits, sizes=[1, 60])
    assert shares["reach 0.7"].tolist() == [0, pytest.approx(0.001, abs=1e-4)]


def test_a_share_of_no_windows_is_unknown():
    fitted = calibrate(np.random.default_rng(0).exponential(size=2000))
    shares = calibration.shares({"all channels": np.empty((2, 0))}, fitted, sizes=[1, 60])
    assert shares["windows"].tolist() == [0, 0]
    assert shares[["reach 0.3", "reach 0.7"]].isna().all(axis=None)


def test_a_short_window_at_its_threshold_scores_borderline():
    fitted = calibrate(np.random.default_rng(0).exponential(size=2000))
    limits = scoring.limits(fitted, channel_set="all channels", size=np.array([1]))
    assert scoring.anomaly_scores(limits["threshold"], limits)[0] == pytest.approx(0.3)


def test_limits_of_those_whose_baseline_is_known_stand_beside_the_others():
    errors = {"all channels": np.arange(1001.0) * [[0.1], [1.0]]}
    own = {"all channels": errors["all channels"] / 2}
    options = {"whole": np.arange(1001.0), "sizes": [1, 60], "percentiles": PERCENTILES}
    fitted = calibration.calibrate(errors, own=(own, np.arange(1001.0) / 2), **options)
    size = np.array([1, 60])
    known, other = (
        scoring.limits(fitted, channel_set="all channels", size=size, known=of)["threshold"] for of in (True, False)
    )
    np.testing.assert_allclose(other, [95, 950])
    np.testing.assert_allclose(known, other / 2)
    assert "own" not in calibration.calibrate(errors, **options)


def test_limits_rest_on_enough_windows_only_where_those_that_do_not_overlap_are():
    table = calibration.sufficiency({"whole": (50_000, 10_000), "short": (3_000, 3_000)}, percentile=99.9)
    assert table["needed for the alert level"].tolist() == [10_000, 10_000]
    assert table["enough"].to_dict() == {"whole": True, "short": False}
