"""The table of all runs, and the command that repeats one."""

import json
import os
import shlex

import pytest

from lib.figures import scorecard
from lib.files import write_json
from lib.monitoring import adjustment
from lib.run import Run
from lib.workflow import cli, runs_table
from lib.workflow.parameters import Parameter, UsageError

KNOWN = {
    parameter.name: parameter
    for parameter in (
        Parameter("run", "str", "default", ""),
        Parameter("data_path", "str", "", ""),
        Parameter("epochs", "int", 12, ""),
        Parameter("warm_start", "bool", False, ""),
        Parameter("learning_rate", "float", 0.002, ""),
    )
}


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("RUNS_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    return tmp_path


def add_run(name, *, staged=False, exported=True, challenge=None, **parameters):
    """Write a run as run_all.sh leaves it, with a VUS-PR of 0.7."""
    run = Run.at(name, staged=staged)
    run.models.mkdir(parents=True)
    run.record("01_generate", source="simulated", fingerprint="0123456789", readings={"development": 100, "test": 20})
    run.record("ran", **{"03_train": {"parameters": {"run": name, **parameters}, "seconds": 90.0}})
    run.record("given", **parameters)
    model = {"parameters": {"epochs": 1}, "metrics": {"epochs": 7, "val_loss": 0.4, "windows": {"train": 50}}}
    write_json(run.models / "model.json", model)
    metrics = {"ranking": {"deployed score": {"VUS-PR": 0.7}}, "headline": {"share_of_normal_at_0.3": 0.04}}
    write_json(run.models / "metrics.json", metrics | ({"challenge": challenge} if challenge else {}))
    if exported:
        (run.models / "lambda_export").mkdir()
        (run.models / "lambda_export/lambda_deployment.zip").write_bytes(bytes(2_500_000))
        write_json(run.models / "lambda_export/model.json", model)
    return run


def test_a_run_is_listed_with_its_parameters_and_results(home):
    add_run("a", epochs=3)
    row = runs_table.table().loc["a"]
    expected = {
        "state": "exported",
        "data": "01234567",
        "readings": 120,
        "training windows": 50,
        "epochs": 7,
        "VUS-PR": 0.7,
        "share at 0.3": 0.04,
        "zip (MB)": 2.5,
        "minutes": 1.5,
        "given": "epochs=3",
    }
    assert row[list(expected)].to_dict() == expected
    assert row[["base", "verdict", "AUROC"]].tolist() == [None] * 3


def test_unfinished_refused_old_adjusted_and_damaged_runs_are_listed(home):
    refused = {"base": "a", "passed": False, "against": ["VUS-PR is 0.5", "recall is 0.1"]}
    add_run("refused", staged=True, exported=False, challenge=refused)
    Run.at("begun", staged=True).models.mkdir()
    adjusted = Run.at("adjusted").models / "lambda_export"
    adjusted.mkdir(parents=True)
    write_json(adjusted / "model.json", {"adjusted": {"from": {}}, "parameters": {"epochs": 2}})
    Run.at("old").models.mkdir()
    write_json(Run.at("old").models / "metrics.json", {"headline": {"auroc_macro": 0.8}})
    Run.at("damaged").models.mkdir()
    (Run.at("damaged").models / "run.json").write_text('{"ran": ')
    (home / "models/README.md").touch()
    (home / "models/not a run").mkdir()
    table = runs_table.table()
    assert table["state"].to_dict() == {
        "adjusted": "adjusted",
        "begun…": "unfinished",
        "damaged": "unreadable",
        "old": "unfinished",
        "refused…": "not exported",
    }
    assert table.loc["refused…", ["base", "verdict"]].tolist() == ["a", "VUS-PR is 0.5; recall is 0.1"]
    assert table.loc["old", "AUROC"] == 0.8
    assert runs_table.parameters(Run.at("adjusted")) == {"epochs": 2}


def test_the_parameters_that_differ_are_listed_side_by_side(home):
    add_run("a", epochs=3, warm_start=False)
    add_run("b", epochs=4, warm_start=False)
    add_run("c", epochs=3)
    differing = runs_table.differing_parameters()
    assert differing.to_dict("index") == {
        "epochs": {"a": "3", "b": "4", "c": "3"},
        "warm_start": {"a": "False", "b": "False", "c": "–"},
    }


def test_only_the_newest_runs_are_returned_on_request(home):
    for age, name in enumerate("cab"):
        os.utime(add_run(name).models / "run.json", (1e9 - age, 1e9 - age))
    assert [run.name for run in runs_table.all_runs(at_most=2)] == ["a", "c"]


def test_the_record_of_a_run_gives_the_command_that_repeats_it(home):
    add_run("a", epochs=3, learning_rate=0.002, warm_start=True, data_path="my data.csv", gone=1)
    assert runs_table.rebuild_commands("a", KNOWN).splitlines() == [
        "./run_all.sh run=a 'data_path=my data.csv' epochs=3 warm_start=true",
        "# no notebook takes gone=1 any more",
        "# the data had the fingerprint 01234567…: models/a/run.json holds it in full",
    ]


def add_adjusted(name, *, base, **chosen):
    """Write a run as the monitor leaves it after a proposal was accepted: an export alone."""
    folder = Run.at(name).models / "lambda_export"
    folder.mkdir(parents=True)
    model = {"parameters": {"epochs": 3}, "adjusted": {"from": {"run": base}, "percentile": 99.95, **chosen}}
    write_json(folder / "model.json", model)


def test_an_adjusted_run_is_rebuilt_from_the_run_with_its_weights(home):
    add_run("a", epochs=3, data_path="a.csv")
    add_adjusted("b", base="a", factor=1.25, persistence=3)
    add_adjusted("c", base="b", factor=1.1)
    code = "from lib.monitoring.adjustment import accept; from lib.run import Run; accept(Run.at({!r}), {}, run={!r})"
    assert [shlex.split(line) for line in runs_table.rebuild_commands("c", KNOWN).splitlines() if line[0] != "#"] == [
        ["./run_all.sh", "run=a", "data_path=a.csv", "epochs=3"],
        [".venv/bin/python", "-c", code.format("a", "{'factor': 1.25, 'persistence': 3}", "b")],
        [".venv/bin/python", "-c", code.format("b", "{'factor': 1.1}", "c")],
    ]


def test_the_command_for_an_adjusted_run_accepts_the_proposal(home, monkeypatch):
    add_run("a")
    add_adjusted("b", base="a", factor=1.25)
    accepted = []
    monkeypatch.setattr(adjustment, "accept", lambda base, proposal, *, run: accepted.append((base, proposal, run)))
    exec(shlex.split(runs_table.rebuild_commands("b", KNOWN).splitlines()[-1])[-1], {})
    assert accepted == [(Run.at("a"), {"factor": 1.25}, "b")]


def test_a_missing_base_of_an_adjusted_run_is_reported(home):
    add_adjusted("b", base="a", factor=1.25)
    lines = runs_table.rebuild_commands("b", KNOWN).splitlines()
    assert lines[:3] == [
        "# the weights are those of run 'a':",
        "./run_all.sh run=a epochs=3",
        "# run 'a' no longer exists: unless its data were simulated, their place is unknown",
    ]


def test_a_run_without_a_record_cannot_be_repeated(home):
    Run.at("old").models.mkdir()
    for name in ("old", "none"):
        with pytest.raises(UsageError, match=f"--rebuild {name}: no run of that name has a record"):
            runs_table.rebuild_commands(name, KNOWN)


def test_the_command_line_lists_runs_and_prints_the_command_that_repeats_one(home, capsys):
    assert cli.main(["--runs"]) == 0
    assert capsys.readouterr().out == "there are no runs yet\n"
    add_run("a", epochs=3, challenge={"base": "z", "passed": False, "against": ["VUS-PR is 0.5"]})
    add_run("b")
    assert cli.main(["--runs"]) == 0
    output = capsys.readouterr().out
    assert "a    exported" in output
    assert "None" not in output
    assert output.endswith("\na: VUS-PR is 0.5\n")
    assert cli.main(["--rebuild", "a"]) == 0
    assert capsys.readouterr().out == "./run_all.sh run=a epochs=3\n"
    assert cli.main(["--rebuild", "c"]) == 2


def test_the_figure_has_a_line_for_each_run_and_accepts_missing_values(home):
    add_run("a")
    Run.at("begun", staged=True).models.mkdir()
    figure = scorecard.runs_side_by_side(runs_table.table())
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["a", "begun…"]
    assert figure.axes[0].collections[0].get_offsets()[0].tolist() == [0.7, 1]


def test_a_table_in_a_notebook_omits_empty_columns(home):
    add_run("a")
    html = runs_table.styled(runs_table.table()).to_html()
    assert "0.700" in html
    assert "4.00%" in html
    assert "verdict" not in html


def test_json_other_than_an_object_is_unreadable(home):
    Run.at("x").models.mkdir()
    (Run.at("x").models / "metrics.json").write_text(json.dumps([1]))
    assert runs_table.table().loc["x", "state"] == "unreadable"
