"""The days that a deployment's others are compared with: its first, kept for as long as its weights are used.

A log group forgets. Were the normal days always the first that it still holds, they would move along with whatever
changes, and what changes slowly would never be told.
"""

import json

import numpy as np

from lib import files

NAME = "normal_days.json"
FEWEST = 7  # that limits can be drawn from


def of(days, counts, *, number, path, sha256):
    """The normal days of a log as (days (N,), counts {name: (N, bins)}); None where they are too few.

    days, counts: of `drift.by_day`. The first `number` days are normal; as soon as there is one after them they are
    written to `path`, and from then on those are taken, whatever the log still holds. They are drawn anew where these
    are of other weights (sha256) or another number, or come after all of the log. Of a shorter log all days but the
    last are normal.
    """
    kept = _kept(path, sha256)
    if kept and len(kept[0]) == number and _fits(kept, days, counts):
        return kept
    first = min(number, len(days) - 1)
    if first < FEWEST:
        return None
    found = days[:first], {name: of[:first] for name, of in counts.items()}
    if first == number:
        listed = {name: of.tolist() for name, of in found[1].items()}
        files.write_json(path, {"sha256": sha256, "days": found[0].astype(str).tolist(), "counts": listed})
    return found


def _kept(path, sha256):
    """What `path` holds of these weights, None without."""
    if not path.exists():
        return None
    held = json.loads(path.read_text(encoding="utf-8"))
    if held["sha256"] != sha256:
        return None
    counts = {name: np.array(of, dtype=np.float64) for name, of in held["counts"].items()}
    return np.array(held["days"], dtype="datetime64[D]"), counts


def _fits(kept, days, counts):
    """Whether the log has a day after the kept ones, and counts in the same bins."""
    bins = {name: of.shape[1] for name, of in counts.items()}
    return len(days) > 0 and days[-1] > kept[0][-1] and bins == {name: of.shape[1] for name, of in kept[1].items()}
