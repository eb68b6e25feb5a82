"""Distances to known points, worked out by hand."""

import numpy as np

from lib.training.outliers import Distance, Neighbours


def test_neighbours_give_the_mean_distance_to_the_nearest_five():
    columns = np.array([[0.0], [1], [2], [3], [4], [100]])
    scores = Neighbours().fit(columns).score_samples(np.array([[0.0], [10]]))
    assert scores.tolist() == [-2, -8]  # from 0 to 4, for either


def test_fewer_known_points_than_neighbours_are_all_neighbours():
    assert Neighbours().fit(np.array([[0.0], [4]])).score_samples(np.array([[1.0]])).tolist() == [-2]


def test_an_unknown_value_counts_as_usual():
    distance = Distance().fit(np.random.default_rng(0).normal(size=(200, 2)))
    far, near = distance.score_samples(np.array([[np.nan, 9.0], [np.nan, 0.0]]))
    assert far < -5
    assert near > -1
