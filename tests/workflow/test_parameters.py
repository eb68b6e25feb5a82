"""Parameters that notebooks declare, and values on the command line."""

import json

import pytest

from lib.workflow.parameters import (
    Parameter,
    UsageError,
    declared_parameters,
    help_lines,
    parse_arguments,
    parse_declarations,
    parse_value,
    resolve_paths,
)


def notebook(folder, name, source):
    cell = {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": source}
    other = {"cell_type": "code", "metadata": {}, "source": "hidden: int = 1"}
    path = folder / f"{name}.ipynb"
    path.write_text(json.dumps({"cells": [other, cell]}))
    return path


KNOWN = {
    "epochs": Parameter("epochs", "int", 20, "", ("03_train",)),
    "rate": Parameter("rate", "float", 1e-3, "", ("03_train",)),
    "force": Parameter("force", "bool", False, "", ("05_export",)),
    "data_path": Parameter("data_path", "str", "", "", ("01_generate",)),
}


def test_a_cell_declares_name_type_default_and_comment():
    source = 'epochs: int = 20  # most epochs\npath: str = "a#b"\nshift: float = -1.5  # h, # too\nlog = True\n'
    assert parse_declarations(source) == [
        Parameter("epochs", "int", 20, "most epochs"),
        Parameter("path", "str", "a#b", ""),
        Parameter("shift", "float", -1.5, "h, # too"),
        Parameter("log", "bool", True, ""),
    ]


@pytest.mark.parametrize("source", ["x: list = []", "x: int = 2 + y", "print(1)", "x: int", "x = ("])
def test_anything_but_typed_literals_is_refused_naming_the_notebook(tmp_path, source):
    with pytest.raises(UsageError, match=r"parameters of 01_a\.ipynb cannot be read"):
        declared_parameters([notebook(tmp_path, "01_a", source)])


def test_a_parameter_lists_every_notebook_that_declares_it(tmp_path):
    paths = [
        notebook(tmp_path, "01_a", "seed: int = 1  # first\n"),
        notebook(tmp_path, "02_b", "seed: int = 1\nx: str = ''\n"),
    ]
    assert declared_parameters(paths) == {
        "seed": Parameter("seed", "int", 1, "first", ("01_a", "02_b")),
        "x": Parameter("x", "str", "", "", ("02_b",)),
    }


def test_two_notebooks_that_disagree_on_a_default_are_refused(tmp_path):
    paths = [notebook(tmp_path, "01_a", "seed: int = 1\n"), notebook(tmp_path, "02_b", "seed: int = 2\n")]
    with pytest.raises(UsageError, match="seed is int = 1 in 01_a, but int = 2 in 02_b"):
        declared_parameters(paths)


def test_values_take_the_declared_type():
    assert parse_arguments(["epochs=3", "rate=1", "force=True", "data_path="], KNOWN) == {
        "epochs": 3,
        "rate": 1.0,
        "force": True,
        "data_path": "",
    }


def test_a_value_may_hold_an_equals_sign():
    assert parse_arguments(["data_path=a=b"], KNOWN) == {"data_path": "a=b"}


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("epochs", "ten", "an int"),
        ("epochs", "3.0", "an int"),
        ("epochs", "", "an int"),
        ("rate", "fast", "a float"),
        ("rate", "nan", "a float"),
        ("rate", "-inf", "a float"),
        ("force", "1", "true or false"),
    ],
)
def test_a_value_of_another_type_is_refused_with_the_type(name, text, expected):
    with pytest.raises(UsageError) as caught:
        parse_value(KNOWN[name], text)
    assert str(caught.value) == f"{name}={text}: expected {expected}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["epoch=3"], "no notebook has a parameter 'epoch'; did you mean 'epochs'?"),
        (["zzz=3"], "no notebook has a parameter 'zzz'; see ./run_all.sh --help"),
        (["epochs=3", "epochs=4"], "epochs occurs twice; give it once"),
        (["epochs"], "expected an option or name=value, got 'epochs'"),
    ],
)
def test_an_invalid_argument_is_refused(arguments, message):
    with pytest.raises(UsageError) as caught:
        parse_arguments(arguments, KNOWN)
    assert str(caught.value) == message


def test_a_path_in_the_callers_folder_is_made_absolute(tmp_path, monkeypatch):
    monkeypatch.setenv("CALLER_DIR", str(tmp_path))
    (tmp_path / "watch.csv").touch()
    assert resolve_paths({"data_path": "watch.csv", "epochs": 3}) == {
        "data_path": str(tmp_path / "watch.csv"),
        "epochs": 3,
    }
    assert resolve_paths({"data_path": "w*.csv"}) == {"data_path": str(tmp_path / "w*.csv")}


@pytest.mark.parametrize("path", ["", "s3://bucket/watch.csv", "lib/run.py"])
def test_no_path_s3_and_a_path_from_the_repository_root_stay_unchanged(tmp_path, monkeypatch, path):
    monkeypatch.setenv("CALLER_DIR", str(tmp_path))
    assert resolve_paths({"data_path": path}) == {"data_path": path}


def test_a_missing_file_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("CALLER_DIR", str(tmp_path))
    with pytest.raises(UsageError) as caught:
        resolve_paths({"data_path": "no.csv"})
    assert str(caught.value) == "data_path=no.csv: no such file or folder"


def test_help_groups_the_parameters_by_notebook():
    known = {
        "seed": Parameter("seed", "int", 1, "makes runs repeat", ("01_a", "02_b")),
        "force": Parameter("force", "bool", False, "", ("02_b",)),
    }
    assert help_lines(known) == [
        "",
        "01_a:",
        "  seed=1  [int]        makes runs repeat (also 02_b)",
        "",
        "02_b:",
        "  force=false  [bool]",
    ]
