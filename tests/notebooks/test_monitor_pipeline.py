"""`run_all.sh --only monitor` carries none of its own parameters over to the next time."""

import pytest

from lib.workflow.cli import carried
from lib.workflow.parameters import Parameter

KNOWN = {
    "accept": Parameter("accept", "bool", False, "", ("monitor",)),
    "seed": Parameter("seed", "int", 1, "", ("03_train", "monitor")),
}


@pytest.mark.parametrize("finished", [True, False])
def test_parameters_of_an_unnumbered_notebook_are_not_carried_over(finished):
    assert carried({"accept": True, "seed": 4}, KNOWN, finished=finished) == {"seed": 4}
