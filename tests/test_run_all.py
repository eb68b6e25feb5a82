"""run_all.sh itself, in a copy of the repository (in a folder with a space in its name).

Nothing is installed: its Python is a script that copies itself into .venv and records each call of pip. Otherwise it
runs the Python of the tests.
"""

import os
import shutil
import subprocess
import sys

import pytest

from lib.files import ROOT

PYTHON = f"""#!/usr/bin/env bash
set -eu
case "$*" in
    "-m venv --clear "*) rm -rf "$4"; mkdir -p "$4/bin"; cp "$0" "$4/bin/python"; echo venv >>"$NOTES" ;;
    "-m pip install "*)
        echo pip >>"$NOTES"
        echo pip output
        sleep "${{PIP_TAKES:-0}}"
        exit "${{PIP_EXITS:-0}}" ;;
    *) exec {sys.executable} "$@" ;;
esac
"""


@pytest.fixture
def clone(tmp_path):
    folder = tmp_path / "a clone"
    folder.mkdir()
    for name in ("run_all.sh", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    for name in ("lib", "notebooks"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    (tmp_path / "bin").mkdir()
    python = tmp_path / "bin/python3"
    python.write_text(PYTHON)
    python.chmod(0o755)
    return folder


def start(clone, *arguments, **environment):
    tmp_path = clone.parent
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    inherited = {key: value for key, value in os.environ.items() if key not in ("PYTHON", "RUNS_HOME")}
    env = inherited | {"PATH": path, "NOTES": str(tmp_path / "notes")} | environment
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([str(clone / "run_all.sh"), *arguments], cwd=tmp_path, env=env, **pipes)


def run_all(clone, *arguments, **environment):
    running = start(clone, *arguments, **environment)
    stdout, stderr = running.communicate(timeout=60)
    return running.returncode, stdout, stderr


def calls(clone):
    notes = clone.parent / "notes"
    words = notes.read_text().split() if notes.exists() else []
    notes.unlink(missing_ok=True)
    return words


def test_the_environment_is_made_once_and_again_when_its_inputs_change(clone):
    assert run_all(clone, "--setup") == (0, "", "setting up .venv (about 3 minutes) …\n")
    assert calls(clone) == ["venv", "pip", "pip"]
    assert run_all(clone, "--setup") == (0, "", "")
    assert calls(clone) == []
    with open(clone / "pyproject.toml", "a") as project:
        project.write("\n")
    assert run_all(clone, "--setup")[0] == 0
    assert calls(clone) == ["pip"]
    with open(clone / "requirements.lock", "a") as lock:
        lock.write("\n")
    assert run_all(clone, "--setup")[0] == 0
    assert calls(clone) == ["venv", "pip", "pip"]


def test_a_failed_installation_is_shown_and_repeated_next_time(clone):
    status, _, stderr = run_all(clone, "--setup", PIP_EXITS="1")
    assert status == 1
    assert stderr.splitlines()[1:] == [
        "pip output",
        "run_all.sh: setting up .venv failed; see the output of pip above",
    ]
    calls(clone)
    assert run_all(clone, "--setup")[0] == 0
    assert calls(clone) == ["venv", "pip", "pip"]


def test_a_second_set_up_waits_for_the_first(clone):
    both = [start(clone, "--setup", PIP_TAKES="0.7") for _ in range(2)]
    messages = [running.communicate(timeout=60)[1] for running in both]
    assert [running.returncode for running in both] == [0, 0]
    assert calls(clone) == ["venv", "pip", "pip"]
    assert sorted(messages) == ["", "setting up .venv (about 3 minutes) …\n"]


def test_an_unsupported_python_is_refused_in_one_line(clone):
    old = clone.parent / "bin/old"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    assert run_all(clone, "--setup", PYTHON=str(old)) == (
        1,
        "",
        f"run_all.sh: PYTHON={old}: expected a Python 3.11 to 3.13 that can make a .venv\n",
    )


def test_a_python_that_does_not_run_is_skipped(clone):
    shutil.move(clone.parent / "bin/python3", clone.parent / "bin/python3.13")
    (clone.parent / "bin/python3").write_text("#!/bin/sh\nexit 127\n")
    (clone.parent / "bin/python3").chmod(0o755)
    assert run_all(clone, "--setup")[0] == 0
    assert calls(clone) == ["venv", "pip", "pip"]


def test_a_misspelt_parameter_is_refused_naming_the_nearest(clone):
    run_all(clone, "--setup")
    assert run_all(clone, "epoch=3") == (
        2,
        "",
        "run_all.sh: no notebook has a parameter 'epoch'; did you mean 'epochs'?\n",
    )


def test_a_path_starts_at_the_folder_of_the_caller(clone):
    run_all(clone, "--setup")
    (clone.parent / "watch.csv").touch()
    missing = run_all(clone, "data_path=no.csv", "run=a/b")
    assert missing == (2, "", "run_all.sh: data_path=no.csv: no such file or folder\n")
    existing = run_all(clone, "data_path=watch.csv", "run=a/b")
    assert existing[2].startswith("run_all.sh: run='a/b': ")
