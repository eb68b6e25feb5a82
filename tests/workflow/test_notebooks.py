"""The execution of one notebook: in this environment's kernel, staged, with its progress reported."""

import errno
import sys
from pathlib import Path

import nbformat
import nbformat.v4 as v4
import papermill
import pytest

from lib.workflow.notebooks import CellFailed, ContractBroken, check_contract, execute

FACTS = """
import os, sys
print(os.environ["RUN_STAGED"], sys.executable, os.getcwd(), sep="\\n")
print("\\repoch 3/20", file=sys.stderr)
"""


class Recorder:
    """Records what a Progress would show."""

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


def test_a_notebook_runs_staged_in_its_folder_with_this_python_and_reports_progress(tmp_path):
    (tmp_path / "{run}").mkdir()
    output = tmp_path / "{run}/01_toy.ipynb"
    recorder = Recorder()
    execute(notebook(tmp_path, FACTS), output, parameters={}, progress=recorder)
    stdout = next(o.text for o in nbformat.read(output, as_version=4).cells[1].outputs if o.name == "stdout")
    assert stdout.split("\n") == ["1", sys.executable, str(tmp_path), ""]
    assert recorder.cells == ["markdown", "code"]
    assert recorder.written == "\repoch 3/20\n"


def test_a_kernel_logs_no_shutdown_and_its_namespace_stays_clean(tmp_path, capfd):
    names = "print([name for name in dir() if name == 'logging'])\n"
    late = "import logging; logging.getLogger('tornado.general').error('the socket is closed')"
    execute(notebook(tmp_path, names + late), tmp_path / "executed.ipynb", parameters={}, progress=Recorder())
    cell = nbformat.read(tmp_path / "executed.ipynb", as_version=4).cells[1]
    assert [output.text for output in cell.outputs] == ["[]\n"]
    assert capfd.readouterr().err == ""


def test_a_long_message_is_shortened_and_the_executed_notebook_kept(tmp_path):
    output = tmp_path / "executed.ipynb"
    source = notebook(tmp_path, "raise ValueError('\\n'.join('abcdefgh'))", "never = 'run'")
    with pytest.raises(CellFailed) as caught:
        execute(source, output, parameters={}, progress=Recorder())
    assert str(caught.value) == "ValueError: a\nb\nc\nd\ne"
    assert "ValueError" in output.read_text()


def test_a_kernel_that_dies_is_reported(tmp_path):
    source = notebook(tmp_path, "import os\nos.kill(os.getpid(), 9)")
    with pytest.raises(CellFailed, match="the kernel died"):
        execute(source, tmp_path / "executed.ipynb", parameters={}, progress=Recorder())


def test_a_full_disk_is_reported_although_it_leaves_half_a_notebook(tmp_path, monkeypatch):
    def full(_, output, **options):
        Path(output).write_text('{"cells": [')
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(papermill, "execute_notebook", full)
    with pytest.raises(OSError, match="No space left"):
        execute(notebook(tmp_path, "1"), tmp_path / "executed.ipynb", parameters={}, progress=Recorder())


def with_contract(folder, *texts, source="# NBVAL_CHECK_OUTPUT\nchecks"):
    cells = [v4.new_code_cell("1 < 0", outputs=[result("False")])]
    cells += [v4.new_code_cell(source, outputs=[result(text)]) for text in texts]
    nbformat.write(v4.new_notebook(cells=cells), folder / "executed.ipynb")
    return folder / "executed.ipynb"


def result(text):
    return v4.new_output("execute_result", data={"text/plain": text}, execution_count=1)


def test_a_false_check_breaks_the_contract_and_is_named(tmp_path):
    path = with_contract(tmp_path, "{'shape': (None, 7), 'a below b': False,\n 'c': 0, 'finite': False}")
    with pytest.raises(ContractBroken, match="^its contract says False to 'a below b' and 'finite'$"):
        check_contract(path)


def test_true_checks_keep_the_contract_and_a_notebook_may_have_none(tmp_path):
    check_contract(with_contract(tmp_path, "{'shape': (None, 7), 'count': 0, 'name': 'False', 'finite': True}"))
    check_contract(with_contract(tmp_path))


@pytest.mark.parametrize("text", ["True", "{'finite': np.False_}", "{'open': <file>}"])
def test_an_unreadable_contract_is_broken(tmp_path, text):
    with pytest.raises(ContractBroken, match="should show a dict of literals"):
        check_contract(with_contract(tmp_path, text))
