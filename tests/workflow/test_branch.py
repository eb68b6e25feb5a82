"""A run branched from another, on toy notebooks."""

import json

import nbformat
import pytest

from lib.run import Run
from lib.workflow import cli
from lib.workflow.branch import branch
from lib.workflow.parameters import UsageError

OPEN = "from lib.run import open_run\nr = open_run(run)\n"
RUN = 'run: str = "default"  # name of the run\n'
TOYS = {
    "01_make": (
        RUN + "rows: int = 3  # how many",
        OPEN + 'r.record("01_make", rows=rows, drawn=__import__("time").time())',
    ),
    "02_use": (
        RUN + "factor: int = 2  # multiplies",
        OPEN + 'product = r.recorded("01_make")["rows"] * factor\nr.record("02_use", product=product)',
    ),
}


@pytest.fixture
def notebooks(tmp_path, monkeypatch):
    """A folder of toy notebooks, and a finished run of six rows."""
    monkeypatch.setenv("RUNS_HOME", str(tmp_path / "home"))
    folder = tmp_path / "toys"
    folder.mkdir()
    for name, (parameters, code) in TOYS.items():
        tagged = nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})
        cells = [tagged, nbformat.v4.new_markdown_cell(f"# {name}"), nbformat.v4.new_code_cell(code)]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / f"{name}.ipynb")
    assert cli.main(["run=first", "rows=6"], notebooks=folder) == 0
    return folder


def test_a_branch_shares_what_is_upstream_and_has_a_record_of_its_own(notebooks):
    first = Run.at("first")
    before = first.journal
    assert branch(first, "mine", {"factor": 5}, notebooks=notebooks) == 0
    mine = Run.at("mine").journal
    assert mine["01_make"] == before["01_make"]  # not made again
    assert mine["02_use"] == {"product": 30}
    assert mine["given"] == {"rows": 6, "factor": 5}
    assert mine["branch"] == {"of": "first", "since": "02_use"}
    assert first.journal == before


def test_a_parameter_of_the_first_notebook_makes_all_again(notebooks):
    assert branch(Run.at("first"), "mine", {"rows": 4}, notebooks=notebooks) == 0
    assert Run.at("mine").journal["02_use"] == {"product": 8}


@pytest.mark.parametrize(
    ("name", "values", "sentence"),
    [
        ("mine", {"facter": 5}, "there is no parameter 'facter'; did you mean 'factor'?"),
        ("first", {"factor": 5}, "there is a run 'first': choose another name"),
        ("mine", {}, "expected a parameter of a numbered notebook to change"),
    ],
)
def test_what_cannot_be_branched_is_refused_and_leaves_nothing(notebooks, name, values, sentence):
    with pytest.raises(UsageError, match=sentence):
        branch(Run.at("first"), name, values, notebooks=notebooks)
    assert not Run.at("mine").models.exists()
    assert json.loads((Run.at("first").models / "run.json").read_text())["02_use"] == {"product": 12}
