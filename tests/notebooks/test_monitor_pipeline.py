"""What `run_all.sh --only monitor` carries over from one time to the next: nothing of its own."""

import pytest

from lib.workflow.cli import carried
from lib.workflow.parameters import Parameter

KNOWN = {
    "accept": Parameter("accept", "bool", False, "", ("monitor",)),
    "seed": Parameter("seed", "int", 1, "", ("03_train", "monitor")),
}


@pytest.mark.parametrize("finished", [True, False])
def test_what_only_a_notebook_without_a_number_takes_is_asked_anew_each_time(finished):
    assert carried({"accept": True, "seed": 4}, KNOWN, finished=finished) == {"seed": 4}
