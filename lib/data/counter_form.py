"""Whether counters run through the day, or are amounts since the last reading: the data must fit the parameter."""

import numpy as np
import pandas as pd

from lib.detector.features import COUNTER_FORMS, COUNTERS

FEWEST_FALLS, FALLS = 3, 0.2  # within a day, and of a counter's changes: from then on it holds amounts
FEWEST_RISES, NO_FALLS = 8, 0.02  # within days: amounts fall half of the time, a counter where it is corrected


class CounterFormError(ValueError):
    """Counters of another form than the parameter says: carries the `column`."""

    def __init__(self, column, problem):
        self.column = column
        super().__init__(f"column {column}: {problem}")


def require(table, counters):
    """Raise CounterFormError where a raw table's counters are plainly not of this form.

    Parameters
    ----------
    table : DataFrame
        Of `readings.read`.
    counters : str
        "cumulative" or "interval".
    """
    if counters not in COUNTER_FORMS:
        raise ValueError(f"expected one of {', '.join(COUNTER_FORMS)}, got counters={counters!r}")
    order = np.lexsort((table["instant"].to_numpy(), pd.factorize(table["user_id"])[0]))
    wearer = pd.factorize(table["user_id"])[0][order]
    day = table["timestamp"].to_numpy().astype("datetime64[D]").astype(np.int64)[order]
    instant = table["instant"].to_numpy()[order]
    for name in COUNTERS:
        if name in table:
            falls, changes = _falls(table[name].to_numpy()[order], wearer, day, instant)
            _require(name, falls, changes, counters)


def _falls(values, wearer, day, instant):
    """How often a column falls from one reading to the next of the same wearer and day, and how often it changes."""
    known = np.flatnonzero(~np.isnan(values))
    step = np.diff(values[known])
    same = (np.diff(wearer[known]) == 0) & (np.diff(day[known]) == 0) & (np.diff(instant[known]) > 0)
    return int((same & (step < 0)).sum()), int((same & (step != 0)).sum())


def _require(name, falls, changes, counters):
    if counters == "cumulative" and falls >= FEWEST_FALLS and falls > FALLS * changes:
        problem = f"expected a running counter, got one that falls {falls:,} times in {changes:,} changes"
        raise CounterFormError(name, f"{problem}; amounts since the last reading are counters=interval")
    if counters == "interval" and changes >= FEWEST_RISES and falls <= NO_FALLS * changes:
        problem = f"expected amounts since the last reading, got a counter that grows {changes - falls:,} times and "
        problem += f"falls {falls:,}"
        raise CounterFormError(name, f"{problem}; running counters are counters=cumulative")
