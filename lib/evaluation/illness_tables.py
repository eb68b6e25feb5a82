"""Tables of how well rules notice illness: people who fell ill, and rises injected into normal life."""

import numpy as np
import pandas as pd

from lib.detector.trend import ALERT, BORDERLINE
from lib.evaluation import illness
from lib.evaluation.illness_rules import RULES

PERIODS = {"one a week": 7, "one a month": 30}  # wearer-days that a false alarm may come in
RISES = tuple((bpm, hours) for bpm in (8, 11, 14) for hours in (4, 8, 24, 72))


def findings(lives, illnesses, *, rules=RULES, progress=iter):
    """Compare the trend at its own levels with all rules at the same rates of false alarms.

    Parameters
    ----------
    lives : list of Life
    illnesses : list of Illness
    rules : dict
        {name: function of a Life}, "trend" among them.
    progress : callable
        Wraps the loop over rules.

    Returns
    -------
    DataFrame
        A row for each rule and level: rule; setting, the rate that the level was set for; level; found and ill,
        numbers of people; days, the days from onset to the first alarm, a list with None for those not found;
        false_alarms and wearer_days. A rule that scores no normal hour above 0 is left out at that rate.
    """
    scores = {name: [rule(life) for life in lives] for name, rule in progress(list(rules.items()))}
    rows = [("trend", "its own level", level) for level in (BORDERLINE, ALERT)]
    for setting, days in PERIODS.items():
        for name in rules:
            try:
                rows.append((name, setting, illness.level_for(lives, scores[name], illnesses, days=days)))
            except ValueError:  # too short a life, or too few hours at rest
                continue
    found = [illness.evaluate(lives, scores[name], illnesses, level) for name, _, level in rows]
    table = pd.DataFrame(rows, columns=["rule", "setting", "level"])
    table["found"], table["ill"] = [one.found for one in found], [len(one.delays) for one in found]
    table["days"] = [list(one.delays.values()) for one in found]
    table["false_alarms"] = [one.false_alarms for one in found]
    return table.assign(wearer_days=[one.wearer_days for one in found])


def rises(lives, illnesses, levels, *, count, seed, shapes=RISES, rules=RULES, progress=iter):
    """Inject rises of resting heart rate into normal hours, and say how many are found, and how soon.

    Parameters
    ----------
    lives : list of Life
    illnesses : list of Illness
    levels : iterable of (str, float)
        A rule's name and its level.
    count : int
        Rises injected into each life.
    seed : int
    shapes : iterable of (float, int)
        bpm and hours of a rise.
    progress : callable
        Wraps the loop over levels.

    Returns
    -------
    DataFrame
        Columns rule, level, bpm, hours, injected (their number), share (found; mean over wearers) and delay (median
        hours from the start of those found); NaN where there is none.
    """
    rows = []
    for name, level in progress(list(levels)):
        for bpm, hours in shapes:
            options = {"bpm": bpm, "hours": hours, "count": count, "seed": seed}
            delays = [some for some in illness.injections(lives, rules[name], illnesses, level, **options) if len(some)]
            every = np.concatenate([np.empty(0), *delays])
            share = np.mean([np.mean(~np.isnan(some)) for some in delays]) if delays else np.nan
            delay = np.nan if np.isnan(every).all() else np.nanmedian(every)
            rows.append((name, level, bpm, hours, len(every), share, delay))
    return pd.DataFrame(rows, columns=["rule", "level", "bpm", "hours", "injected", "share", "delay"])
