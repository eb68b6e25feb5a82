"""run_all.sh's runner, on toy notebooks: what it refuses, what a failure leaves, how it goes on."""

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
from lib.workflow import cli, exit_status, staging
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
    "watch": [RUN + "limit: int = 1", "# Watch"],
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
    """A function that runs a command line on the toys: (exit status, what it said, its complaints)."""

    def run(*argv):
        status = cli.main(argv, notebooks=notebooks)
        return status, *capfd.readouterr()

    return run


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["row=3"], "no notebook has a parameter 'row'; did you mean 'rows'?"),
        (["rows=ten"], "rows=ten: an int is wanted"),
        (["data_path=no.csv"], "data_path=no.csv: no such file or folder"),
        (["--only", "02_ues"], "no notebook is called '02_ues'; did you mean '02_use'?"),
        (["--from", "watch"], "no notebook is called 'watch'; see ./run_all.sh --help"),
        (["--from", "01", "--only", "02"], "--only and --from exclude each other"),
        (["--sweep", "x.yaml", "--runs"], "--runs and --sweep exclude each other"),
        (["--sweep", "none.yaml"], "--sweep none.yaml: No such file or directory"),
        (["--form", "01"], "unrecognized arguments: --form; see ./run_all.sh --help"),
        (["run=a/b"], "run='a/b': a run's name is letters, digits, '.', '_' and '-', and starts with no '.'"),
        (["samples=0"], "samples=0: at least 1 is wanted"),
        (["run=" + "x" * 101], f"run={'x' * 101}: a run's name is at most 100 characters, not 101"),
        (["limit=3"], "limit is a parameter of watch, which a run without --only does not run"),
        (
            ["--from", "02"],
            "run 'default' has no 01_make to go on from: ./run_all.sh run=default --from 01_make",
        ),
    ],
)
def test_what_can_not_be_done_is_refused_in_one_line_before_anything_runs(run_toys, tmp_path, argv, message):
    assert run_toys(*argv) == (2, "", f"run_all.sh: {message}\n")
    assert not list(tmp_path.glob("home/*/.*.partial"))


def headline(home):
    return json.loads((home / "models/x/metrics.json").read_text())["headline"]


def test_a_run_that_dies_leaves_the_earlier_one_whole_and_is_gone_on_from(run_toys, tmp_path):
    """The life of one run, told in one test because kernels start slowly."""
    home = tmp_path / "home"
    status, said, complaints = run_toys("run=x", "rows=4")
    assert (status, complaints) == (0, "")
    assert "01_make\n  Make the rows\n01_make took" in said
    assert "02_use\n  Multiply\n02_use took" in said
    assert "  report   home/models/x/report.html\n" in said
    assert '<a href="02_use.html">Use the rows</a>' in (home / "models/x/01_make.html").read_text(encoding="utf-8")
    assert said.endswith("  product  8\n")
    assert headline(home) == {"product": 8.0}

    status, said, complaints = run_toys("run=x", "rows=5", "factor=-1")
    assert status == 1
    assert complaints.splitlines() == [
        'run_all.sh: 02_use at "Multiply" failed: AssertionError: factor must be positive',
        "  the executed notebook, with all that it said: home/models/.x.partial/02_use.ipynb",
        "  the finished run 'x' is as it was",
        "  to go on: ./run_all.sh run=x --from 02_use",
    ]
    assert headline(home) == {"product": 8.0}
    assert (home / "data/x/rows.txt").read_text() == "row row row row "

    assert run_toys("run=x", "--from", "02_use", "rows=4", "factor=3") == (
        2,
        "",
        "run_all.sh: rows is a parameter of 01_make, which --from 02_use does not run; it ran with 5\n",
    )

    status, said, complaints = run_toys("run=x", "--from", "02_use", "factor=300")
    assert status == 1
    assert complaints.splitlines()[0] == "run_all.sh: 02_use failed: its contract says False to 'product below 100'"
    assert headline(home) == {"product": 8.0}

    status, said, complaints = run_toys("run=x", "--from", "02_use", "rows=5", "factor=3")
    assert (status, complaints) == (0, "")
    assert "Make the rows" not in said
    assert headline(home) == {"product": 15.0}
    assert Run.at("x").journal["given"] == {"rows": 5, "factor": 3.0}
    assert not list(home.glob("*/.x.partial"))


def test_one_notebook_alone_leaves_an_unfinished_run_with_its_notebook_and_report(run_toys, tmp_path):
    status, said, _ = run_toys("run=y", "--only", "make.ipynb")
    assert status == 0
    assert said.endswith("to go on: ./run_all.sh run=y --from 02_use\n")
    assert not (tmp_path / "home/models/y").exists()
    left = tmp_path / "home/models/.y.partial"
    executed = nbformat.read(left / "01_make.ipynb", as_version=4)
    assert executed.metadata.papermill.parameters == {"run": "y"}
    page = (left / "01_make.html").read_text(encoding="utf-8")
    assert "<title>Make the rows · run y</title>" in page
    assert ".y.partial" not in page + json.dumps(executed)


def test_a_notebook_that_makes_no_run_does_not_drop_what_is_unfinished(run_toys, tmp_path):
    """As of a retrain that was refused: its report stays, and so does what --from goes on from."""
    for staged, ran in ((False, ["01_make", "02_use"]), (True, ["01_make"])):
        run = Run.at("x", staged=staged)
        run.data.mkdir(parents=True)
        run.record("ran", **{step: {"parameters": {}} for step in ran})
    (Run.at("x", staged=True).models / "report.html").write_text("refused")
    status, said, complaints = run_toys("run=x", "--only", "watch")
    assert (status, said) == (2, "")
    assert complaints == (
        "run_all.sh: --only watch would drop what is unfinished of run 'x', 01_make: go on by ./run_all.sh run=x "
        "--from 02_use, or remove home/models/.x.partial\n"
    )
    assert (tmp_path / "home/models/.x.partial/report.html").read_text() == "refused"


@pytest.mark.skipif(signal.getsignal(signal.SIGINT) is signal.SIG_IGN, reason="these tests were started without Ctrl-C")
def test_ctrl_c_stops_the_run_and_says_how_to_go_on(notebooks):
    script = f"import sys; from pathlib import *; from lib.workflow.cli import main; {notebooks=}; "
    script += "sys.exit(main(['rows=100'], notebooks=notebooks))"
    command = [sys.executable, "-c", script]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, **pipes) as running:
        for line in running.stdout:
            if "Make the rows" in line:
                running.send_signal(signal.SIGINT)
        complaints = running.stderr.read()
    assert running.returncode == 130
    assert complaints.startswith('run_all.sh: 01_make at "Make the rows" stopped by Ctrl-C\n')
    assert complaints.endswith("to go on: ./run_all.sh run=default --from 01_make\n")


def test_going_on_from_the_first_notebook_keeps_the_values_that_were_given(run_toys, monkeypatch):
    taken = []

    def fail(staged, notebook, known, values):
        taken.append(values)
        raise cli.Stopped("it failed", 1)

    monkeypatch.setattr(cli, "run_step", fail)
    run_toys("rows=4", "factor=3")
    run_toys("--from", "01", "factor=5")
    run_toys("factor=6")
    assert taken == [
        {"run": "default", "rows": 4, "factor": 3.0},
        {"run": "default", "rows": 4, "factor": 5.0},
        {"run": "default", "factor": 6.0},
    ]


def test_what_a_run_was_given_is_carried_on_but_a_finished_ones_test_path_and_force_are_not():
    known = {name: Parameter(name, "str", "", "", ("04_evaluate",)) for name in ("test_path", "timezone", "force")}
    before = {"test_path": "a.csv", "timezone": "UTC", "force": True, "gone": 1}
    kept = {"test_path": "a.csv", "timezone": "UTC", "force": True}
    assert cli.carried(before, known, finished=False) == kept
    assert cli.carried(before, known, finished=True) == {"timezone": "UTC"}


def test_going_on_from_a_finished_run_leaves_its_test_path_behind(run_toys, monkeypatch):
    taken = []
    monkeypatch.setattr(cli, "run_step", lambda staged, notebook, known, values: taken.append(values))
    for run in (Run.at("finished"), Run.at("unfinished", staged=True)):
        run.models.mkdir(parents=True)
        run.record("given", test_path="a.csv", factor=3.0)
        run.record("ran", **{"01_make": {}})
        run_toys(f"run={run.name}", "--from", "02_use")
    assert taken == [
        {"run": "finished", "factor": 3.0},
        {"run": "unfinished", "factor": 3.0, "test_path": "a.csv"},
    ]


def test_what_is_worse_than_its_base_ends_with_a_status_of_its_own_and_says_why(run_toys, tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise execution.CellFailed("NotExported", "VUS-PR is 0.500")

    monkeypatch.setattr(execution, "execute", refuse)
    Run.at("x").models.mkdir(parents=True)
    status, said, complaints = run_toys("run=x", "--only", "01")
    assert status == 4
    assert complaints.splitlines() == [
        "run_all.sh: run 'x' is not exported: VUS-PR is 0.500; force=true exports it all the same: "
        "./run_all.sh run=x --from 01_make force=true",
        "  its report: home/models/.x.partial/report.html",
        "  the finished run 'x' is as it was",
    ]
    assert Run.at("x").models.is_dir()
    assert staging.done(Run.at("x", staged=True)) == set()


def full(*args, **kwargs):
    raise OSError(errno.ENOSPC, "No space left on device", "03.ipynb")


def test_a_full_disk_stops_a_run_says_so_and_how_to_go_on(run_toys, monkeypatch):
    monkeypatch.setattr(cli, "run_step", lambda staged, notebook, *_: staged.record("ran", **{notebook.stem: {}}))
    with monkeypatch.context() as patched:
        patched.setattr(cli, "_finish", full)
        Run.at("x").models.mkdir(parents=True)
        assert run_toys("run=x", "rows=4")[0] == 1
    monkeypatch.setattr(cli, "run_step", full)
    status, _, complaints = run_toys("run=x", "--from", "02")
    assert status == 1
    assert complaints.splitlines() == [
        "run_all.sh: the disk is full: [Errno 28] No space left on device: '03.ipynb'",
        "  done, and kept: 01_make",
        "  the finished run 'x' is as it was",
        "  make room first",
        "  to go on: ./run_all.sh run=x --from 02_use",
    ]
    assert Run.at("x", staged=True).journal["given"] == {"rows": 4}


@pytest.mark.parametrize("writer", ["locked", "stage"])
def test_a_full_disk_that_keeps_a_run_from_beginning_asks_for_the_same_command(run_toys, monkeypatch, writer):
    monkeypatch.setattr(staging, writer, full)
    status, _, complaints = run_toys("run=x", "rows=4")
    assert status == 1
    assert complaints.endswith("No space left on device: '03.ipynb'; make room, and give the same command again\n")


def test_a_base_is_looked_at_before_anything_runs(run_toys, notebooks, tmp_path):
    path = notebooks / "02_use.ipynb"
    path.write_text(path.read_text().replace("factor: float = 2.0", 'base: str = \\"\\"\\nfactor: float = 2.0'))
    complaint = "run_all.sh: base=old: there is no exported run of that name; see ./run_all.sh --runs\n"
    assert run_toys("base=old") == (2, "", complaint)
    assert not list(tmp_path.glob("home/*/.*.partial"))


def test_a_second_invocation_under_the_same_name_stops(run_toys):
    with staging.locked("x"):
        status, said, complaints = run_toys("run=x")
    assert (status, said) == (3, "")
    assert complaints.startswith(f"run_all.sh: run 'x' is being worked on by process {os.getpid()} since ")


def test_help_names_every_parameter(run_toys):
    status, said, complaints = run_toys("--help")
    assert (status, complaints) == (0, "")
    assert "  factor=2.0  [float]  multiplies\n" in said
    assert "  run=default  [str]   name of the run (also 02_use, watch)\n" in said


def test_output_that_nobody_reads_is_no_error():
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-m", "lib.workflow.cli", "--help"], cwd=ROOT, **pipes) as running:
        running.stdout.close()
        assert running.stderr.read() == ""
    assert running.returncode == exit_status.UNREAD


def test_the_summary_lists_what_is_there_and_aligns_the_headline(tmp_path, monkeypatch):
    monkeypatch.setenv("RUNS_HOME", str(tmp_path))
    monkeypatch.setenv("CALLER_DIR", str(tmp_path))
    run = Run.at("x")
    (run.models / "lambda_export").mkdir(parents=True)
    for name in ("report.html", "04.html", "training_history.png", "lambda_export/lambda_deployment.zip"):
        (run.models / name).touch()
    (run.models / "metrics.json").write_text('{"headline": {"AUROC": 0.91234567, "test windows": 2500}}')
    assert cli.summary(run, seconds=200)[1:] == [
        "  report   models/x/report.html",
        "  figures  models/x/training_history.png",
        "  bundle   models/x/lambda_export/lambda_deployment.zip",
        "  AUROC         0.9123",
        "  test windows  2500",
    ]
