"""One run of a sweep, wherever it is worked on: a run_all.sh of its own, that ends when its worker does."""

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
from lib.workflow.parameters import word

THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
BUSY_S, RETRY_S = 60, 1  # how long a run is tried again that another process works on, and how long after each try


@dataclass(frozen=True)
class Member:
    """A run's name, the values {name: value} that it is given, its notebooks' folder; where it lies, its threads.

    set_already: those of THREADS {name: number, a text} that whoever asks for the run has in their environment.
    """

    name: str
    values: dict
    notebooks: str = str(ROOT / "notebooks")
    home: str = ""  # where data/ and models/ are; that of this process unless given
    threads: int | None = None  # that one library may start; None: what the worker's machine has for each of its tasks
    set_already: dict = field(default_factory=dict)

    def placed(self, *, threads):
        """This one, to be worked on in the folders of this process."""
        set_already = {name: os.environ[name] for name in THREADS if name in os.environ}
        return replace(self, home=str(runs_home()), threads=threads, set_already=set_already)

    def __str__(self):
        return self.name


@dataclass(frozen=True)
class Ended:
    """What became of a member: the exit status, and what it said."""

    status: int
    said: str

    @property
    def problem(self):
        """What went wrong; empty where nothing did."""
        return "" if self.status in (DONE, NOT_EXPORTED) else self.said

    def __str__(self):
        return self.said


def run(member):
    """Do what is left of a Member; its Ended.

    Of a worker that was killed, the run_all.sh takes some seconds to stop, and holds the run's lock until then.
    """
    give_up = time.monotonic() + BUSY_S
    while (ended := _tried(member)).status == BUSY and time.monotonic() < give_up:
        time.sleep(RETRY_S)
    return ended


def _tried(member):
    environment = {
        **os.environ,
        "RUNS_HOME": member.home or str(runs_home()),
        "CALLER_DIR": str(ROOT),
        **_threads(member),
    }
    try:
        left = remaining(member)
    except (OSError, ValueError) as error:
        problem = f"the record of this run can not be read ({error}): remove models/{member.name}/run.json"
        return Ended(FAILED, f"{problem} and models/.{member.name}.partial to make it anew")
    if left is None:
        return Ended(DONE, "was done before")
    command = [sys.executable, "-m", "lib.workflow.leashed", member.notebooks, f"run={member.name}", *left]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, env=environment, text=True, **pipes) as running:
        complaints = running.stderr.read()  # its stdin stays open as long as this process lives
    return _ended(running.returncode, complaints)


def remaining(member):
    """What to give run_all.sh beside the name, a list of words; None where the run is finished with these values."""
    finished, unfinished = (Run.at(member.name, staged=staged, home=member.home) for staged in (False, True))
    given = [word(name, value) for name, value in member.values.items()]
    if unfinished.models.exists() and unfinished.journal.get("given") == member.values:
        done = staging.done(unfinished)
        steps = sorted(path.stem for path in Path(member.notebooks).glob("[0-9]*.ipynb"))
        return [*given, "--from", next((step for step in steps if step not in done), steps[-1])]
    if finished.models.exists() and finished.journal.get("given") == member.values:
        return None
    return given


def _ended(status, complaints):
    if status == DONE:
        return Ended(status, "done")
    first = next((line for line in complaints.splitlines() if line.startswith("run_all.sh: ")), "")
    if status < 0:
        first = f"killed by signal {-status}; memory may have run out"
    return Ended(status, first.removeprefix("run_all.sh: ") or f"ended with status {status}")


def _threads(member):
    """The environment that keeps a member's libraries to its threads; what its worker has there is Dask's doing."""
    number = member.threads
    if number is None:
        from distributed import get_worker

        from lib.parallel import cores

        number = max(1, cores() // get_worker().state.nthreads)
    return dict.fromkeys(THREADS, str(number)) | member.set_already
