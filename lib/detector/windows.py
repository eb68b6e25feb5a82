"""Windows: consecutive samples, none across a hole. NumPy alone, shared by the notebooks and the handler."""

import numpy as np


def starts(group, *, length, stride=1, trusted=None):
    """First rows of the windows that lie within one group.

    Parameters
    ----------
    group : ndarray, shape (T,)
        Changes where no window may cross (wearer and segment).
    length, stride : int
        Samples in a window; samples between window starts in a group.
    trusted : ndarray of bool, shape (T,), optional
        Windows with an untrusted sample are left out.

    Returns
    -------
    ndarray of int, shape (N,)
    """
    edges = np.flatnonzero(group[1:] != group[:-1]) + 1
    bounds = np.concatenate([[0], edges, [len(group)]])
    spans = [np.arange(low, high - length + 1, stride) for low, high in zip(bounds, bounds[1:], strict=False)]
    first = np.concatenate(spans)
    if trusted is None or not len(first):
        return first
    bad = np.concatenate([[0], np.cumsum(~np.asarray(trusted))])
    return first[bad[first + length] == bad[first]]


def closing(group, *, length):
    """First rows (N,) and sizes (N,) of the windows that score samples (T,): one ends at each sample.

    A group's first window ends at its `length`-th sample. A shorter group is one window of its own size.
    """
    edges = np.flatnonzero(group[1:] != group[:-1]) + 1
    bounds = np.concatenate([[0], edges, [len(group)]])
    size = np.minimum(np.diff(bounds), length)
    spans = [np.arange(low, high - n + 1) for low, high, n in zip(bounds, bounds[1:], size, strict=False)]
    return np.concatenate(spans), np.repeat(size, [len(span) for span in spans])


def whole(values, first, *, length):
    """Which columns (N, C) are without a NaN in the windows of values (T, C) that start at rows `first` (N,)."""
    absent = np.concatenate([np.zeros((1, values.shape[1]), dtype=int), np.isnan(values).cumsum(axis=0)])
    first = np.asarray(first)
    return absent[first + length] == absent[first]


def gather(values, first, *, length, size=None):
    """Windows (N, length, C) of values (T, C) that start at rows `first` (N,): a copy.

    size (N,): how many samples each rests on; `length` by default. A shorter window is padded at its start with its
    first sample.
    """
    first = np.asarray(first)[:, None]
    offset = np.arange(length)
    if size is not None:
        offset = np.maximum(offset - (length - np.asarray(size)[:, None]), 0)
    return values[first + offset]


def spread_evenly(first, strata, *, at_most, rng):
    """At most `at_most` of the windows `first` (N,), drawn evenly over their strata (N,), in time order.

    A stratum (wearer and hour) with fewer windows than its share gives all; the others share the rest.
    """
    if len(first) <= at_most:
        return first
    _, stratum, size = np.unique(strata, return_inverse=True, return_counts=True)
    order = rng.permutation(len(first))
    order = order[np.argsort(stratum[order], kind="stable")]
    rank = np.arange(len(first)) - np.repeat(np.cumsum(size) - size, size)  # place within its stratum
    chosen = order[np.argsort(rank + rng.random(len(first)), kind="stable")[:at_most]]
    return first[np.sort(chosen)]


def stretches(owner, *, at_most):
    """Places, ascending, of at most `at_most` of N windows: a run of equal length from each owner (N,).

    Each owner's run begins where the previous owner's would have ended, so that together they cover the day. A run that
    reaches the owner's last window continues at the first.
    """
    _, code = np.unique(owner, return_inverse=True)
    order = np.argsort(code, kind="stable")
    by_owner = np.split(order, np.cumsum(np.bincount(code))[:-1])
    share = at_most // max(len(by_owner), 1)
    chosen = [np.roll(rows, -share * number)[:share] for number, rows in enumerate(by_owner)]
    return np.sort(np.concatenate([*chosen, np.empty(0, dtype=np.intp)]).astype(np.intp))
