"""The benchmarks' command lines: each can be imported and says what it takes. What they measure is run by hand."""

import json
import subprocess
import sys

import pytest

from lib.files import ROOT

FOLDER = ROOT / "benchmarks"
SCRIPTS = [path for path in sorted(FOLDER.glob("*.py")) if "ArgumentParser" in path.read_text("utf-8")]
ASKING = """
import contextlib, io, json, runpy, sys, traceback
scripts, said = sys.argv[2:], {}
sys.path.insert(0, sys.argv[1])
for script in scripts:
    sys.argv, told = [script, "--help"], io.StringIO()
    try:
        with contextlib.redirect_stdout(told):
            runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        said[script] = [end.code, told.getvalue()]
    except Exception:
        said[script] = [1, traceback.format_exc()]
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def said():
    """{script: [exit status, output]} of each one's --help: all in one process, for TensorFlow's import takes long."""
    done = subprocess.run([sys.executable, "-c", ASKING, FOLDER, *SCRIPTS], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_each_script_says_what_it_takes(said, script):
    status, told = said[str(script)]
    assert status == 0, told
    assert told.startswith(f"usage: {script.name}")


def test_the_readme_of_the_benchmarks_names_each_script_and_no_other():
    table = (FOLDER / "README.md").read_text("utf-8").partition("\n## ")[0]
    named = {line.split("`")[1] for line in table.splitlines() if line.startswith("| `")}
    assert named == {script.name for script in SCRIPTS}
