"""run_all.sh's other half: `python -m lib.pipeline [--only NOTEBOOK | --from NOTEBOOK] [name=value …]`.

Exit status: 0 done, 1 a notebook failed, 2 what was asked for can not be done, 3 the run is being worked on,
130 stopped by Ctrl-C.
"""

import argparse
import json
import re
import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from lib import staging
from lib.parameters import UsageError, declared, described, did_you_mean, given, located
from lib.progress import Progress, duration
from lib.runs import ROOT, Run, runs_home

HELP = """\
usage: ./run_all.sh [--help] [--setup] [--only NOTEBOOK] [--from NOTEBOOK] [name=value ...]

Runs the numbered notebooks one after the other into models/<run>/ and data/<run>/.

  --from NOTEBOOK   go on from that notebook, with what an unfinished or finished run of that name holds
  --only NOTEBOOK   run that notebook alone; one without a number works on a finished run
  --setup           set up .venv, and nothing else
  name=value        a parameter, for the notebooks that declare it

  ./run_all.sh
  ./run_all.sh run=march epochs=50 data_path=watch.csv.gz
  ./run_all.sh run=march --from 03_train
  ./run_all.sh run=march --only 04

A run that fails leaves the finished run of that name as it was, and --from goes on from what it has done,
with the values it was given. Exit status: 0 done, 1 a notebook failed, 2 what was asked for can not be done,
3 the run is being worked on, 130 stopped by Ctrl-C."""


@dataclass(frozen=True)
class Plan:
    """What is to be run: the notebooks' names, how the user asked for them, and the steps that must be done."""

    selected: tuple
    how: str
    needed: tuple


@dataclass(frozen=True)
class Stopped(Exception):
    """A notebook failed, or was interrupted."""

    message: str
    status: int


def main(argv, *, notebooks=ROOT / "notebooks"):
    """Run what `argv` asks for, of the notebooks in that folder. Returns the exit status."""
    paths = {path.stem: path for path in sorted(notebooks.glob("*.ipynb"))}
    try:
        known = declared(paths.values())
        options = _options(argv)
        if options.help:
            print("\n".join([HELP, *described(known)]))
            return 0
        values = given(options.values, known)
        plan = planned(options, list(paths))
        name = str(values.pop("run", known["run"].default if "run" in known else "default"))
        with staging.locked(name):
            staging.recover(name)
            _run(name, plan, paths, known, values)
    except (ValueError, staging.NothingToResume) as error:
        if isinstance(error, UsageError | staging.NothingToResume) or str(error).startswith("run="):
            return _refuse(error, 2)
        raise
    except staging.Busy as error:
        return _refuse(error, 3)
    except Stopped as stopped:
        return _refuse(stopped.message, stopped.status)
    return 0


def _refuse(message, status):
    print(f"run_all.sh: {message}", file=sys.stderr)
    return status
