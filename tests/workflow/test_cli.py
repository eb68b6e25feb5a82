"""The command line behind run_all.sh, on toy notebooks: what it refuses, and how it continues after a failure."""

import errno
import json
import os
import signal
import subprocess
import sys

import nbformat
import pytest

from lib.files import ROOT
from lib.run import Run
from lib.workflow import cli, exit_status, pipeline, staging
from lib.workflow import notebooks as execution
from lib.workflow.parameters import Parameter

OPEN = "from lib.run import open_run\nr = open_run(run)\n"
MAKE = """
(r.data / "rows.txt").write_text("row " * rows)
r.record("01_make", rows=rows)
import time
time.sleep(60 if rows > 99 else 0)
"""
USE = """
assert factor > 0, "factor must be positive"
import json
product = r.recorded("01_make")["rows"] * factor
(r.models / "metrics.json").write_text(json.dumps({"headline": {"product": product}}))
"""
RUN = 'run: str = "default"  # name of the run\n'
TOYS = {
    "01_make": [
        RUN + 'rows: int = 3  # how many\nsamples: int = 3\ndata_path: str = ""',
        "# Make the rows",
        OPEN + MAKE,
    ],
    "02_use": [
        RUN + 'factor: float = 2.0  # multiplies\ntest_path: str = ""',
        "# Use the rows\n\nText.\n\n## Multiply",
        OPEN + USE,
        '# NBVAL_CHECK_OUTPUT\n{"product": product, "product below 100": product < 100}',
    ],
    "watch": [RUN + 'limit: int = 1\ndata_path: str = ""', "# Watch"],
}


@pytest.fixture
def notebooks(tmp_path, monkeypatch):
    """A folder of toy notebooks; the runs lie beside it."""
    monkeypatch.setenv("RUNS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CALLER_DIR", str(tmp_path))
    folder = tmp_path / "toy notebooks"
    folder.mkdir()
    for name, (parameters, markdown, *code) in TOYS.items():
        tagged = nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})
        cells = [tagged, nbformat.v4.new_markdown_cell(markdown), *map(nbformat.v4.new_code_cell, code)]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / f"{name}.ipynb")
    return folder


@pytest.fixture
def run_toys(notebooks, capfd):
    """A function that runs a command line on the toys and returns (exit status, stdout, stderr)."""

    def run(*argv):
        status = cli.main(argv, notebooks=notebooks)
        return status, *capfd.readouterr()

    return run


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["row=3"], "no notebook has a parameter 'row'; did you mean 'rows'?"),
        (["rows=ten"], "rows=ten: expected an int"),
        (["data_path=no.csv"], "data_path=no.csv: no such file or folder"),
        (["--only", "02_ues"], "no notebook is called '02_ues'; did you mean '02_use'?"),
        (["--from", "watch"], "no notebook is called 'watch'; see ./run_all.sh --help"),
        (["--from", "01", "--only", "02"], "expected one of --only and --from; they exclude each other"),
        (["--sweep", "x.yaml", "--runs"], "expected one of --runs and --sweep; they exclude each other"),
        (["--sweep", "none.yaml"], "--sweep none.yaml: No such file or directory"),
        (["--form", "01"], "unrecognized arguments: --form; see ./run_all.sh --help"),
        (["run=a/b"], "run='a/b': expected a run's name of letters, digits, '.', '_' and '-', not first a '.'"),
        (["samples=0"], "samples=0: expected 1 or more"),
        (
            ["run=" + "x" * 101],
            f"run={'x' * 101}: expected at most 100 characters, got 101; shorten the name",
        ),
        (["limit=3"], "limit is a parameter of watch, which a run without --only does not run"),
        (
            ["--from", "02"],
            "run 'default' has no 01_make to continue from: ./run_all.sh run=default --from 01_make",
        ),
    ],
)
def test_an_impossible_request_is_refused_in_one_line_before_anything_runs(run_toys, tmp_path, argv, message):
    assert run_toys(*argv) == (2, "", f"run_all.sh: {message}\n")
    assert not list(tmp_path.glob("home/*/.*.partial"))


def headline(home):
    return json.loads((home / "models/x/metrics.json").read_text())["headline"]


def test_a_failed_run_leaves_the_earlier_one_unchanged_and_can_be_continued(run_toys, tmp_path):
    """The life of one run, in one test because kernels start slowly."""
    home = tmp_path / "home"
    status, stdout, stderr = run_toys("run=x", "rows=4")
    assert (status, stderr) == (0, "")
    assert "01_make\n  Make the rows\n01_make took" in stdout
    assert "02_use\n  Multiply\n02_use took" in stdout
    assert "  report   home/models/x/report.html\n" in stdout
    assert '<a href="02_use.html">Use the rows</a>' in (home / "models/x/01_make.html").read_text(encoding="utf-8")
    assert stdout.endswith("  product  8\n")
    assert headline(home) == {"product": 8.0}

    status, stdout, stderr = run_toys("run=x", "rows=5", "factor=-1")
    assert status == 1
    assert stderr.splitlines() == [
        'run_all.sh: 02_use at "Multiply" failed: AssertionError: factor must be positive',
        "  the executed notebook with all outputs: home/models/.x.partial/02_use.ipynb",
        "  the finished run 'x' is unchanged",
        "  to continue: ./run_all.sh run=x --from 02_use",
    ]
    assert headline(home) == {"product": 8.0}
    assert (home / "data/x/rows.txt").read_text() == "row row row row "

    assert run_toys("run=x", "--from", "02_use", "rows=4", "factor=3") == (
        2,
        "",
        "run_all.sh: rows is a parameter of 01_make, which --from 02_use does not run; it ran with 5\n",
    )

    status, stdout, stderr = run_toys("run=x", "--from", "02_use", "factor=300")
    assert status == 1
    assert stderr.splitlines()[0] == "run_all.sh: 02_use failed: its contract says False to 'product below 100'"
    assert headline(home) == {"product": 8.0}

    status, stdout, stderr = run_toys("run=x", "--from", "02_use", "rows=5", "factor=3")
    assert (status, stderr) == (0, "")
    assert "Make the rows" not in stdout
    assert headline(home) == {"product": 15.0}
    assert Run.at("x").journal["given"] == {"rows": 5, "factor": 3.0}
    assert not list(home.glob("*/.x.partial"))


def test_a_single_notebook_leaves_an_unfinished_run_with_its_page(run_toys, tmp_path):
    status, stdout, _ = run_toys("run=y", "--only", "make.ipynb")
    assert status == 0
    assert stdout.endswith("to continue: ./run_all.sh run=y --from 02_use\n")
    assert not (tmp_path / "home/models/y").exists()
    staged = tmp_path / "home/models/.y.partial"
    executed = nbformat.read(staged / "01_make.ipynb", as_version=4)
    assert executed.metadata.papermill.parameters == {"run": "y"}
    page = (staged / "01_make.html").read_text(encoding="utf-8")
    assert "<title>Make the rows · run y</title>" in page
    assert ".y.partial" not in page + json.dumps(executed)


def test_a_notebook_without_a_number_does_not_drop_an_unfinished_run(run_toys, tmp_path):
    """A refused retrain keeps its report and the results that --from continues from."""
    for staged, ran in ((False, ["01_make", "02_use"]), (True, ["01_make"])):
        run = Run.at("x", staged=staged)
        run.data.mkdir(parents=True)
        run.record("ran", **{step: {"parameters": {}} for step in ran})
    (Run.at("x", staged=True).models / "report.html").write_text("refused")
    status, stdout, stderr = run_toys("run=x", "--only", "watch")
    assert (status, stdout) == (2, "")
    assert stderr == (
        "run_all.sh: --only watch would drop the unfinished run 'x' with 01_make; continue it by ./run_all.sh run=x "
        "--from 02_use, or remove home/models/.x.partial\n"
    )
    assert (tmp_path / "home/models/.x.partial/report.html").read_text() == "refused"


@pytest.mark.skipif(signal.getsignal(signal.SIGINT) is signal.SIG_IGN, reason="Ctrl-C is ignored in this process")
def test_ctrl_c_stops_the_run_and_says_how_to_continue(notebooks):
    script = f"import sys; from pathlib import *; from lib.workflow.cli import main; {notebooks=}; "
    script += "sys.exit(main(['rows=100'], notebooks=notebooks))"
    command = [sys.executable, "-c", script]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, **pipes) as running:
        for line in running.stdout:
            if "Make the rows" in line:
                running.send_signal(signal.SIGINT)
        stderr = running.stderr.read()
    assert running.returncode == 130
    assert stderr.startswith('run_all.sh: 01_make at "Make the rows" stopped by Ctrl-C\n')
    assert stderr.endswith("to continue: ./run_all.sh run=default --from 01_make\n")


def test_continuing_from_the_first_notebook_keeps_the_values_of_the_command_line(run_toys, monkeypatch):
    taken = []

    def fail(staged, notebook, known, values):
        taken.append(values)
        raise pipeline.Stopped("it failed", 1)

    monkeypatch.setattr(pipeline, "run_step", fail)
    run_toys("rows=4", "factor=3")
    run_toys("--from", "01", "factor=5")
    run_toys("factor=6")
    assert taken == [
        {"run": "default", "rows": 4, "factor": 3.0},
        {"run": "default", "rows": 4, "factor": 5.0},
        {"run": "default", "factor": 6.0},
    ]


def test_a_continued_run_keeps_its_values_but_a_finished_one_drops_test_path_and_force():
    known = {name: Parameter(name, "str", "", "", ("04_evaluate",)) for name in ("test_path", "timezone", "force")}
    before = {"test_path": "a.csv", "timezone": "UTC", "force": True, "gone": 1}
    unfinished = {"test_path": "a.csv", "timezone": "UTC", "force": True}
    assert pipeline.carried_values(before, known, finished=False) == unfinished
    assert pipeline.carried_values(before, known, finished=True) == {"timezone": "UTC"}


def test_continuing_a_finished_run_drops_its_test_path(run_toys, monkeypatch):
    taken = []
    monkeypatch.setattr(pipeline, "run_step", lambda staged, notebook, known, values: taken.append(values))
    for run in (Run.at("finished"), Run.at("unfinished", staged=True)):
        run.models.mkdir(parents=True)
        run.record("given", test_path="a.csv", factor=3.0)
        run.record("ran", **{"01_make": {}})
        run_toys(f"run={run.name}", "--from", "02_use")
    assert taken == [
        {"run": "finished", "factor": 3.0},
        {"run": "unfinished", "factor": 3.0, "test_path": "a.csv"},
    ]


def test_a_notebook_without_a_number_reads_other_data_and_the_run_keeps_its_own(run_toys, monkeypatch, tmp_path):
    taken = []
    monkeypatch.setattr(pipeline, "run_step", lambda staged, notebook, known, values: taken.append(values))
    (tmp_path / "other.csv").write_text("")
    run = Run.at("x")
    run.models.mkdir(parents=True)
    run.record("given", data_path=f"{tmp_path}/own.csv")
    run.record("ran", **{"01_make": {}, "02_use": {}})
    run_toys("run=x", "--only", "watch")
    run_toys("run=x", "--only", "watch", f"data_path={tmp_path}/other.csv", "limit=2")
    run_toys("run=x", "--only", "02_use")
    own, other = ({"run": "x", "data_path": f"{tmp_path}/{name}.csv"} for name in ("own", "other"))
    assert taken == [own, other | {"limit": 2}, own]


def test_a_run_worse_than_its_base_ends_with_status_4_and_the_reason(run_toys, tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise execution.CellFailed("NotExported", "VUS-PR is 0.500")

    monkeypatch.setattr(execution, "execute", refuse)
    Run.at("x").models.mkdir(parents=True)
    status, stdout, stderr = run_toys("run=x", "--only", "01")
    assert status == 4
    assert stderr.splitlines() == [
        "run_all.sh: run 'x' is not exported: VUS-PR is 0.500; force=true exports it anyway: "
        "./run_all.sh run=x --from 01_make force=true",
        "  its report: home/models/.x.partial/report.html",
        "  the finished run 'x' is unchanged",
    ]
    assert Run.at("x").models.is_dir()
    assert staging.done(Run.at("x", staged=True)) == set()


def full(*args, **kwargs):
    raise OSError(errno.ENOSPC, "No space left on device", "03.ipynb")


def test_a_full_disk_stops_a_run_and_says_how_to_continue(run_toys, monkeypatch):
    monkeypatch.setattr(pipeline, "run_step", lambda staged, notebook, *_: staged.record("ran", **{notebook.stem: {}}))
    with monkeypatch.context() as patched:
        patched.setattr(pipeline, "_finish", full)
        Run.at("x").models.mkdir(parents=True)
        assert run_toys("run=x", "rows=4")[0] == 1
    monkeypatch.setattr(pipeline, "run_step", full)
    status, _, stderr = run_toys("run=x", "--from", "02")
    assert status == 1
    assert stderr.splitlines() == [
        "run_all.sh: the disk is full: [Errno 28] No space left on device: '03.ipynb'",
        "  finished and kept: 01_make",
        "  the finished run 'x' is unchanged",
        "  free some space first",
        "  to continue: ./run_all.sh run=x --from 02_use",
    ]
    assert Run.at("x", staged=True).journal["given"] == {"rows": 4}


@pytest.mark.parametrize("writer", ["locked", "stage"])
def test_a_full_disk_before_a_run_begins_asks_for_the_same_command(run_toys, monkeypatch, writer):
    monkeypatch.setattr(staging, writer, full)
    status, _, stderr = run_toys("run=x", "rows=4")
    assert status == 1
    assert stderr.endswith("No space left on device: '03.ipynb'; free some space and repeat the command\n")


def test_a_base_is_checked_before_anything_runs(run_toys, notebooks, tmp_path):
    path = notebooks / "02_use.ipynb"
    path.write_text(path.read_text().replace("factor: float = 2.0", 'base: str = \\"\\"\\nfactor: float = 2.0'))
    message = "run_all.sh: base=old: no exported run has that name; ./run_all.sh --runs lists those that exist\n"
    assert run_toys("base=old") == (2, "", message)
    assert not list(tmp_path.glob("home/*/.*.partial"))


def test_a_second_process_with_the_same_run_stops(run_toys):
    with staging.locked("x"):
        status, stdout, stderr = run_toys("run=x")
    assert (status, stdout) == (3, "")
    assert stderr.startswith(f"run_all.sh: run 'x' is in use by process {os.getpid()} since ")


def test_help_names_every_parameter(run_toys):
    status, stdout, stderr = run_toys("--help")
    assert (status, stderr) == (0, "")
    assert "  factor=2.0  [float]  multiplies\n" in stdout
    assert "  run=default  [str]   name of the run (also 02_use, watch)\n" in stdout


def test_output_that_nobody_reads_is_not_an_error():
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-m", "lib.workflow.cli", "--help"], cwd=ROOT, **pipes) as running:
        running.stdout.close()
        assert running.stderr.read() == ""
    assert running.returncode == exit_status.UNREAD


def test_the_summary_lists_the_files_and_aligns_the_headline(tmp_path, monkeypatch):
    monkeypatch.setenv("RUNS_HOME", str(tmp_path))
    monkeypatch.setenv("CALLER_DIR", str(tmp_path))
    run = Run.at("x")
    (run.models / "lambda_export").mkdir(parents=True)
    for name in ("report.html", "04.html", "training_history.png", "lambda_export/lambda_deployment.zip"):
        (run.models / name).touch()
    (run.models / "metrics.json").write_text('{"headline": {"AUROC": 0.91234567, "test windows": 2500}}')
    assert pipeline.summary_lines(run, seconds=200)[1:] == [
        "  report   models/x/report.html",
        "  figures  models/x/training_history.png",
        "  bundle   models/x/lambda_export/lambda_deployment.zip",
        "  AUROC         0.9123",
        "  test windows  2500",
    ]
