"""The order in which the processes of pytest-xdist take the test files."""

from pathlib import Path

from xdist.scheduler import LoadScopeScheduling

SLOW = (  # most expensive first, so that no process is left alone with one at the end
    "test_notebooks",  # makes the run at smoke size (conftest.py), while another process takes the next files
    "test_monitor",
    "test_sweep",
    "test_parity",
    "test_evaluating",
    "test_large_run",
    "test_retrain",  # this and the next two need the run
    "test_held_out",
    "test_report_browser",
)


def sort_by_cost(items):
    """Sort the tests in place: slow files first, the others in their order."""
    rank = {name: number for number, name in enumerate(SLOW)}
    items.sort(key=lambda item: rank.get(item.path.stem, len(rank)))


class ByFile(LoadScopeScheduling):
    """One file after the other, in the order of `sort_by_cost`, to the process that is free."""

    def __init__(self, config, log=None):
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid):
        return str(Path(nodeid.partition("::")[0]))
