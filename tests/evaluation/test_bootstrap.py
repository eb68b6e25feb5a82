"""Intervals over wearers: what a resample counts, that draws are paired and reproducible."""

import numpy as np
import pandas as pd
import pytest

from lib.evaluation import bootstrap, operating_point, vus
from lib.evaluation.bootstrap import Resampling

START = pd.Timestamp("2026-03-02T08:00:00")


def life(wearers, *, seed=0):
    """Wearers' windows a minute apart, an event of x and one of y each, and errors that find some of them."""
    rng, rows, spans = np.random.default_rng(seed), [], []
    for user in wearers:
        kinds = np.repeat(["normal", "x", "normal", "y", "normal"], [100, 10, 80, 10, 60])
        end = START + pd.to_timedelta(60 * np.arange(len(kinds)), unit="s")
        rows.append(pd.DataFrame({"user_id": user, "start": end - pd.Timedelta(295, "s"), "end": end, "kind": kinds}))
        spans += [(user, "x", end[100], end[109]), (user, "y", end[190], end[199])]
    windows = pd.concat(rows, ignore_index=True)
    errors = rng.gamma(2, 1, len(windows)) + 3 * (windows["kind"] != "normal") * rng.random(len(windows))
    return windows, pd.DataFrame(spans, columns=["user_id", "kind", "start", "end"]), errors.to_numpy()


def days(**known):
    return pd.Series(known, dtype=float)


def recalls(labelled, resampling, *, days, rate):
    windows, events, errors = labelled
    return bootstrap.recall_draws(windows, events, {"m": errors}, resampling, days=days, false_alarms_per_day=rate)["m"]


def test_an_interval_holds_the_middle_of_the_draws():
    assert bootstrap.interval(np.arange(101), confidence=0.9) == pytest.approx((5, 95))
    assert bootstrap.interval([np.nan, 1, 1]) == (1, 1)
    assert np.isnan(bootstrap.interval([np.nan, np.nan])).all()


def test_a_draw_of_two_wearers_is_one_of_them_twice_or_both_once():
    windows, _, errors = life("ab")
    draws = bootstrap.vus_pr_draws(windows, {"m": errors}, Resampling(1, 40))["m"].round(12)
    possible = [vus.vus_pr(windows, errors)]
    for wearer in (windows["user_id"] == "a", windows["user_id"] == "b"):
        twice = pd.concat([windows[wearer], windows[wearer].assign(user_id="again")], ignore_index=True)
        possible.append(vus.vus_pr(twice, np.tile(errors[wearer], 2)))
    assert set(draws) == set(np.round(possible, 12))


def test_a_difference_of_two_methods_is_over_the_same_wearers():
    windows, _, errors = life("abcd")
    draws = bootstrap.vus_pr_draws(windows, {"m": errors, "scaled": 2 * errors + 1}, Resampling(1, 10))
    assert draws["m"].nunique() > 3
    pd.testing.assert_series_equal(draws["m"], draws["scaled"], check_names=False)


def test_draws_are_reproducible_and_differ_by_seed():
    windows, events, errors = life("abcd")
    worn = days(a=0.2, b=0.2, c=0.2, d=0.2)
    again = [recalls((windows, events, errors), Resampling(s), days=worn, rate=9) for s in (1, 1, 2)]
    pd.testing.assert_series_equal(again[0], again[1])
    assert not again[0].equals(again[2])


def test_a_recall_of_two_wearers_is_that_of_one_twice_or_of_both():
    windows, events, errors = life("ab")
    worn = days(a=0.2, b=0.1)
    draws = recalls((windows, events, errors), Resampling(3, 40), days=worn, rate=20)
    counts = operating_point.count(windows, events, errors)
    possible = set()
    for times in ([1, 1], [2, 0], [0, 2]):
        rates = times @ counts.episodes / (times @ worn.to_numpy())
        place = operating_point.lowest_within(rates, 20)
        detected = ~np.isnan(counts.delays[:, place]) * np.repeat(times, 2)  # x and y of each wearer
        possible.add(round((detected[::2].sum() + detected[1::2].sum()) / 4, 12))
    assert set(draws.round(12)) == possible
    assert len(possible) > 1


def test_a_wearer_without_windows_only_adds_days():
    windows, events, errors = life("ab")
    alone = recalls((windows, events, errors), Resampling(1), days=days(a=0.2, b=0.2, c=9), rate=9)
    assert alone.isna().any()  # the third drawn thrice
    assert alone.max() == 1  # where its days are many


def test_kinds_that_a_resample_lacks_do_not_count():
    windows, events, errors = life("ab")
    events = events[~((events["user_id"] == "b") & (events["kind"] == "y"))]
    draws = recalls((windows, events, errors), Resampling(1), days=days(a=0.2, b=0.2), rate=1e6)
    assert (draws == 1).all()


def test_one_wearer_gives_no_interval():
    windows, events, errors = life("a")
    assert bootstrap.vus_pr_draws(windows, {"m": errors}, Resampling(1, 3))["m"].isna().all()
    assert bootstrap.recall_draws(windows, events, {"m": errors}, Resampling(1), days=days(a=1))["m"].isna().all()


def test_a_wearer_without_days_is_refused():
    windows, events, errors = life("ab")
    with pytest.raises(ValueError, match="got none for 1 of them"):
        bootstrap.recall_draws(windows, events, {"m": errors}, Resampling(1), days=days(a=1, c=1))


def test_days_are_counted_for_each_wearer_as_for_all():
    table = pd.DataFrame({"user_id": list("aaab"), "label": ["", "x", "", ""]})
    table = table.assign(quality=["ok", "ok", "not_worn", "ok"], user_id=table["user_id"].astype("category"))
    assert bootstrap.days_by_wearer(table, interval_s=43_200).to_dict() == {"a": 0.5, "b": 0.5}


def test_without_a_day_to_count_false_alarms_over_there_is_no_recall():
    windows, events, errors = life("ab")
    draws = recalls((windows, events, errors), Resampling(1), days=days(a=0, b=0.2), rate=1e6)
    assert set(draws.dropna()) == {1.0}
    assert draws.isna().any()
