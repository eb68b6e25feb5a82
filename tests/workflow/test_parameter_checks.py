"""Checks of parameter values: what is refused before anything runs, and the message."""

import pytest

from lib import parallel
from lib.detector import features
from lib.files import ROOT
from lib.workflow import parameter_checks
from lib.workflow.parameter_checks import check_bounds, check_skipped
from lib.workflow.parameters import Parameter, UsageError, declared_parameters
from lib.workflow.plan import plan_notebooks

KNOWN = declared_parameters(sorted((ROOT / "notebooks").glob("*.ipynb")))
DEFAULTS = {name: parameter.default for name, parameter in KNOWN.items()}


def refusal(**values):
    with pytest.raises(UsageError) as caught:
        check_bounds(DEFAULTS | values)
    return str(caught.value)


def test_the_defaults_are_within_bounds():
    check_bounds(DEFAULTS)


def test_every_number_of_a_notebook_has_bounds():
    numbers = {name for name, parameter in KNOWN.items() if parameter.type in ("int", "float")}
    checked = {name for names in parameter_checks.CHECKS for name in names}
    assert numbers == set(parameter_checks.BOUNDS) | (checked & numbers)


def test_the_choices_are_those_of_the_library():
    assert parameter_checks.CHOICES["counters"] == features.COUNTER_FORMS
    assert parameter_checks.CHOICES["on_bad_part"] == parallel.ON_BAD_PART


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epochs": 0}, "epochs=0: expected 1 or more"),
        ({"interval_s": 0}, "interval_s=0: expected 1 to 3600"),
        ({"on_bad_part": "go"}, "on_bad_part=go: expected one of stop, skip"),
        (
            {"dask_scheduler": "10.0.0.5"},
            "dask_scheduler='10.0.0.5': expected an address such as tcp://10.0.0.5:8786, or none",
        ),
        ({"window_stride": 0}, "window_stride=0: expected 1 or more"),
        ({"batch_size": -1}, "batch_size=-1: expected 1 or more"),
        ({"sequence_length": 1441}, "sequence_length=1441: expected 2 to 1440"),
        ({"encoding_dim": 0}, "encoding_dim=0: expected 1 or more"),
        ({"wearers": 1}, "wearers=1: expected 2 or more"),
        ({"train_windows": 3}, "train_windows=3: expected 4 or more"),
        ({"learning_rate": 0.0}, "learning_rate=0.0: expected 1e-09 to 1.0"),
        ({"seed": -1}, "seed=-1: expected 0 to 4294967295"),
        ({"alert_n": 61}, "alert_n=61: expected 1 to 60"),
        ({"alert_k": 3, "alert_n": 2}, "alert_k=3 and alert_n=2: expected 1 <= alert_k <= alert_n"),
        ({"alert_k": 0}, "alert_k=0 and alert_n=1: expected 1 <= alert_k <= alert_n"),
        ({"counters": "both"}, "counters=both: expected one of cumulative, interval"),
        ({"threshold_percentile": 99.9}, "expected 0 < threshold_percentile < alert_percentile < 100, got threshold_"),
        ({"alert_percentile": 100.0}, "expected 0 < threshold_percentile < alert_percentile < 100, got threshold_"),
        (
            {"timezone": "Europe/Zürich"},
            "timezone=Europe/Zürich: expected an IANA time zone; did you mean Europe/Zurich?",
        ),
        ({"timezone": ""}, "timezone=: expected an IANA time zone, such as Europe/Zurich"),
        *(
            ({"timezone": name}, f"timezone={name}: expected an IANA time zone, such as Europe/Zurich, and no abbr")
            for name in ("JST", "IST", "CEST", "GMT+2")
        ),
        ({"timezone": "../etc/passwd"}, "timezone=../etc/passwd: expected an IANA time zone, such as Europe/Zurich"),
        ({"lambda_python": "3.9"}, "expected lambda_python 3.13, 3.12 or local, got '3.9'"),
        ({"samples": 1499}, "samples=1499: expected 1500 or more, a window of 60 a wearer"),
    ],
)
def test_a_value_out_of_bounds_is_refused_with_what_is_allowed(values, message):
    assert refusal(**values).startswith(message)


def test_a_bound_is_allowed_and_samples_count_for_simulation_only():
    check_bounds(DEFAULTS | {"samples": 1500, "sequence_length": 60, "interval_s": 3600, "seed": 0})
    check_bounds(DEFAULTS | {"samples": 1, "data_path": "watch.csv"})


def test_an_unknown_name_may_have_any_value():
    check_bounds({"limit": -1, "epochs": 1})


def test_a_value_of_a_skipped_notebook_must_be_the_one_it_ran_with():
    known = {"epochs": Parameter("epochs", "int", 20, "", ("03_train",))}
    plan = plan_notebooks(["03_train", "04_evaluate"], start="04_evaluate")
    ran = {"03_train": {"parameters": {"epochs": 30}}}
    check_skipped({"epochs": 30}, known, plan, ran)
    with pytest.raises(UsageError) as caught:
        check_skipped({"epochs": 20}, known, plan, ran)
    assert str(caught.value) == (
        "epochs is a parameter of 03_train, which --from 04_evaluate does not run; it ran with 30"
    )
