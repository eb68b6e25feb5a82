"""One function over many parts: in this process, in worker processes of this machine, or on a Dask cluster.

    for part, result, problem in parallel.each(function, parts, scheduler=dask_scheduler, progress=tqdm):

What is sent to workers are `function` (of an importable module, or a functools.partial of one) and a part; what comes
back is the result. Keep both small, and let the caller write: it alone does, one part after the other, so that nothing
is written twice. A worker that dies costs its parts another try. The workers of a cluster need this project's `lib`,
and reach what the parts name; whoever reaches its scheduler can run code there, so keep that in a network of your own.
"""

import functools
import logging
import os
import re
import time
from collections import deque
from contextlib import closing, contextmanager
from typing import Any, NamedTuple

ON_BAD_PART = ("stop", "skip")
ANSWER_S = 30  # how long a scheduler, and a first worker, may take to answer
NO_WORKER_S = 60  # how long a cluster may be without any worker, who may come back
LOOK_S = 1  # between looks whether there are any
ENVIRON = {  # of the workers of this machine: a thread each, and memory that is freed is kept for what comes next
    **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), 1),
    "MALLOC_TRIM_THRESHOLD_": 1 << 28,
    "MALLOC_MMAP_THRESHOLD_": 1 << 25,
}
_ADDRESS = re.compile(r"(tcp|tls)://.+:\d+")

log = logging.getLogger(__name__)


class BadPart(ValueError):
    """A part that can not be worked on: carries `part` and `problem`, a sentence that names what is wrong."""

    def __init__(self, part, problem):
        self.part, self.problem = part, problem
        super().__init__(f"{problem}; on_bad_part=skip goes on without it")


class ClusterError(RuntimeError):
    """The scheduler can not be reached, has no workers (any more), or was lost."""


class Outcome(NamedTuple):
    """What became of a part: its result, or what is wrong with it."""

    part: Any
    result: Any
    problem: str  # empty where there is a result


def each(function, parts, *, scheduler="", workers=None, on_bad_part="stop", part_error=(), progress=iter, ahead=2):
    """Yield an Outcome for each of `parts`, in their order, as soon as it and those before it are there: a generator.

    scheduler: empty for this machine, or the address of a Dask scheduler (tcp://host:port). workers: how many
    processes of one thread each to start on this machine; as many as there are cores (or parts) unless given, and
    with 1 all is done in this process. At most `ahead` parts a thread are under way or wait to be taken, so memory does
    not grow with the parts; a long part holds up those that come so much later. progress wraps the loop over the parts,
    as tqdm does.

    A part is bad for which `function` raises `part_error` (an exception class, or a tuple of them), or under which one
    worker after the other dies: BadPart is raised with on_bad_part "stop", and with "skip" its Outcome has the problem.
    Other errors are raised as they are. Raises ValueError for a bad scheduler or on_bad_part, ClusterError where the
    cluster does not answer or has no worker left.
    """
    parts = list(parts)
    check(scheduler=scheduler, on_bad_part=on_bad_part)
    workers = min(workers or cores(), len(parts))
    with closing(
        _outcomes(functools.partial(_attempt, function, part_error), parts, scheduler, workers, ahead)
    ) as outcomes:
        for part in progress(parts):
            result, problem = next(outcomes)
            if problem and on_bad_part == "stop":
                raise BadPart(part, problem)
            yield Outcome(part, result, problem)


def check(*, scheduler="", on_bad_part="stop"):
    """Raise ValueError, naming the value, for an address or a way to go on that is none."""
    if on_bad_part not in ON_BAD_PART:
        raise ValueError(f"on_bad_part={on_bad_part!r}: one of {', '.join(ON_BAD_PART)} is wanted")
    if scheduler and not _ADDRESS.fullmatch(scheduler):
        raise ValueError(f"dask_scheduler={scheduler!r}: an address such as tcp://10.0.0.5:8786 is wanted, or none")


def cores():
    """How many CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _attempt(function, part_error, part):
    """Result and problem; it runs where the part is worked on, so that what is wrong with a part is no error there."""
    try:
        return function(part), ""
    except part_error as error:
        return None, str(error)


def _outcomes(attempt, parts, scheduler, workers, ahead):
    if not scheduler and workers <= 1:
        yield from map(attempt, parts)
        return
    with _client(scheduler, workers) as client:
        yield from _gathered(client, attempt, parts, ahead)


@contextmanager
def _client(scheduler, workers):
    """A client of that scheduler, or of one of our own, which is encrypted and leaves nothing on the disk.

    Dask would have workers give freed memory back at once: cleaning, which takes it again, would wait a fifth longer.
    """
    import dask
    from distributed import Client, LocalCluster  # takes a second, which small data need not wait for

    if not scheduler:
        processes = {"n_workers": workers, "threads_per_worker": 1, "processes": True, "memory_limit": 0}
        quiet = {"dashboard_address": "127.0.0.1:0", "silence_logs": logging.ERROR}
        with dask.config.set({"distributed.nanny.pre-spawn-environ": ENVIRON}):
            local = LocalCluster(**processes, **quiet, security=True, protocol="tls")
        with local, Client(local) as client:
            yield client
        return
    try:
        client = Client(scheduler, timeout=ANSWER_S)
    except (OSError, TimeoutError) as error:
        raise ClusterError(f"dask_scheduler={scheduler}: no scheduler answers there") from error
    with client:
        try:
            client.wait_for_workers(1, timeout=ANSWER_S)
        except TimeoutError as error:
            raise ClusterError(f"dask_scheduler={scheduler}: the scheduler there has no workers") from error
        yield client


def _gathered(client, attempt, parts, ahead):
    """The results of all parts in their order, of which no more than `ahead` a thread are asked for before."""
    from distributed import CancelledError, KilledWorker
    from distributed.comm.core import CommClosedError

    waiting, under_way = deque(parts), deque()
    client.subscribe_topic("all", _tell_of_the_dead)
    try:
        for part in parts:
            while waiting and len(under_way) < ahead * max(1, sum(client.nthreads().values())):
                under_way.append(client.submit(attempt, waiting.popleft(), pure=False))
            try:
                yield _result(client, under_way.popleft())
            except KilledWorker:
                yield _alone(client, attempt, part, under_way)
    except (CancelledError, CommClosedError) as error:
        for name in ("distributed.client", "distributed.utils"):  # which would tell of each try to reach it again
            logging.getLogger(name).setLevel(logging.CRITICAL)
        raise ClusterError("the Dask scheduler was lost; what is done stays, begin again for the rest") from error
    finally:
        client.unsubscribe_topic("all")  # else the scheduler tells of the client's own end, to a client that is gone


def _result(client, future):
    _wait(client, [future])
    return future.result()


def _wait(client, futures):
    """Return once all futures are done. Raises ClusterError where there was no worker for NO_WORKER_S."""
    from distributed import wait

    seen = time.monotonic()
    while True:
        try:
            wait(futures, timeout=LOOK_S)
            return
        except TimeoutError:
            if client.nthreads():
                seen = time.monotonic()
            elif time.monotonic() - seen > NO_WORKER_S:
                problem = "no worker is left on the Dask cluster; what is done stays, begin again for the rest"
                raise ClusterError(problem) from None


def _alone(client, attempt, part, others):
    """The result of a part under which workers died, tried by itself: it may only have waited beside the deadly one."""
    from distributed import KilledWorker

    if others:
        _wait(client, list(others))
    try:
        return _result(client, client.submit(attempt, part, pure=False))
    except KilledWorker:
        return None, f"{part}: the workers that tried it died; it may be too large for their memory"


def _tell_of_the_dead(event):
    """Log that a worker went while it had work, which the scheduler then gives to others."""
    message = event[1]
    if message.get("action") == "remove-worker" and (message["processing-tasks"] or message["lost-computed-tasks"]):
        log.warning("a Dask worker died; what it worked on is done again by another")
