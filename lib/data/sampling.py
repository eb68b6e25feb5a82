"""Draw a sample of wearer-days, so that a dataset of large data fits in memory."""

import numpy as np
import pandas as pd

from lib.data.split import SPLITS, units
from lib.detector.windows import spread_evenly


def draw_hours(days, *, by, split_of, max_readings, rng):
    """Draw the hours of each table of a Dataset.

    Development gets single hours, evenly over wearers and hours of the day. Calibration and test get whole days, evenly
    over wearers and, in the test, over days with and without labels. Each split gets one hour or day at least, even if
    that exceeds `max_readings`.

    Parameters
    ----------
    days : DataFrame
        As returned by `split.wearer_days`.
    by, split_of
        As returned by `split.assign_splits`.
    max_readings : int
        Approximate limit for each table.
    rng : numpy.random.Generator

    Returns
    -------
    DataFrame
        The columns of `days`, and hour (since 1970).
    """
    split = pd.Series(units(days, by=by)).map(split_of).to_numpy()
    tables = [_draw_single_hours(days[np.isin(split, SPLITS[:2])], max_readings=max_readings, rng=rng)]
    drawn_from = set(pd.Series(units(tables[0], by=by)).map(split_of))
    for name in SPLITS[:2]:
        if name not in drawn_from:
            tables.append(_draw_single_hours(days[split == name], max_readings=1, rng=rng))
    for name in SPLITS[2:]:
        tables.append(_hours(_draw_days(days[split == name], max_readings=max_readings, rng=rng)))
    return pd.concat(tables, ignore_index=True)


def _draw_days(days, *, max_readings, rng):
    stratum = pd.factorize(days["user_id"])[0] * 2 + days["labelled"]
    count = max(1, int(max_readings / days["readings"].mean()))
    return days.iloc[spread_evenly(np.arange(len(days)), stratum.to_numpy(), at_most=count, rng=rng)]


def _draw_single_hours(days, *, max_readings, rng):
    hours = _hours(days)
    stratum = pd.factorize(hours["user_id"])[0] * 24 + hours["hour"] % 24
    count = max(1, int(max_readings / (days["readings"].mean() / 24)))
    return hours.iloc[spread_evenly(np.arange(len(hours)), stratum.to_numpy(), at_most=count, rng=rng)]


def _hours(days):
    """A row for each hour of wearer-days."""
    first = days["timestamp"].to_numpy().astype("datetime64[h]").astype(np.int64)
    hours = days.iloc[np.repeat(np.arange(len(days)), 24)]
    return hours.assign(hour=(first[:, None] + np.arange(24)).ravel())
