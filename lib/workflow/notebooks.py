"""Executes one notebook by papermill, in a kernel of this environment, and holds it to its contract."""

import ast
import logging
import os
import shutil
import sys
from contextlib import suppress

import nbformat
import papermill
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import DeadKernelError
from nbformat.reader import NotJSONError
from papermill.exceptions import PapermillExecutionError
from traitlets import default

NAMES_WIDTH = 40  # what a progress bar leaves of a terminal's line to notebook and heading
CONTRACT = "# NBVAL_CHECK_OUTPUT"  # what a contract cell begins with
MESSAGE_LINES = 5  # of an exception's message; TensorFlow's can fill a screen

# A kernel logs its own shutting down as an error, where the machine is busy by way of tornado, too.
_QUIET = "__import__('logging').getLogger('tornado.general').setLevel('CRITICAL')"


def _bars():
    """How the kernel's progress bars look: as wide as there is place for, and none where there is no terminal."""
    if not sys.stdout.isatty():
        return {"TQDM_DISABLE": "1"}
    return {"TQDM_NCOLS": str(max(shutil.get_terminal_size().columns - NAMES_WIDTH, NAMES_WIDTH))}


class CellFailed(Exception):
    """A cell raised: the exception's type and message. The executed notebook holds the traceback."""

    def __init__(self, kind, message):
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.message = message


class ContractBroken(Exception):
    """A notebook ran to its end, but a check in its contract cell says False."""


class StagedKernel(AsyncKernelManager):
    """The kernel of the Python that runs this, whatever else is installed as 'python3'; its run is staged."""

    @default("kernel_spec_manager")
    def _no_installed_kernels(self):
        return KernelSpecManager(kernel_dirs=[])

    async def start_kernel(self, **options):
        environment = {**os.environ, "RUN_STAGED": "1", **_bars()}
        # without it anyone on this machine who may read loopback traffic could read the data
        await super().start_kernel(env=environment, transport_encryption="auto", **options)


def execute(notebook, output, *, parameters, progress):
    """Run `notebook` in its own folder with these parameters, and write it to `output` cell by cell.

    `progress` is told of each cell, and written what the cells write to stderr.
    Raises CellFailed when a cell does, or when the kernel dies; OSError where the notebook can not be written.
    """
    logging.getLogger("papermill").setLevel(logging.CRITICAL)  # what it would say is said by CellFailed
    try:
        papermill.execute_notebook(
            nbformat.read(notebook, as_version=4),
            _literal(output),
            parameters=parameters,
            kernel_name="python3",
            language="python",
            cwd=notebook.parent,
            progress_bar=False,
            kernel_manager_class=StagedKernel,
            extra_arguments=["--log-level=CRITICAL", f"--IPKernelApp.exec_lines={_QUIET}"],
            on_cell_start=progress.cell,
            stderr_file=progress,
        )
    except PapermillExecutionError as error:
        raise CellFailed(error.ename, "\n".join(error.evalue.splitlines()[:MESSAGE_LINES])) from None
    except DeadKernelError:
        raise CellFailed("DeadKernelError", "the kernel died; memory may have run out") from None
    finally:
        _name_paths(output, notebook)


def check_contract(executed):
    """Raise ContractBroken, naming the checks, where a contract cell of an executed notebook shows a False.

    A contract cell is one that nbval checks; it shows a dict of literals, whose booleans are the notebook's checks.
    """
    for cell in nbformat.read(executed, as_version=4).cells:
        if cell.cell_type == "code" and CONTRACT in cell.source:
            broken = [name for name, value in _shown(cell).items() if value is False]
            if broken:
                raise ContractBroken("its contract says False to " + " and ".join(map(repr, broken)))


def _shown(cell):
    texts = [output.data["text/plain"] for output in cell.outputs if output.output_type == "execute_result"]
    try:
        shown = ast.literal_eval("".join(texts))
    except (ValueError, SyntaxError):
        shown = None
    if not isinstance(shown, dict):
        raise ContractBroken("its contract cell shows no dict of literals")
    return shown


def _literal(path):
    """The path as papermill wants it, which reads `{name}` in a path as a parameter's place."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _name_paths(output, notebook):
    """Record names where papermill records paths: the staging folder is gone once the run is whole.

    What papermill left half-written, on a full disk, stays as it is.
    """
    with suppress(FileNotFoundError, NotJSONError):
        executed = nbformat.read(output, as_version=4)
        executed.metadata.papermill.update(input_path=notebook.name, output_path=output.name)
        nbformat.write(executed, output)
