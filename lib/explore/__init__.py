"""Explore a run in a notebook, in five lines:

from lib.explore import Run, plot
run = Run.open("default")
day = run.test.query("user_id == 'sim-0133'")      # or run.score("takeout.zip"): any source of readings
scored = run.score(day)                            # user_id, time, score, level, reason, trend_score, trend_level
plot(scored)
"""

from lib.explore.detector import Detector
from lib.explore.figure import plot
from lib.explore.run import Run

__all__ = ["Detector", "Run", "plot"]


def __dir__():
    return __all__
