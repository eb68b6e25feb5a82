"""Which process of pytest-xdist takes which files of tests."""

from pathlib import Path

from xdist.scheduler import LoadScopeScheduling

SHARE_A_RUN = ("test_held_out", "test_notebooks", "test_report_browser", "test_retrain")  # conftest.py's `smoke`


class ByFile(LoadScopeScheduling):
    """One file after the other to whoever is free; those that share a run, which takes minutes, to one process."""

    def _split_scope(self, nodeid):
        file = nodeid.partition("::")[0]
        return "smoke" if Path(file).stem in SHARE_A_RUN else file
