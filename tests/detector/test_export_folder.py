"""The limits of model.json are checked before anything is scored by them."""

import copy
import json

import pytest
import small_model

from lib.detector import features
from lib.detector.detector import Detector
from lib.detector.export_folder import MODEL, DamagedModel, check_calibration

LIMITS = {"threshold": [0.5, 1.0], "alert": [2.0, 4.0]}
ALL, *_ = features.CHANNEL_SETS


def calibration(**changes):
    sets = {name: copy.deepcopy(LIMITS) for name in features.CHANNEL_SETS}
    return {"threshold": 1.0, "alert": 4.0, "sizes": [1, 60], "sets": sets, "own": copy.deepcopy(sets), **changes}


def test_consistent_limits_are_accepted_with_and_without_those_of_known_wearers():
    check_calibration(calibration(), length=60)
    without = calibration()
    del without["own"]
    check_calibration(without, length=60)


@pytest.mark.parametrize("sizes", [[1], [60, 1], [2, 60], [1, 1, 60], [1, 30], []])
def test_sizes_must_rise_from_1_to_a_whole_window(sizes):
    with pytest.raises(ValueError, match="sizes that rise from 1 to 60"):
        check_calibration(calibration(sizes=sizes), length=60)


@pytest.mark.parametrize("known", ["sets", "own"])
@pytest.mark.parametrize(
    "limits",
    [
        {"threshold": [0.5, 4.0], "alert": [2.0, 1.0]},  # scores above 1
        {"threshold": [0.5, 1.0], "alert": [0.5, 4.0]},
        {"threshold": [0.0, 1.0], "alert": [2.0, 4.0]},
        {"threshold": [-1.0, 1.0], "alert": [2.0, 4.0]},
        {"threshold": [0.5, 1.0], "alert": [2.0, float("inf")]},
        {"threshold": [0.5, float("nan")], "alert": [2.0, 4.0]},
        {"threshold": [1.0], "alert": [4.0]},
        {"threshold": 1.0, "alert": 4.0},
    ],
)
def test_limits_must_be_in_order_for_each_size(known, limits):
    for name in features.CHANNEL_SETS:
        wrong = calibration()
        wrong[known][name] = limits
        with pytest.raises(ValueError, match=f"for {name}"):
            check_calibration(wrong, length=60)


def test_no_channel_set_may_be_missing():
    wrong = calibration()
    del wrong["sets"]["heart rate alone"]
    with pytest.raises(ValueError, match="heart rate alone"):
        check_calibration(wrong, length=60)


@pytest.mark.parametrize("level", ["threshold", "alert"])
def test_the_limits_at_the_top_must_be_those_of_whole_windows(level):
    with pytest.raises(ValueError, match="limits of whole windows at the top"):
        check_calibration(calibration(**{level: 1e6}), length=60)


def test_a_model_with_inconsistent_limits_is_refused(tmp_path):
    model = json.loads((small_model.write(tmp_path) / MODEL).read_text())
    model["calibration"]["sets"][ALL]["alert"][0] = 0.5
    (tmp_path / MODEL).write_text(json.dumps(model))
    with pytest.raises(DamagedModel, match="expected 0 < threshold < alert"):
        Detector.load(tmp_path)
