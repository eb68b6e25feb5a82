"""Serve the built bundle over HTTP, for the app's developers: POST http://localhost:PORT/health-data/sync

    .venv/bin/python lambda/serve.py --run default --port 8080

A run's lambda_deployment.zip runs under AWS' own runtime client, behind a gateway on this machine. This module is not
in the bundle.
"""

import argparse
import errno
import json
import signal
import sys
from zipfile import BadZipFile

from emulator.environment import ExecutionEnvironment
from emulator.gateway import Gateway
from emulator.runtime_api import Ended, FunctionError
from http_event import PATH

from lib.export import bundle
from lib.run import Run


def serve(run, *, host, port, timeout_s):
    """Serve a run's bundle until KeyboardInterrupt.

    Raises
    ------
    FileNotFoundError
        If the run has no bundle.
    ValueError
        For a name that no run can have.
    OSError
        If the port is in use.
    FunctionError, Ended, TimeoutError
        As `ExecutionEnvironment.start` does.
    """
    archive = Run.at(run).models / "lambda_export" / bundle.ZIP
    if not archive.is_file():
        raise FileNotFoundError(f"run {run!r} has no bundle: run notebooks/05_export first, or ./run_all.sh run={run}")
    with (
        bundle.unpacked(archive) as folder,
        ExecutionEnvironment(folder) as environment,
        Gateway(environment, host=host, port=port, timeout_s=timeout_s) as gateway,
    ):
        environment.start()
        url = f"http://{host}:{gateway.server_port}{PATH}"
        example = json.dumps({"metrics": [bundle.EXAMPLE_READING]})
        print(f"{url}   curl {url} -H 'Content-Type: application/json' -d '{example}'", flush=True)
        gateway.serve_forever(poll_interval=0.1)


def main(words=None):
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(prog="serve.py", description=__doc__.splitlines()[0])
    parser.add_argument("--run", default="default", help="the run whose bundle is served (%(default)s)")
    parser.add_argument("--host", default="localhost", help="0.0.0.0 lets a watch or phone in the same network call")
    parser.add_argument("--port", type=int, default=8080, help="0 picks a free one (%(default)s)")
    parser.add_argument("--timeout", type=float, default=30.0, metavar="S", help="seconds for an answer, then 504")
    options = parser.parse_args(words)
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.default_int_handler)  # also in a job that a shell runs in the background
    try:
        serve(options.run, host=options.host, port=options.port, timeout_s=options.timeout)
    except KeyboardInterrupt:
        return 0
    except TimeoutError:
        problem = "the handler does not start"
    except (Ended, FunctionError, BadZipFile, ValueError, RuntimeError, OverflowError, OSError) as error:
        in_use = getattr(error, "errno", None) == errno.EADDRINUSE
        problem = f"port {options.port} is in use" if in_use else error
    print(f"serve.py: {problem}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
