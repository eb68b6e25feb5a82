"""The autoencoder's plain reconstruction error: what the threshold of a textbook detector is set on. NumPy alone."""

import numpy as np


def feature_errors(windows, rebuilt, size=None):
    """Mean squared error of each feature, (N, 7), of scaled windows and their reconstructions (N, length, 7).

    size (N,): how many samples each window rests on; the padding before them does not count. Default: all.
    """
    squares = np.square(windows - rebuilt, dtype=np.float64)
    if size is None:
        return squares.mean(axis=1)
    size, length = np.asarray(size)[:, None], windows.shape[1]
    real = np.arange(length) >= length - size  # (N, length)
    return (squares * real[:, :, None]).sum(axis=1) / size


def window_errors(by_feature, present):
    """Each window's error, (N,): the mean of its features' errors (N, 7) over those `present`, (7,) or (N, 7)."""
    counted = np.asarray(present, dtype=np.float64)
    return (by_feature * counted).sum(axis=1) / counted.sum(axis=-1)
