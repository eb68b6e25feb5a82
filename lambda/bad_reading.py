"""What is wrong with one reading, in words that the app may show: the field and a short form of its value."""

import math


class BadReading(Exception):
    """A reading that is rejected; the message names field and value."""


def number(metric, name, low, high):
    """The number in field `name` of a reading, within low..high. Raises BadReading."""
    value = metric.get(name)
    kind = type(value)
    if (kind is float or kind is int) and low <= value <= high:
        return float(value)
    if name not in metric:
        raise BadReading(f"{name} is missing")
    raise BadReading(f"{name} {shortened(value)} {_defect(value, low, high)}")


def _defect(value, low, high):
    """Why a value is not a number in low..high."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return "is not a number"
    return f"is outside {low:g}..{high:g}" if abs(value) < math.inf else "is not a finite number"


def shortened(value):
    """A value as an error shows it: at most 40 characters, and nothing of what a list or an object holds."""
    match value:
        case str():
            text = repr(value[:32])
            return text if len(value) <= 32 and len(text) <= 40 else text[:39] + "…"
        case bool() | None | float():
            return str(value)
        case int():
            return str(value) if abs(value) < 10**15 else "(a huge integer)"
        case _:
            return "(a list)" if isinstance(value, list) else "(an object)"
