"""The autoencoder's plain reconstruction error: what the threshold of a textbook detector is set on. NumPy alone."""

import numpy as np


def feature_errors(windows, rebuilt):
    """Mean squared error of each feature, (N, 7), of scaled windows and their reconstructions (N, length, 7)."""
    return np.square(windows - rebuilt, dtype=np.float64).mean(axis=1)


def window_errors(by_feature, present):
    """Each window's error, (N,): the mean of its features' errors (N, 7) over those `present`, (7,) or (N, 7)."""
    counted = np.asarray(present, dtype=np.float64)
    return (by_feature * counted).sum(axis=1) / counted.sum(axis=-1)
