from dataclasses import replace

import numpy as np
import pytest
import small_model
from answer import answer_body
from request import parse
from small_model import LENGTH, MONDAY_7H, error, metrics, moving, running

from lib.detector import scoring
from lib.detector.detector import Detector


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return small_model.detector(tmp_path_factory.mktemp("model"))


@pytest.fixture
def ask(model):
    """The answer's body for readings of interval counters, or for an envelope."""

    def body(given, detector=model, **options):
        request = given if "metrics" in given[0] else {"metrics": given, "counters": "interval", **options}
        return answer_body(parse(request, interval_s=detector.interval_s), detector)[0]

    return body


def scores(body):
    return [item["anomalyScore"] for item in body["results"]]


def score(of_error, threshold=1.0, alert=4.0):
    return float(scoring.anomaly_scores([of_error], {"threshold": threshold, "alert": alert})[0])


def test_a_reading_is_scored_by_the_window_that_ends_at_it(ask):
    given = metrics(30)
    given[25]["heartRate"] = 110.0  # four scales away, in one of the 20 samples of each window from here on
    expected = [score(error())] * 25 + [score(error(16 / LENGTH))] * 5
    assert scores(ask(given)) == pytest.approx(expected)
    assert ask(given)["anomalyScore"] == pytest.approx(expected[-1])


def test_readings_before_the_first_full_window_share_its_score(ask):
    given = moving(25)
    found = scores(ask(given))
    assert len(set(found[:LENGTH])) == 1
    assert len(set(found[LENGTH - 1 :])) == 6


@pytest.mark.parametrize("count", [1, 2, 7, 19, 20, 21])
def test_a_short_batch_is_read_against_the_limits_of_its_size(ask, tmp_path, count):
    limits = {"threshold": [0.1, 1.0], "alert": [0.4, 4.0]}
    model = small_model.detector(tmp_path, limits=limits)
    between = np.log(min(count, LENGTH)) / np.log(LENGTH)  # of one sample and a whole window, in logarithms
    threshold = 0.1 ** (1 - between)
    body = ask(metrics(count), model)
    assert scores(body) == pytest.approx([score(error(), threshold, 4 * threshold)] * count)
    told = f"Anomaly detection completed, on {count} of the 20 readings of a window"
    assert body["message"] == (told if count < LENGTH else "Anomaly detection completed")


def test_readings_that_are_fewer_than_their_samples_are_counted_as_what_they_are(ask):
    said = "Anomaly detection completed, on {} of the 20 samples of a window"
    assert ask(metrics(6, spacing=15))["message"] == said.format("6 readings, that make 16")
    assert ask(metrics(18, spacing=1))["message"] == said.format("18 readings, that make 5")
    off = metrics(6)
    off[2]["heartRate"] = 0
    assert ask(off)["message"] == said.format("5 readings, that make 6")


def test_padding_is_no_part_of_the_error(ask):
    given = metrics(4)
    given[1]["heartRate"] = 110.0
    assert scores(ask(given)) == pytest.approx([score(error(16 / 4))] * 4)


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
    given = metrics(LENGTH, **dict.fromkeys(absent))
    for metric in given:
        metric["heartRate"] += 10.0
    given[3]["heartRate"] += 1.0
    body = ask(given)
    assert scores(body) == pytest.approx([score(error(1 + 0.21 / LENGTH, features_counted=counted))] * LENGTH)
    assert body["message"] == ", ".join(filter(None, ["Anomaly detection completed", named]))


def test_each_set_of_channels_has_limits_of_its_own(ask, model):
    sets = model.calibration["sets"] | {"heart rate alone": {"threshold": [0.01, 0.01], "alert": [0.02, 0.02]}}
    other = replace(model, calibration={**model.calibration, "sets": sets})
    given = moving(20, steps=None, calories=None, distance=None)
    assert not ask(given)["anomalyDetected"]
    assert ask(given, other)["anomalyDetected"]
    assert not ask(moving(20), other)["anomalyDetected"]


def test_a_single_cumulative_reading_is_scored_by_its_heart_rate_alone(ask):
    given = [metrics(1)[0] | {"steps": 5400, "calories": 300.0, "distance": 4000.0}]
    body = ask(given, counters="cumulative")
    assert scores(body) == pytest.approx([score(error(features_counted=4))])
    assert body["message"] == "Anomaly detection completed, on 1 of the 20 readings of a window, heart rate alone"
    assert scores(ask(metrics(1))) == pytest.approx([score(error())])


def test_a_hole_splits_the_batch_and_a_short_lack_does_not(ask):
    given = moving(40)
    split = given[:18] + [metric | {"timestamp": metric["timestamp"] + 20_000} for metric in given[18:]]
    for name in ("steps", "calories", "distance"):
        split[18][name] *= 5  # five samples' worth, of which the first after the hole gets one
    apart = scores(ask(given[:18])) + scores(ask(given[18:]))
    assert scores(ask(split)) == pytest.approx(apart)
    mended = given[:18] + given[21:]  # three lost: carried forward
    assert len(set(scores(ask(mended))[17:])) == len(mended) - 17
    assert ask(mended)["message"] == "Anomaly detection completed"


def test_disorder_and_doubles_are_mended(ask):
    given = moving(40)
    expected = scores(ask(given))
    order = np.random.default_rng(5).permutation(40)
    mixed = [given[place] for place in order] + [given[7]]
    assert scores(ask(mixed)) == [*(expected[place] for place in order), expected[7]]


def test_of_two_readings_of_one_instant_the_later_counts(ask):
    given = metrics(20)
    wrong = given[5] | {"heartRate": 200.0}
    assert scores(ask([*given[:5], wrong, *given[5:]])) == [scores(ask(given))[0]] * 21


def test_running_counters_score_as_their_amounts_over_midnight_and_a_restart(ask):
    given = metrics(60)
    for place, metric in enumerate(given):
        metric["steps"] = float(5 + place % 9)
    cumulative = running(given)
    for name in ("steps", "calories", "distance"):
        for restart in (25, 44):
            zero = cumulative[restart - 1][name]
            for metric in cumulative[restart:]:
                metric[name] -= zero
    found = scores(ask(cumulative, counters="cumulative"))
    # what the first reading's counter grew by is not known: only windows without it are the same
    assert found[LENGTH:] == pytest.approx(scores(ask(given))[LENGTH:])


def test_a_counter_that_fell_only_a_little_since_yesterday_began_anew_at_midnight(ask):
    given = metrics(60, start=MONDAY_7H + 17 * 3600 - 30 * 5, calories=0.25)
    given[30]["calories"] = 5.0  # tomorrow's first reading
    cumulative = running(given)
    for metric in cumulative[30:]:
        metric["calories"] -= 7.5  # what yesterday's last one counted
    assert scores(ask(cumulative, counters="cumulative"))[LENGTH:] == pytest.approx(scores(ask(given))[LENGTH:])


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


def test_the_hour_comes_from_the_timestamp_where_it_is_not_given(calendar):
    saturday = small_model.MONDAY_7H + 5 * 86_400
    at_seven = [np.sin(7 * np.pi / 12), np.cos(7 * np.pi / 12), 1.0]
    assert calendar(metrics(1, start=saturday)) == pytest.approx(at_seven)
    midnight = {"hour_sin": 0.0, "hour_cos": 1.0, "is_weekend": 0}
    assert calendar([metrics(1, start=saturday)[0] | midnight]) == [0.0, 1.0, 0.0]
    friday_evening = metrics(1, start=saturday - 8 * 3600)  # 23:00 in UTC, Saturday in Paris
    assert calendar(friday_evening)[2] == 0
    assert calendar(friday_evening, timezone="Europe/Paris")[2] == 1


@pytest.mark.parametrize(("interval_s", "spacing"), [(5, 15.001), (30, 91)])
def test_readings_too_far_apart_are_unknown_and_the_spacing_is_told(ask, tmp_path, interval_s, spacing):
    body = ask(metrics(30, spacing=spacing), small_model.detector(tmp_path, interval_s=interval_s))
    told = f"readings are {spacing:g} s apart; the model reads one every {interval_s} s, {3 * interval_s} s at most"
    assert (body["level"], body["anomalyScore"], body["anomalyDetected"]) == ("unknown", None, False)
    assert body["message"] == f"No score: {told}"
    assert body["results"] == [
        {"index": i, "anomalyScore": None, "level": "unknown", "reason": told} for i in range(30)
    ]
    assert (body["accepted"], body["rejected"], body["success"]) == (30, 0, True)


def test_readings_three_intervals_apart_are_scored(ask):
    assert None not in scores(ask(moving(30, spacing=15)))


def test_a_stuck_heart_rate_has_no_score_and_the_rest_have(ask, tmp_path):
    given = metrics(60, spacing=30)
    for place in range(40):
        given[place]["heartRate"] += place % 7
    body = ask(given, small_model.detector(tmp_path, interval_s=30))
    told = "stuck sensor: the heart rate has hardly moved for 5 minutes"
    stuck = {"anomalyScore": None, "level": "unknown", "reason": told}
    begin = 40 + 10 - 1  # the window that ends here is the first with ten equal ones, five minutes
    assert body["results"][begin:] == [{"index": index, **stuck} for index in range(begin, 60)]
    assert None not in scores(body)[:begin]
    assert (body["level"], body["accepted"], body["rejected"]) == ("normal", 60, 0)


def test_a_counter_that_jumps_leaves_the_windows_that_hold_it_without_a_score(ask):
    given = moving(60)
    given[30]["steps"] = 5000
    body = ask(given)
    told = "implausible counters: more steps, calories or metres at once than a body can do"
    fault = {"anomalyScore": None, "level": "unknown", "reason": told}
    assert body["results"][30 : 30 + LENGTH] == [{"index": index, **fault} for index in range(30, 30 + LENGTH)]
    assert None not in scores(body)[:30] + scores(body)[30 + LENGTH :]


def test_a_rejected_reading_lends_its_reason_to_no_other(ask, tmp_path):
    given = metrics(60, spacing=30)
    given[0]["heartRate"] = 0
    body = ask(given, small_model.detector(tmp_path, interval_s=30))
    assert (body["rejected"], body["level"]) == (1, "unknown")
    assert body["message"].startswith("No score: stuck sensor")


def test_a_sensor_stuck_throughout_is_unknown_and_no_alert(ask, tmp_path):
    body = ask(metrics(60, spacing=30), small_model.detector(tmp_path, interval_s=30))
    assert (body["level"], body["anomalyDetected"], body["anomalyScore"]) == ("unknown", False, None)
    assert body["message"] == "No score: stuck sensor: the heart rate has hardly moved for 5 minutes"


def test_a_model_of_another_interval_reads_untimed_readings_at_its_own(ask, tmp_path):
    model = small_model.detector(tmp_path, interval_s=30, length=8)
    given = [metric | {"hour_sin": 0, "hour_cos": 1, "is_weekend": 0} for metric in moving(30, spacing=30)]
    untimed = [{name: value for name, value in metric.items() if name != "timestamp"} for metric in given]
    expected = scores(ask(given, model))
    assert scores(ask(untimed, model)) == expected
    assert len(set(expected)) == 30 - 8 + 1


def test_bad_readings_leave_holes_and_keep_their_places(ask):
    given = running(metrics(40))
    for place in (3, 17, 18):
        given[place]["heartRate"] = 300
    body = ask(given, counters="cumulative")
    usual = score(error())
    assert scores(body) == [None if place in (3, 17, 18) else pytest.approx(usual) for place in range(40)]
    error_said = "heartRate 300 is outside 20..250"
    assert body["results"][17] == {"index": 17, "anomalyScore": None, "level": "unknown", "error": error_said}
    assert (body["accepted"], body["rejected"]) == (37, 3)


def test_a_batch_without_a_usable_reading_is_answered(ask):
    body = ask([{"metrics": 7}, 5])
    assert (body["accepted"], body["rejected"], body["level"], body["success"]) == (0, 2, "unknown", True)
    assert body["message"] == "No reading is usable"


def test_off_the_wrist_is_no_score_and_two_windows(ask):
    given = running(moving(50))
    for metric in given[20:30]:
        metric["heartRate"] = 0
    body = ask(given, counters="cumulative")
    assert [item.get("error") for item in body["results"][20:30]] == ["heartRate 0 is outside 20..250"] * 10
    alone = ask([*given[:20], *given[30:]], counters="cumulative")
    assert scores(body)[:20] + scores(body)[30:] == pytest.approx(scores(alone))
    assert body["rejected"] == 10


def test_a_later_reading_of_the_same_instant_may_say_that_the_watch_is_off(ask):
    given = moving(3)
    body = ask([*given[:2], {**given[1], "heartRate": 0}])
    assert body["results"][1] == {
        "index": 1,
        "anomalyScore": None,
        "level": "unknown",
        "reason": "off the wrist, as a later reading of the same instant says",
    }
    assert body["results"][0]["anomalyScore"] is not None
    assert ask([given[1], {**given[1], "heartRate": 0}])["message"].startswith("No score: off the wrist")
