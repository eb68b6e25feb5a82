"""What the monitor's figures draw."""

import numpy as np
import pandas as pd
import pytest

from lib.figures import monitoring


@pytest.fixture(autouse=True)
def closed():
    yield
    monitoring.style.plt.close("all")


def heights(axis):
    return [bar.get_height() for bar in axis.patches]


def test_errors_are_drawn_beside_those_of_calibration():
    (axis,) = monitoring.errors(np.array([30, 10]), [0.9, 0.1]).axes
    assert heights(axis) == pytest.approx([0.9, 0.1, 0.75, 0.25])
    assert [tick.get_text() for tick in axis.get_xticklabels()] == ["to 90.0%", "beyond"]


def test_a_log_without_windows_can_be_drawn():
    assert heights(monitoring.errors(np.zeros(2), [0.9, 0.1]).axes[0])[2:] == [0, 0]


def test_each_version_has_a_line_over_the_days():
    index = pd.MultiIndex.from_tuples(
        [("a/1", pd.Timestamp("2026-03-02")), ("a/1", pd.Timestamp("2026-03-03")), ("b/2", pd.Timestamp("2026-03-03"))]
    )
    columns = ["alerts_per_day", "rejected", "unknown", "cold", "failed", "median_ms", "p99_ms"]
    figure = monitoring.rates(pd.DataFrame(np.arange(21).reshape(3, 7), index=index, columns=columns))
    first, *others = figure.axes
    assert [line.get_label() for line in first.lines] == ["a/1", "b/2"]
    assert [line.get_ydata().tolist() for line in first.lines] == [[0, 7], [14]]
    assert [len(axis.lines) for axis in others] == [4, 4, 4]


def test_reported_days_have_a_ring():
    days = pd.to_datetime(["2026-03-02", "2026-03-03"])
    judged = pd.DataFrame({"day": days, "name": "Steps", "evidence": [1.0, 9.0], "called": [False, True]})
    (axis,) = monitoring.drift(judged, 5.0).axes
    drawn, circled, limit = axis.lines
    assert drawn.get_ydata().tolist() == [1, 9]
    assert circled.get_ydata().tolist() == [9]
    assert set(limit.get_ydata()) == {5}


def test_a_single_day_is_not_drawn_among_years():
    index = pd.MultiIndex.from_tuples([("a/1", pd.Timestamp("2026-03-02"))])
    columns = ["alerts_per_day", "rejected", "unknown", "cold", "failed", "median_ms", "p99_ms"]
    low, high = monitoring.rates(pd.DataFrame([[1.0] * 7], index=index, columns=columns)).axes[-1].get_xlim()
    assert high - low == 1  # days


def test_a_version_with_the_syntax_of_a_formula_is_drawn_as_text():
    monitoring.style.style()
    index = pd.MultiIndex.from_tuples([("$\\bad{3$/1", pd.Timestamp("2026-03-02"))])
    columns = ["alerts_per_day", "rejected", "unknown", "cold", "failed", "median_ms", "p99_ms"]
    figure = monitoring.rates(pd.DataFrame([[1.0] * 7], index=index, columns=columns))
    figure.canvas.draw()
    assert figure.axes[0].get_legend().get_texts()[0].get_text() == "$\\bad{3$/1"


def test_a_replay_shows_false_alarms_missed_alerts_and_the_proposal():
    rows = [
        {"factor": factor, "persistence": persistence, "false_alarms": 2 - factor, "missed": missed}
        | {"false_alarms_interval": [0, 2], "missed_interval": [None, None]}
        for persistence in (1, 3)
        for factor, missed in ((1.0, None), (1.5, None))
    ]
    left, right = monitoring.replay(pd.DataFrame(rows), proposed={"factor": 1.5}).axes
    assert [line.get_ydata().tolist() for line in left.lines[:2]] == [[1, 0.5], [1, 0.5]]
    assert set(left.lines[-1].get_xdata()) == {1.5}
    assert len(left.collections) == 1
    assert not right.collections
