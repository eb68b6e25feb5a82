"""Progress on a terminal and in a log while a notebook runs."""

import io

import nbformat.v4 as v4
import pytest

from lib.workflow.progress import CLEAR_LINE, Progress, format_duration, last_heading


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("markdown", "heading"),
    [
        ("# Train\n\ntext\n\n## Fit the model\nmore", "Fit the model"),
        ("text\n#hashtag", None),
        ("### C# and F#", "C# and F#"),
        ("# Run\n```\n# a comment\n```", "Run"),
    ],
)
def test_the_heading_of_a_cell_is_its_last(markdown, heading):
    assert last_heading(markdown) == heading


@pytest.fixture(autouse=True)
def stopped_clock(monkeypatch):
    monkeypatch.setattr("lib.workflow.progress.time.monotonic", lambda: 1.0)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.44, "0.4 s"), (9.96, "10 s"), (59.6, "1 min 0 s"), (200.2, "3 min 20 s")]
)
def test_durations_read_well(seconds, text):
    assert format_duration(seconds) == text


def test_a_log_gets_a_line_for_each_heading_and_no_progress_bars():
    out = io.StringIO()
    progress = Progress("03_train", out)
    progress.cell(cell=v4.new_markdown_cell("# Train"), cell_index=0)
    progress.cell(cell=v4.new_code_cell("# no heading"), cell_index=1)
    progress.write("\repoch 3/20")
    progress.write("\repoch 3/20\n")
    progress.end("took")
    assert out.getvalue().splitlines()[:2] == ["03_train", "  Train"]
    assert out.getvalue().splitlines()[2:] == ["03_train took 0.0 s"]


def test_a_terminal_shows_notebook_heading_and_the_end_of_the_bar_in_one_line(monkeypatch):
    monkeypatch.setenv("COLUMNS", "43")
    out = Terminal()
    progress = Progress("03_train", out)
    progress.cell(cell=v4.new_markdown_cell("# Train"), cell_index=0)
    progress.write("\repoch 2/20\repoch 3/20 and much more\n")
    assert out.getvalue().split(CLEAR_LINE)[1:] == [
        "03_train · Train · 0.0 s",
        "03_train · Train · 0.0 s · epoch 3/20 and ",
    ]


def test_whole_lines_stay_in_a_log_and_on_a_terminal():
    log, terminal = io.StringIO(), Terminal()
    for out in (log, terminal):
        Progress("03_train", out).write("epoch 1 of 3: 2 s\n\nepoch 2 of 3: 2 s\n\repoch 3/3")
    assert log.getvalue() == "03_train\n  epoch 1 of 3: 2 s\n  epoch 2 of 3: 2 s\n"
    assert terminal.getvalue().split(CLEAR_LINE)[1:] == [
        "  epoch 1 of 3: 2 s\n",
        "  epoch 2 of 3: 2 s\n",
        "03_train · 0.0 s · epoch 3/3",
    ]


class ClosedPipe(io.StringIO):
    def flush(self):
        raise BrokenPipeError


def test_a_closed_pipe_does_not_stop_the_run():
    out = ClosedPipe()
    progress = Progress("03_train", out)
    progress.write("epoch 1 of 3: 2 s\n")
    progress.end("took")
    assert out.getvalue() == "03_train\n  epoch 1 of 3: 2 s\n03_train took 0.0 s\n"
