"""What a terminal shows while notebooks run: the notebook, its heading, and the time it took.

On a terminal one line is rewritten in place. It ends with the progress bar that the cell writes to stderr. A log or a
pipe gets a line for each heading instead. Whole lines on stderr stay in both.
"""

import shutil
import time
from contextlib import suppress

CLEAR_LINE = "\r\x1b[2K"


def last_heading(markdown):
    """Return the last heading of a markdown text without its `#`, or None. Fenced code is skipped."""
    heading, fenced = None, False
    for line in markdown.splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced and line.startswith("#") and line.lstrip("#").startswith(" "):
            heading = line.lstrip("#").strip()
    return heading


def format_duration(seconds):
    """Return `seconds` for people: '0.4 s', '12 s', '3 min 20 s'."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


class Progress:
    """One notebook's progress on the text stream `out`. It is a stream itself, for what the cells write to stderr."""

    def __init__(self, notebook, out):
        self.notebook = notebook
        self.heading = ""
        self._out = out
        self._is_terminal = out.isatty()
        self._began = time.monotonic()
        if not self._is_terminal:
            self._write(f"{notebook}\n")

    @property
    def seconds(self):
        """Seconds since the notebook began."""
        return time.monotonic() - self._began

    def cell(self, cell, cell_index):
        """Show the heading of a cell that begins. nbclient calls this, for markdown cells too."""
        heading = last_heading(cell.source) if cell.cell_type == "markdown" else None
        if heading and heading != self.heading:
            self.heading = heading
            self._write(self._line() if self._is_terminal else f"  {heading}\n")

    def write(self, text):
        """Show what a cell wrote to stderr: whole lines for good, the state of a bar where it can be rewritten."""
        *complete, _ = lines = text.split("\n")
        plain = [line for line in complete if line.strip() and "\r" not in line]  # a bar begins with "\r"
        for line in plain:
            self._write(f"{CLEAR_LINE if self._is_terminal else ''}  {line}\n")
        bars = [state for line in lines if line not in plain for state in line.split("\r") if state.strip()]
        if self._is_terminal and bars:
            self._write(self._line(bars[-1].strip()))

    def flush(self):
        """Do nothing: every write is flushed."""

    def end(self, outcome):
        """Show how the notebook ended, such as "took" or "failed after", and the time."""
        text = f"{self.notebook} {outcome} {format_duration(self.seconds)}\n"
        self._write(CLEAR_LINE + text if self._is_terminal else text)

    def _line(self, tail=""):
        items = [self.notebook, self.heading, format_duration(self.seconds), tail]
        return CLEAR_LINE + " · ".join(filter(None, items))[: shutil.get_terminal_size().columns - 1]

    def _write(self, text):
        with suppress(BrokenPipeError):  # the reader is gone, and the run continues
            self._out.write(text)
            self._out.flush()
