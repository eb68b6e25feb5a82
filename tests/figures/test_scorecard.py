"""What the figures of the scorecard draw: lines, marks and names."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from lib.figures.scorecard import recall_curves


@pytest.fixture
def figure():
    rates = [0.1, 1.0, 10.0]
    recall = {"ours": [0.1, 0.5, 0.9], "best rival": [0.2, 0.6, 0.7], "random": [0.0, 0.0, 0.1]}
    yield recall_curves(
        {name: pd.DataFrame({"false_alarms_per_day": rates, "recall_macro": values}) for name, values in recall.items()}
    )
    plt.close("all")


def test_methods_are_sorted_by_their_recall_at_the_mark(figure):
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["best rival (0.60)", "ours (0.50)", "random (0.00)"]


def test_the_first_method_is_drawn_strongest(figure):
    widths = {line.get_label().split(" (")[0]: line.get_linewidth() for line in figure.axes[0].lines[:3]}
    assert widths["ours"] > widths["best rival"] == widths["random"]


def test_false_alarms_are_logarithmic_with_a_line_at_one_a_day(figure):
    axis = figure.axes[0]
    assert axis.get_xscale() == "log"
    assert set(axis.lines[-1].get_xdata()) == {1.0}
