"""Cells of 04_evaluate that are executed again, and notebooks that are opened by hand."""

import ast
import hashlib
import json
import shutil
from collections import defaultdict

import nbformat
import pytest
from conftest import SMOKE, runs_in
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from lib.files import ROOT

EVALUATE = ROOT / "notebooks/04_evaluate.ipynb"
MEASURED = "ms a window"  # depends on the machine
CHANGING = {"add", "append", "clear", "extend", "fill", "insert", "pop", "remove", "setdefault", "sort", "update"}


def parameterised(path, **parameters):
    """Return the notebook with these parameters."""
    notebook = nbformat.read(path, as_version=4)
    (cell,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    cell.source += "".join(f"\n{name} = {value!r}" for name, value in parameters.items())
    return notebook


def own_names(tree):
    """Return the nodes of a cell that assign names, but not those within comprehensions."""
    inner = {
        id(node)
        for comprehension in ast.walk(tree)
        for generator in getattr(comprehension, "generators", [])
        for node in ast.walk(generator.target)
    }
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    return {node.id for node in names if id(node) not in inner}


def changed_names(tree):
    """Return the names of objects that a cell changes in place."""
    changed = [node.target for node in ast.walk(tree) if isinstance(node, ast.AugAssign)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
            changed.append(node)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CHANGING:
            changed.append(node.func.value)
    return {root(node) for node in changed} - {None}


def root(node):
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def touched_twice(sources):
    """Return the names that one cell makes, and another one makes or changes."""
    trees = [ast.parse(source) for source in sources]
    makers = defaultdict(set)
    for number, tree in enumerate(trees):
        for name in own_names(tree):
            makers[name].add(number)
    touching = {name: set(cells) for name, cells in makers.items()}
    for number, tree in enumerate(trees):
        for name in changed_names(tree) & set(makers):
            touching[name].add(number)
    return {name for name, cells in touching.items() if len(cells) > 1}


def test_no_cell_makes_or_changes_what_another_cell_made():
    cells = nbformat.read(EVALUATE, as_version=4).cells
    assert touched_twice([cell.source for cell in cells if cell.cell_type == "code"]) == set()
    assert touched_twice(["a = {}\nb = c = 1", "a[1] = 2", "b += 1", "[c for c in a]", "d = a.get(1)"]) == {"a", "b"}


def content(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }


def measures(folder):
    """Return metrics.json without what depends on the machine's speed."""
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    for row in metrics["ranking"].values():
        row.pop(MEASURED)
    return metrics


@pytest.fixture
def home(smoke, tmp_path):
    """RUNS_HOME with a finished run."""
    for folder in ("data", "models"):
        shutil.copytree(smoke.parent.parent / folder / "smoke", tmp_path / folder / "smoke")
    with runs_in(tmp_path):
        yield tmp_path


def test_cells_executed_again_in_any_order_write_the_same_figures_and_a_finished_run_stays_as_it_is(home):
    before = content(home)
    notebook = parameterised(EVALUATE, run="smoke", score_stride=SMOKE["score_stride"])
    client = NotebookClient(notebook, timeout=600)
    code = [(cell, index) for index, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    opening = next(place for place, (cell, _) in enumerate(code) if "open_run(" in cell.source)
    writing = next(place for place, (cell, _) in enumerate(code) if cell.source.startswith("headline = "))
    copy = home / "models/.smoke.copy"
    with client.setup_kernel(cwd=str(ROOT / "notebooks")):
        for cell in code:
            client.execute_cell(*cell)
        once, figures = measures(copy), sorted(path.name for path in copy.glob("*.png"))
        for cell in code[
            :opening:-1
        ]:  # each, last to first: if none changes another's objects, any suffix does as well
            client.execute_cell(*cell)
        for cell in code[writing:]:
            client.execute_cell(*cell)
    assert measures(copy) == once == measures(home / "models/smoke")
    assert sorted(path.name for path in copy.glob("*.png")) == figures
    assert len(figures) > 8
    assert content(home) == before


@pytest.mark.parametrize("name", ["02_clean", "03_train", "04_evaluate", "05_export", "monitor"])
def test_a_notebook_opened_on_a_wrong_name_names_the_runs_and_creates_nothing(home, name):
    notebook = parameterised(ROOT / f"notebooks/{name}.ipynb", run="smokk")
    before = content(home)
    with pytest.raises(CellExecutionError, match="no run 'smokk'; did you mean 'smoke'"):
        NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(ROOT / "notebooks")}}).execute()
    assert content(home) == before
    assert not (home / "data/smokk").exists()
