"""The bounds of parameters: what is refused before anything runs, in which words."""

import pytest

from lib import parallel
from lib.data import clean
from lib.files import ROOT
from lib.workflow import bounds
from lib.workflow.parameters import UsageError, declared

KNOWN = declared(sorted((ROOT / "notebooks").glob("*.ipynb")))
DEFAULTS = {name: parameter.default for name, parameter in KNOWN.items()}


def refusal(**values):
    with pytest.raises(UsageError) as caught:
        bounds.check(DEFAULTS | values)
    return str(caught.value)


def test_the_defaults_are_within_bounds():
    bounds.check(DEFAULTS)


def test_every_number_that_a_notebook_takes_is_bounded():
    numbers = {name for name, parameter in KNOWN.items() if parameter.type in ("int", "float")}
    checked = {name for together in bounds.CHECKED for name in together}
    assert numbers == set(bounds.NUMBERS) | (checked & numbers)


def test_the_choices_are_those_that_the_library_knows():
    assert bounds.CHOICES["counters"] == clean.COUNTER_FORMS
    assert bounds.CHOICES["on_bad_part"] == parallel.ON_BAD_PART


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epochs": 0}, "epochs=0: at least 1 is wanted"),
        ({"interval_s": 0}, "interval_s=0: 1 to 3600 is wanted"),
        ({"on_bad_part": "go"}, "on_bad_part=go: one of stop, skip is wanted"),
        (
            {"dask_scheduler": "10.0.0.5"},
            "dask_scheduler='10.0.0.5': an address such as tcp://10.0.0.5:8786 is wanted, or none",
        ),
        ({"window_stride": 0}, "window_stride=0: at least 1 is wanted"),
        ({"batch_size": -1}, "batch_size=-1: at least 1 is wanted"),
        ({"sequence_length": 1441}, "sequence_length=1441: 2 to 1440 is wanted"),
        ({"encoding_dim": 0}, "encoding_dim=0: at least 1 is wanted"),
        ({"wearers": 1}, "wearers=1: at least 2 is wanted"),
        ({"train_windows": 3}, "train_windows=3: at least 4 is wanted"),
        ({"learning_rate": 0.0}, "learning_rate=0.0: 1e-09 to 1.0 is wanted"),
        ({"seed": -1}, "seed=-1: 0 to 4294967295 is wanted"),
        ({"alert_n": 61}, "alert_n=61: 1 to 60 is wanted"),
        ({"alert_k": 3, "alert_n": 2}, "alert_k=3 and alert_n=2: 1 <= alert_k <= alert_n is wanted"),
        ({"alert_k": 0}, "alert_k=0 and alert_n=1: 1 <= alert_k <= alert_n is wanted"),
        ({"counters": "both"}, "counters=both: one of cumulative, interval is wanted"),
        (
            {"threshold_percentile": 99.9},
            "threshold_percentile=99.9 and alert_percentile=99.9: "
            "0 < threshold_percentile < alert_percentile < 100 is wanted",
        ),
        (
            {"alert_percentile": 100.0},
            "threshold_percentile=95 and alert_percentile=100: "
            "0 < threshold_percentile < alert_percentile < 100 is wanted",
        ),
        (
            {"timezone": "Europe/Zürich"},
            "timezone=Europe/Zürich: an IANA time zone is wanted; did you mean Europe/Zurich?",
        ),
        ({"timezone": ""}, "timezone=: an IANA time zone is wanted, such as Europe/Zurich"),
        ({"timezone": "../etc/passwd"}, "timezone=../etc/passwd: an IANA time zone is wanted, such as Europe/Zurich"),
        ({"lambda_python": "3.9"}, "lambda_python='3.9'; one of 3.13, 3.12, local is wanted"),
        ({"samples": 1499}, "samples=1499: at least 1500 is wanted, a window of 60 a wearer"),
    ],
)
def test_what_is_out_of_bounds_is_named_with_what_is_allowed(values, message):
    assert refusal(**values) == message


def test_a_bound_may_be_reached_and_samples_are_for_simulation_only():
    bounds.check(DEFAULTS | {"samples": 1500, "sequence_length": 60, "interval_s": 3600, "seed": 0})
    bounds.check(DEFAULTS | {"samples": 1, "data_path": "watch.csv"})


def test_names_that_are_not_known_may_have_any_value():
    bounds.check({"limit": -1, "epochs": 1})
