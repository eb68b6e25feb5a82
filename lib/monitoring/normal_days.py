"""The days with which later ones are compared: a deployment's first, stored as long as its weights are used.

A log group forgets. If the normal days were always the first that it still holds, they would follow any slow change,
and that change would never be noticed.
"""

import json

import numpy as np

from lib import files

NAME = "normal_days.json"
FEWEST = 7  # days from which limits can be estimated


def select(days, counts, *, number, path, sha256):
    """Select the normal days of a log, and store them once they are complete.

    The first `number` days are normal. As soon as a later day exists they are written to `path` and used from then
    on, whatever the log still holds. They are selected again if the stored ones belong to other weights or another
    `number`, or come after the whole log. In a shorter log all days except the last are normal.

    Parameters
    ----------
    days : ndarray of datetime64[D], shape (n_days,)
    counts : dict of str to ndarray, shape (n_days, n_bins)
        As `drift.daily_counts` returns them.
    number : int
        Days that count as normal.
    path : Path
        JSON file of the stored days.
    sha256 : str
        Hash of the weights that answered.

    Returns
    -------
    tuple or None
        (days, counts) of the normal days; None if there are fewer than FEWEST.
    """
    stored = _read(path, sha256)
    if stored and len(stored[0]) == number and _fits(stored, days, counts):
        return stored
    available = min(number, len(days) - 1)
    if available < FEWEST:
        return None
    normal = days[:available], {name: daily[:available] for name, daily in counts.items()}
    if available == number:
        rows = {name: daily.tolist() for name, daily in normal[1].items()}
        files.write_json(path, {"sha256": sha256, "days": normal[0].astype(str).tolist(), "counts": rows})
    return normal


def _read(path, sha256):
    """Return the stored (days, counts) of these weights, or None."""
    if not path.exists():
        return None
    content = json.loads(path.read_text(encoding="utf-8"))
    if content["sha256"] != sha256:
        return None
    counts = {name: np.array(daily, dtype=np.float64) for name, daily in content["counts"].items()}
    return np.array(content["days"], dtype="datetime64[D]"), counts


def _fits(stored, days, counts):
    """Whether the log has a day after the stored ones, and the same bins."""
    stored_days, stored_counts = stored
    bins = {name: daily.shape[1] for name, daily in counts.items()}
    is_later = len(days) > 0 and days[-1] > stored_days[-1]
    return is_later and bins == {name: daily.shape[1] for name, daily in stored_counts.items()}
