import pytest
import small_model
from answer import answer_body
from request import parse
from small_model import envelope, metrics, moving, running, scores


def alerting(count=30):
    """Readings; 20 to 23 are 13 scales off in heart rate and distance: 2·169·4/20 of a window's error."""
    readings = metrics(count)
    for metric in readings[20:24]:
        metric |= {"heartRate": 200.0, "distance": 112.0}
    return readings


def test_an_alert_names_features_place_and_expected_values(ask):
    body = ask(alerting())
    assert (body["anomalyDetected"], body["level"]) == (True, "anomaly")
    place = {"index": 23, "share": 0.5, "from": 20, "to": 21}  # two of the four samples hold half of it
    heart = {"feature": "heartRate", "observed": 200.0, "expected": 70.0, "unit": "bpm"}
    distance = {"feature": "distance", "observed": 1344.0, "expected": 96.0, "unit": "m/min"}
    assert body["reasons"] == [{**place, **heart}, {**place, **distance}]
    sentences = ["Heart rate 200 bpm, expected 70", "Distance 1344 m/min, expected 96"]
    assert body["anomalyReasons"] == sentences
    assert max(map(len, sentences)) < 40


def test_reasons_name_readings_by_their_place_in_the_request(ask):
    (why, _) = ask(alerting()[::-1])["reasons"]
    assert (why["index"], why["from"], why["to"]) == (29 - 23, 29 - 20, 29 - 21)


def test_only_an_alert_has_reasons(ask):
    body = ask(metrics(30))
    assert (body["reasons"], body["anomalyReasons"]) == ([], None)


def test_a_window_that_ends_at_no_reading_does_not_alert(ask):
    readings = metrics(12, spacing=15, steps=30, calories=3, distance=24)  # a reading makes three samples
    readings[3]["heartRate"] = readings[9]["heartRate"] = 70.0 + 110
    # a window that ends at a reading holds at most four such samples; the one that ends just after reading 9 holds five
    assert (4 * 121 / 20 + 1) / 7 < 4 < (5 * 121 / 20 + 1) / 7
    body = ask(readings)
    assert (body["anomalyDetected"], body["reasons"], body["anomalyReasons"]) == (False, [], None)
    assert body["anomalyScore"] == pytest.approx(0.3 + 0.4 * ((4 * 121 / 20 + 1) / 7 - 1) / 3)


def test_an_alert_without_a_channel_rests_on_the_others(ask):
    readings = [{name: value for name, value in metric.items() if name != "distance"} for metric in alerting()]
    (why,) = ask(readings)["reasons"]
    assert (why["feature"], why["share"]) == ("heartRate", 1.0)


def test_several_wearers_in_one_batch_are_scored_apart_in_the_order_sent(ask):
    first, second = envelope(running(moving(35))), envelope(running(alerting()), user="bea")
    batch = [item for pair in zip(first, second, strict=False) for item in pair] + first[30:]
    alone, other = ask(first), ask(second)
    both = ask(batch)
    assert scores(both)[:60:2] + scores(both)[60:] == pytest.approx(scores(alone))
    assert scores(both)[1:60:2] == pytest.approx(scores(other))
    assert [item["index"] for item in both["results"]] == list(range(65))
    assert both["anomalyScore"] == pytest.approx(other["anomalyScore"])
    assert [(why["index"], why["from"]) for why in both["reasons"]] == [(47, 41)] * 2


def test_one_wearers_bad_reading_does_not_touch_anothers(ask):
    first, second = envelope(running(moving(35))), envelope(running(moving(35)), device="another")
    expected = scores(ask(first + second))[35:]
    first[4]["metrics"]["heartRate"] = None
    first[9]["metrics"] |= {"steps": 10**12}
    first[11] = {**first[11], "metrics": "none", "timestamp": "never"}
    body = ask(first + second)
    assert scores(body)[35:] == expected
    assert [item["index"] for item in body["results"] if "error" in item] == [4, 9, 11]
    assert (body["accepted"], body["rejected"]) == (67, 3)


def test_the_message_covers_wearers_of_different_channels_and_lengths(ask):
    first = envelope(running(moving(25)))
    second = envelope(running(moving(6)), user="bea")
    for item in second:
        del item["metrics"]["distance"]
    assert ask(first + second)["message"] == "Anomaly detection completed, without distance"
    assert ask(second)["message"].endswith("on 6 of the 20 readings of a window, without distance")


def test_one_wearer_too_sparse_leaves_the_other_scored(ask):
    sparse, close = envelope(metrics(5, spacing=60)), envelope(running(moving(25)), user="bea")
    body = ask(sparse + close)
    assert scores(body)[:5] == [None] * 5
    assert scores(body)[5:] == scores(ask(close))
    assert "apart" in body["results"][0]["reason"]


def test_the_facts_for_the_log_count_windows_and_error_ratios(handmade):
    sparse, bad = envelope(metrics(5, spacing=60)), envelope(metrics(1), user="bea")
    bad[0]["metrics"]["heartRate"] = "?"
    wearers = parse([*sparse, *bad, *envelope(running(moving(25)), user="cy")], interval_s=5)
    body, facts = answer_body(wearers, handmade)
    assert (facts["wearers"], facts["unknown"], body["rejected"]) == (3, 5, 1)
    assert len(facts["error_ratio"]) == 6
    assert body["anomalyScore"] == pytest.approx(0.3 * facts["error_ratio"].max())


def test_a_window_of_a_stuck_sensor_is_not_counted_in_the_log(tmp_path):
    coarse = small_model.detector(tmp_path, interval_s=30)
    readings = [*moving(20, spacing=30), *metrics(20, start=small_model.MONDAY_7H + 600, spacing=30)]
    body, facts = answer_body(parse({"metrics": readings, "counters": "interval"}, interval_s=30), coarse)
    stuck = sum("reason" in item for item in body["results"])
    assert (stuck, facts["unknown"], len(facts["error_ratio"])) == (11, 11, 21 - 11)
