"""Many runs from one file, on toy notebooks: what is refused, and how a sweep continues after a failure."""

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys

import nbformat
import pytest
from distributed import LocalCluster
from waiting import until

from lib import parallel
from lib.files import ROOT
from lib.run import Run
from lib.workflow import cli, staging, sweep, sweep_member, sweep_page
from lib.workflow.parameters import UsageError, declared_parameters
from lib.workflow.sweep_member import Member, remaining_arguments

TOY = """
import os, time
from lib.files import write_json
from lib.run import open_run
here = open_run(run)
threads = {name: os.environ.get(name) for name in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS")}
here.record("01_use", threads=threads, runs=here.journal.get("01_use", {}))
log = here.models.parent / f"{run}.began"
began_before = log.stat().st_size if log.exists() else 0
with open(log, "a") as began:
    began.write("x")
time.sleep(takes if began_before == 0 else 0)
assert factor > 0, "factor must be positive"
write_json(here.models / "metrics.json", {"ranking": {"deployed score": {"VUS-PR": factor / 10}}})
"""
PARAMETERS = 'run: str = "default"\nfactor: float = 2.0\nsamples: int = 3\nquick: bool = False\ntakes: float = 0.0'


@pytest.fixture
def toys(tmp_path, monkeypatch):
    """{name: path} of one toy notebook; the runs lie beside it."""
    monkeypatch.setenv("RUNS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CALLER_DIR", str(tmp_path))
    for name in sweep_member.THREADS:
        monkeypatch.delenv(name, raising=False)
    tagged = nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
    contract = nbformat.v4.new_code_cell("# NBVAL_CHECK_OUTPUT\n{}")
    cells = [tagged, nbformat.v4.new_markdown_cell("# Use"), nbformat.v4.new_code_cell(TOY), contract]
    folder = tmp_path / "toys"
    folder.mkdir()
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "01_use.ipynb")
    return {"01_use": folder / "01_use.ipynb"}


@pytest.fixture
def write(tmp_path):
    def write(text, name="sweep.yaml"):
        (tmp_path / name).write_text(text)
        return name

    return write


def threads_of(name):
    """The thread limits of TensorFlow and OpenMP in the run's notebook."""
    return list(Run.at(name).journal["01_use"]["threads"].values())


def members_of(toys, path, **command_values):
    return sweep.members(sweep.read(path), declared_parameters(toys.values()), toys, command_values=command_values)


def test_a_grid_makes_a_run_for_each_combination_and_a_list_one_for_each_entry(toys, write):
    write(
        "common: {quick: true, samples: 7}\ngrid: {factor: [1, 2.5], samples: [4, 5]}\n"
        "runs: [{run: single}, {factor: 3}]"
    )
    assert {member.name: member.values for member in members_of(toys, "sweep.yaml", factor=9.0)} == {
        "sweep-factor-1-samples-4": {"quick": True, "samples": 4, "factor": 1.0},
        "sweep-factor-1-samples-5": {"quick": True, "samples": 5, "factor": 1.0},
        "sweep-factor-2.5-samples-4": {"quick": True, "samples": 4, "factor": 2.5},
        "sweep-factor-2.5-samples-5": {"quick": True, "samples": 5, "factor": 2.5},
        "single": {"quick": True, "samples": 7, "factor": 9.0},
        "sweep-2": {"quick": True, "samples": 7, "factor": 3.0},
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("grid: {factor: [1, 2}", "--sweep sweep.yaml: expected YAML: "),
        (
            "grid: !!python/object/apply:os.system [ls]",
            "--sweep sweep.yaml: expected YAML: could not determine a",
        ),
        ("grid: 2026-13-45", "--sweep sweep.yaml: expected YAML: month must be in 1..12"),
        ("- 1", "--sweep sweep.yaml: expected a mapping with a grid or a list of runs"),
        ("grids: {}\nruns: []", "--sweep sweep.yaml: expected the keys name, common, grid, runs, workers, dask_sche"),
        ("runs: []\nworkers: 0", "--sweep sweep.yaml: workers=0: expected 1 or more"),
        ("runs: []\nworkers: true", "--sweep sweep.yaml: workers=True: expected a whole number"),
        ("runs: []\nname: ../x", "--sweep sweep.yaml: name='../x': expected 1 to 60 letters"),
        ("runs: []", "expected a run in this sweep, got none"),
        ("grid: {factor: 3}", "grid: factor=3: expected a list of values"),
        (
            "grid: {factor: [1, 2], samples: " + str(list(range(501))) + "}",
            "grid: expected at most 1000 runs, got",
        ),
        ("runs: [3]", "runs, number 1: expected a mapping of parameters, got 3"),
        ("grid: {factr: [1]}", "sweep-factr-1: no notebook has a parameter 'factr'; did you mean 'factor'?"),
        ("grid: {samples: [ten]}", "sweep-samples-ten: samples=ten: expected an int"),
        ("grid: {samples: [0]}", "sweep-samples-0: samples=0: expected 1 or more"),
        ("grid: {samples: [[1]]}", "sweep-samples--1-: samples=[1]: expected a single value"),
        ("common: {run: x}\nruns: [{factor: 1}]", "sweep-1: run is the name of one run; move it to an entry of runs"),
        ("runs: [{run: a/b}]", "a/b: run='a/b': expected a run's name of letters"),
        ("runs: [{run: a}, {run: a}]", "two runs of this sweep are called a: list them under runs"),
    ],
)
def test_an_invalid_sweep_is_refused_in_one_line_before_anything_runs(toys, write, text, message, capsys, tmp_path):
    assert cli.main(["--sweep", write(text)], notebooks=toys["01_use"].parent) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith(f"run_all.sh: {message}"), output.err
    assert output.err.count("\n") == 1
    assert not (tmp_path / "home").exists()


def count_starts(home, name):
    """Return how often the run's notebook began."""
    path = home / f"models/{name}.began"
    return len(path.read_text()) if path.exists() else 0


def test_a_failed_run_is_reported_does_not_stop_the_others_and_is_tried_again(toys, write, tmp_path, capsys):
    home, folder = tmp_path / "home", toys["01_use"].parent
    write("name: s\nworkers: 2\ngrid: {factor: [-1, 3]}")
    assert cli.main(["--sweep", "sweep.yaml"], notebooks=folder) == 1
    output = capsys.readouterr().out.splitlines()
    assert output[0] == "sweep 's': 2 runs, 2 at once"
    assert output[1].startswith('s-factor--1: 01_use at "Use" failed: AssertionError: factor must be positive')
    assert output[2] == "s-factor-3: done"
    assert output[-1] == "1 of 2 runs failed; the same command tries them again: s-factor--1"
    assert json.loads((home / "models/s-factor-3/metrics.json").read_text())
    assert (home / "models/s-factor-3/01_use.ipynb").exists()
    assert set(threads_of("s-factor-3")) == {str(max(1, parallel.cores() // 2))}
    page = (home / "models/sweep-s.html").read_text()
    assert '<a href="s-factor-3/report.html">s-factor-3</a></td><td>unfinished</td><td>0.300</td>' in page
    assert "<td>s-factor--1…</td>" in page  # it has no report that a link could lead to
    assert "<p><b>s-factor--1…</b>: 01_use at &#34;Use&#34; failed: AssertionError: factor must be positive" in page
    assert page.count("<th>factor</th>") == 1
    assert "<th>quick</th>" not in page  # in which they do not differ, though one has not come so far as to say so
    assert cli.main(["--sweep", "sweep.yaml"], notebooks=folder) == 1
    assert [count_starts(home, f"s-factor-{n}") for n in (-1, 3)] == [2, 1]


def test_a_run_finished_with_other_values_is_repeated_and_an_unfinished_one_continues(toys, monkeypatch):
    folder = str(toys["01_use"].parent)
    assert remaining_arguments(Member("new", {"quick": True}, folder)) == ["quick=true"]
    for staged, name in ((False, "done"), (True, "cut")):
        run = Run.at(name, staged=staged)
        run.models.mkdir(parents=True)
        run.record("given", factor=2.0)
    assert remaining_arguments(Member("done", {"factor": 2.0}, folder)) is None
    assert remaining_arguments(Member("done", {"factor": 3.0}, folder)) == ["factor=3.0"]
    assert remaining_arguments(Member("cut", {"factor": 2.0}, folder)) == [
        "factor=2.0",
        "--from",
        "01_use",
    ]
    assert remaining_arguments(Member("cut", {"factor": 3.0}, folder)) == ["factor=3.0"]


def test_a_run_is_written_to_the_home_of_the_caller_and_its_worker_stays_unchanged(toys, tmp_path, monkeypatch):
    member = Member("there", {}, str(toys["01_use"].parent)).in_caller_home(threads=1)
    monkeypatch.setenv("RUNS_HOME", str(tmp_path / "elsewhere"))
    assert [sweep_member.run(member).message for _ in range(2)] == ["done", "was done before"]
    assert (tmp_path / "home/models/there/metrics.json").exists()
    assert os.environ["RUNS_HOME"] == str(tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere").exists()


def test_a_run_that_a_signal_ends_reports_it():
    assert sweep_member._result(-9, "").problem == "killed by signal 9; memory may have run out"
    assert sweep_member._result(4, "run_all.sh: run 'x' is not exported: VUS-PR").problem == ""


def test_a_run_that_never_began_is_on_the_page(toys):
    page = sweep_page.write("s", {"none": "the workers that tried it died"}).read_text()
    assert "<td>none</td>" in page
    assert "the workers that tried it died" in page


def test_ctrl_c_says_how_to_continue(toys, write, monkeypatch, capsys):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(parallel, "map_parts", interrupted)
    assert cli.main(["--sweep", write("runs: [{factor: 1}]")], notebooks=toys["01_use"].parent) == 130
    assert capsys.readouterr().err.startswith("run_all.sh: stopped by Ctrl-C; the same command continues")


@pytest.mark.parametrize("record", ["{cut off", "[]", ""])
def test_a_damaged_record_is_reported_and_does_not_stop_the_others(toys, write, tmp_path, capsys, record):
    write("name: d\nworkers: 1\nruns: [{run: damaged}, {run: sound}]")
    damaged = Run.at("damaged").models
    damaged.mkdir(parents=True)
    (damaged / "run.json").write_text(record)
    assert cli.main(["--sweep", "sweep.yaml"], notebooks=toys["01_use"].parent) == 1
    output = capsys.readouterr().out.splitlines()
    assert output[1].startswith("damaged: the record of this run cannot be read (")
    assert "remove models/damaged/run.json" in output[1]
    assert output[2] == "sound: done"
    assert "<td>unreadable</td>" in (tmp_path / "home/models/sweep-d.html").read_text()


@pytest.mark.parametrize("cut", [KeyboardInterrupt(), parallel.ClusterError("lost")])
def test_an_interrupted_sweep_has_a_page_of_the_finished_runs(toys, write, tmp_path, monkeypatch, cut):
    def cut_off(function, tasks, **options):
        yield parallel.Outcome(tasks[0], sweep_member.Result(1, "failed"), "")
        raise cut

    monkeypatch.setattr(parallel, "map_parts", cut_off)
    path = write("name: c\nruns: [{run: a, factor: 1}, {run: b, factor: 2}]")
    assert cli.main(["--sweep", path], notebooks=toys["01_use"].parent) == (2 if "lost" in str(cut) else 130)
    page = (tmp_path / "home/models/sweep-c.html").read_text()
    assert "<td>a</td>" in page
    assert "<td>b</td>" not in page
    (tmp_path / "home/models/b").mkdir(parents=True)  # as an earlier call leaves it
    cli.main(["--sweep", path], notebooks=toys["01_use"].parent)
    assert "<td>b</td>" in (tmp_path / "home/models/sweep-c.html").read_text()


def test_a_killed_sweep_stops_its_runs_and_can_be_continued(toys, write, tmp_path, capsys):
    write("name: k\nworkers: 2\nruns: [{run: slow, takes: 60}]")
    home = tmp_path / "home"
    script = "import sys; from pathlib import *; from lib.workflow.cli import main; "
    script += f"sys.exit(main(['--sweep', 'sweep.yaml'], notebooks=Path({str(toys['01_use'].parent)!r})))"
    running = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.DEVNULL)
    until(lambda: count_starts(home, "slow"))
    lock = (home / "models/.slow.lock").read_text()
    running.send_signal(signal.SIGKILL)
    running.wait()
    member = int(lock.split()[1])
    until(lambda: not _alive(member))
    assert remaining_arguments(Member("slow", {"takes": 60.0}, str(toys["01_use"].parent)))[-2:] == [
        "--from",
        "01_use",
    ]
    assert cli.main(["--sweep", "sweep.yaml"], notebooks=toys["01_use"].parent) == 0
    assert "slow: done" in capsys.readouterr().out
    assert count_starts(home, "slow") == 2
    assert (home / "models/slow/metrics.json").exists()


def _alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_run_in_use_is_tried_again(toys):
    member = Member("left", {"factor": 1.0}, str(toys["01_use"].parent)).in_caller_home(threads=1)
    tried = []
    with staging.locked("left"), pytest.MonkeyPatch.context() as patched:
        patched.setattr(sweep_member, "BUSY_S", 0)
        assert sweep_member.run(member).problem.startswith("run 'left' is in use by process")
    with contextlib.ExitStack() as locks, pytest.MonkeyPatch.context() as patched:
        locks.enter_context(staging.locked("left"))
        patched.setattr(sweep_member.time, "sleep", lambda seconds: tried.append(seconds) or locks.close())
        assert sweep_member.run(member).message == "done"
    assert tried == [sweep_member.RETRY_S]


def test_an_invalid_scheduler_is_refused(toys, write):
    path = write("dask_scheduler: nowhere\nruns: [{factor: 1}]")
    with pytest.raises(UsageError, match="dask_scheduler='nowhere': expected an address such as tcp://"):
        sweep.read(path)


def test_a_defect_is_not_a_usage_error(toys, write, monkeypatch):
    def broken(member):
        raise ValueError("a defect")

    path = write("workers: 1\nruns: [{run: a, factor: 1}]")
    monkeypatch.setattr(sweep, "run", broken)
    with pytest.raises(ValueError, match="a defect") as caught:
        dict(sweep.execute(sweep.read(path), members_of(toys, path)))
    assert not isinstance(caught.value, UsageError)


def test_a_cluster_worker_divides_its_cores_between_its_threads(toys, write, tmp_path):
    cluster = {"n_workers": 1, "threads_per_worker": 2, "processes": True, "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(**cluster, silence_logs=logging.ERROR) as local:
        path = write(f"dask_scheduler: {local.scheduler_address}\nruns: [{{run: far, factor: 1}}]")
        assert dict(sweep.execute(sweep.read(path), members_of(toys, path), say=lambda line: None)) == {"far": ""}
    assert set(threads_of("far")) == {str(max(1, parallel.cores() // 2))}


def test_a_run_has_its_threads_and_those_of_the_caller_take_precedence(toys, monkeypatch):
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "5")
    member = Member("three", {}, str(toys["01_use"].parent)).in_caller_home(threads=3)
    for name in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS"):  # as Dask does
        monkeypatch.setenv(name, "1")
    assert sweep_member.run(member).message == "done"
    assert threads_of("three") == ["5", "3"]
