"""Send the deployed handler requests that no app sends, and check every answer. Prints tables.

    .venv/bin/python benchmarks/fuzz.py --run default --requests 20000

A run's lambda_deployment.zip, unpacked and in its own process with one thread, gets the events of tests/hostile.py.
Every answer must match lambda/openapi.yaml. The exit status is 1 if one does not, or takes longer than SLOWEST_S.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict

from hypothesis import HealthCheck, Phase, given, seed, settings

from lib.export import bundle
from lib.files import ROOT
from lib.run import Run

sys.path.extend([str(ROOT / "lambda"), str(ROOT / "tests")])
import hostile

SLOWEST_S = 1.0
LARGE_SHARE = 0.01  # of the requests that are as large as allowed, or larger
STRATEGIES = {
    "direct": hostile.direct_events,
    "by HTTP": hostile.http_events(),
    "as large as may be": hostile.large_events,
}
SERVER = """
import contextlib, io, json, resource, sys, time
answers, sys.stdout = sys.stdout, sys.stderr
from lambda_function import handler
for line in sys.stdin:
    event, log, raised = json.loads(line), io.StringIO(), None
    began = time.perf_counter()
    with contextlib.redirect_stdout(log):
        try:
            answer = handler(event, None)
        except BaseException as error:
            answer, raised = None, repr(error)[:500]
    ms = 1000 * (time.perf_counter() - began)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(json.dumps([answer, log.getvalue(), raised, ms, memory]), file=answers, flush=True)
"""


class Server:
    """The handler of an unpacked bundle, in a process that answers line by line."""

    def __init__(self, folder, errors):
        command = [sys.executable, "-S", "-E", "-c", f"import sys; sys.path.insert(0, {str(folder)!r})\n{SERVER}"]
        environment = {"PATH": os.environ.get("PATH", ""), "OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": errors}
        self._process = subprocess.Popen(command, cwd=folder, env=environment, text=True, **pipes)

    def call(self, event):
        """(answer, log, raised, ms, memory in MB) for one event."""
        self._process.stdin.write(json.dumps(event) + "\n")
        self._process.stdin.flush()
        if not (line := self._process.stdout.readline()):
            raise SystemExit(f"the process died of {json.dumps(event)[:2000]}")
        return json.loads(line)

    def stop(self):
        self._process.stdin.close()
        self._process.wait()


class Tally:
    """The outcomes of one kind of requests."""

    def __init__(self):
        self.statuses, self.faults, self.times, self.slowest = Counter(), [], [], None

    def add(self, event, answer, log, raised, ms):
        if not self.times or ms > max(self.times):
            self.slowest = event
        self.times.append(ms)
        self.statuses["raised" if raised else answer["statusCode"]] += 1
        try:
            assert not raised, raised
            hostile.check(answer, log)
        except Exception as error:
            self.faults.append(f"{type(error).__name__}: {error}"[:500] + f" <- {json.dumps(event)[:500]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", default="default", help="whose bundle (default: %(default)s)")
    parser.add_argument("--requests", type=int, default=20_000, help="how many (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the random events (default: %(default)s)")
    options = parser.parse_args()
    archive = Run.at(options.run).models / "lambda_export" / bundle.ZIP
    tallies = defaultdict(Tally)
    with tempfile.TemporaryFile("w+") as errors, bundle.unpacked(archive) as folder:
        server = Server(folder, errors)
        large = int(options.requests * LARGE_SHARE)
        direct = (options.requests - large) // 2
        numbers = {"direct": direct, "by HTTP": options.requests - large - direct, "as large as may be": large}
        for name, number in numbers.items():
            if number:
                memory = send(server, tallies[name], STRATEGIES[name], number, options.seed)
        server.stop()
        errors.seek(0)
        stderr = errors.read()
    sys.exit(report(tallies, memory, stderr))


def send(server, tally, events, number, first_seed):
    """Send `number` events drawn from a strategy; return the process' peak memory in MB."""
    memory = 0.0
    quiet = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}

    @settings(max_examples=200, phases=[Phase.generate], **quiet)
    @given(event=events)
    def draw(event):
        nonlocal memory
        if len(tally.times) < number:
            *outcome, memory = server.call(event)
            tally.add(event, *outcome)

    while len(tally.times) < number:
        seed(first_seed)(draw)()
        first_seed += 1
    return memory


def report(tallies, memory, stderr):
    """Print the table and the faults; return the exit status."""
    print("| events | requests | 200 | 4xx | 5xx | faults | median ms | p99 ms | slowest ms |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, tally in tallies.items():
        times, counts = sorted(tally.times), Counter()
        for status, number in tally.statuses.items():
            counts[str(status)[0]] += number
        quantiles = (times[len(times) // 2], times[len(times) * 99 // 100], times[-1])
        figures = [counts["2"], counts["4"], counts["5"] + counts["r"], len(tally.faults)]
        cells = [f"{len(times):,}", *(f"{figure:,}" for figure in figures), *(f"{ms:,.1f}" for ms in quantiles)]
        print(f"| {name} | {' | '.join(cells)} |")
    print(f"\nThe process never had more than {memory:.0f} MB, and wrote {len(stderr)} characters to stderr.")
    faults = [fault for tally in tallies.values() for fault in tally.faults]
    slow = [tally for tally in tallies.values() if max(tally.times) > 1000 * SLOWEST_S]
    for tally in slow:
        print(f"slowest, {max(tally.times):,.0f} ms: {json.dumps(tally.slowest)[:300]}", file=sys.stderr)
    for line in [*faults[:20], *stderr.splitlines()[:20]]:
        print(line, file=sys.stderr)
    return int(bool(faults or slow or stderr))


if __name__ == "__main__":
    main()
