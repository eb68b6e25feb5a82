"""Tables of a log's requests, written by hand: their statuses, and what became of their readings."""

import pandas as pd

from lib.monitoring import health
from lib.monitoring import log as log_module

USUAL = [(day, 200, 50, 60, 1, 5) for day in range(1, 29)]


def with_statuses(*runs):
    """Lines of (version, status, number of lines, minute of the first), a minute apart."""
    rows = [(version, status, minute + n) for version, status, number, minute in runs for n in range(number)]
    lines = pd.DataFrame(rows, columns=["Version", "Status", "minute"])
    return lines.assign(Time=pd.Timestamp("2026-03-02") + pd.to_timedelta(lines["minute"], unit="min"))


def failures(*runs, version="a"):
    return health.failures(log_module.since_first_answer(with_statuses(*runs), version))


def with_readings(*rows):
    """Lines of (days before the end, status, number of lines, and of each line its readings, rejected, unknown)."""
    end = pd.Timestamp("2026-03-30T12:00")
    table = [
        (end - pd.Timedelta(days=day, minutes=n), status, readings, rejected, unknown)
        for day, status, number, readings, rejected, unknown in rows
        for n in range(number)
    ]
    lines = pd.DataFrame(table, columns=["Time", "Status", "Readings", "Rejected", "Unknown"])
    return lines.assign(Code=lines["Status"].map({400: "not_json", 500: "defect"})).sort_values("Time")


def losses(*last_day, before=USUAL):
    lines = with_readings(*before, *last_day)
    return health.losses(lines, lines)
