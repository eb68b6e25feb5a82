"""What values the notebooks' parameters may take, looked at before anything runs: no run is to die of one later."""

import difflib
from datetime import datetime
from zoneinfo import ZoneInfo, available_timezones

from lib.detector import persistence, scoring
from lib.detector.features import COUNTER_FORMS
from lib.export.wheels import check_target
from lib.workflow.parameters import UsageError

NUMBERS = {  # the least and the most that is allowed, None where there is no most
    "seed": (0, 2**32 - 1),
    "interval_s": (1, 3600),
    "wearers": (2, None),  # one of them for validation
    "samples": (1, None),
    "calibration_wearers": (1, None),
    "test_wearers": (1, None),
    "test_days": (1, None),
    "events_per_day": (1, 100),
    "sequence_length": (2, 1440),  # a request holds no more
    "window_stride": (1, None),
    "train_windows": (4, None),  # a quarter as many validate
    "encoding_dim": (1, None),
    "batch_size": (1, None),
    "epochs": (1, None),
    "learning_rate": (1e-9, 1.0),
    "score_stride": (0, None),
    "alert_n": (1, persistence.MOST),
    "short_windows": (1, None),
    "reference_windows": (8, None),  # half of them drawn, three of which are neighbours
    "log_days": (1, 3650),
    "reference_days": (7, None),  # fewer tell nothing
    "most_false": (0.0, 1.0),
    "cut_false_alarms": (0.01, 1.0),
    "most_in_a_row": (1, persistence.IN_A_ROW[-1]),
    "margin": (0.0, 1.0),
    "most_readings": (100_000, None),  # a wearer-day has 17,280
}
CHOICES = {
    "counters": COUNTER_FORMS,
    "on_bad_part": ("stop", "skip"),  # that of lib.parallel, which takes long to import
}


def check(values):
    """Raise UsageError, naming parameter, value and what is allowed, unless {name: value} can be run with.

    A name that is not known here may have any value.
    """
    for name, (least, most) in NUMBERS.items():
        if name in values:
            _check_number(name, values[name], least, most)
    for name, choices in CHOICES.items():
        if values.get(name, choices[0]) not in choices:
            raise UsageError(f"{name}={values[name]}: one of {', '.join(choices)} is wanted")
    for together, checked in CHECKED.items():
        if all(name in values for name in together):
            checked(*(values[name] for name in together))


def _check_number(name, value, least, most):
    if value < least or (most is not None and value > most):
        wanted = f"at least {least}" if most is None else f"{least} to {most}"
        raise UsageError(f"{name}={value}: {wanted} is wanted")


def _check_timezone(name):
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        nearest = difflib.get_close_matches(name, available_timezones(), n=1)
        hint = f"; did you mean {nearest[0]}?" if nearest else ", such as Europe/Zurich"
        raise UsageError(f"timezone={name}: an IANA time zone is wanted{hint}") from None


def _check_moment(now):
    try:
        datetime.fromisoformat(now or "2026-03-02")
    except ValueError:
        raise UsageError(f"now={now}: a time in ISO 8601 is wanted, such as 2026-03-02T06:00") from None


def _check_lambda_python(target):
    try:
        check_target(target)
    except ValueError as error:
        raise UsageError(error) from None


def _check_scheduler(address):
    if not address:
        return
    from lib import parallel

    try:
        parallel.check(scheduler=address)
    except ValueError as error:
        raise UsageError(error) from None


def _check_percentiles(threshold, alert):
    try:
        scoring.check_percentiles(threshold, alert)
    except ValueError as error:
        raise UsageError(error) from None


def _check_persistence(k, n):
    if not 1 <= k <= n:
        raise UsageError(f"alert_k={k} and alert_n={n}: 1 <= alert_k <= alert_n is wanted")


def _check_samples(samples, wearers, length, data_path):
    if samples < wearers * length and not data_path:
        raise UsageError(f"samples={samples}: at least {wearers * length} is wanted, a window of {length} a wearer")


CHECKED = {
    ("timezone",): _check_timezone,
    ("now",): _check_moment,
    ("dask_scheduler",): _check_scheduler,
    ("lambda_python",): _check_lambda_python,
    ("threshold_percentile", "alert_percentile"): _check_percentiles,
    ("alert_k", "alert_n"): _check_persistence,
    ("samples", "wearers", "sequence_length", "data_path"): _check_samples,
}
