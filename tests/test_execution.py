"""Executing one notebook: in this environment's kernel, staged, with its progress heard."""

import sys

import nbformat
import nbformat.v4 as v4
import pytest

from lib.execution import CellFailed, execute

FACTS = """
import os, sys
print(os.environ["RUN_STAGED"], sys.executable, os.getcwd(), sep="\\n")
print("\\repoch 3/20", file=sys.stderr)
"""


class Listener:
    """Keeps what a Progress would show."""

    def __init__(self):
        self.cells, self.written = [], ""

    def cell(self, cell, cell_index):
        self.cells.append(cell.cell_type)

    def write(self, text):
        self.written += text

    def flush(self):
        pass


def notebook(folder, *sources):
    cells = [v4.new_markdown_cell("# Toy"), *map(v4.new_code_cell, sources)]
    path = folder / "01_toy.ipynb"
    nbformat.write(v4.new_notebook(cells=cells), path)
    return path


def test_a_notebook_runs_staged_in_its_folder_with_this_python_and_is_heard(tmp_path):
    (tmp_path / "of {run}").mkdir()
    output = tmp_path / "of {run}/01_toy.ipynb"
    heard = Listener()
    execute(notebook(tmp_path, FACTS), output, parameters={}, progress=heard)
    stdout = next(o.text for o in nbformat.read(output, as_version=4).cells[1].outputs if o.name == "stdout")
    assert stdout.split("\n") == ["1", sys.executable, str(tmp_path), ""]
    assert heard.cells == ["markdown", "code"]
    assert heard.written == "\repoch 3/20\n"


def test_a_long_message_is_cut_and_the_executed_notebook_kept(tmp_path):
    output = tmp_path / "executed.ipynb"
    source = notebook(tmp_path, "raise ValueError('\\n'.join('abcdefgh'))", "never = 'run'")
    with pytest.raises(CellFailed) as caught:
        execute(source, output, parameters={}, progress=Listener())
    assert str(caught.value) == "ValueError: a\nb\nc\nd\ne"
    assert "ValueError" in output.read_text()


def test_a_kernel_that_dies_is_a_failure_that_says_so(tmp_path):
    source = notebook(tmp_path, "import os\nos.kill(os.getpid(), 9)")
    with pytest.raises(CellFailed, match="the kernel died"):
        execute(source, tmp_path / "executed.ipynb", parameters={}, progress=Listener())
