"""The lives that illness is looked for in: of real wearers, or simulated months with a fever each."""

import numpy as np

from lib.data import raw_files, readings
from lib.data.heartbeats import by_wearer
from lib.evaluation.illness import DAY, Illness, life
from lib.simulation.months import add_fever, simulate_months
from lib.simulation.wearers import draw_wearer

START = "2026-03-02"  # of simulated months: a Monday
TAIL = 21  # days of simulated months that follow the onset
RISES_FROM = (-48, 24)  # hours from symptoms, in which the simulated heart rate begins to rise


def read_lives(path, *, counters="cumulative", timezone="UTC", events_path=""):
    """Read the lives of real wearers.

    Parameters
    ----------
    path : str
        A file, folder or glob, or an s3:// address.
    counters : {"cumulative", "interval"}
    timezone : str
        IANA name, the local time of UTC timestamps.
    events_path : str
        A table of illnesses, which may lie among the readings.

    Returns
    -------
    list of Life
        In order of names.
    """
    filesystem, names = raw_files.files(path)
    events = raw_files.addresses(events_path) if events_path else []
    kept = [name for name, address in zip(names, raw_files.addresses(path), strict=True) if address not in events]
    raw = readings.joined([readings.read_file(filesystem, name, timezone=timezone) for name in kept])
    return [life(beats) for beats in by_wearer(raw, counters=counters)]


def simulate_lives(*, wearers, days, seed, interval_s=60):
    """Simulate lives in which each wearer falls ill once, three weeks before the end.

    Symptoms begin up to two days after heart rate begins to rise, or up to a day before.

    Parameters
    ----------
    wearers, days, seed, interval_s : int
        Number of wearers, days of each, and seconds between readings.

    Returns
    -------
    lives : list of Life
    illnesses : list of Illness
    """
    lives, illnesses = [], []
    for number in range(wearers):
        rng = np.random.default_rng([seed, number])
        wearer = draw_wearer(rng, f"simulated {number + 1}")
        beats = simulate_months(wearer, start=START, days=days, interval_s=interval_s, rng=rng)
        onset = DAY * (days - TAIL) + int(rng.integers(DAY))
        lives.append(life(add_fever(beats, begin=onset + rng.uniform(*RISES_FROM), rng=rng)))
        first = int(np.datetime64(START, "h").astype(np.int64))
        illnesses.append(Illness(wearer.user_id, first + onset, first + onset))
    return lives, illnesses
