"""The command lines of the benchmarks: each can be imported and prints its help. They are executed by hand."""

import json
import subprocess
import sys

import pytest

from lib.files import ROOT

FOLDER = ROOT / "benchmarks"
SCRIPTS = [path for path in sorted(FOLDER.glob("*.py")) if "ArgumentParser" in path.read_text("utf-8")]
PRINT_HELP = """
import contextlib, io, json, runpy, sys, traceback
scripts, results = sys.argv[2:], {}
sys.path.insert(0, sys.argv[1])
for script in scripts:
    sys.argv, output = [script, "--help"], io.StringIO()
    try:
        with contextlib.redirect_stdout(output):
            runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        results[script] = [end.code, output.getvalue()]
    except Exception:
        results[script] = [1, traceback.format_exc()]
print(json.dumps(results))
"""


@pytest.fixture(scope="module")
def help_results():
    """{script: [exit status, output]} of each --help, all in one process because TensorFlow's import takes long."""
    done = subprocess.run(
        [sys.executable, "-c", PRINT_HELP, FOLDER, *SCRIPTS], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_each_script_prints_its_help(help_results, script):
    status, output = help_results[str(script)]
    assert status == 0, output
    assert output.startswith(f"usage: {script.name}")


def test_the_readme_of_the_benchmarks_names_each_script_and_no_other():
    table = (FOLDER / "README.md").read_text("utf-8").partition("\n## ")[0]
    named = {line.split("`")[1] for line in table.splitlines() if line.startswith("| `")}
    assert named == {script.name for script in SCRIPTS}
