"""What a format's reader yields: one channel of one wearer from one device, with its clock and its meaning."""

from dataclasses import dataclass

import numpy as np

ONE_WEARER = "wearer"
HEART_RATE = "heartRate"
AMOUNTS = ("steps", "calories", "distance")  # count, kcal, m
MINUTE_MS, DAY_MS = 60_000, 86_400_000

LOCAL = "local"  # the wearer's wall clock; `start_ms` counts from 1970-01-01 on that clock
UTC = "utc"  # instants; the wearer's hour follows from a time zone
OFFSET = "offset"  # instants, and the offset at which each was recorded
PHONE = "phone"  # instants, and the offset of the phone at export: the wearer's hour only where they did not travel


@dataclass(frozen=True)
class Series:
    """N values of one channel.

    start_ms, value : ndarray, shape (N,)
        When each begins, in ms since 1970 on `clock`; bpm, count, kcal or m.
    length_ms : int or ndarray, shape (N,)
        How long an amount was counted for; of no meaning for heart rates.
    offset_ms : ndarray, shape (N,), or None
        Local time minus UTC, for the clocks OFFSET and PHONE.
    sparse : bool
        Whether a time without a value means zero (formats that leave zeros out), not unknown.
    preferred : int
        Of several devices the highest is read; the same number leaves it to their values.
    meaning : str
        What the numbers count where the channel's name does not say, such as "active" for calories.
    """

    channel: str
    start_ms: np.ndarray
    value: np.ndarray
    clock: str
    length_ms: object = MINUTE_MS
    offset_ms: np.ndarray | None = None
    wearer: str = ONE_WEARER
    device: str = ""
    sparse: bool = False
    preferred: int = 0
    meaning: str = ""

    def __len__(self):
        return len(self.start_ms)


def grown(total, day):
    """What a running counter (N,) grew by since the reading before, (N,); the first of a day counts from zero.

    day (N,): each reading's local date, as any number. A fall within a day to less than half is a restart, after which
    all that the counter shows is new. A smaller fall is a correction, and adds nothing.
    """
    before = np.append(0.0, total[:-1])
    began = np.append(True, np.diff(day) != 0) | (total < 0.5 * before)
    return np.where(began, total, np.maximum(total - before, 0.0))
