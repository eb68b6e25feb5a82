"""One function over many parts: the same results in this process, in worker processes and on a cluster."""

import functools
import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import dask
import pytest
from distributed import LocalCluster
from waiting import until

from lib import parallel
from lib.data.raw_files import ReadingsError
from lib.files import ROOT

map_parts = functools.partial(parallel.map_parts, part_error=ReadingsError)
ONE_DEATH = {"distributed.scheduler.allowed-failures": 0}


def square(number):
    if number == 3:
        raise ReadingsError("no such column", file="part-3.csv", column="heartRate")
    return number * number


def defective(_):
    raise KeyError("a defect")


def doubled_at_the_second_try(number, *, folder, deadly):
    """Return twice the number; the first try of the deadly one kills the worker."""
    mark = folder / f"tried-{number}"
    first = not mark.exists()
    mark.touch()
    if first and number == deadly:
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * number


def deadly(number):
    """Return the number, but kill the worker for 1."""
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


@pytest.fixture(scope="module")
def scheduler():
    """The address of a scheduler on the loopback interface, with two worker processes of one thread each."""
    cluster = {"n_workers": 2, "threads_per_worker": 1, "memory_limit": 0, "dashboard_address": "127.0.0.1:0"}
    quiet = {"silence_logs": logging.CRITICAL}
    with dask.config.set(ONE_DEATH), LocalCluster(**cluster, **quiet) as local:
        yield local.scheduler_address


@pytest.fixture(params=["here", "cluster"])
def where(request):
    if request.param == "here":
        return {"workers": 1}
    return {"scheduler": request.getfixturevalue("scheduler")}


def test_results_come_in_the_order_of_the_parts(where):
    numbers = [9, 4, 7, 1, 8, 2, 6, 5]
    seen = []
    outcomes = list(map_parts(square, numbers, progress=lambda parts: seen.extend(parts) or parts, **where))
    assert outcomes == [(number, number * number, "") for number in numbers]
    assert seen == numbers


def test_a_bad_part_stops_the_rest_and_is_named(where):
    with pytest.raises(
        parallel.BadPart, match="part-3.csv, column heartRate: no such column; on_bad_part=skip"
    ) as caught:
        list(map_parts(square, [1, 2, 3, 4], **where))
    assert caught.value.part == 3


def test_a_bad_part_is_skipped_on_request(where):
    outcomes = list(map_parts(square, [1, 3, 4], on_bad_part="skip", **where))
    assert [result for _, result, _ in outcomes] == [1, None, 16]
    assert outcomes[1].problem == "part-3.csv, column heartRate: no such column"


def test_a_defect_is_not_a_bad_part(where):
    with pytest.raises(KeyError, match="a defect"):
        list(map_parts(defective, [1], on_bad_part="skip", **where))


def test_nothing_is_started_for_no_parts(where):
    assert list(map_parts(square, [], **where)) == []


def test_the_work_of_a_killed_worker_is_repeated_and_logged(scheduler, tmp_path, caplog):
    function = functools.partial(doubled_at_the_second_try, folder=tmp_path, deadly=2)
    outcomes = list(map_parts(function, range(6), scheduler=scheduler))
    assert [result for _, result, _ in outcomes] == [0, 2, 4, 6, 8, 10]
    assert "a Dask worker died; another worker repeats its work" in caplog.text


def test_a_part_that_kills_every_worker_is_bad(scheduler):
    outcomes = list(map_parts(deadly, [0, 1, 2], scheduler=scheduler, on_bad_part="skip"))
    assert [result for _, result, _ in outcomes] == [0, None, 2]
    assert "workers that tried it died" in outcomes[1].problem


def test_worker_processes_of_this_machine_do_the_work_and_then_end():
    outcomes = list(map_parts(_process, [0, 1, 2, 3], workers=2))
    pids = {result for _, result, _ in outcomes}
    assert os.getpid() not in pids
    until(lambda: not any(_alive(pid) for pid in pids))


def _process(_):
    return os.getpid()


def test_worker_processes_have_one_thread_and_keep_freed_memory(monkeypatch):
    for name in parallel.ENVIRON:  # an earlier cluster may have set them, and Dask keeps existing values
        monkeypatch.delenv(name, raising=False)
    ((_, environment, _), *_) = map_parts(_environment, [0, 1], workers=2)
    assert environment["OMP_NUM_THREADS"] == "1"
    assert int(environment["MALLOC_TRIM_THRESHOLD_"]) > 100_000_000


def _environment(_):
    return {name: value for name, value in os.environ.items() if "THREAD" in name or "MALLOC" in name}


def _alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(("options", "fewest", "most"), [({}, 1, 6), ({"ahead": 40}, 40, 40)])
def test_at_most_ahead_results_a_thread_wait_to_be_yielded(scheduler, tmp_path, options, fewest, most):
    function = functools.partial(_marked, folder=tmp_path)
    outcomes = map_parts(function, range(40), scheduler=scheduler, **options)
    next(outcomes)
    until(lambda: len(list(tmp_path.iterdir())) >= fewest)
    time.sleep(0.5)  # time enough for too many
    assert fewest <= len(list(tmp_path.iterdir())) <= most
    outcomes.close()


def _marked(number, *, folder):
    (folder / str(number)).touch()


@pytest.mark.parametrize(
    ("name", "value"), [("scheduler", "10.0.0.5"), ("scheduler", "http://10.0.0.5:8786"), ("on_bad_part", "ignore")]
)
def test_an_invalid_parameter_is_named(name, value):
    with pytest.raises(ValueError, match=f"{value!r}: expected"):
        list(map_parts(square, [1], **{name: value}))


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch):
    monkeypatch.setattr(parallel, "ANSWER_S", 1)
    with pytest.raises(parallel.ClusterError, match="dask_scheduler=tcp://127.0.0.1:9: no scheduler answers"):
        list(map_parts(square, [1], scheduler="tcp://127.0.0.1:9"))


def test_a_scheduler_without_workers_is_named(monkeypatch):
    monkeypatch.setattr(parallel, "ANSWER_S", 1)
    with LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0", protocol="tcp://") as empty:
        address = empty.scheduler_address
        with pytest.raises(parallel.ClusterError, match=f"dask_scheduler={address}: the scheduler has no workers"):
            list(map_parts(square, [1], scheduler=address))


@pytest.fixture
def killable(tmp_path):
    """A scheduler and its only worker, each a process: the address and the two processes."""
    file, module = tmp_path / "scheduler.json", "distributed.cli.dask_"
    shared = ["--scheduler-file", str(file), "--no-dashboard"]
    options = {"stderr": subprocess.DEVNULL, "env": {**os.environ, "PYTHONPATH": f"{ROOT}:{Path(__file__).parent}"}}
    command = [sys.executable, "-m", f"{module}scheduler", "--host", "127.0.0.1", "--port", "0", *shared]
    with subprocess.Popen(command, **options) as scheduler:
        until(lambda: file.exists() and file.read_text())
        command = [sys.executable, "-m", f"{module}worker", "--nthreads", "1", "--death-timeout", "30", *shared]
        with subprocess.Popen(command, **options) as worker:
            yield json.loads(file.read_text())["address"], scheduler, worker
            scheduler.kill()
            worker.terminate()


def test_a_killed_scheduler_is_reported(killable):
    address, scheduler, _ = killable
    outcomes = map_parts(_after_a_while, range(30), scheduler=address)
    assert next(outcomes).result == 0
    scheduler.kill()
    with pytest.raises(parallel.ClusterError, match="the Dask scheduler was lost; finished parts are kept"):
        list(outcomes)


def test_a_cluster_without_any_worker_left_is_reported(killable, monkeypatch):
    monkeypatch.setattr(parallel, "NO_WORKER_S", 1)
    address, _, worker = killable
    outcomes = map_parts(_after_a_while, range(30), scheduler=address)
    assert next(outcomes).result == 0
    worker.terminate()
    with pytest.raises(parallel.ClusterError, match="the Dask cluster has no worker left; finished parts are kept"):
        list(outcomes)


def test_a_timeout_of_the_function_is_not_a_lost_worker(where):
    with pytest.raises(TimeoutError, match="of the function"):
        list(map_parts(_late, [1], **where))


def _late(_):
    raise TimeoutError("of the function")


def _after_a_while(number):
    time.sleep(0.2)
    return number
