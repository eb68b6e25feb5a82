"""The run that a numbered notebook works in. Executed by hand, it leaves a finished run as it is.

`./run_all.sh` works in the staging folders. By hand, an unfinished run is worked on itself, and of a finished one a
copy is made, in `data/.<run>.copy` and `models/.<run>.copy`. The notebooks continue with the copy until the run itself
is made again.
"""

import os

from lib import files
from lib import run as runs
from lib.run import Run
from lib.workflow import staging

LAST = "05_export"
COPIED = "copied"  # the entry of a copy's record that identifies the run it was made of


def open_run(name, *, create=False):
    """Return the run called `name` to work on: in staging within run_all.sh, a copy of a finished run by hand.

    Parameters
    ----------
    name : str
    create : bool
        Create a run that does not exist.

    Raises
    ------
    NoSuchRun
        If there is no such run. The message names those that exist.
    """
    run = runs.open_run(name, create=create)
    if os.environ.get("RUN_STAGED") == "1" or LAST not in run.journal:
        return run
    copy = Run(name, *(folder.with_name(f".{name}.copy") for folder in (run.data, run.models)))
    state = {"sha256": files.fingerprint([run.models / "run.json"])}
    if copy.journal.get(COPIED) != state:
        staging.replace_by_copy(run, copy)
        copy.record(COPIED, **state)
    print(f"run {name!r} is finished and stays as it is: this notebook works on its copy, models/{copy.models.name}")
    return copy
