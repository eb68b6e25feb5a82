"""Checks of parameter values before anything runs, so that no run fails on one hours later."""

import difflib
from datetime import datetime
from zoneinfo import ZoneInfo, available_timezones

from lib.detector import persistence, scoring
from lib.detector.features import COUNTER_FORMS
from lib.export.wheels import check_target
from lib.workflow.parameters import UsageError

BOUNDS = {  # name: (least, most); None if there is no most
    "seed": (0, 2**32 - 1),
    "interval_s": (1, 3600),
    "wearers": (2, None),  # one of them validates
    "samples": (1, None),
    "calibration_wearers": (1, None),
    "test_wearers": (1, None),
    "test_days": (1, None),
    "events_per_day": (1, 100),
    "sequence_length": (2, 1440),  # the most readings of a request
    "window_stride": (1, None),
    "train_windows": (4, None),  # a quarter as many validate
    "encoding_dim": (1, None),
    "batch_size": (1, None),
    "epochs": (1, None),
    "learning_rate": (1e-9, 1.0),
    "score_stride": (0, None),
    "alert_n": (1, persistence.MOST),
    "short_windows": (1, None),
    "reference_windows": (8, None),  # half of them are drawn, and three of those are neighbours
    "log_days": (1, 3650),
    "reference_days": (7, None),  # fewer say nothing about a usual week
    "most_false": (0.0, 1.0),
    "cut_false_alarms": (0.01, 1.0),
    "most_in_a_row": (1, persistence.IN_A_ROW[-1]),
    "margin": (0.0, 1.0),
    "months_wearers": (1, None),
    "months_days": (45, None),  # of which three weeks follow the onset, and two are learned from
    "rises": (1, None),
    "most_readings": (100_000, None),  # a wearer-day has 17,280
}
CHOICES = {
    "counters": COUNTER_FORMS,
    "on_bad_part": ("stop", "skip"),  # lib.parallel.ON_BAD_PART, whose import takes long
}


def check_values(values, known, plan):
    """Check the values of a run, with the default of every parameter that `values` lacks.

    Parameters
    ----------
    values : dict
        {name: value}, the run's name among them.
    known : dict
        The result of `declared_parameters`.
    plan : Plan

    Raises
    ------
    UsageError
        For a value out of bounds, or a base that the run cannot be compared with.
    """
    values = {name: parameter.default for name, parameter in known.items()} | values
    check_bounds(values)
    if "base" in known and set(known["base"].notebooks) & set(plan.selected):
        from lib.evaluation import champion  # loads NumPy, and a misspelt parameter should be refused before

        try:
            champion.check(values)
        except ValueError as error:
            raise UsageError(error) from None


def check_skipped(values, known, plan, ran):
    """Refuse a value that only skipped notebooks take, unless they ran with the same value.

    Parameters
    ----------
    values : dict
        {name: value}.
    known : dict
        The result of `declared_parameters`.
    plan : Plan
    ran : dict
        The record of earlier notebooks, {step: {"parameters": {name: value}}}.

    Raises
    ------
    UsageError
        The message names the parameter, its notebooks, and the value they ran with.
    """
    for name, value in values.items():
        users = known[name].notebooks
        earlier = [ran[step]["parameters"][name] for step in users if name in ran.get(step, {}).get("parameters", {})]
        if set(users) & set(plan.selected) or (earlier and all(old == value for old in earlier)):
            continue
        tail = f"; it ran with {earlier[0]}" if earlier else ""
        raise UsageError(f"{name} is a parameter of {' and '.join(users)}, which {plan.request} does not run{tail}")


def check_bounds(values):
    """Check that each of {name: value} is allowed. An unknown name may have any value.

    Raises
    ------
    UsageError
        The message holds the parameter, its value, and what is allowed.
    """
    for name, (least, most) in BOUNDS.items():
        if name in values:
            _check_number(name, values[name], least, most)
    for name, choices in CHOICES.items():
        if values.get(name, choices[0]) not in choices:
            raise UsageError(f"{name}={values[name]}: expected one of {', '.join(choices)}")
    for names, check in CHECKS.items():
        if all(name in values for name in names):
            check(*(values[name] for name in names))


def _check_number(name, value, least, most):
    if value < least or (most is not None and value > most):
        allowed = f"{least} or more" if most is None else f"{least} to {most}"
        raise UsageError(f"{name}={value}: expected {allowed}")


def _check_timezone(name):
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        nearest = difflib.get_close_matches(name, available_timezones(), n=1) if "/" in name else []
        hint = f"; did you mean {nearest[0]}?" if nearest else ", such as Europe/Zurich, and no abbreviation"
        raise UsageError(f"timezone={name}: expected an IANA time zone{hint}") from None


def _check_now(now):
    try:
        datetime.fromisoformat(now or "2026-03-02")
    except ValueError:
        raise UsageError(f"now={now}: expected a time in ISO 8601, such as 2026-03-02T06:00") from None


def _check_lambda_python(target):
    _usage_check(check_target, target)


def _check_scheduler(address):
    if address:
        from lib import parallel

        _usage_check(parallel.check, scheduler=address)


def _check_percentiles(threshold, alert):
    _usage_check(scoring.check_percentiles, threshold, alert)


def _usage_check(check, *arguments, **options):
    """Call a check of another module. Its ValueError becomes a UsageError."""
    try:
        check(*arguments, **options)
    except ValueError as error:
        raise UsageError(error) from None


def _check_persistence(k, n):
    if not 1 <= k <= n:
        raise UsageError(f"alert_k={k} and alert_n={n}: expected 1 <= alert_k <= alert_n")


def _check_samples(samples, wearers, length, data_path):
    if samples < wearers * length and not data_path:
        raise UsageError(f"samples={samples}: expected {wearers * length} or more, a window of {length} a wearer")


CHECKS = {  # names: the check that takes their values
    ("timezone",): _check_timezone,
    ("now",): _check_now,
    ("dask_scheduler",): _check_scheduler,
    ("lambda_python",): _check_lambda_python,
    ("threshold_percentile", "alert_percentile"): _check_percentiles,
    ("alert_k", "alert_n"): _check_persistence,
    ("samples", "wearers", "sequence_length", "data_path"): _check_samples,
}
