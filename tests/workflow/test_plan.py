"""The choice of notebooks to run."""

import pytest

from lib.workflow.parameters import UsageError
from lib.workflow.plan import plan_notebooks


@pytest.mark.parametrize("text", ["04", "evaluate", "04_evaluate", "notebooks/04_evaluate.ipynb"])
def test_a_notebook_is_named_by_number_or_name(text):
    names = ["01_generate", "04_evaluate", "05_export", "monitor"]
    assert plan_notebooks(names, only=text).selected == ("04_evaluate",)
    assert plan_notebooks(names, start=text).selected == ("04_evaluate", "05_export")
    assert plan_notebooks(names, start=text).required == ("01_generate",)


def test_a_notebook_without_a_number_requires_all_numbered_ones():
    plan = plan_notebooks(["01_generate", "02_clean", "monitor"], only="monitor")
    assert (plan.selected, plan.required) == (("monitor",), ("01_generate", "02_clean"))


def test_a_folder_without_numbered_notebooks_is_refused():
    with pytest.raises(UsageError, match="expected numbered notebooks"):
        plan_notebooks(["monitor"])
