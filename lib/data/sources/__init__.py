"""Formats in which watches' readings are exported: a module each, discovered by itself.

To add one, write a module here with these names, and its test. Nothing else lists the formats.

NAME : str
    What the format is called in reports.
ASSUMED : tuple of str
    What the reader takes for granted: the clock, the units, what counts as missing.
recognises(entry) -> bool
    Whether an `archive.Entry` is a file of this format, by its content (`entry.head`).
read(entries, left_out) -> iterator of series.Series
    The readings of all files of this format in one source. What is not read is counted in `left_out`, a
    `collections.Counter` of reasons.
"""

import importlib
import pkgutil


def formats():
    """The modules of all formats, in order of name."""
    return [importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]


def recognised(entry):
    """The module of the format that an entry is a file of, or None."""
    return next((module for module in formats() if module.recognises(entry)), None)
