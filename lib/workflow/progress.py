"""What a terminal shows while notebooks run: which notebook, which heading, what it took.

On a terminal one line is rewritten in place, ended by the progress bar that the cell writes to stderr.
Elsewhere (a log, a pipe) there is a line for each heading. Whole lines on stderr stay, in both.
"""

import shutil
import time
from contextlib import suppress

CLEAR_LINE = "\r\x1b[2K"


def heading(markdown):
    """The last heading of a markdown text, without its `#`, or None. Fenced code is skipped."""
    found, fenced = None, False
    for line in markdown.splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced and line.startswith("#") and line.lstrip("#").startswith(" "):
            found = line.lstrip("#").strip()
    return found


def duration(seconds):
    """`seconds` for people: '0.4 s', '12 s', '3 min 20 s'."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


class Progress:
    """One notebook's progress on `out`, a text stream; itself a stream for what its cells write to stderr."""

    def __init__(self, notebook, out):
        self.notebook = notebook
        self.heading = ""
        self._out = out
        self._live = out.isatty()
        self._began = time.monotonic()
        if not self._live:
            self._say(f"{notebook}\n")

    @property
    def seconds(self):
        """Seconds since this notebook began."""
        return time.monotonic() - self._began

    def cell(self, cell, cell_index):
        """Called by nbclient as each cell begins, the markdown cells too."""
        found = heading(cell.source) if cell.cell_type == "markdown" else None
        if found and found != self.heading:
            self.heading = found
            self._say(self._line() if self._live else f"  {found}\n")

    def write(self, text):
        """Show what a cell wrote to stderr: a whole line for good, the state of a bar where it can be rewritten."""
        *whole, _ = lines = text.split("\n")
        plain = [line for line in whole if line.strip() and "\r" not in line]  # a bar begins with "\r"
        for line in plain:
            self._say(f"{CLEAR_LINE if self._live else ''}  {line}\n")
        bars = [part for line in lines if line not in plain for part in line.split("\r") if part.strip()]
        if self._live and bars:
            self._say(self._line(bars[-1].strip()))

    def flush(self):
        """Nothing is held back."""

    def end(self, how):
        """Say how the notebook ended, and what it took."""
        text = f"{self.notebook} {how} {duration(self.seconds)}\n"
        self._say(CLEAR_LINE + text if self._live else text)

    def _line(self, tail=""):
        parts = [self.notebook, self.heading, duration(self.seconds), tail]
        return CLEAR_LINE + " · ".join(filter(None, parts))[: shutil.get_terminal_size().columns - 1]

    def _say(self, text):
        with suppress(BrokenPipeError):  # who read this has gone, and the run goes on
            self._out.write(text)
            self._out.flush()
