"""Many runs from one file: `./run_all.sh --sweep sweep.yaml`, each a run of its own, several at once.

    name: width                              # of the sweep; begins its members' names
    common: {epochs: 6, samples: 10000}      # what all are given
    grid: {encoding_dim: [16, 32], seed: [1, 2]}          # each combination is a run: width-encoding_dim-16-seed-1 …
    runs: [{run: men, data_path: men.parquet}]            # and these, named by themselves
    workers: 2                               # at once on this machine; half of its cores unless given
    dask_scheduler: ""                       # tcp://host:port: on a cluster whose workers see the same folders

A member that failed is told and leaves the others. Taken up again, what is finished with the same values stays, and
what was interrupted goes on from the notebook it was at.
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
from lib.workflow.members import Member, run
from lib.workflow.parameters import UsageError, caller_dir, did_you_mean, located, parse
from lib.workflow.plan import check_skipped, check_values, planned

KEYS = {"name": str, "common": dict, "grid": dict, "runs": list, "workers": int, "dask_scheduler": str}
MOST_RUNS, MOST_BYTES = 1000, 1_000_000
_WANTED = {str: "a text", int: "a whole number", list: "a list", dict: "a mapping"}
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,59}")


def read(path):
    """The content of a sweep's file, a dict of KEYS. Raises UsageError, in one line, for anything else."""
    found, stem = _loaded(path), Path(path).stem
    if not isinstance(found, dict) or not {"grid", "runs"} & set(found):
        raise UsageError(f"--sweep {path}: a mapping with a grid, or a list of runs, is wanted")
    for key, value in found.items():
        if key not in KEYS:
            raise UsageError(f"--sweep {path}: {key!r} is none of {', '.join(KEYS)}{did_you_mean(str(key), KEYS)}")
        if not isinstance(value, KEYS[key]) or isinstance(value, bool):
            raise UsageError(f"--sweep {path}: {key}={value!r}: {_WANTED[KEYS[key]]} is wanted")
    found = {"name": stem, "workers": max(1, parallel.cores() // 2), "dask_scheduler": ""} | found
    if found["workers"] < 1:
        raise UsageError(f"--sweep {path}: workers={found['workers']}: at least 1 is wanted")
    if not _NAME.fullmatch(found["name"]):
        raise UsageError(f"--sweep {path}: name={found['name']!r}: at most 60 letters, digits, '.', '_' or '-'")
    try:
        parallel.check(scheduler=found["dask_scheduler"])
    except ValueError as error:
        raise UsageError(f"--sweep {path}: {error}") from None
    return found


def _loaded(path):
    file = caller_dir() / path
    try:
        size, text = file.stat().st_size, file.read_bytes()[: MOST_BYTES + 1]
    except OSError as error:
        raise UsageError(f"--sweep {path}: {error.strerror}") from None
    if size > MOST_BYTES:
        raise UsageError(f"--sweep {path}: {size:,} bytes are no sweep")
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UsageError(f"--sweep {path} is no YAML: {' '.join(str(error).split())}") from None


def members(found, known, notebooks, *, given=()):
    """The Members of a sweep's content, each with its own checked values; given: {name: value} for all of them.

    known: of `parameters.declared`; notebooks: {name: path} of those there are. Raises UsageError, naming the member,
    for what can not be run: unknown or ill-typed parameters, values out of bounds, missing files, a name used twice.
    """
    common = {**found.get("common", {}), **dict(given)}
    plan, folder = planned(list(notebooks)), str(next(iter(notebooks.values())).parent)
    made = {}
    for name, own in [*_of_the_grid(found), *_of_the_list(found)]:
        if name in made:
            raise UsageError(f"two runs of this sweep are called {name}: list them under runs, each with a run: name")
        made[name] = Member(name, _checked(name, {**common, **own}, known, plan), folder)
    if not made:
        raise UsageError("there is no run in this sweep")
    return list(made.values())


def _of_the_grid(found):
    """(name, values) of each combination of the grid, the last parameter's values changing fastest."""
    grid = found.get("grid", {})
    for name, values in grid.items():
        if not isinstance(values, list) or not values:
            raise UsageError(f"grid: {name}={values!r}: a list of values is wanted")
    count = math.prod(map(len, grid.values()))
    if count > MOST_RUNS:
        raise UsageError(f"grid: {count:,} runs; at most {MOST_RUNS} are wanted")
    combinations = [dict(zip(grid, row, strict=True)) for row in itertools.product(*grid.values())] if grid else []
    return [(_named(found["name"], values), values) for values in combinations]


def _of_the_list(found):
    """(name, values) of each of the listed runs."""
    for number, each in enumerate(found.get("runs", []), start=1):
        if not isinstance(each, dict):
            raise UsageError(f"runs, number {number}: {each!r}: a mapping of parameters is wanted")
        own = dict(each)
        yield str(own.pop("run", f"{found['name']}-{number}")), own


def _named(sweep, values):
    """A run's name by its values: another value, another name, and no other when the grid grows."""
    words = [f"{name}-{Path(str(value)).name if name.endswith('_path') else value}" for name, value in values.items()]
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", "-".join([sweep, *words]))
    if len(name) > LONGEST_NAME:
        raise UsageError(f"{name}: a run's name is at most {LONGEST_NAME} characters; list it under runs, with a name")
    return name


def _checked(name, values, known, plan):
    """The values as a run is given them. Raises UsageError, naming the run, for those that it can not be."""
    try:
        Run.at(name)
        taken = located({key: _value(key, value, known) for key, value in values.items()})
        check_skipped(taken, known, plan, ran={})
        check_values(taken | {"run": name}, known, plan)
    except ValueError as error:  # a UsageError is one
        raise UsageError(f"{name}: {error}") from None
    return taken


def _value(name, value, known):
    if name not in known:
        raise UsageError(f"no notebook has a parameter {name!r}{did_you_mean(str(name), known)}")
    if name == "run":
        raise UsageError("run names one run: it stands under runs, once each")
    if value is None or isinstance(value, (dict, list)):
        raise UsageError(f"{name}={value!r}: one value is wanted")
    return parse(known[name], str(value))


def main(path, given, known, notebooks, *, say=print):
    """Run the sweep of that file, and write the page that compares its runs; FAILED is returned if one did, else DONE.

    notebooks: {name: path} of those there are; given, known: as `members` takes them.
    """
    found = read(path)
    all_of_them = members(found, known, notebooks, given=given)
    where = f"on {found['dask_scheduler']}" if found["dask_scheduler"] else f"{found['workers']} at once"
    say(f"sweep {found['name']!r}: {len(all_of_them)} runs, {where}")
    outcomes = {}
    try:
        for name, problem in execute(found, all_of_them, say=say):
            outcomes[name] = problem
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            "stopped by Ctrl-C; the same command goes on: what is done stays, what was begun goes on at its notebook"
        ) from None
    finally:
        if outcomes:
            there = [name for name in (member.name for member in all_of_them) if name in outcomes or _is_there(name)]
            of_all = {name: outcomes.get(name, "") for name in there}  # of those not reached, what earlier calls made
            say(f"  compared in {sweep_page.write(found['name'], of_all)}")
    failed = [name for name, problem in outcomes.items() if problem]
    if failed:
        say(f"{len(failed)} of {len(outcomes)} runs failed; the same command goes on with those: {', '.join(failed)}")
    return FAILED if failed else DONE


def _is_there(name):
    return any(Run.at(name, staged=staged).models.exists() for staged in (False, True))


def execute(found, members, *, say=print):
    """Run the members, `workers` at once, say what became of each, and yield (name, what went wrong), in their order.

    What went wrong is empty where all went well. Raises UsageError where a cluster does not answer or is lost.
    """
    threads = None if found["dask_scheduler"] else max(1, parallel.cores() // found["workers"])
    tasks = [member.placed(threads=threads) for member in members]
    options = {"scheduler": found["dask_scheduler"], "workers": found["workers"], "on_bad_part": "skip"}
    options["ahead"] = len(tasks)  # their results are small, and some take far longer than others
    try:
        for member, said, problem in parallel.map_parts(run, tasks, **options):
            say(f"{member.name}: {problem or said}")
            yield member.name, problem or said.problem
    except parallel.ClusterError as error:
        raise UsageError(error) from None
