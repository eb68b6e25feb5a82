"""`run_all.sh --only monitor` keeps no value from one call to the next."""

import pytest

from lib.workflow.parameters import Parameter
from lib.workflow.pipeline import carried_values

KNOWN = {
    "accept": Parameter("accept", "bool", False, "", ("monitor",)),
    "seed": Parameter("seed", "int", 1, "", ("03_train", "monitor")),
}


@pytest.mark.parametrize("finished", [True, False])
def test_the_values_of_a_notebook_without_a_number_count_once(finished):
    assert carried_values({"accept": True, "seed": 4}, KNOWN, finished=finished) == {"seed": 4}
