"""One function over many parts: in this process, in worker processes of this machine, or on a Dask cluster.

    for part, result, problem in parallel.map_parts(function, parts, scheduler=dask_scheduler, progress=tqdm):

Workers receive the function and a part, and return the result. Keep both small. The function belongs to an importable
module, or is a `functools.partial` of such a function. The caller alone writes files, one part after the other, so
nothing is written twice. If a worker dies, its parts are tried again. The workers of a cluster need this project's
`lib` and access to what the parts name. Whoever reaches the scheduler can run code on them: keep it private.
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
ANSWER_S = 30  # seconds that a scheduler, and its first worker, may take to answer
NO_WORKER_S = 60  # seconds that a cluster may be without any worker: one may come back
LOOK_S = 1  # seconds between two looks for workers
ENVIRON = {  # of the workers of this machine: one thread each, and freed memory is kept for the next part
    **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), 1),
    "MALLOC_TRIM_THRESHOLD_": 1 << 28,
    "MALLOC_MMAP_THRESHOLD_": 1 << 25,
}
_ADDRESS = re.compile(r"(tcp|tls)://.+:\d+")

log = logging.getLogger(__name__)


class BadPart(ValueError):
    """A part on which the function fails. `problem` is a sentence that names the cause."""

    def __init__(self, part, problem):
        self.part, self.problem = part, problem
        super().__init__(f"{problem}; on_bad_part=skip goes on without it")


class ClusterError(RuntimeError):
    """The scheduler does not answer, has no workers, or was lost."""


class Outcome(NamedTuple):
    """A part with its result, or with the problem that kept the function from one."""

    part: Any
    result: Any
    problem: str  # empty if there is a result


def map_parts(
    function, parts, *, scheduler="", workers=None, on_bad_part="stop", part_error=(), progress=iter, ahead=2
):
    """Yield an Outcome for each part, in order, as soon as the part and those before it are done.

    At most `ahead` parts a thread are in progress or wait to be yielded. Memory therefore does not grow with the
    number of parts, and one long part holds up those that follow it by more.

    Parameters
    ----------
    function : callable
        Takes a part and returns its result.
    parts : iterable
    scheduler : str
        Address of a Dask scheduler, tcp://host:port; empty for this machine.
    workers : int, optional
        Worker processes, of one thread each, on this machine. By default one a core, at most one a part.
        With 1 everything happens in this process.
    on_bad_part : {"stop", "skip"}
        Raise BadPart, or yield an Outcome with the problem.
    part_error : type or tuple of types
        The exceptions by which `function` reports a bad part. A part under which several workers die is bad, too.
        All other exceptions are raised unchanged.
    progress : callable
        Wraps the iteration over the parts, as tqdm does.
    ahead : int
        Parts a thread.

    Raises
    ------
    ValueError
        For an unknown `on_bad_part` or an invalid `scheduler`.
    BadPart
        With `on_bad_part="stop"`.
    ClusterError
        If the cluster does not answer, or has no worker left.
    """
    parts = list(parts)
    check(scheduler=scheduler, on_bad_part=on_bad_part)
    workers = min(workers or cores(), len(parts))
    attempt = functools.partial(_attempt, function, part_error)
    with closing(_outcomes(attempt, parts, scheduler, workers, ahead)) as outcomes:
        for part in progress(parts):
            result, problem = next(outcomes)
            if problem and on_bad_part == "stop":
                raise BadPart(part, problem)
            yield Outcome(part, result, problem)


def check(*, scheduler="", on_bad_part="stop"):
    """Check the two parameters before any work starts.

    Raises
    ------
    ValueError
        For an unknown `on_bad_part` or an invalid `scheduler`; the message holds the value.
    """
    if on_bad_part not in ON_BAD_PART:
        raise ValueError(f"on_bad_part={on_bad_part!r}: expected one of {', '.join(ON_BAD_PART)}")
    if scheduler and not _ADDRESS.fullmatch(scheduler):
        raise ValueError(f"dask_scheduler={scheduler!r}: expected an address such as tcp://10.0.0.5:8786, or none")


def cores():
    """Return the number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _attempt(function, part_error, part):
    """Return (result, problem). This runs on the worker, so that a bad part is no error there."""
    try:
        return function(part), ""
    except part_error as error:
        return None, str(error)


def _outcomes(attempt, parts, scheduler, workers, ahead):
    if not scheduler and workers <= 1:
        yield from map(attempt, parts)
        return
    with _connected(scheduler) if scheduler else _local_client(workers) as client:
        yield from _results(client, attempt, parts, ahead)


@contextmanager
def _local_client(workers):
    """Yield a client of a new cluster of this machine, which is encrypted and writes nothing to disk.

    By default Dask's workers return freed memory at once. Cleaning allocates it again and would take a fifth longer.
    """
    import dask
    from distributed import Client, LocalCluster  # the import takes a second, which small data do without

    processes = {"n_workers": workers, "threads_per_worker": 1, "processes": True, "memory_limit": 0}
    quiet = {"dashboard_address": "127.0.0.1:0", "silence_logs": logging.ERROR}
    with dask.config.set({"distributed.nanny.pre-spawn-environ": ENVIRON}):
        cluster = LocalCluster(**processes, **quiet, security=True, protocol="tls")
    with cluster, Client(cluster) as client:
        yield client


@contextmanager
def _connected(scheduler):
    """Yield a client of the Dask scheduler at this address."""
    from distributed import Client

    try:
        client = Client(scheduler, timeout=ANSWER_S)
    except (OSError, TimeoutError) as error:
        raise ClusterError(f"dask_scheduler={scheduler}: no scheduler answers there; check the address") from error
    with client:
        try:
            client.wait_for_workers(1, timeout=ANSWER_S)
        except TimeoutError as error:
            raise ClusterError(
                f"dask_scheduler={scheduler}: the scheduler has no workers; start a worker there"
            ) from error
        yield client


def _results(client, attempt, parts, ahead):
    """Yield (result, problem) of each part in order. At most `ahead` parts a thread are submitted in advance."""
    from distributed import CancelledError, KilledWorker
    from distributed.comm.core import CommClosedError

    waiting, submitted = deque(parts), deque()
    client.subscribe_topic("all", _log_lost_worker)
    try:
        for part in parts:
            while waiting and len(submitted) < ahead * max(1, sum(client.nthreads().values())):
                submitted.append(client.submit(attempt, waiting.popleft(), pure=False))
            try:
                yield _result(client, submitted.popleft())
            except KilledWorker:
                yield _retry_alone(client, attempt, part, submitted)
    except (CancelledError, CommClosedError) as error:
        for name in ("distributed.client", "distributed.utils"):  # they would log each attempt to reconnect
            logging.getLogger(name).setLevel(logging.CRITICAL)
        raise ClusterError("the Dask scheduler was lost; finished parts are kept: start again for the rest") from error
    finally:
        client.unsubscribe_topic("all")  # otherwise the scheduler reports this client's end to a client that is gone


def _result(client, future):
    _wait(client, [future])
    return future.result()


def _wait(client, futures):
    """Return once all futures are done. Raise ClusterError after NO_WORKER_S without a worker."""
    from distributed import wait

    last_seen = time.monotonic()
    while True:
        try:
            wait(futures, timeout=LOOK_S)
            return
        except TimeoutError:
            if client.nthreads():
                last_seen = time.monotonic()
            elif time.monotonic() - last_seen > NO_WORKER_S:
                problem = "the Dask cluster has no worker left; finished parts are kept: start again for the rest"
                raise ClusterError(problem) from None


def _retry_alone(client, attempt, part, others):
    """Return (result, problem) of a part under which workers died, tried by itself.

    Another part may have killed them while this one waited.
    """
    from distributed import KilledWorker

    if others:
        _wait(client, list(others))
    try:
        return _result(client, client.submit(attempt, part, pure=False))
    except KilledWorker:
        return None, f"{part}: the workers that tried it died; it may be too large for their memory"


def _log_lost_worker(event):
    """Log that a worker with work was lost. The scheduler gives its work to other workers."""
    message = event[1]
    if message.get("action") == "remove-worker" and (message["processing-tasks"] or message["lost-computed-tasks"]):
        log.warning("a Dask worker died; another worker repeats its work")
