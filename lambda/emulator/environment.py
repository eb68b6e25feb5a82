"""The handler as Lambda runs it: AWS' own runtime client in a process that sees the bundle, and what Lambda adds to it.

That is Python's standard library, `awslambdaric` and boto3; no other installed package. Not in the bundle.
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
_PASSED_ON = ("PATH", "HOME", "MODEL_", "AWS_")  # what the names of variables that the handler gets begin with
_KILLED = "the handler's process ended"


class ExecutionEnvironment:
    """The handler of an unpacked bundle in a process of its own, which is started anew once it is gone.

    folder: the bundle, unpacked; handler: as Lambda's configuration names it; log: the file that gets the process'
    output, this process' own stdout and stderr by default; variables: more environment variables.
    """

    def __init__(self, folder, *, handler="lambda_function.lambda_handler", log=None, variables=None):
        self._folder, self._handler, self._log = Path(folder), handler, log
        self._more = variables or {}
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

        Returns when that was (time.perf_counter()). Raises FunctionError when the handler can not be imported, Ended
        when its process ends, TimeoutError after timeout_s.
        """
        if self._closed:
            raise Ended("the environment is closed")
        if self.process is None or self.process.poll() is not None:
            self.stop()
            self.api = RuntimeApi(NAME)
            self.process = subprocess.Popen(
                [sys.executable, "-S", "-m", "awslambdaric", self._handler],
                cwd=self._folder,
                env=self.variables(),
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
        """The answered Invocation of `event` (bytes of JSON). Callers in several threads are served in turn.

        Raises FunctionError when the handler raised, Ended when its process ended, TimeoutError after timeout_s, when
        the process is stopped.
        """
        with self._turn:
            try:
                invocation = self._sent(event, timeout_s)
                lost = isinstance(invocation.answer.exception(timeout_s), Ended)
                if lost and invocation.taken is None:  # it had ended before: nobody has seen this event
                    invocation = self._sent(event, timeout_s)
                invocation.answer.result(timeout_s)
            except TimeoutError:
                self.stop()
                raise
            return invocation

    def _sent(self, event, timeout_s):
        self.start(timeout_s=timeout_s)
        return self.api.send(event, timeout_s=timeout_s)

    def variables(self):
        """The environment variables of the process: {name: value}."""
        passed = {name: value for name, value in os.environ.items() if name.startswith(_PASSED_ON)}
        return {
            **passed,
            "PYTHONPATH": str(self.provided),
            "PYTHONDONTWRITEBYTECODE": "1",  # as on Lambda, where the function's folder can not be written
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
            **self._more,
        }


def _watch(process, api):
    process.wait()
    api.end(Ended(_KILLED))


def link_provided(folder):
    """Link into `folder` the PROVIDED packages that are installed here, with all that they need."""
    waiting, seen = list(PROVIDED), set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        distribution = metadata.distribution(name)
        waiting += [re.match(r"[\w.-]+", need)[0] for need in distribution.requires or [] if "extra ==" not in need]
        for top in {Path(file.parts[0]) for file in distribution.files if file.parts[0] not in ("..", "__pycache__")}:
            (folder / top).symlink_to(distribution.locate_file(top))
