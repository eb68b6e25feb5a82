"""What the figure of the trend draws."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from lib.figures import style, trend

START = pd.Timestamp("2026-03-02")


@pytest.fixture(autouse=True)
def closed():
    yield
    style.plt.close("all")


def track(days=40, *, raised=slice(0, 0)):
    """Hours at 60 bpm, the usual; 75 bpm and a score of 0.8 in those raised."""
    table = pd.DataFrame({"timestamp": START + pd.to_timedelta(np.arange(24 * days), unit="h")})
    table = table.assign(bpm=60.0, usual=60.0, spread=4.0, score=0.1)
    table.loc[table.index[raised], ["bpm", "score"]] = 75.0, 0.8
    return table


def dots(axis, colour):
    return [line.get_ydata() for line in axis.lines if line.get_marker() == "." and to_rgb(line.get_color()) == colour]


def test_hours_above_the_band_have_a_colour_of_their_own():
    above, _ = trend.weeks(track(raised=slice(-30, -20)), name="a").axes
    (usual,), (raised,) = dots(above, style.GREY), dots(above, style.RED)
    assert (set(usual), set(raised)) == ({60.0}, {75.0})
    assert len(raised) == 10


@pytest.mark.parametrize(
    ("hours", "title"),
    [
        (slice(24 * 20 - 12, 24 * 20), "a: the trend alerts 0.5 days before onset"),
        (slice(24 * 21, 24 * 22), "a: the trend alerts 1.0 days after onset"),
        (slice(24 * 10, 24 * 11), "a: the trend does not alert"),  # ten days before
    ],
)
def test_the_title_says_how_far_from_the_onset_the_trend_alerts(hours, title):
    above, below = trend.weeks(track(raised=hours), name="a", onset=START + pd.Timedelta(days=20)).axes
    assert above.get_title(loc="left") == title
    assert [text.get_text() for text in above.texts] == ["onset"]
    assert {text.get_text() for text in below.texts} == {"borderline", "alert"}


def test_four_weeks_are_drawn_about_the_onset_or_up_to_the_end():
    about, _ = trend.weeks(track(60), name="a", onset=START + pd.Timedelta(days=20)).axes
    last, _ = trend.weeks(track(60), name="a").axes
    spans = [[pd.Timestamp(day, unit="D").round("h") for day in axis.get_xlim()] for axis in (about, last)]
    assert spans == [
        [START + pd.Timedelta(days=3), START + pd.Timedelta(days=31)],
        [START + pd.Timedelta(hours=60 * 24 - 1) - pd.Timedelta(days=28), START + pd.Timedelta(hours=60 * 24 - 1)],
    ]


def test_names_are_no_mathematics_and_hours_without_rest_leave_no_dot():
    table = track()
    table.loc[5:, "bpm"] = np.nan
    figure = trend.weeks(table, name="$x_1$")
    figure.canvas.draw()
    assert figure.axes[0].get_title(loc="left").startswith("$x_1$: ")
    (title,) = [text for text in figure.axes[0].get_children() if getattr(text, "get_text", str)().startswith("$x")]
    assert not title.get_parse_math()
