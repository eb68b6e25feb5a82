"""Whose hour it is: instants, wall clocks, and the hour that comes twice when clocks are set back in autumn."""

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
SURE_STEP_MS = HOUR_MS // 2  # a step back by this much, at such an hour, is the clock's
_MONTHS = (3, 4, 9, 10, 11)  # in which clocks are set back: autumn, north and south
_SUNDAY = 6
_LATEST_HOUR = 3  # clocks are set back between midnight and 3 o'clock, to as early as midnight


def zone(timezone):
    """The ZoneInfo of an IANA name. Raises ValueError, naming it, where there is no such zone.

    Abbreviations such as JST or CEST are no zones here: several mean different hours in different places.
    """
    try:
        return ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        problem = "expected the IANA name of a time zone, such as Europe/Paris or UTC"
        raise ValueError(f"timezone={timezone!r}: {problem}") from None


def offsets(instant_ms, zone):
    """Local time minus UTC in `zone`, ms, of instants (N,)."""
    moments = pd.DatetimeIndex(instant_ms.astype("datetime64[ms]"), tz="UTC")
    local = moments.tz_convert(zone).tz_localize(None).to_numpy().astype("datetime64[ms]").astype(np.int64)
    return local - instant_ms


def may_repeat(wall_ms, zone=None):
    """Whether each time on a wall clock (N,) may come twice: in `zone`, or in any where no zone is known."""
    if zone is not None:
        first, second = (_instants(wall_ms, zone, fold) for fold in (0, 1))
        return first != second
    day = wall_ms // DAY_MS
    month = day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12 + 1
    hour = wall_ms % DAY_MS // HOUR_MS
    return np.isin(month, _MONTHS) & ((day + 3) % 7 == _SUNDAY) & (hour < _LATEST_HOUR)


def _instants(wall_ms, zone, fold):
    """Instants of wall-clock times; of those that come twice the first (fold 0) or the second."""
    wall = pd.DatetimeIndex(wall_ms.astype("datetime64[ms]"))
    first_pass = np.full(len(wall), fold == 0)
    aware = wall.tz_localize(zone, ambiguous=first_pass, nonexistent="shift_forward")
    return aware.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[ms]").astype(np.int64)


def second_pass(wall_ms, *, zone=None, sure=None):
    """Which readings (N,), in the order of recording, come after their clock was set back: booleans.

    A clock was set back where time steps back at an hour that may repeat: by half an hour or more, or by less where
    `sure` (N,) says of the reading after the step that it was recorded later. A spell of several steps back within
    one night is disorder, not a change of clocks.
    """
    step = np.diff(wall_ms, prepend=wall_ms[:1])
    back = np.flatnonzero(step < 0)
    if not len(back):
        return np.zeros(len(wall_ms), dtype=bool)
    back = back[may_repeat(wall_ms[back], zone) & may_repeat(wall_ms[back - 1], zone)]
    back = back[(step[back] <= -SURE_STEP_MS) | (False if sure is None else sure[back])]
    nights, count = np.unique(wall_ms[back] // DAY_MS, return_counts=True)
    back = back[np.isin(wall_ms[back] // DAY_MS, nights[count == 1])]
    changed = np.zeros(len(wall_ms), dtype=np.int64)
    changed[back] = 1
    return np.cumsum(changed) > 0


def wall_to_instants(wall_ms, *, zone=None, sure=None):
    """Instants (N,) by which readings on a wall clock are put in order.

    Without a zone an instant is the wall clock itself, an hour later from where the clock was set back.
    """
    second = second_pass(wall_ms, zone=zone, sure=sure)
    if zone is None:
        return wall_ms + HOUR_MS * second
    first, later = (_instants(wall_ms, zone, fold) for fold in (0, 1))
    return np.where(second, later, first)
