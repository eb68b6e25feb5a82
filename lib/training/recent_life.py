"""What someone who watches one wearer would try first: is the heart rate usual for what it was a little while ago?"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

_LEAST_SPREAD = 0.05  # in the scaler's units: about the sensor's own noise
_FEWEST = 3  # windows, below which a mean and a spread tell nothing


@dataclass(frozen=True)
class RecentLife:
    """How far a window's mean heart rate lies from that of the wearer's windows that ended shortly before it.

    In spreads of theirs it is a rolling z-score, else the residual of a moving average: the control charts of Shewhart
    (1931), "Economic control of quality of manufactured product", with limits that follow the wearer. Nothing later
    than the window is looked at.
    """

    before_s: int  # how far back they may have ended
    in_spreads: bool

    def score(self, windows):
        """The mean heart rate (N,) of scaled windows (N, length, 7), for `follow`."""
        return windows[:, :, 0].mean(axis=1, dtype=np.float64)

    def follow(self, means, wearer, ended):
        """Errors (N,) of these means of windows of wearers (N,) that ended at these times (N,), datetime64.

        0 where fewer than three of the wearer's windows are recent: at the start, and after a long hole. Raises
        ValueError when a wearer's windows are not in time order.
        """
        usual, spread = np.full((2, len(means)), np.nan)
        for rows in pd.Series(means).groupby(np.asarray(wearer)).indices.values():
            series = pd.Series(means[rows], index=pd.DatetimeIndex(np.asarray(ended)[rows]))
            if not series.index.is_monotonic_increasing:
                raise ValueError("windows out of time order: sort them by wearer and time of their end")
            recent = series.rolling(pd.Timedelta(seconds=self.before_s), min_periods=_FEWEST, closed="left")
            usual[rows], spread[rows] = recent.mean(), recent.std()
        off = np.abs(means - usual)
        return np.nan_to_num(off / (spread + _LEAST_SPREAD) if self.in_spreads else off)
