"""The committed notebooks: their form, a run of all five at smoke size, and their contract cells."""

import json
import math
import os
import re
import shutil
import subprocess
import sys
import warnings

import nbformat
import papermill
import pytest
from conftest import OURS, SMOKE, WARNINGS_ARE_ERRORS

from lib.files import ROOT
from lib.workflow import runs_table
from lib.workflow.notebooks import CONTRACT
from lib.workflow.parameters import declared_parameters, notebook_parameters

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NUMBERED = [path for path in NOTEBOOKS if path.name[0].isdigit()]
LONGEST_CELL = 15  # lines
OPTIONAL = {"median_delay_s_at_0.7"}  # headline metrics that are None if no event reached the level


def code_cells(path):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_only_contract_cells_keep_an_output_and_each_has_one_with_its_count(path):
    contracts = [cell for cell in code_cells(path) if CONTRACT in cell.source]
    assert contracts
    assert all(cell.outputs and cell.execution_count for cell in contracts)
    assert not any(cell.outputs for cell in code_cells(path) if CONTRACT not in cell.source)


def test_the_readmes_command_for_an_edited_notebook_leaves_the_committed_ones_unchanged(tmp_path):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"`\.venv/bin/(nbstripout .*) notebooks/\*\.ipynb`", text)
    copies = [shutil.copyfile(path, tmp_path / path.name) for path in NOTEBOOKS]
    subprocess.run([sys.executable, "-m", *command.split(), *copies], check=True)
    assert [copy.read_bytes() for copy in copies] == [path.read_bytes() for path in NOTEBOOKS]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_cells_are_short_and_define_nothing(path):
    for cell in code_cells(path):
        lines = cell.source.splitlines()
        assert not any(line.startswith(("def ", "class ")) for line in lines), cell.source
        assert len(lines) <= LONGEST_CELL or "parameters" in cell.metadata.get("tags", []), cell.source


@pytest.mark.parametrize("name", ["01_generate", "02_clean", "03_train", "04_evaluate", "05_export"])
def test_each_notebook_leaves_its_executed_copy_and_a_page(smoke, name):
    executed = nbformat.read(smoke / f"{name}.ipynb", as_version=4)
    outputs = [output for cell in executed.cells for output in cell.get("outputs", [])]
    assert outputs
    assert not [output for output in outputs if output.output_type == "error"]
    assert "<title>" in (smoke / f"{name}.html").read_text()


def test_the_run_leaves_the_artefacts(smoke):
    for name in (
        "lstm_autoencoder.keras",
        "threshold.npy",
        "training_history.png",
        "model.json",
        "metrics.json",
        "lambda_export/lstm_model_savedmodel/saved_model.pb",
        "lambda_export/lstm_model.tflite",
        "lambda_export/lstm_autoencoder.h5",
        "lambda_export/threshold.npy",
        "lambda_export/model.json",
        "lambda_export/lambda_function.py",
        "lambda_export/requirements.txt",
        "lambda_export/lambda_deployment.zip",
    ):
        assert (smoke / name).stat().st_size > 0, name
    assert not (smoke / "checkpoint").exists()


def test_the_headline_metrics_are_written_and_in_range(smoke):
    headline = json.loads((smoke / "metrics.json").read_text())["headline"]
    assert {name for name, value in headline.items() if value is None} <= OPTIONAL
    assert all(math.isfinite(value) and value >= 0 for value in headline.values() if value is not None)
    shares = [value for name, value in headline.items() if name.startswith(("auroc", "event_recall", "share"))]
    assert len(shares) == 5
    assert max(shares) <= 1
    assert headline["auroc_macro"] > 0.5
    assert headline["event_recall_at_0.7"] <= headline["event_recall_at_0.3"]


@pytest.mark.parametrize("module", [*OURS, *(path.stem for path in (ROOT / "lambda").glob("*.py")), __name__])
def test_a_warning_of_this_projects_modules_is_an_error_in_the_tests(module):
    for category in (DeprecationWarning, FutureWarning, UserWarning):
        with pytest.raises(category):
            warnings.warn_explicit("ours", category, "file.py", 1, module=module)


@pytest.mark.parametrize("path", NUMBERED, ids=lambda path: path.stem)
def test_no_cell_warns(smoke, path):
    executed = nbformat.read(smoke / path.name, as_version=4)
    texts = [o.text for cell in executed.cells for o in cell.get("outputs", []) if o.get("name") == "stderr"]
    assert "Warning" not in "".join(texts)


def test_the_export_does_not_say_where_the_data_were(smoke):
    model = json.loads((smoke / "lambda_export/model.json").read_text())
    assert list(model["data"]) == ["fingerprint"]


def test_model_json_alone_gives_the_command_that_repeats_the_run(smoke, tmp_path, monkeypatch):
    monkeypatch.setenv("RUNS_HOME", str(tmp_path))
    (tmp_path / "models/smoke").mkdir(parents=True)
    shutil.copyfile(smoke / "model.json", tmp_path / "models/smoke/model.json")
    known = declared_parameters(NOTEBOOKS)
    command = runs_table.rebuild_commands("smoke", known).split()
    changed = {f"{name}={value}" for name, value in SMOKE.items() if value != known[name].default}
    assert command[:2] == ["./run_all.sh", "run=smoke"]
    assert set(command[2:]) == changed


def contract_outputs(path):
    """Return what nbval compares of a contract cell: the texts of its outputs."""
    (cell,) = [cell for cell in code_cells(path) if CONTRACT in cell.source]
    return [output.get("text") or output.data["text/plain"] for output in cell.outputs]


@pytest.mark.parametrize("path", NUMBERED, ids=lambda path: path.stem)
def test_the_contract_of_the_run_is_the_committed_one(smoke, path):
    assert contract_outputs(smoke / path.name) == contract_outputs(path)


def test_nbval_accepts_the_contracts_of_the_notebooks_that_make_data(tmp_path):
    """The others take minutes; the run at smoke size has executed them already."""
    for path in (ROOT / "notebooks/01_generate.ipynb", ROOT / "notebooks/02_clean.ipynb"):
        names = [parameter.name for parameter in notebook_parameters(path)]
        parameters = {name: SMOKE[name] for name in names if name in SMOKE}
        papermill.execute_notebook(path, tmp_path / path.name, {"run": "nbval", **parameters}, prepare_only=True)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=600"]
        + ["-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", tmp_path, tmp_path],
        env={
            **os.environ,
            "RUNS_HOME": str(tmp_path),
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "PYTHONWARNINGS": WARNINGS_ARE_ERRORS,
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-5000:]
