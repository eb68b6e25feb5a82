import numpy as np

from lib.detector import faults as sensors
from lib.detector import grid


def faults(windows, counted=(True,) * 7, **form):
    return sensors.faults(windows, interval_s=5, counted=counted, **form).tolist()


def test_more_than_a_body_can_do_in_a_window_is_a_fault_and_a_stuck_sensor_another():
    windows = np.zeros((5, 60, 7))
    windows[:, :, 0] = np.arange(60)
    windows[0, :, 1:4] = [25.0, 2.5, 62.5]  # all that is possible in 5 s
    windows[1, 7, 1] = 1500  # what was done in five minutes, counted at once
    windows[2, 7, 3] = 3751
    windows[3, :, 2] = np.nan
    windows[4, :, 0], windows[4, 7, 1] = 80, 1501
    assert faults(windows) == [grid.OK, grid.OK, grid.IMPLAUSIBLE, grid.OK, grid.STUCK]
    without_distance = [True] * 3 + [False] + [True] * 3
    assert faults(windows, without_distance) == [grid.OK] * 4 + [grid.STUCK]


def test_of_a_short_window_a_minutes_counts_are_possible_and_padding_does_not_count():
    windows = np.zeros((3, 60, 7))
    windows[:, :, 0] = np.arange(60)
    windows[0, 59, 1], windows[1, 59, 1], windows[2, :58, 1] = 300, 301, 20
    assert faults(windows, size=np.array([1, 1, 3])) == [grid.OK, grid.IMPLAUSIBLE, grid.OK]


def test_a_window_is_stuck_when_its_heart_rate_holds_for_five_minutes():
    windows = np.zeros((3, 70, 7))
    windows[:, :, 0] = np.arange(70)
    windows[1, 5:65, 0] = 80
    windows[2, 5:64, 0] = 80
    assert sensors.stuck(windows, interval_s=5).tolist() == [False, True, False]


def test_a_window_of_five_minutes_is_stuck_with_nine_in_ten_samples_alike():
    windows = np.zeros((3, 60, 7))
    windows[:, :, 0] = 80
    windows[0, 5::12, 0] = [81, 79, 95, 60, 81]
    windows[1, ::10, 0] = 81  # six
    windows[2, ::8, 0] = 81  # eight
    assert sensors.stuck(windows, interval_s=5).tolist() == [True, True, False]
    assert sensors.stuck(windows, interval_s=4).tolist() == [False] * 3  # four minutes
    assert sensors.stuck(windows, interval_s=5, size=np.array([59, 58, 60])).tolist() == [False] * 3


def test_padding_does_not_make_a_window_stuck():
    windows = np.full((2, 70, 7), 80.0)
    windows[:, 60:, 0] = np.arange(10)
    assert sensors.stuck(windows, interval_s=5, size=np.array([70, 11])).tolist() == [True, False]
