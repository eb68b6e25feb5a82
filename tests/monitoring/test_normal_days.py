"""Which days are normal, and that they stay so when the log forgets them."""

import json

import numpy as np
import pytest

from lib.monitoring import normal_days

MARCH = np.arange("2026-03-01", "2026-04-01", dtype="datetime64[D]")


@pytest.fixture
def path(tmp_path):
    return tmp_path / normal_days.NAME


def log(first, last, *, bins=3):
    """The days of March from one to another, and counts that tell which day they are of."""
    days = MARCH[first - 1 : last]
    return days, {"Steps": np.repeat((days - MARCH[0]).astype(float)[:, None], bins, axis=1)}


def normal(path, first, last, *, number=10, sha256="abc", **changes):
    """The first and last normal day of March, None for none."""
    found = normal_days.of(*log(first, last, **changes), number=number, path=path, sha256=sha256)
    if found is None:
        return None
    days, counts = found
    np.testing.assert_array_equal(counts["Steps"][:, 0], (days - MARCH[0]).astype(float))
    return days[0].item().day, days[-1].item().day


def test_the_first_days_are_normal_and_kept_when_the_log_forgets_them(path):
    assert normal(path, 1, 11) == (1, 10)
    assert normal(path, 9, 31) == (1, 10)
    assert normal(path, 20, 31) == (1, 10)


def test_of_a_short_log_all_but_the_last_day_are_normal_and_nothing_is_kept(path):
    assert normal(path, 1, 9) == (1, 8)
    assert not path.exists()
    assert normal(path, 1, 7) is None
    assert normal(path, 1, 0) is None


@pytest.mark.parametrize("changes", [{"sha256": "def"}, {"number": 8}, {"bins": 4}])
def test_of_another_model_or_number_they_are_drawn_anew_and_kept(path, changes):
    assert normal(path, 1, 31) == (1, 10)
    assert normal(path, 5, 31, **changes) == (5, 4 + changes.get("number", 10))
    assert json.loads(path.read_text())["days"][0] == "2026-03-05"


def test_an_older_log_than_the_kept_days_has_normal_days_of_its_own(path):
    assert normal(path, 12, 31) == (12, 21)
    assert normal(path, 1, 15) == (1, 10)
