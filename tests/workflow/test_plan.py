"""Which notebooks run, and what may be given to those that do not."""

import pytest

from lib.workflow.parameters import Parameter, UsageError
from lib.workflow.plan import check_skipped, planned


@pytest.mark.parametrize("text", ["04", "evaluate", "04_evaluate", "notebooks/04_evaluate.ipynb"])
def test_a_notebook_is_named_by_number_or_name(text):
    names = ["01_generate", "04_evaluate", "05_export", "monitor"]
    assert planned(names, only=text).selected == ("04_evaluate",)
    assert planned(names, start=text).selected == ("04_evaluate", "05_export")
    assert planned(names, start=text).needed == ("01_generate",)


def test_a_notebook_without_number_works_on_a_finished_run():
    plan = planned(["01_generate", "02_clean", "monitor"], only="monitor")
    assert (plan.selected, plan.needed) == (("monitor",), ("01_generate", "02_clean"))


def test_a_folder_without_numbered_notebooks_is_refused():
    with pytest.raises(UsageError, match="no numbered notebooks"):
        planned(["monitor"])


def test_a_value_for_a_notebook_that_does_not_run_must_be_what_it_ran_with():
    known = {"epochs": Parameter("epochs", "int", 20, "", ("03_train",))}
    plan = planned(["03_train", "04_evaluate"], start="04_evaluate")
    ran = {"03_train": {"parameters": {"epochs": 30}}}
    check_skipped({"epochs": 30}, known, plan, ran)
    with pytest.raises(UsageError) as caught:
        check_skipped({"epochs": 20}, known, plan, ran)
    assert str(caught.value) == (
        "epochs is a parameter of 03_train, which --from 04_evaluate does not run; it ran with 30"
    )
