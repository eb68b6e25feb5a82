"""Which days are normal, and that they stay normal when the log forgets them."""

import json

import numpy as np
import pytest

from lib.monitoring import normal_days

MARCH = np.arange("2026-03-01", "2026-04-01", dtype="datetime64[D]")


@pytest.fixture
def path(tmp_path):
    return tmp_path / normal_days.NAME


def log(first, last, *, bins=3):
    """Days of March, first to last, with counts that identify the day."""
    days = MARCH[first - 1 : last]
    return days, {"Steps": np.repeat((days - MARCH[0]).astype(float)[:, None], bins, axis=1)}


def normal(path, first, last, *, number=10, sha256="abc", **changes):
    """The first and last normal day of March, or None."""
    selected = normal_days.select(*log(first, last, **changes), number=number, path=path, sha256=sha256)
    if selected is None:
        return None
    days, counts = selected
    np.testing.assert_array_equal(counts["Steps"][:, 0], (days - MARCH[0]).astype(float))
    return days[0].item().day, days[-1].item().day


def test_the_first_days_stay_normal_when_the_log_forgets_them(path):
    assert normal(path, 1, 11) == (1, 10)
    assert normal(path, 9, 31) == (1, 10)
    assert normal(path, 20, 31) == (1, 10)


def test_in_a_short_log_all_days_except_the_last_are_normal_and_nothing_is_stored(path):
    assert normal(path, 1, 9) == (1, 8)
    assert not path.exists()
    assert normal(path, 1, 7) is None
    assert normal(path, 1, 0) is None


@pytest.mark.parametrize("changes", [{"sha256": "def"}, {"number": 8}, {"bins": 4}])
def test_another_model_number_or_binning_selects_and_stores_them_again(path, changes):
    assert normal(path, 1, 31) == (1, 10)
    assert normal(path, 5, 31, **changes) == (5, 4 + changes.get("number", 10))
    assert json.loads(path.read_text())["days"][0] == "2026-03-05"


def test_a_log_older_than_the_stored_days_has_its_own_normal_days(path):
    assert normal(path, 12, 31) == (12, 21)
    assert normal(path, 1, 15) == (1, 10)
