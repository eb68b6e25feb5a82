"""The run that a notebook works in: itself while unfinished, a copy once finished."""

import pytest

from lib.files import write_json
from lib.run import NoSuchRun, Run
from lib.workflow import runs_table, working_copy

FINISHED = {"01_generate": {}, "04_evaluate": {}, "05_export": {}}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("RUNS_HOME", str(tmp_path))
    monkeypatch.delenv("RUN_STAGED", raising=False)
    return tmp_path


def finished(journal=FINISHED):
    run = working_copy.open_run("march", create=True)
    (run.data / "raw").mkdir(exist_ok=True)
    (run.data / "raw/table.csv").write_text("readings")
    (run.models / "scores.png").write_text("figure")
    write_json(run.models / "run.json", journal)
    return run


def test_an_unfinished_run_is_worked_on_itself():
    run = finished({"01_generate": {}})
    assert working_copy.open_run("march") == run == Run.at("march")


def test_a_finished_run_is_copied_and_says_so(home, capsys):
    run = finished()
    copy = working_copy.open_run("march")
    assert (copy.data, copy.models) == (home / "data/.march.copy", home / "models/.march.copy")
    assert (copy.data / "raw/table.csv").read_text() == "readings"
    (copy.models / "scores.png").unlink()
    copy.record("04_evaluate", looked=True)
    assert (run.models / "scores.png").exists()
    assert run.journal == FINISHED
    assert "run 'march' is finished and stays as it is" in capsys.readouterr().out
    assert [listed.name for listed in runs_table.all_runs()] == ["march"]


def test_notebooks_continue_with_a_copy_until_the_run_is_made_again():
    run = finished()
    copy = working_copy.open_run("march")
    (copy.models / "scores.png").write_text("another")
    assert (working_copy.open_run("march").models / "scores.png").read_text() == "another"
    write_json(run.models / "run.json", FINISHED | {"03_train": {"epochs": 2}})
    assert (working_copy.open_run("march").models / "scores.png").read_text() == "figure"


def test_within_run_all_the_staging_folders_are_worked_on(home, monkeypatch):
    finished()
    monkeypatch.setenv("RUN_STAGED", "1")
    assert working_copy.open_run("march").models == home / "models/.march.partial"


def test_a_wrong_name_is_refused():
    finished()
    with pytest.raises(NoSuchRun, match="did you mean 'march'"):
        working_copy.open_run("marhc")
