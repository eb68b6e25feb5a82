"""Windows: stretches of consecutive samples, none across a hole. NumPy alone, shared by notebooks and handler."""

import numpy as np


def starts(group, *, length, stride=1, trusted=None):
    """First rows (N,) of the windows that lie within one group, `stride` samples apart in each.

    group (T,): a number or name that changes where a window may not cross (wearer and segment). trusted (T,) boolean:
    windows with a sample that is not are left out.
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
    """First rows (N,) and sizes (N,) of the windows by which samples (T,) are scored: one ends at each sample.

    A group's first window closes at its `length`-th sample; a shorter group is one window of its own size.
    """
    edges = np.flatnonzero(group[1:] != group[:-1]) + 1
    bounds = np.concatenate([[0], edges, [len(group)]])
    size = np.minimum(np.diff(bounds), length)
    spans = [np.arange(low, high - n + 1) for low, high, n in zip(bounds, bounds[1:], size, strict=False)]
    return np.concatenate(spans), np.repeat(size, [len(span) for span in spans])


def whole(values, first, *, length):
    """Which columns (N, C) the windows of values (T, C) that start at rows `first` (N,) hold in full: without a NaN."""
    absent = np.concatenate([np.zeros((1, values.shape[1]), dtype=int), np.isnan(values).cumsum(axis=0)])
    first = np.asarray(first)
    return absent[first + length] == absent[first]


def gather(values, first, *, length, size=None):
    """Windows (N, length, C) of values (T, C) that start at rows `first` (N,): a copy, made a batch at a time.

    size (N,): how many samples each rests on, `length` unless given. A shorter window is padded at its start with
    its first sample.
    """
    first = np.asarray(first)[:, None]
    offset = np.arange(length)
    if size is not None:
        offset = np.maximum(offset - (length - np.asarray(size)[:, None]), 0)
    return values[first + offset]


def spread_evenly(first, strata, *, at_most, rng):
    """At most `at_most` of the windows `first` (N,), drawn evenly over their strata (N,) (wearer and hour).

    A stratum with fewer windows than its share gives all it has; the others share what is left. In time order.
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
    """Places, rising, of at most `at_most` of N windows: of each owner (N,) a stretch in a row, as long for each.

    One owner's stretch begins where the one before's would have ended, so that together they go through the day; one
    that reaches the owner's end goes on at their start.
    """
    _, code = np.unique(owner, return_inverse=True)
    order = np.argsort(code, kind="stable")
    mine = np.split(order, np.cumsum(np.bincount(code))[:-1])
    share = at_most // max(len(mine), 1)
    chosen = [np.roll(rows, -share * number)[:share] for number, rows in enumerate(mine)]
    return np.sort(np.concatenate([*chosen, np.empty(0, dtype=np.intp)]).astype(np.intp))
