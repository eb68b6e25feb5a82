"""The command line behind run_all.sh: `python -m lib.workflow.cli [--only NOTEBOOK | --from NOTEBOOK] [name=value …]`.

It ends with a status of `exit_status`.
"""

import argparse
import os
import sys

from lib.files import ROOT, is_full
from lib.run import Run
from lib.workflow import pipeline, staging
from lib.workflow.exit_status import BUSY, DONE, FAILED, INTERRUPTED, REFUSED, UNREAD
from lib.workflow.parameters import UsageError, declared_parameters, help_lines, parse_arguments, resolve_paths
from lib.workflow.plan import plan_notebooks

HELP = """\
usage: ./run_all.sh [--only NOTEBOOK | --from NOTEBOOK] [name=value ...]
       ./run_all.sh --sweep FILE [name=value ...]
       ./run_all.sh --help | --setup | --runs | --rebuild RUN

Executes the numbered notebooks in order and writes models/<run>/ and data/<run>/.

  --from NOTEBOOK   continue a run of that name from this notebook on
  --only NOTEBOOK   execute this notebook alone; one without a number needs a finished run
  --setup           set up .venv and stop
  --runs            list all runs with their parameters and results
  --rebuild RUN     print the command that repeats the run
  --sweep FILE      execute many runs, several at once: a grid or a list of parameters, in YAML
  name=value        set a parameter of the notebooks that declare it

  ./run_all.sh
  ./run_all.sh run=march epochs=50 data_path=watch.csv.gz
  ./run_all.sh run=march --from 03_train
  ./run_all.sh run=march --only 04
  ./run_all.sh run=april data_path=april.csv.gz base=march warm_start=true

A notebook fails if a cell raises an exception, or if a check in its contract cell is False. The finished run of that
name then stays unchanged, and --from continues with the same parameters. Exit status: 0 done, 1 a notebook failed,
2 the request cannot be carried out, 3 another process works on the run, 4 not exported because it is worse than its
base, 130 stopped by Ctrl-C."""


def main(argv, *, notebooks=ROOT / "notebooks"):
    """Carry out the command line `argv` with the notebooks of a folder, and return the exit status."""
    try:
        return _main(argv, {path.stem: path for path in sorted(notebooks.glob("*.ipynb"))})
    except (UsageError, staging.NothingToResume) as error:
        return _fail(error, REFUSED)
    except staging.Busy as error:
        return _fail(error, BUSY)
    except pipeline.Stopped as error:
        return _fail(error, error.status)
    except OSError as error:
        if not is_full(error):
            raise
        return _fail(f"the disk is full: {error}; free some space and repeat the command", FAILED)
    except KeyboardInterrupt as error:
        return _fail(str(error) or "stopped by Ctrl-C", INTERRUPTED)


def main_in_pipe(argv):
    """Return the status of `main`. It is no error if the reader of the output, such as `| head`, is gone."""
    try:
        status = main(argv)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # otherwise Python complains as it ends
        return UNREAD
    return status


def _fail(error, status):
    print(f"run_all.sh: {error}", file=sys.stderr)
    return status


def _main(argv, paths):
    known = declared_parameters(paths.values())
    options = _parse_options(argv)
    if options.help:
        print("\n".join([HELP, *help_lines(known)]))
        return DONE
    if options.runs or options.rebuild:
        from lib.workflow import runs_table  # the import takes long

        print(runs_table.format_table() if options.runs else runs_table.rebuild_commands(options.rebuild, known))
        return DONE
    if options.sweep:
        from lib.workflow import sweep

        return sweep.main(options.sweep, parse_arguments(options.values, known), known, paths)
    values = resolve_paths(parse_arguments(options.values, known))
    plan = plan_notebooks(list(paths), only=options.only, start=options.start)
    name = _pop_run_name(values, known)
    with staging.locked(name):
        staging.recover(name)
        pipeline.execute_run(name, plan, pipeline.Notebooks(paths, known), values)
    return DONE


def _parse_options(argv):
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.error = _raise_usage_error
    parser.add_argument("-h", "--help", action="store_true")
    parser.add_argument("--only")
    parser.add_argument("--from", dest="start")
    parser.add_argument("--runs", action="store_true")
    parser.add_argument("--rebuild", metavar="RUN")
    parser.add_argument("--sweep", metavar="FILE")
    parser.add_argument("values", nargs="*")
    options = parser.parse_intermixed_args(argv)
    exclusive = [name for name in ("only", "start", "runs", "rebuild", "sweep") if getattr(options, name)]
    if len(exclusive) > 1:
        names = " and ".join(f"--{name}".replace("start", "from") for name in exclusive)
        raise UsageError(f"expected one of {names}; they exclude each other")
    return options


def _raise_usage_error(message):
    raise UsageError(f"{message}; see ./run_all.sh --help")


def _pop_run_name(values, known):
    """Remove the run's name from `values` and return it."""
    default = known["run"].default if "run" in known else "default"
    try:
        return Run.at(values.pop("run", default)).name
    except ValueError as error:
        raise UsageError(error) from error


if __name__ == "__main__":
    sys.exit(main_in_pipe(sys.argv[1:]))
