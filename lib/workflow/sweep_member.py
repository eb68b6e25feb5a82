"""One run of a sweep, executed by a worker: a run_all.sh process that ends when the worker does."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from lib.files import ROOT
from lib.run import Run, runs_home
from lib.workflow import staging
from lib.workflow.exit_status import BUSY, DONE, FAILED, NOT_EXPORTED
from lib.workflow.parameters import format_argument

THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
BUSY_S = 60  # seconds for which a run is tried again while another process works on it
RETRY_S = 1  # seconds between two tries


@dataclass(frozen=True)
class Member:
    """A run of a sweep.

    Attributes
    ----------
    name : str
    values : dict
        {parameter: value}.
    notebooks : str
        The folder of the notebooks.
    home : str
        The folder that holds `data/` and `models/`; empty for that of the worker.
    threads : int, optional
        Threads that one library may start. By default the share of a task in the cores of the worker's machine.
    caller_threads : dict
        {name: text} of those THREADS that the caller's environment sets. They take precedence.
    """

    name: str
    values: dict
    notebooks: str = str(ROOT / "notebooks")
    home: str = ""
    threads: int | None = None
    caller_threads: dict = field(default_factory=dict)

    def in_caller_home(self, *, threads):
        """Return this member with the folders and the environment of the current process."""
        caller_threads = {name: os.environ[name] for name in THREADS if name in os.environ}
        return replace(self, home=str(runs_home()), threads=threads, caller_threads=caller_threads)

    def __str__(self):
        return self.name


@dataclass(frozen=True)
class Result:
    """A member's exit status, and one line that says how it ended."""

    status: int
    message: str

    @property
    def problem(self):
        """The message if the member failed, else an empty text."""
        return "" if self.status in (DONE, NOT_EXPORTED) else self.message

    def __str__(self):
        return self.message


def run(member):
    """Execute the rest of a Member and return its Result.

    If a worker was killed, its run_all.sh needs some seconds to stop and holds the run's lock until then.
    """
    deadline = time.monotonic() + BUSY_S
    while (result := _attempt(member)).status == BUSY and time.monotonic() < deadline:
        time.sleep(RETRY_S)
    return result


def _attempt(member):
    home = member.home or str(runs_home())
    environment = {**os.environ, "RUNS_HOME": home, "CALLER_DIR": str(ROOT), **_thread_limits(member)}
    try:
        arguments = remaining_arguments(member)
    except (OSError, ValueError) as error:
        problem = f"the record of this run cannot be read ({error}); remove models/{member.name}/run.json"
        return Result(FAILED, f"{problem} and models/.{member.name}.partial, and run it again")
    if arguments is None:
        return Result(DONE, "was done before")
    command = [sys.executable, "-m", "lib.workflow.member_process", member.notebooks, f"run={member.name}", *arguments]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, env=environment, text=True, **pipes) as process:
        stderr = process.stderr.read()  # its stdin stays open for the life of this process
    return _result(process.returncode, stderr)


def remaining_arguments(member):
    """Return the arguments of run_all.sh beside the name, or None if the run is finished with these values."""
    finished, unfinished = (Run.at(member.name, staged=staged, home=member.home) for staged in (False, True))
    arguments = [format_argument(name, value) for name, value in member.values.items()]
    if unfinished.models.exists() and unfinished.journal.get("given") == member.values:
        done = staging.done(unfinished)
        steps = sorted(path.stem for path in Path(member.notebooks).glob("[0-9]*.ipynb"))
        return [*arguments, "--from", next((step for step in steps if step not in done), steps[-1])]
    if finished.models.exists() and finished.journal.get("given") == member.values:
        return None
    return arguments


def _result(status, stderr):
    if status == DONE:
        return Result(status, "done")
    message = next((line for line in stderr.splitlines() if line.startswith("run_all.sh: ")), "")
    if status < 0:
        message = f"killed by signal {-status}; memory may have run out"
    return Result(status, message.removeprefix("run_all.sh: ") or f"ended with status {status}")


def _thread_limits(member):
    """Return the environment that limits a member's libraries to its threads. Dask sets a worker's own limits."""
    threads = member.threads
    if threads is None:
        from distributed import get_worker

        from lib.parallel import cores

        threads = max(1, cores() // get_worker().state.nthreads)
    return dict.fromkeys(THREADS, str(threads)) | member.caller_threads
