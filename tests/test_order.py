"""The order of lib's modules, as the README gives it."""

import ast
import re
from itertools import combinations

import pytest

from lib.runs import ROOT


def imported(module):
    """The names of the modules of lib that one imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / "lib" / f"{module}.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "lib":
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lib."):
            found.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {name.name.split(".")[1] for name in node.names if name.name.startswith("lib.")}
    return found


def orders():
    """The README's chains of modules, each a list of groups from left to right."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    chains = re.findall(r"`([a-z_, ]+(?: → [a-z_, ]+)+)`", text)
    return [[group.split(", ") for group in chain.split(" → ")] for chain in chains]


def test_the_readme_has_the_chain_of_modules_from_readings_to_the_bundle():
    assert any({"readings", "bundle"} <= set(sum(order, [])) for order in orders())


@pytest.mark.parametrize("order", orders(), ids=lambda order: order[0][0])
def test_no_module_imports_one_to_its_right(order):
    to_the_right = {(left, right) for lefts, rights in combinations(order, 2) for left in lefts for right in rights}
    assert not {(left, right) for left, right in to_the_right if right in imported(left)}
