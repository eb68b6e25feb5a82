"""How a wearer's readings get onto the grid, and which of them get no score."""

import numpy as np
import pytest
import small_model
from small_model import LENGTH, MONDAY_7H, error, metrics, moving, running, score, scores


def test_a_single_cumulative_reading_is_scored_by_its_heart_rate_alone(ask):
    readings = [metrics(1)[0] | {"steps": 5400, "calories": 300.0, "distance": 4000.0}]
    body = ask(readings, counters="cumulative")
    assert scores(body) == pytest.approx([score(error(features_counted=4))])
    assert body["message"] == "Anomaly detection completed, on 1 of the 20 readings of a window, heart rate alone"
    assert scores(ask(metrics(1))) == pytest.approx([score(error())])


def test_a_hole_splits_the_batch_and_a_short_lack_does_not(ask):
    readings = moving(40)
    split = readings[:18] + [metric | {"timestamp": metric["timestamp"] + 20_000} for metric in readings[18:]]
    for name in ("steps", "calories", "distance"):
        split[18][name] *= 5  # five samples' worth; the first sample after the hole gets one fifth
    apart = scores(ask(readings[:18])) + scores(ask(readings[18:]))
    assert scores(ask(split)) == pytest.approx(apart)
    mended = readings[:18] + readings[21:]  # three lost: carried forward
    assert len(set(scores(ask(mended))[17:])) == len(mended) - 17
    assert ask(mended)["message"] == "Anomaly detection completed"


def test_disorder_and_duplicates_are_mended(ask):
    readings = moving(40)
    expected = scores(ask(readings))
    order = np.random.default_rng(5).permutation(40)
    mixed = [readings[place] for place in order] + [readings[7]]
    assert scores(ask(mixed)) == [*(expected[place] for place in order), expected[7]]


def test_of_two_readings_of_one_instant_the_later_counts(ask):
    readings = metrics(20)
    wrong = readings[5] | {"heartRate": 200.0}
    assert scores(ask([*readings[:5], wrong, *readings[5:]])) == [scores(ask(readings))[0]] * 21


def test_running_counters_score_as_their_amounts_over_midnight_and_a_restart(ask):
    readings = metrics(60)
    for place, metric in enumerate(readings):
        metric["steps"] = float(5 + place % 9)
    cumulative = running(readings)
    for name in ("steps", "calories", "distance"):
        for restart in (25, 44):
            zero = cumulative[restart - 1][name]
            for metric in cumulative[restart:]:
                metric[name] -= zero
    values = scores(ask(cumulative, counters="cumulative"))
    # the growth of the first reading's counter is unknown: only windows without it are the same
    assert values[LENGTH:] == pytest.approx(scores(ask(readings))[LENGTH:])


def test_a_counter_that_fell_only_a_little_since_yesterday_restarted_at_midnight(ask):
    readings = metrics(60, start=MONDAY_7H + 17 * 3600 - 30 * 5, calories=0.25)
    readings[30]["calories"] = 5.0  # tomorrow's first reading
    cumulative = running(readings)
    for metric in cumulative[30:]:
        metric["calories"] -= 7.5  # what yesterday's last one counted
    assert scores(ask(cumulative, counters="cumulative"))[LENGTH:] == pytest.approx(scores(ask(readings))[LENGTH:])


@pytest.mark.parametrize(("interval_s", "spacing"), [(5, 15.001), (30, 91)])
def test_readings_too_far_apart_are_unknown_and_the_message_names_the_spacing(ask, tmp_path, interval_s, spacing):
    body = ask(metrics(30, spacing=spacing), small_model.detector(tmp_path, interval_s=interval_s))
    message = f"readings are {spacing:g} s apart; the model reads one every {interval_s} s, {3 * interval_s} s at most"
    assert (body["level"], body["anomalyScore"], body["anomalyDetected"]) == ("unknown", None, False)
    assert body["message"] == f"No score: {message}"
    assert body["results"] == [
        {"index": i, "anomalyScore": None, "level": "unknown", "reason": message} for i in range(30)
    ]
    assert (body["accepted"], body["rejected"], body["success"]) == (30, 0, True)


def test_readings_three_intervals_apart_are_scored(ask):
    assert None not in scores(ask(moving(30, spacing=15)))


def test_a_stuck_heart_rate_has_no_score_and_the_other_readings_have(ask, tmp_path):
    readings = metrics(60, spacing=30)
    for place in range(40):
        readings[place]["heartRate"] += place % 7
    body = ask(readings, small_model.detector(tmp_path, interval_s=30))
    message = "stuck sensor: the heart rate has hardly moved for 5 minutes"
    stuck = {"anomalyScore": None, "level": "unknown", "reason": message}
    begin = 40 + 10 - 1  # the window that ends here is the first with ten equal ones, five minutes
    assert body["results"][begin:] == [{"index": index, **stuck} for index in range(begin, 60)]
    assert None not in scores(body)[:begin]
    assert (body["level"], body["accepted"], body["rejected"]) == ("normal", 60, 0)


def test_a_counter_that_jumps_leaves_the_windows_that_hold_it_without_a_score(ask):
    readings = moving(60)
    readings[30]["steps"] = 5000
    body = ask(readings)
    message = "implausible counters: more steps, calories or metres at once than a body can do"
    fault = {"anomalyScore": None, "level": "unknown", "reason": message}
    assert body["results"][30 : 30 + LENGTH] == [{"index": index, **fault} for index in range(30, 30 + LENGTH)]
    assert None not in scores(body)[:30] + scores(body)[30 + LENGTH :]


def test_a_rejected_reading_lends_its_reason_to_no_other(ask, tmp_path):
    readings = metrics(60, spacing=30)
    readings[0]["heartRate"] = 9
    body = ask(readings, small_model.detector(tmp_path, interval_s=30))
    assert (body["rejected"], body["level"]) == (1, "unknown")
    assert body["message"].startswith("No score: stuck sensor")


def test_a_sensor_stuck_throughout_is_unknown_and_no_alert(ask, tmp_path):
    body = ask(metrics(60, spacing=30), small_model.detector(tmp_path, interval_s=30))
    assert (body["level"], body["anomalyDetected"], body["anomalyScore"]) == ("unknown", False, None)
    assert body["message"] == "No score: stuck sensor: the heart rate has hardly moved for 5 minutes"


def test_bad_readings_leave_holes_and_keep_their_places(ask):
    readings = running(metrics(40))
    for place in (3, 17, 18):
        readings[place]["heartRate"] = 300
    body = ask(readings, counters="cumulative")
    usual = score(error())
    assert scores(body) == [None if place in (3, 17, 18) else pytest.approx(usual) for place in range(40)]
    message = "heartRate 300 is outside 20..250"
    assert body["results"][17] == {"index": 17, "anomalyScore": None, "level": "unknown", "error": message}
    assert (body["accepted"], body["rejected"]) == (37, 3)


def test_readings_off_the_wrist_have_no_score_and_split_the_batch(ask):
    readings = running(moving(50))
    for metric in readings[20:30]:
        metric["heartRate"] = 0
    body = ask(readings, counters="cumulative")
    assert [item.get("reason") for item in body["results"][20:30]] == ["off the wrist: heartRate is 0"] * 10
    assert {item["level"] for item in body["results"][20:30]} == {"unknown"}
    alone = ask([*readings[:20], *readings[30:]], counters="cumulative")
    assert scores(body)[:20] + scores(body)[30:] == pytest.approx(scores(alone))
    assert (body["accepted"], body["rejected"]) == (50, 0)


def test_a_batch_off_the_wrist_is_accepted_and_unknown(ask):
    body = ask(metrics(5, heartRate=0))
    assert (body["accepted"], body["rejected"], body["level"], body["anomalyDetected"]) == (5, 0, "unknown", False)
    assert body["message"] == "No score: off the wrist: heartRate is 0"
    assert {item["reason"] for item in body["results"]} == {"off the wrist: heartRate is 0"}


@pytest.mark.parametrize("shift_s", [60, 86_400])
def test_a_single_reading_after_a_hole_or_with_a_wrong_clock_does_not_alert(ask, shift_s):
    readings = moving(40)
    readings[-1] |= {"heartRate": 240.0, "timestamp": readings[-1]["timestamp"] + 1000 * shift_s}
    body = ask(readings)
    assert 0.69 < scores(body)[-1] < 0.7
    assert (body["anomalyDetected"], body["level"], body["reasons"]) == (False, "borderline", [])
    second = readings[-1] | {"timestamp": readings[-1]["timestamp"] + 5000}
    assert ask([*readings, second])["anomalyDetected"]  # two of them do


def test_a_later_reading_of_the_same_instant_may_say_that_the_watch_is_off(ask):
    readings = moving(3)
    body = ask([*readings[:2], {**readings[1], "heartRate": 0}])
    assert body["results"][1] == {
        "index": 1,
        "anomalyScore": None,
        "level": "unknown",
        "reason": "off the wrist, as a later reading of the same instant says",
    }
    assert body["results"][0]["anomalyScore"] is not None
    assert ask([readings[1], {**readings[1], "heartRate": 0}])["message"].startswith("No score: off the wrist")
