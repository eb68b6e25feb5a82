from dataclasses import replace

import numpy as np
import pytest
import small_model
from small_model import LENGTH, error, metrics, moving, score, scores

from lib.detector.detector import Detector


def test_a_reading_is_scored_by_the_window_that_ends_at_it(ask):
    readings = metrics(30)
    readings[25]["heartRate"] = 110.0  # four scales away, in one of the 20 samples of each window from here
    expected = [score(error())] * 25 + [score(error(16 / LENGTH))] * 5
    assert scores(ask(readings)) == pytest.approx(expected)
    assert ask(readings)["anomalyScore"] == pytest.approx(expected[-1])


def test_readings_before_the_first_full_window_share_its_score(ask):
    readings = moving(25)
    values = scores(ask(readings))
    assert len(set(values[:LENGTH])) == 1
    assert len(set(values[LENGTH - 1 :])) == 6


@pytest.mark.parametrize("count", [1, 2, 7, 19, 20, 21])
def test_a_short_batch_is_read_against_the_limits_of_its_size(ask, tmp_path, count):
    limits = {"threshold": [0.1, 1.0], "alert": [0.4, 4.0]}
    model = small_model.detector(tmp_path, limits=limits)
    between = np.log(min(count, LENGTH)) / np.log(LENGTH)  # of one sample and a whole window, in logarithms
    threshold = 0.1 ** (1 - between)
    body = ask(metrics(count), model)
    assert scores(body) == pytest.approx([score(error(), threshold, 4 * threshold)] * count)
    message = f"Anomaly detection completed, on {count} of the 20 readings of a window"
    assert body["message"] == (message if count < LENGTH else "Anomaly detection completed")


def test_the_message_counts_readings_apart_from_their_samples(ask):
    message = "Anomaly detection completed, on {} of the 20 samples of a window"
    assert ask(metrics(6, spacing=15))["message"] == message.format("6 readings, which make 16")
    assert ask(metrics(18, spacing=1))["message"] == message.format("18 readings, which make 5")
    off = metrics(6)
    off[2]["heartRate"] = 0
    assert ask(off)["message"] == message.format("5 readings, which make 6")


def test_padding_does_not_count_in_the_error(ask):
    readings = metrics(4)
    readings[1]["heartRate"] = 110.0
    assert scores(ask(readings)) == pytest.approx([score(error(16 / 4))] * 4)


@pytest.mark.parametrize(
    ("absent", "counted", "named"),
    [
        ([], 7, None),
        (["distance"], 6, "without distance"),
        (["calories"], 5, "heart rate and steps"),
        (["calories", "distance"], 5, "heart rate and steps"),
        (["steps"], 4, "heart rate alone"),
        (["steps", "calories", "distance"], 4, "heart rate alone"),
    ],
)
def test_absent_channels_leave_the_error_and_are_named(ask, absent, counted, named):
    readings = metrics(LENGTH, **dict.fromkeys(absent))
    for metric in readings:
        metric["heartRate"] += 10.0
    readings[3]["heartRate"] += 1.0
    body = ask(readings)
    assert scores(body) == pytest.approx([score(error(1 + 0.21 / LENGTH, features_counted=counted))] * LENGTH)
    assert body["message"] == ", ".join(filter(None, ["Anomaly detection completed", named]))


def test_each_set_of_channels_has_limits_of_its_own(ask, handmade):
    sets = handmade.calibration["sets"] | {"heart rate alone": {"threshold": [0.01, 0.01], "alert": [0.02, 0.02]}}
    other = replace(handmade, calibration={**handmade.calibration, "sets": sets})
    readings = moving(20, steps=None, calories=None, distance=None)
    assert not ask(readings)["anomalyDetected"]
    assert ask(readings, other)["anomalyDetected"]
    assert not ask(moving(20), other)["anomalyDetected"]


@pytest.fixture
def calendar(ask, monkeypatch):
    """The hour's sine and cosine and the weekend flag of the last sample that the detector reads."""
    seen, score_each = [], Detector.score_each
    monkeypatch.setattr(Detector, "score_each", lambda self, wearers: seen.append(wearers) or score_each(self, wearers))

    def calendar_of(readings, **options):
        ask(readings, **options)
        ((samples, *_),) = seen[-1]
        return samples[-1, 4:].tolist()

    return calendar_of


def test_without_a_calendar_the_hour_comes_from_the_timestamp(calendar):
    saturday = small_model.MONDAY_7H + 5 * 86_400
    at_seven = [np.sin(7 * np.pi / 12), np.cos(7 * np.pi / 12), 1.0]
    assert calendar(metrics(1, start=saturday)) == pytest.approx(at_seven)
    midnight = {"hour_sin": 0.0, "hour_cos": 1.0, "is_weekend": 0}
    assert calendar([metrics(1, start=saturday)[0] | midnight]) == [0.0, 1.0, 0.0]
    friday_evening = metrics(1, start=saturday - 8 * 3600)  # 23:00 in UTC, Saturday in Paris
    assert calendar(friday_evening)[2] == 0
    assert calendar(friday_evening, timezone="Europe/Paris")[2] == 1


def test_a_model_of_another_interval_reads_untimed_readings_at_its_own(ask, tmp_path):
    model = small_model.detector(tmp_path, interval_s=30, length=8)
    readings = [metric | {"hour_sin": 0, "hour_cos": 1, "is_weekend": 0} for metric in moving(30, spacing=30)]
    untimed = [{name: value for name, value in metric.items() if name != "timestamp"} for metric in readings]
    expected = scores(ask(readings, model))
    assert scores(ask(untimed, model)) == expected
    assert len(set(expected)) == 30 - 8 + 1


def test_a_batch_without_a_usable_reading_is_answered(ask):
    body = ask([{"heartRate": None}, {"heartRate": "?"}])
    assert (body["accepted"], body["rejected"], body["level"], body["success"]) == (0, 2, "unknown", True)
    assert body["message"] == "No reading is usable"
