"""Readings as an app sends them, and what the handler makes of them."""

import math

import numpy as np
from request import parse

from lib.detector import features

START = 1_772_434_800  # Monday 2026-03-02T07:00:00Z
READING = {"heartRate": 75.0, "steps": 120, "calories": 45.5, "distance": 96.0}
CALENDAR = {"hour_sin": 0.5, "hour_cos": 0.866, "is_weekend": 0}
HUGE = "9" * 400


def read(*metrics, **options):
    """The Readings of one wearer's metrics."""
    (readings,) = parse({"metrics": list(metrics), **options}, interval_s=5)
    return readings


def at(timestamp, **changes):
    """A changed READING of that moment."""
    return {**READING, "timestamp": timestamp, **changes}


def calendar(readings, place=0):
    """hour_sin, hour_cos and is_weekend of a reading, as sent or by the wall clock."""
    sent = readings.calendar[place]
    wall_s = readings.seconds[place] + readings.clock_offset[place]
    return features.calendar([wall_s])[0] if np.isnan(sent).all() else sent


def hour(readings, place=0):
    """The hour of the wearer's day."""
    sine, cosine, _ = calendar(readings, place)
    return math.atan2(sine, cosine) / (2 * math.pi) * 24 % 24
