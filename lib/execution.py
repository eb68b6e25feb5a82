"""Executes one notebook by papermill, in a kernel of this environment, and makes its HTML report."""

import logging
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import nbformat
import papermill
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import DeadKernelError
from nbconvert import HTMLExporter
from papermill.exceptions import PapermillExecutionError
from traitlets import default

from lib.progress import heading
from lib.runs import writing


@dataclass
class CellFailed(Exception):
    """A cell raised: the exception's type and message. The executed notebook holds the traceback."""

    kind: str
    message: str


class StagedKernel(AsyncKernelManager):
    """The kernel of the Python that runs this, whatever else is installed as 'python3'; its run is staged."""

    @default("kernel_spec_manager")
    def _no_installed_kernels(self):
        return KernelSpecManager(kernel_dirs=[])

    async def start_kernel(self, **options):
        await super().start_kernel(env={**os.environ, "RUN_STAGED": "1"}, **options)


def execute(notebook, output, *, parameters, progress):
    """Run `notebook` in its own folder with these parameters; `output` gets the executed notebook, cell by cell.

    `progress` is told of each cell, and written what the cells write to stderr.
    Raises CellFailed when a cell does, or when the kernel dies.
    """
    try:
        papermill.execute_notebook(
            nbformat.read(notebook, as_version=4),
            _literal(output),
            parameters=parameters,
            kernel_name="python3",
            cwd=notebook.parent,
            progress_bar=False,
            kernel_manager_class=StagedKernel,
            on_cell_start=progress.cell,
            stderr_file=progress,
        )
    except PapermillExecutionError as error:
        raise CellFailed(error.ename, error.evalue) from None
    except DeadKernelError:
        raise CellFailed("DeadKernelError", "the kernel died; memory may have run out") from None
    finally:
        _name_paths(output, notebook)


def _literal(path):
    """The path as papermill wants it, which reads `{name}` in a path as a parameter's place."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _name_paths(output, notebook):
    """Leave the notebook's name where papermill records paths: the staging folder is gone once it has succeeded."""
    if output.exists():
        executed = nbformat.read(output, as_version=4)
        executed.metadata.papermill.update(input_path=notebook.name, output_path=output.name)
        nbformat.write(executed, output)


def report(executed, *, run):
    """Write the HTML report of an executed notebook beside it, titled by its first heading and the run's name."""
    exporter = HTMLExporter(template_name="lab", embed_images=True)
    exporter.log.setLevel(logging.ERROR)
    notebook = nbformat.read(executed, as_version=4)
    headings = (heading(cell.source) for cell in notebook.cells if cell.cell_type == "markdown")
    title = next(filter(None, headings), executed.stem)
    resources = {"metadata": {"name": f"{title} · run {run}"}}
    page, _ = exporter.from_notebook_node(notebook, resources=resources)
    with writing(Path(executed).with_suffix(".html")) as new:
        new.write_text(page, encoding="utf-8")
