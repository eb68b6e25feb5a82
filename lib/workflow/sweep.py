"""Many runs from one file, several at once: `./run_all.sh --sweep sweep.yaml`.

    name: width                              # of the sweep; the first word of its runs' names
    common: {epochs: 6, samples: 10000}      # parameters of all runs
    grid: {encoding_dim: [16, 32], seed: [1, 2]}          # a run for each combination: width-encoding_dim-16-seed-1 …
    runs: [{run: men, data_path: men.parquet}]            # more runs
    workers: 2                               # runs at once on this machine; by default half of its cores
    dask_scheduler: ""                       # tcp://host:port of a cluster whose workers see the same folders

A failed member is reported and does not stop the others. If the sweep is repeated, members that are finished with the
same values stay. Interrupted members continue at the notebook that was interrupted.
"""

import itertools
import math
import re
from pathlib import Path

import yaml

from lib import parallel
from lib.run import LONGEST_NAME, Run
from lib.workflow import sweep_page
from lib.workflow.exit_status import DONE, FAILED
from lib.workflow.parameter_checks import check_skipped, check_values
from lib.workflow.parameters import UsageError, caller_dir, did_you_mean, parse_value, resolve_paths
from lib.workflow.plan import plan_notebooks
from lib.workflow.sweep_member import Member, run

KEYS = {"name": str, "common": dict, "grid": dict, "runs": list, "workers": int, "dask_scheduler": str}
MOST_RUNS, MOST_BYTES = 1000, 1_000_000
_EXPECTED = {str: "a text", int: "a whole number", list: "a list", dict: "a mapping"}
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,59}")


def read(path):
    """Return the content of a sweep's file, a dict of KEYS.

    Raises
    ------
    UsageError
        For any other content, in one line.
    """
    content, stem = _load(path), Path(path).stem
    if not isinstance(content, dict) or not {"grid", "runs"} & set(content):
        raise UsageError(f"--sweep {path}: expected a mapping with a grid or a list of runs")
    for key, value in content.items():
        if key not in KEYS:
            hint = did_you_mean(str(key), KEYS)
            raise UsageError(f"--sweep {path}: expected the keys {', '.join(KEYS)}, got {key!r}{hint}")
        if not isinstance(value, KEYS[key]) or isinstance(value, bool):
            raise UsageError(f"--sweep {path}: {key}={value!r}: expected {_EXPECTED[KEYS[key]]}")
    content = {"name": stem, "workers": max(1, parallel.cores() // 2), "dask_scheduler": ""} | content
    if content["workers"] < 1:
        raise UsageError(f"--sweep {path}: workers={content['workers']}: expected 1 or more")
    if not _NAME.fullmatch(content["name"]):
        raise UsageError(f"--sweep {path}: name={content['name']!r}: expected 1 to 60 letters, digits, '.', '_', '-'")
    try:
        parallel.check(scheduler=content["dask_scheduler"])
    except ValueError as error:
        raise UsageError(f"--sweep {path}: {error}") from None
    return content


def _load(path):
    file = caller_dir() / path
    try:
        size, text = file.stat().st_size, file.read_bytes()[: MOST_BYTES + 1]
    except OSError as error:
        raise UsageError(f"--sweep {path}: {error.strerror}") from None
    if size > MOST_BYTES:
        raise UsageError(f"--sweep {path}: expected at most {MOST_BYTES:,} bytes, got {size:,}")
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UsageError(f"--sweep {path}: expected YAML: {' '.join(str(error).split())}") from None


def members(content, known, notebooks, *, command_values=()):
    """Return the Members of a sweep, each with its checked values.

    Parameters
    ----------
    content : dict
        The result of `read`.
    known : dict
        The result of `declared_parameters`.
    notebooks : dict
        {name: path} of all notebooks.
    command_values : dict
        {name: value} of the command line, for all members.

    Raises
    ------
    UsageError
        For parameters that are unknown, of another type or out of bounds, for missing files, and for a name that
        occurs twice. The message names the member.
    """
    common = {**content.get("common", {}), **dict(command_values)}
    plan, folder = plan_notebooks(list(notebooks)), str(next(iter(notebooks.values())).parent)
    by_name = {}
    for name, values in [*_grid_members(content), *_listed_members(content)]:
        if name in by_name:
            raise UsageError(f"two runs of this sweep are called {name}: list them under runs, each with a run: name")
        by_name[name] = Member(name, _checked_values(name, {**common, **values}, known, plan), folder)
    if not by_name:
        raise UsageError("expected a run in this sweep, got none; list one under runs")
    return list(by_name.values())


def _grid_members(content):
    """Return (name, values) of each combination of the grid. The last parameter's values change fastest."""
    grid = content.get("grid", {})
    for name, values in grid.items():
        if not isinstance(values, list) or not values:
            raise UsageError(f"grid: {name}={values!r}: expected a list of values")
    count = math.prod(map(len, grid.values()))
    if count > MOST_RUNS:
        raise UsageError(f"grid: expected at most {MOST_RUNS} runs, got {count:,}; shorten a list")
    combinations = [dict(zip(grid, row, strict=True)) for row in itertools.product(*grid.values())] if grid else []
    return [(_member_name(content["name"], values), values) for values in combinations]


def _listed_members(content):
    """Yield (name, values) of each listed run."""
    for number, listed in enumerate(content.get("runs", []), start=1):
        if not isinstance(listed, dict):
            raise UsageError(f"runs, number {number}: expected a mapping of parameters, got {listed!r}")
        values = dict(listed)
        yield str(values.pop("run", f"{content['name']}-{number}")), values


def _member_name(sweep, values):
    """Return a name made of the values: other values make another name, and a larger grid keeps the names."""
    words = [f"{name}-{Path(str(value)).name if name.endswith('_path') else value}" for name, value in values.items()]
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", "-".join([sweep, *words]))
    if len(name) > LONGEST_NAME:
        raise UsageError(f"{name}: expected at most {LONGEST_NAME} characters; list it under runs, with a run: name")
    return name


def _checked_values(name, values, known, plan):
    """Return the values of the run as its notebooks take them. A UsageError names the run."""
    try:
        Run.at(name)
        parsed = resolve_paths({key: _parse(key, value, known) for key, value in values.items()})
        check_skipped(parsed, known, plan, ran={})
        check_values(parsed | {"run": name}, known, plan)
    except ValueError as error:  # a UsageError is one
        raise UsageError(f"{name}: {error}") from None
    return parsed


def _parse(name, value, known):
    if name not in known:
        raise UsageError(f"no notebook has a parameter {name!r}{did_you_mean(str(name), known)}")
    if name == "run":
        raise UsageError("run is the name of one run; move it to an entry of runs")
    if value is None or isinstance(value, (dict, list)):
        raise UsageError(f"{name}={value!r}: expected a single value")
    return parse_value(known[name], str(value))


def main(path, command_values, known, notebooks, *, say=print):
    """Execute the sweep of a file, and write the page that compares its runs.

    Parameters
    ----------
    path : str
    command_values, known, notebooks : dict
        As in `members`.
    say : callable
        Receives each line of output.

    Returns
    -------
    int
        FAILED if a member failed, else DONE.
    """
    content = read(path)
    sweep_members = members(content, known, notebooks, command_values=command_values)
    where = f"on {content['dask_scheduler']}" if content["dask_scheduler"] else f"{content['workers']} at once"
    say(f"sweep {content['name']!r}: {len(sweep_members)} runs, {where}")
    problems = {}
    try:
        for name, problem in execute(content, sweep_members, say=say):
            problems[name] = problem
    except KeyboardInterrupt:
        raise KeyboardInterrupt("stopped by Ctrl-C; the same command continues where it stopped") from None
    finally:
        if problems:
            existing = [member.name for member in sweep_members if member.name in problems or _exists(member.name)]
            by_name = {name: problems.get(name, "") for name in existing}  # earlier calls made those without an outcome
            say(f"  compared in {sweep_page.write(content['name'], by_name)}")
    failed = [name for name, problem in problems.items() if problem]
    if failed:
        say(f"{len(failed)} of {len(problems)} runs failed; the same command tries them again: {', '.join(failed)}")
    return FAILED if failed else DONE


def _exists(name):
    return any(Run.at(name, staged=staged).models.exists() for staged in (False, True))


def execute(content, sweep_members, *, say=print):
    """Execute the members, `workers` at once, and yield (name, problem) of each in order. No problem is empty.

    Raises
    ------
    UsageError
        If the cluster does not answer, or is lost.
    """
    threads = None if content["dask_scheduler"] else max(1, parallel.cores() // content["workers"])
    tasks = [member.in_caller_home(threads=threads) for member in sweep_members]
    options = {"scheduler": content["dask_scheduler"], "workers": content["workers"], "on_bad_part": "skip"}
    options["ahead"] = len(tasks)  # their results are small, and some take far longer than others
    try:
        for member, result, problem in parallel.map_parts(run, tasks, **options):
            say(f"{member.name}: {problem or result}")
            yield member.name, problem or result.problem
    except parallel.ClusterError as error:
        raise UsageError(error) from None
