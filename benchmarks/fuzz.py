"""What the deployed handler makes of requests that no app sends. Prints tables.

    .venv/bin/python benchmarks/fuzz.py --run default --requests 20000

A run's lambda_deployment.zip, unpacked and in a process of its own with one thread, is sent the events of
tests/hostile.py. Every answer is held to lambda/openapi.yaml; the exit status is 1 where one is not as it should be,
or took longer than SLOWEST_S.
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
LARGE_SHARE = 0.01  # of the requests that are as large as may be, or larger
KINDS = {
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

    def ask(self, event):
        """What the handler answered, printed and raised, its ms, and the largest memory so far of its process in MB."""
        self._process.stdin.write(json.dumps(event) + "\n")
        self._process.stdin.flush()
        if not (line := self._process.stdout.readline()):
            raise SystemExit(f"the process died of {json.dumps(event)[:2000]}")
        return json.loads(line)

    def stop(self):
        self._process.stdin.close()
        self._process.wait()


class Tally:
    """What came of the requests of one kind."""

    def __init__(self):
        self.statuses, self.faults, self.times, self.slowest = Counter(), [], [], None

    def add(self, event, answer, log, raised, ms):
        if not self.times or ms > max(self.times):
            self.slowest = event
        self.times.append(ms)
        self.statuses["raised" if answer is None else answer["statusCode"]] += 1
        try:
            assert raised is None, raised
            hostile.check(answer, log)
        except Exception as error:
            self.faults.append(f"{type(error).__name__}: {error}"[:500] + f" <- {json.dumps(event)[:500]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", default="default", help="whose bundle (default: %(default)s)")
    parser.add_argument("--requests", type=int, default=20_000, help="how many (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of what is drawn (default: %(default)s)")
    given_ = parser.parse_args()
    archive = Run.at(given_.run).models / "lambda_export" / bundle.ZIP
    tallies = defaultdict(Tally)
    with tempfile.TemporaryFile("w+") as errors, bundle.unpacked(archive) as folder:
        server = Server(folder, errors)
        large = int(given_.requests * LARGE_SHARE)
        direct = (given_.requests - large) // 2
        numbers = {"direct": direct, "by HTTP": given_.requests - large - direct, "as large as may be": large}
        for name, number in numbers.items():
            if not number:
                continue
            memory = send(server, tallies[name], KINDS[name], number, given_.seed)
        server.stop()
        errors.seek(0)
        said = errors.read()
    sys.exit(report(tallies, memory, said))


def send(server, tally, events, number, first_seed):
    """Send `number` events that are drawn of a strategy; the process' largest memory in MB."""
    memory = 0.0
    quiet = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}

    @settings(max_examples=200, phases=[Phase.generate], **quiet)
    @given(event=events)
    def draw(event):
        nonlocal memory
        if len(tally.times) < number:
            *outcome, memory = server.ask(event)
            tally.add(event, *outcome)

    while len(tally.times) < number:
        seed(first_seed)(draw)()
        first_seed += 1
    return memory


def report(tallies, memory, said):
    """Print the table and what went wrong; the exit status."""
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
    print(f"\nThe process never held more than {memory:.0f} MB, and wrote {len(said)} characters to stderr.")
    faults = [fault for tally in tallies.values() for fault in tally.faults]
    slow = [tally for tally in tallies.values() if max(tally.times) > 1000 * SLOWEST_S]
    for tally in slow:
        print(f"slowest, {max(tally.times):,.0f} ms: {json.dumps(tally.slowest)[:300]}", file=sys.stderr)
    for line in [*faults[:20], *said.splitlines()[:20]]:
        print(line, file=sys.stderr)
    return int(bool(faults or slow or said))


if __name__ == "__main__":
    main()
