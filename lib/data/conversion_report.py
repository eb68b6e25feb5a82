"""The report of a conversion: what was read, assumed, merged and left out."""

from dataclasses import dataclass, field

from lib.data import series

MOST_NAMES = 5  # of files left out, in the report


@dataclass
class Report:
    """What a conversion did, for people and for the file's metadata."""

    formats: dict = field(default_factory=dict)  # {format: number of files}
    assumed: list = field(default_factory=list)
    clocks: list = field(default_factory=list)
    timezone: str = ""
    calories: list = field(default_factory=list)  # "total", "active"
    wearers: dict = field(default_factory=dict)  # {wearer: days}
    readings: dict = field(default_factory=dict)  # {channel: number}
    totals: dict = field(default_factory=dict)  # {channel: sum of amounts}
    spacing_s: float | None = None  # median seconds between heart rates
    first: str = ""
    last: str = ""
    notes: dict = field(default_factory=dict)  # {what was merged or left out: number}
    files_left_out: list = field(default_factory=list)

    def lines(self):
        """The report as lines of text."""
        yield "read: " + ", ".join(f"{name} ({count:,} files)" for name, count in self.formats.items())
        days = sum(self.wearers.values())
        yield f"wearers: {len(self.wearers):,}, days: {days:,}, from {self.first} to {self.last}"
        if list(self.wearers) == [series.ONE_WEARER] and sum(self.formats.values()) > 1:
            yield "wearers: no file names its wearer, so all files are taken to be of one person"
        yield "readings: " + ", ".join(f"{count:,} {name}" for name, count in self.readings.items())
        yield "totals: " + (", ".join(f"{total:,.0f} {name}" for name, total in self.totals.items()) or "no counters")
        if self.spacing_s is not None:
            yield f"spacing: a heart rate every {self.spacing_s:g} s (median); {_fitting_interval(self.spacing_s)}"
        yield f"clock: {'; '.join(self.clocks)}"
        yield "counters: running, back at 0 at local midnight (counters=cumulative, the default)"
        if self.calories:
            meaning = {"total": "with what the body burns at rest", "active": "without what the body burns at rest"}
            yield "calories: " + " and ".join(f"{name}, {meaning[name]}" for name in self.calories)
        yield from (f"assumed: {line}" for line in self.assumed)
        yield from (f"left out or merged: {count:,} {reason}" for reason, count in self.notes.items())
        if self.files_left_out:
            names = ", ".join(self.files_left_out[:MOST_NAMES])
            more = len(self.files_left_out) - MOST_NAMES
            yield f"files left out, of no format known here: {names}" + (f" and {more:,} more" if more > 0 else "")


def _fitting_interval(spacing_s):
    for interval_s in (1, 5, 10, 15, 30, 60):
        if spacing_s <= interval_s:
            return f"interval_s={interval_s} fits"
    reach = "the trend of the resting heart rate reads up to 10 minutes" if spacing_s <= 600 else "nothing reads that"
    return f"too far apart for windows; {reach}"
