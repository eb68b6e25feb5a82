"""What an answer reports to the log beside its body: counts by bin, and the levels that windows in a row hold."""

import numpy as np
import pytest
import small_model
import verdict
from answer import answer_body
from request import parse
from small_model import LENGTH, envelope, error, metrics, moving, running

BINS = {
    "HeartRate": {"edges": [65.0, 75.0]},
    "HeartRateMoving": {"edges": [65.0, 75.0]},
    "Steps": {"edges": [0.0, 100.0]},
    "Errors": {"edges": [error() / 2, 2.0]},
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    model = small_model.detector(tmp_path_factory.mktemp("model"))
    model.population.update(BINS)
    return model


def facts(model, *batches):
    sent = [item for number, batch in enumerate(batches) for item in envelope(running(batch), user=f"wearer {number}")]
    return answer_body(parse(sent, interval_s=5), model)[1]


def unusable():
    return [metric | {"heartRate": 900.0} for metric in metrics(24)]


def test_minutes_and_windows_are_counted_by_bin_over_all_wearers(model):
    counts = facts(model, metrics(30), metrics(24, heartRate=60.0, steps=0.0))["counts"]
    assert {name: bins.tolist() for name, bins in counts.items()} == {
        "HeartRate": [2, 2, 0],
        "HeartRateMoving": [0, 2, 0],
        "Steps": [2, 0, 2],
        "Errors": [0, 16, 0],
    }


def test_a_wearer_without_a_usable_reading_counts_nothing(model):
    counts = facts(model, metrics(30), unusable())["counts"]
    assert counts["HeartRate"].tolist() == [0, 2, 0]
    assert all(np.sum(counts) == 0 for counts in facts(model, unusable())["counts"].values())


@pytest.mark.parametrize("overlap", [0, 59])
def test_batches_that_overlap_by_a_window_less_one_score_each_moment_once(tmp_path, overlap):
    model, life = small_model.detector(tmp_path, length=60), moving(60 * 8)
    begins = range(0, 60 * 8, 60)
    sent = [{"metrics": running(life[max(0, low - overlap) : low + 60])} for low in begins]
    assert [answer_body(parse(batch, interval_s=5), model)[1]["seconds"] for batch in sent] == [300.0] * 8


def test_the_start_of_a_batch_longer_than_a_window_counts_as_scored_by_the_batch_before(model):
    assert facts(model, metrics(LENGTH + 30))["seconds"] == 5 * 31
    assert facts(model, metrics(LENGTH + 30), metrics(7))["seconds"] == 5 * (31 + 7)
    assert facts(model, metrics(LENGTH // 2, spacing=10))["seconds"] == 5 * (LENGTH - 1)  # two samples each


def test_readings_without_a_score_count_no_seconds(model, tmp_path):
    assert facts(model, unusable())["seconds"] == 0
    stuck = metrics(60)  # five minutes of one heart rate
    assert facts(small_model.detector(tmp_path, length=60), stuck)["seconds"] == 0


def test_held_levels_are_relative_to_the_alert_level(model):
    batch = metrics(40)
    batch[-3]["heartRate"] = 190.0  # twelve scales: in the last three windows alone
    held = facts(model, batch)["sustained"]
    np.testing.assert_allclose(held, np.array([error(144 / LENGTH)] * 2 + [error()] * 2 + [0]) / 4)


def test_windows_on_both_sides_of_a_hole_are_not_in_a_row(model):
    later = metrics(LENGTH + 1, start=small_model.MONDAY_7H + 3600)
    held = facts(model, [*metrics(LENGTH + 1), *later])["sustained"]
    assert (held > 0).tolist() == [True] + [False] * 4  # of two windows on either side none are three in a row


@pytest.mark.parametrize(
    ("over", "held"), [([], [0] * 5), ([2], [2, 0, 0, 0, 0]), ([1, 3, 2, 4, 1, 5], [5, 2, 1, 0, 0])]
)
def test_windows_in_a_row_hold_the_level_of_the_smallest(over, held):
    assert verdict._sustained(np.array(over, dtype=float)).tolist() == held
