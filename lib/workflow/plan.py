"""Which notebooks to run: all numbered ones, one alone, or from one on; and what that needs."""

import re
from dataclasses import dataclass
from pathlib import Path

from lib.workflow import bounds
from lib.workflow.parameters import UsageError, did_you_mean


@dataclass(frozen=True)
class Plan:
    """What to run, how the user asked for it, what must be done before, and all numbered notebooks."""

    selected: tuple
    how: str
    needed: tuple
    numbered: tuple


def planned(names, *, only=None, start=None):
    """The Plan for the notebooks of these names, in order: each numbered one, `only` one, or from `start` on.

    Raises UsageError where there is no such notebook.
    """
    numbered = tuple(name for name in names if re.match(r"\d", name))
    if not numbered:
        raise UsageError("there are no numbered notebooks to run")
    if only:
        name = _named(only, names)
        return Plan((name,), f"--only {name}", _before(name, numbered), numbered)
    if start:
        name = _named(start, numbered)
        return Plan(numbered[numbered.index(name) :], f"--from {name}", _before(name, numbered), numbered)
    return Plan(numbered, "a run without --only", (), numbered)


def _before(name, numbered):
    return numbered[: numbered.index(name)] if name in numbered else numbered


def _named(text, names):
    """The notebook meant by its name, its number, or its name without number; folder and .ipynb aside."""
    asked = Path(text).name.removesuffix(".ipynb")
    shorts = {short: name for name in names if name[0].isdigit() for short in name.split("_", 1)}
    shorts |= {name: name for name in names}
    if asked not in shorts:
        raise UsageError(f"no notebook is called {asked!r}{did_you_mean(asked, shorts)}")
    return shorts[asked]


def check_values(values, known, plan):
    """Refuse values that no run is to die of later: out of bounds, or a base that it can not be compared with.

    values: {name: value}, the run's name among them; of what is not given the default is taken. Raises UsageError.
    """
    values = {name: parameter.default for name, parameter in known.items()} | values
    bounds.check(values)
    if "base" in known and set(known["base"].notebooks) & set(plan.selected):
        from lib.evaluation import champion  # NumPy, which a misspelt parameter is not to wait for

        try:
            champion.check(values)
        except ValueError as error:
            raise UsageError(error) from None


def check_skipped(values, known, plan, ran):
    """Refuse a value that only notebooks which do not run would take, unless they ran with that very value.

    `ran` is the record of what ran: {step: {"parameters": {name: value}}}. Raises UsageError.
    """
    for name, value in values.items():
        takers = known[name].notebooks
        before = [ran[step]["parameters"][name] for step in takers if name in ran.get(step, {}).get("parameters", {})]
        if set(takers) & set(plan.selected) or (before and all(old == value for old in before)):
            continue
        tail = f"; it ran with {before[0]}" if before else ""
        raise UsageError(f"{name} is a parameter of {' and '.join(takers)}, which {plan.how} does not run{tail}")
