"""What the figures of readings and models draw: panels, lines, spans, units and numbers."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from lib.evaluation.events import describe_windows, labelled_events
from lib.figures import model as model_figures
from lib.figures import readings, style

START = np.datetime64("2026-03-02T08:00:00", "ms")  # a Monday
AMOUNTS = {"steps": 2.0, "calories": 0.1, "distance": 1.5}


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


@pytest.fixture
def table():
    """Twenty minutes of one wearer at 5 s, a hole in the middle, and two labelled spans."""
    seconds = np.append(np.arange(120), np.arange(150, 270)) * 5
    label = np.full(240, "", dtype=object)
    label[20:40], label[200:220] = "spikes", "cadence_lock"
    time = {"user_id": "a", "segment": np.repeat([0, 1], 120), "timestamp": START + seconds * 1000}
    return pd.DataFrame({**time, "heartRate": 70.0, **AMOUNTS, "quality": "ok", "label": label})


def texts(axis):
    return [text.get_text() for text in axis.texts]


def test_a_day_has_a_panel_with_its_unit_for_each_channel(table):
    labels = [axis.get_ylabel() for axis in readings.day(table).axes]
    expected = ["heart rate\n(bpm)", "steps a minute", "calories\n(kcal a minute)", "distance\n(m a minute)"]
    assert labels == expected


def test_a_day_leaves_out_a_missing_channel(table):
    figure = readings.day(table.assign(distance=np.nan))
    assert len(figure.axes) == 3


def test_no_line_of_a_day_crosses_a_gap(table):
    for axis in readings.day(table).axes:
        (line,) = axis.lines
        assert np.isnan(line.get_ydata()).any()


def test_amounts_of_a_day_are_those_of_whole_minutes(table):
    steps = readings.day(table.iloc[:100]).axes[1].lines[0].get_ydata()  # 8 minutes and 4 samples
    assert steps == pytest.approx([24.0] * 9)


def test_each_labelled_span_of_a_day_is_shaded_in_every_panel_and_named_in_the_first(table):
    axes = readings.day(table).axes
    assert [len(axis.patches) for axis in axes] == [2, 2, 2, 2]
    assert [texts(axis) for axis in axes] == [["spikes", "cadence lock"], [], [], []]


def test_a_day_of_two_wearers_is_refused(table):
    with pytest.raises(ValueError, match="expected a table of one wearer, got 2"):
        readings.day(pd.concat([table, table.assign(user_id="b")]))


def test_coverage_stacks_each_wearers_hours_by_quality(table):
    quality = np.repeat(["ok", "stuck"], [180, 60])
    axis = readings.coverage(table.assign(quality=quality), interval_s=60).axes[0]
    drawn = {bars.get_label(): [bar.get_width() for bar in bars] for bars in axis.containers}
    assert drawn == {"ok": [3], "filled": [0], "stuck": [1], "implausible": [0], "not_worn": [0]}


def test_coverage_of_many_wearers_shows_forty_and_says_so(table):
    many = pd.concat([table[:2].assign(user_id=f"w{k:02d}") for k in range(41)])
    axis = readings.coverage(many, interval_s=5).axes[0]
    assert len(axis.containers[0]) == 40
    assert "40 of 41 wearers" in axis.get_title()


def test_before_and_after_show_the_hour_with_most_steps_of_the_first_wearer(table):
    later = table.assign(timestamp=table["timestamp"] + pd.Timedelta(hours=3), steps=5.0)
    both = pd.concat([table, later, later.assign(user_id="b")], ignore_index=True)
    raw = both.assign(instant=both["timestamp"].astype("int64") / 1000)
    axes = readings.before_after(raw, both).axes
    assert len(axes) == 8
    assert axes[0].get_title() == "a, 2026-03-02 11:00: 240 readings"
    assert len(axes[0].lines[0].get_xdata()) == 240
    assert [axis.get_ylabel() for axis in axes[2:4]] == ["steps", "steps a sample"]


def test_before_and_after_leave_out_missing_counters(table):
    table = table.assign(steps=np.nan, calories=np.nan, distance=np.nan)
    raw = table[["user_id", "timestamp", "heartRate"]].assign(instant=np.arange(240.0))
    assert len(readings.before_after(raw, table).axes) == 2


def test_hours_count_the_samples_of_each_weekday_and_hour(table):
    counts = readings.hours(table).axes[0].collections[0].get_array().reshape(7, 24)
    assert counts[0, 8] == 240
    assert counts.sum() == 240


def epochs(losses, rates):
    rows = enumerate(zip(losses, rates, strict=True), 1)
    return [{"epoch": k, "loss": x, "val_loss": x + 0.1, "learning_rate": r} for k, (x, r) in rows]


def test_a_history_shows_the_learning_rate_of_each_epoch():
    rates = [1e-3, 2e-3, 1e-3, 0.0]
    losses, rate = model_figures.history(epochs([0.5, 0.4, 0.3, 0.2], rates)).axes
    np.testing.assert_array_equal(rate.lines[0].get_ydata(), rates)
    assert "learning rate" in [text.get_text() for text in losses.get_legend().get_texts()]


def test_a_history_says_which_epoch_is_used_and_counts_whole_epochs():
    figure = model_figures.history(epochs([0.5, 0.3, 0.4], [1e-3] * 3))
    assert figure.axes[0].get_title() == "Training: the weights of epoch 2 of 3 are used"
    assert all(tick == round(tick) for tick in figure.axes[0].get_xticks())


@pytest.mark.parametrize(("first", "scale"), [(0.5, "linear"), (5.0, "log")])
def test_a_history_is_logarithmic_if_losses_span_more_than_a_factor_of_ten(first, scale):
    axis = model_figures.history(epochs([first, 0.2], [1e-3, 1e-3])).axes[0]
    assert axis.get_yscale() == scale


def test_error_distributions_show_scored_windows_and_the_two_levels():
    errors = {"train": np.array([0.0, 0.1, 1.0]), "test": np.array([0.5, np.nan])}
    axis = model_figures.error_distributions(errors, 0.6, 0.9).axes[0]
    labels = axis.get_legend_handles_labels()[1]
    assert labels == ["train (3)", "test (1)", "threshold: score 0.3", "alert: score 0.7"]
    assert [line.get_xdata()[0] for line in axis.lines] == [0.6, 0.9]
    assert axis.get_xscale() == "log"


def test_error_distributions_are_shares_that_add_up_to_all_windows():
    axis = model_figures.error_distributions({"train": np.array([0.0, 0.1, 0.1, 1.0])}, 0.6, 0.9).axes[0]
    outline = axis.patches[0].get_xy()
    assert outline[:, 1].max() == 75  # 0 is drawn with the smallest error
    assert np.unique(outline[:, 1]).tolist() == [0, 25, 75]


def test_limits_have_a_solid_and_a_dashed_line_for_each_channel_set():
    limits = {"threshold": [0.1, 0.2], "alert": [1.0, 0.9]}
    axis = model_figures.limits_by_size({"sizes": [1, 60], "sets": {"a": limits, "b": limits}}, interval_s=5).axes[0]
    assert [line.get_linestyle() for line in axis.lines] == ["-", "--", "-", "--"]
    assert axis.lines[1].get_xydata().tolist() == [[5, 1.0], [300, 0.9]]
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["a", "b"]


def test_a_reconstruction_draws_what_was_observed_and_expected_of_each_channel():
    window = np.tile(np.arange(7.0), (60, 1))
    axes = model_figures.reconstruction(window, window + 1, "A window").axes
    assert [[line.get_ydata()[0] for line in axis.lines] for axis in axes] == [[k, k + 1] for k in range(4)]
    assert axes[0].lines[0].get_xdata()[-1] == pytest.approx(59 * 5 / 60)


def test_a_reconstruction_does_not_magnify_noise():
    window = np.full((60, 7), 70.0)
    low, high = model_figures.reconstruction(window, window, "A window").axes[0].get_ylim()
    assert high - low == pytest.approx(10)


def test_auroc_has_a_row_per_kind_and_a_column_per_method():
    model, rule = pd.Series({"spikes": 0.9, "all": 0.8}), pd.Series({"spikes": 0.25, "all": np.nan})
    axis = model_figures.auroc_bars({"model": model, "rule": rule}).axes[0]
    assert sorted(texts(axis)) == ["0.25", "0.80", "0.90", "–"]
    assert [label.get_text() for label in axis.get_xticklabels()] == ["model", "rule"]


def test_auroc_of_kinds_without_scores_is_dashes():
    axis = model_figures.auroc_bars(
        {"model": pd.Series({"dropout": np.nan}), "rule": pd.Series({"dropout": np.nan})}
    ).axes[0]
    assert texts(axis) == ["–", "–"]


def test_recall_bars_show_each_level_and_the_gate_in_percent():
    columns = {"events": [4], "recall_borderline": [0.75], "recall_anomaly": [0.5], "found_by_gate": [0.25]}
    axis = model_figures.recall_bars(pd.DataFrame(columns, index=["stuck_sensor"])).axes[0]
    assert [bar.get_width() for bars in axis.containers for bar in bars] == [75, 50, 25]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["stuck sensor (4)"]


def test_a_score_timeline_shades_that_wearers_events_and_marks_both_levels(table):
    both = pd.concat([table, table.assign(user_id="b")], ignore_index=True)
    windows = describe_windows(table, np.arange(0, 180, 30), length=60)
    axis = model_figures.score_timeline(windows, np.linspace(0, 1, 6), labelled_events(both)).axes[0]
    assert len(axis.patches) == 2
    assert texts(axis) == ["borderline", "alert", "spikes", "cadence lock"]
    assert [line.get_ydata()[0] for line in axis.lines[1:]] == [0.3, 0.7]
    assert all(text.xy[0] > 1 for text in axis.texts[:2])  # beside the panel, clear of the events' names


def test_style_makes_the_colour_blind_palette_the_default():
    with matplotlib.rc_context():
        style.style()
        colours = matplotlib.rcParams["axes.prop_cycle"].by_key()["color"]
    assert matplotlib.colors.to_rgb(colours[0]) == pytest.approx(style.BLUE)


def test_logarithmic_axes_have_plain_numbers_because_formulas_are_off():
    style.style()
    figure, axis = style.axes(3)
    axis.set(xscale="log", xlim=(0.2, 30))
    style.plain_numbers(axis.xaxis)
    figure.canvas.draw()
    labels = [label.get_text() for label in [*axis.get_xticklabels(), *axis.get_xticklabels(minor=True)]]
    assert {"0.2", "0.5", "1", "2", "10", "20"} <= set(labels)
    assert not any("$" in label for label in labels)
