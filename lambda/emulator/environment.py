"""Run the handler as Lambda does: under AWS' own runtime client, in a process that sees the bundle.

The process also sees what Lambda adds: Python's standard library, `awslambdaric` and boto3, and no other installed
package. This module is not in the bundle.
"""

import os
import re
import subprocess
import sys
import tempfile
import threading
from importlib import metadata
from pathlib import Path

from emulator.runtime_api import Ended, RuntimeApi

NAME = "health-anomaly-detector"
PROVIDED = ("awslambdaric", "boto3")  # what Lambda's Python has beside the standard library
_PASSED_ON = ("PATH", "HOME", "MODEL_", "AWS_")  # prefixes of the variables that the handler gets
_SECRET = "RUNTIME_API_SECRET"  # the variable that holds it until the client has it
_KILLED = "the handler's process ended"
_CLIENT = f"""
import os, runpy, awslambdaric
awslambdaric.__version__ += "-" + os.environ.pop("{_SECRET}")
from awslambdaric import lambda_runtime_client as client
class Client(client.LambdaRuntimeClient):
    def call_rapid(self, method, endpoint, expected, payload=None, headers=None):
        headers = {{**(headers or {{}}), "User-Agent": client._user_agent()}}
        return super().call_rapid(method, endpoint, expected, payload, headers)
client.LambdaRuntimeClient = Client
runpy.run_module("awslambdaric", run_name="__main__")
"""


class ExecutionEnvironment:
    """The handler of an unpacked bundle in its own process, which is replaced once it has ended.

    Parameters
    ----------
    folder : path
        The bundle, unpacked.
    handler : str
        As Lambda's configuration names it.
    log : file, optional
        Receives the process' output, by default this process' stdout and stderr.
    variables : dict, optional
        More environment variables.
    """

    def __init__(self, folder, *, handler="lambda_function.lambda_handler", log=None, variables=None):
        self._folder, self._handler, self._log = Path(folder), handler, log
        self._variables = variables or {}
        self._turn = threading.Lock()
        self._temporary = tempfile.TemporaryDirectory(prefix="lambda-runtime-")
        self.provided = Path(self._temporary.name).resolve()
        link_provided(self.provided)
        self.process = self.api = None
        self._closed = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._closed = True  # callers that still wait for their turn start no other process
        self.stop()
        self._temporary.cleanup()

    def start(self, *, timeout_s=10.0):
        """Start the process, unless it runs, and wait until it asks for its first invocation.

        Returns
        -------
        float
            When that was (time.perf_counter()).

        Raises
        ------
        FunctionError
            If the handler cannot be imported.
        Ended
            If its process ends.
        TimeoutError
            After timeout_s.
        """
        if self._closed:
            raise Ended("the environment is closed")
        if self.process is None or self.process.poll() is not None:
            self.stop()
            self.api = RuntimeApi(NAME)
            self.process = subprocess.Popen(
                [sys.executable, "-S", "-c", _CLIENT, self._handler],
                cwd=self._folder,
                env=self.variables() | {_SECRET: self.api.secret},
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                start_new_session=True,  # Ctrl-C is for the server, which then stops the process
            )
            self._watcher = threading.Thread(target=_watch, args=(self.process, self.api), daemon=True)
            self._watcher.start()
        return self.api.first_next.result(timeout_s)

    def stop(self):
        """Kill the process, if there is one; the next `invoke` starts another."""
        if self.process is not None:
            self.process.kill()
            self._watcher.join()

    def invoke(self, event, *, timeout_s=30.0):
        """Invoke the handler with `event` (bytes of JSON). Callers in several threads are served in turn.

        Returns
        -------
        Invocation
            With its answer.

        Raises
        ------
        FunctionError
            If the handler raised.
        Ended
            If its process ended.
        TimeoutError
            After timeout_s; the process is then stopped.
        """
        with self._turn:
            try:
                invocation = self._send(event, timeout_s)
                lost = isinstance(invocation.answer.exception(timeout_s), Ended)
                if lost and invocation.taken is None:  # it had ended before: nobody has seen this event
                    invocation = self._send(event, timeout_s)
                invocation.answer.result(timeout_s)
            except TimeoutError:
                self.stop()
                raise
            return invocation

    def _send(self, event, timeout_s):
        self.start(timeout_s=timeout_s)
        return self.api.send(event, timeout_s=timeout_s)

    def variables(self):
        """The environment variables of the process, by name."""
        passed = {name: value for name, value in os.environ.items() if name.startswith(_PASSED_ON)}
        return {
            **passed,
            "PYTHONPATH": str(self.provided),
            "PYTHONDONTWRITEBYTECODE": "1",  # as on Lambda, where the function's folder is read-only
            "OPENBLAS_NUM_THREADS": "1",  # a function of less than 1,769 MB has one core
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "LAMBDA_TASK_ROOT": str(self._folder),
            "AWS_LAMBDA_RUNTIME_API": self.api.address,
            "AWS_LAMBDA_FUNCTION_NAME": NAME,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{NAME}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "local",
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
            **self._variables,
        }


def _watch(process, api):
    process.wait()
    api.end(Ended(_KILLED))


def link_provided(folder):
    """Link the PROVIDED packages that are installed here into `folder`, with all their requirements."""
    waiting, linked = list(PROVIDED), set()
    while waiting:
        name = waiting.pop()
        if name in linked:
            continue
        linked.add(name)
        distribution = metadata.distribution(name)
        waiting += [re.match(r"[\w.-]+", need)[0] for need in distribution.requires or [] if "extra ==" not in need]
        for top in {Path(file.parts[0]) for file in distribution.files if file.parts[0] not in ("..", "__pycache__")}:
            (folder / top).symlink_to(distribution.locate_file(top))
