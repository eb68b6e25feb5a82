"""Which notebooks run: all numbered ones, a single one, or those from one on."""

import re
from dataclasses import dataclass
from pathlib import Path

from lib.workflow.parameters import UsageError, did_you_mean


@dataclass(frozen=True)
class Plan:
    """The notebooks to run.

    Attributes
    ----------
    selected : tuple of str
        The notebooks that run, in order.
    request : str
        How the user asked for them, such as "--only 04_evaluate".
    required : tuple of str
        The numbered notebooks that must have run before.
    numbered : tuple of str
        All numbered notebooks.
    """

    selected: tuple
    request: str
    required: tuple
    numbered: tuple


def plan_notebooks(names, *, only=None, start=None):
    """Return the Plan for these notebooks.

    Parameters
    ----------
    names : list of str
        All notebooks, in order.
    only, start : str, optional
        Run this notebook alone, or all numbered ones from this one on. By default all numbered ones run.

    Raises
    ------
    UsageError
        If no such notebook exists.
    """
    numbered = tuple(name for name in names if re.match(r"\d", name))
    if not numbered:
        raise UsageError("expected numbered notebooks, such as 01_generate, but the folder has none")
    if only:
        name = _full_name(only, names)
        return Plan((name,), f"--only {name}", _before(name, numbered), numbered)
    if start:
        name = _full_name(start, numbered)
        return Plan(numbered[numbered.index(name) :], f"--from {name}", _before(name, numbered), numbered)
    return Plan(numbered, "a run without --only", (), numbered)


def _before(name, numbered):
    return numbered[: numbered.index(name)] if name in numbered else numbered


def _full_name(text, names):
    """Return the notebook that `text` names in full, by number or without its number, or as a file."""
    stem = Path(text).name.removesuffix(".ipynb")
    by_short_name = {short: name for name in names if name[0].isdigit() for short in name.split("_", 1)}
    by_short_name |= {name: name for name in names}
    if stem not in by_short_name:
        raise UsageError(f"no notebook is called {stem!r}{did_you_mean(stem, by_short_name)}")
    return by_short_name[stem]
