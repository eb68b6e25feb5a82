"""Branch a run: a new run that shares what does not depend on the parameters that change."""

from lib.files import ROOT, write_json
from lib.run import Run
from lib.workflow import cli, staging
from lib.workflow.parameters import UsageError, declared_parameters, did_you_mean, format_argument
from lib.workflow.pipeline import carried_values


def branch(origin, name, values, *, notebooks=ROOT / "notebooks"):
    """Make the run `name` of a finished run, with other values of some parameters.

    Results of the notebooks before the first one that takes any of these parameters are copied. The others run again.

    Parameters
    ----------
    origin : Run
        The finished run, which stays as it is.
    name : str
    values : dict
        {parameter: value} of what changes.
    notebooks : Path
        The folder of the notebooks.

    Returns
    -------
    int
        The exit status, of `lib.workflow.exit_status`.

    Raises
    ------
    UsageError
        If the run exists, nothing changes, or a parameter is unknown.
    """
    paths = sorted(notebooks.glob("*.ipynb"))
    known = declared_parameters(paths)
    for parameter in values:
        if parameter not in known:
            raise UsageError(f"there is no parameter {parameter!r}{did_you_mean(parameter, known)}")
    if Run.at(name).models.exists() or Run.at(name, staged=True).models.exists():
        raise UsageError(f"there is a run {name!r}: choose another name, or remove it")
    steps = [path.stem for path in paths if path.stem[0].isdigit()]
    again = [step for step in steps if any(step in known[parameter].notebooks for parameter in values)]
    if not again:
        raise UsageError("expected a parameter of a numbered notebook to change, got none")
    with staging.locked(name):
        staged = staging.stage(name, origin, without=steps[steps.index(again[0]) :])
        given = carried_values(origin.journal.get("given", {}), known, finished=True)
        write_json(staged.models / "run.json", staged.journal | {"given": given})
        staged.record("branch", of=origin.name, since=again[0])
    arguments = [format_argument(parameter, value) for parameter, value in values.items()]
    return cli.main([f"run={name}", "--from", again[0], *arguments], notebooks=notebooks)
