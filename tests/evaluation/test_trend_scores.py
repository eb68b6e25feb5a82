"""The trend beside windows' scores: what was known by then, and a row for every worn minute."""

import numpy as np
import pandas as pd

from lib.data.readings import parse
from lib.evaluation import trend_scores


def frame(user_id, *times, **columns):
    return pd.DataFrame({"user_id": user_id, "timestamp": np.array(times, dtype="datetime64[ms]"), **columns})


TREND = pd.concat(
    [
        frame("a", "2026-03-02T07:00:10", "2026-03-02T07:00:50", "2026-03-02T07:01:30", "2026-03-02T07:02:00"),
        frame("b", "2026-03-02T07:00:20"),
    ]
).assign(worn=[True, True, True, False, True], trend_score=[0.1, 0.2, 0.4, 0.8, np.nan])


def test_windows_get_the_score_known_by_then_and_other_worn_minutes_a_row_of_their_own():
    windows = frame("a", "2026-03-02T07:00:30", score=[0.5])
    rows = trend_scores.beside(windows, TREND, whole=True)
    assert rows["user_id"].tolist() == ["a", "a", "b"]
    assert [str(time)[11:] for time in rows["timestamp"]] == ["07:00:30", "07:01:30", "07:00:20"]
    np.testing.assert_array_equal(rows["score"], [0.5, np.nan, np.nan])
    np.testing.assert_array_equal(rows["trend_score"], [0.1, 0.4, np.nan])
    assert rows["trend_level"].tolist() == ["normal", "borderline", "unknown"]


def test_windows_alone_are_returned_where_asked():
    windows = frame("a", "2026-03-02T07:00:30", "2026-03-02T07:02:10", score=[0.5, 0.6])
    rows = trend_scores.beside(windows, TREND, whole=False)
    np.testing.assert_array_equal(rows["trend_score"], [0.1, 0.8])


def test_wearers_of_a_table_are_followed_apart():
    table = pd.DataFrame({"user_id": ["b", "a"] * 3, "timestamp": np.repeat(np.arange(3) * 60_000 + 10**12, 2)})
    followed = trend_scores.follow(parse(table.assign(heartRate=[60.0, 0] * 3, steps=0)))
    assert followed["user_id"].tolist() == ["a"] * 3 + ["b"] * 3
    assert followed["worn"].tolist() == [False] * 3 + [True] * 3
    assert followed["trend_score"].isna().all()
