import numpy as np
import pytest
from conftest import life

from lib.detector import features, heart_rate, windows


def test_the_usual_heart_rate_follows_the_hour():
    hours = np.arange(0, 24, 0.25)
    samples = np.column_stack([60 + 10 * np.cos(2 * np.pi * (hours - 15) / 24), np.zeros((96, 3))])
    made = np.column_stack([samples, features.calendar(3600 * hours)])[:, None]
    curve = heart_rate.fit_curve(made, interval_s=5)
    np.testing.assert_allclose(heart_rate.usual(made[:, -1], curve), samples[:, 0], atol=1e-6)


def test_what_steps_add_to_the_heart_rate_is_no_part_of_the_usual_one():
    made = life(2000)
    steps = np.repeat([0.0, 4.0, 9.0, 0.0], 500)  # in 5 s: 0, 48, 108 a minute
    made[:, 0], made[:, 1] = 60 + 8 * np.log(12 * steps + 1), steps
    first = np.arange(0, 1500, 500)[:, None] + np.arange(0, 440, 40)
    curve = heart_rate.fit_curve(windows.gather(made, first.ravel(), length=60), interval_s=5)
    assert curve[-1] == pytest.approx(8)
    np.testing.assert_allclose(heart_rate.usual(made[[59, 700, 1400]], curve), 60, atol=1e-6)


def test_where_steps_are_absent_they_explain_nothing():
    made = life(300)[None, :, :].reshape(5, 60, 7)
    made[:, :, 1] = np.nan
    assert heart_rate.fit_curve(made, interval_s=5)[-1] == 0
