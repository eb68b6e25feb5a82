"""A rival of one's own in the scorecard: the same windows and measures as 04_evaluate's."""

import numpy as np
import pandas as pd
import pytest
from conftest import runs_in
from sklearn.cluster import KMeans
from sklearn.neighbors import LocalOutlierFactor

from lib.explore import Run
from lib.training.outliers import Neighbours

MEASURED = "ms a window"  # depends on the machine


@pytest.fixture(scope="module")
def run(smoke):
    with runs_in(smoke.parent.parent):
        yield Run.open("smoke")


def fastest(windows):
    return windows[:, :, 0].max(axis=1)


def test_a_method_of_the_scorecard_gets_the_figures_that_04_gave_it(run):
    compared = run.compare("neighbours again", Neighbours())
    pair = compared.loc[["neighbours again", "nearest neighbours"]].drop(columns=MEASURED)
    np.testing.assert_allclose(pair.iloc[0], pair.iloc[1], rtol=1e-9)


def test_a_detector_and_a_function_get_a_row_each_in_at_most_six_lines(run):
    detector = LocalOutlierFactor(n_neighbors=10)
    run.compare("local outlier factor", detector)
    compared = run.compare("fastest heart", fastest)
    assert set(run.metrics["ranking"]) | {"local outlier factor", "fastest heart"} <= set(compared.index)
    assert compared["VUS-PR"].is_monotonic_decreasing
    measured = ["VUS-PR", "VUS-PR, low", "VUS-PR, high", "recall at 1 a day", "calibrated: false alarms a day"]
    assert compared.loc[["local outlier factor", "fastest heart"], measured].notna().all().all()
    assert not detector.novelty  # the caller's own is not changed
    pd.testing.assert_series_equal(
        run.compare("fastest heart", fastest).loc["fastest heart"].drop(MEASURED),
        compared.loc["fastest heart"].drop(MEASURED),
    )


@pytest.mark.parametrize(
    ("name", "rival", "sentence"),
    [
        ("random", fastest, "the scorecard has a 'random': choose another name"),
        (
            "clusters",
            KMeans(2),
            "expected an outlier detector with score_samples, or a function of windows",
        ),
        ("flat", lambda windows: windows[:, 0], r"expected \d+ errors, one a window, got an array of shape"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_a_sentence(run, name, rival, sentence):
    before = set(run.compare("fastest heart", fastest).index)
    with pytest.raises(ValueError, match=sentence):
        run.compare(name, rival)
    assert set(run.compare("fastest heart", fastest).index) == before
