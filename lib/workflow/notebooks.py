"""Execute one notebook by papermill, in a kernel of this environment, and check its contract."""

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

NAMES_WIDTH = 40  # columns of a terminal that a progress bar leaves for notebook and heading
CONTRACT = "# NBVAL_CHECK_OUTPUT"  # the first line of a contract cell
MESSAGE_LINES = 5  # of an exception's message: TensorFlow's can fill a screen

# A kernel logs its own shutdown as an error, on a busy machine through tornado as well.
_QUIET = "__import__('logging').getLogger('tornado.general').setLevel('CRITICAL')"


def _bars():
    """Return the environment of the kernel's progress bars: as wide as fits, and none without a terminal."""
    if not sys.stdout.isatty():
        return {"TQDM_DISABLE": "1"}
    return {"TQDM_NCOLS": str(max(shutil.get_terminal_size().columns - NAMES_WIDTH, NAMES_WIDTH))}


class CellFailed(Exception):
    """A cell raised an exception of type `kind`. The executed notebook holds the traceback."""

    def __init__(self, kind, message):
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.message = message


class ContractBroken(Exception):
    """A notebook ran to its end, but a check in its contract cell is False."""


class StagedKernel(AsyncKernelManager):
    """A kernel of the current Python, whatever kernel is installed as 'python3'. Its run is staged."""

    @default("kernel_spec_manager")
    def _no_installed_kernels(self):
        return KernelSpecManager(kernel_dirs=[])

    async def start_kernel(self, **options):
        environment = {**os.environ, "RUN_STAGED": "1", **_bars()}
        # otherwise anyone who may read this machine's loopback traffic could read the data
        await super().start_kernel(env=environment, transport_encryption="auto", **options)


def execute(notebook, output, *, parameters, progress):
    """Execute `notebook` in its own folder, and write it to `output` cell by cell.

    Parameters
    ----------
    notebook, output : Path
    parameters : dict
        {name: value}.
    progress : Progress
        Receives each cell that begins, and what the cells write to stderr.

    Raises
    ------
    CellFailed
        If a cell fails, or the kernel dies.
    OSError
        If the executed notebook cannot be written.
    """
    logging.getLogger("papermill").setLevel(logging.CRITICAL)  # CellFailed reports the same
    try:
        papermill.execute_notebook(
            nbformat.read(notebook, as_version=4),
            _escaped(output),
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
    """Check the contract cells of an executed notebook.

    nbval compares their output, too. A contract cell shows a dict of literals. Its booleans are the notebook's checks.

    Raises
    ------
    ContractBroken
        If a check is False, or a contract cell shows anything else. The message names the checks.
    """
    for cell in nbformat.read(executed, as_version=4).cells:
        if cell.cell_type == "code" and CONTRACT in cell.source:
            broken = [name for name, value in _checks(cell).items() if value is False]
            if broken:
                raise ContractBroken("its contract says False to " + " and ".join(map(repr, broken)))


def _checks(cell):
    texts = [output.data["text/plain"] for output in cell.outputs if output.output_type == "execute_result"]
    try:
        checks = ast.literal_eval("".join(texts))
    except (ValueError, SyntaxError):
        checks = None
    if not isinstance(checks, dict):
        raise ContractBroken("its contract cell should show a dict of literals, and does not")
    return checks


def _escaped(path):
    """Return the path for papermill, which would replace `{name}` in a path by a parameter's value."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _name_paths(output, notebook):
    """Replace the paths that papermill records by names: the staging folder is gone once the run is finished.

    A notebook that papermill left half-written on a full disk stays unchanged.
    """
    with suppress(FileNotFoundError, NotJSONError):
        executed = nbformat.read(output, as_version=4)
        executed.metadata.papermill.update(input_path=notebook.name, output_path=output.name)
        nbformat.write(executed, output)
