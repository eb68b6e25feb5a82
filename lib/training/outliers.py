"""Outlier detectors in the manner of scikit-learn: `fit`, and `score_samples`, which is the lower, the more unusual."""

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler


class Neighbours(BaseEstimator):
    """Mean distance to the nearest known points.

    Ramaswamy, Rastogi and Shim (2000), "Efficient algorithms for mining outliers from large data sets", SIGMOD. The
    mean in place of the last distance: Angiulli and Pizzuti (2002), "Fast outlier detection in high dimensional
    spaces", PKDD.
    """

    def __init__(self, number=5):
        self.number = number

    def fit(self, columns, y=None):
        """Remember columns, shape (n_points, n_columns). Of fewer than `number` points all are neighbours."""
        self.nearest_ = NearestNeighbors(n_neighbors=min(self.number, len(columns))).fit(columns)
        return self

    def score_samples(self, columns):
        """The negative mean distance of each row, shape (n_rows,)."""
        return -self.nearest_.kneighbors(columns)[0].mean(axis=1)


class Distance(BaseEstimator):
    """Distance from the nearest normal rows, in standard deviations of each column.

    An unknown value (NaN) counts as usual.
    """

    def __init__(self, number=3):
        self.number = number

    def fit(self, columns, y=None):
        """Remember columns of normal windows, shape (n_windows, n_columns)."""
        self.scaler_ = StandardScaler().fit(np.nan_to_num(columns))
        self.neighbours_ = Neighbours(self.number).fit(self.scaler_.transform(np.nan_to_num(columns)))
        return self

    def score_samples(self, columns):
        """The negative distance of each row, shape (n_rows,)."""
        standardised = self.scaler_.transform(np.nan_to_num(columns))
        return self.neighbours_.score_samples(np.where(np.isnan(columns), 0.0, standardised))
