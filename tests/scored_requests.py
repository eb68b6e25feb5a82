"""Scored requests with feedback, written by hand."""

import math

import numpy as np
import pandas as pd

DAY_READINGS = 17_280  # of a wearer-day at 5 s

ROWS = (  # (day of March, held by 1 and by 3 windows, correct: 1, 0 or None)
    (2, (1.2, 1.1), 0),  # a false alarm
    (2, (3.0, 0.5), 1),  # a right alert
    (3, (1.5, 1.5), 0),
    (3, (1.6, 1.0), 1),
    (3, (1.1, 0.2), None),  # an alert without feedback
    (4, (0.5, 0.5), None),
    (4, (0.9, 0.9), 0),  # a missed event
    (4, (0.9, 0.9), 1),  # rightly silent
)


def requests(*rows):
    """Requests of a wearer-day each."""
    table = pd.DataFrame(
        {
            "Time": pd.to_datetime([f"2026-03-{day:02}" for day, *_ in rows]),
            "Held": [np.array([*held, 0, 0, 0]) for _, held, _ in rows],
            "correct": [math.nan if correct is None else correct for *_, correct in rows],
        }
    )
    return table.assign(Readings=DAY_READINGS, Rejected=0.0, Unknown=math.nan)
