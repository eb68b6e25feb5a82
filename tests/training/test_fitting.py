"""The one fit: whose windows give what, and limits for each size and channel set."""

import numpy as np
import pytest

from lib.detector import grid
from lib.training import fitting
from lib.training.fitting import DescribedWindows, Fit


class Echo:
    """Stands for a Describer and a Reference: a window's evidence holds its first row, size, channels and baseline."""

    length, curve, interval_s = 10, None, 60
    mean, scale = np.zeros(23), np.ones(23)

    def describe(self, samples, first, *, size, counted, map_batches):
        return described(first, size, counted.sum()), None

    def apart(self, fold):
        return [(self, slice(None))]

    def evidence(self, descriptors, counted, offset, known, level=None):
        return descriptors[:, :3] @ [1.0, 100.0, 10_000.0] + offset / 10 + known / 100


def described(first, size, features):
    descriptors = np.zeros((len(first), 23))
    descriptors[:, 0], descriptors[:, 1], descriptors[:, 2] = first, size, features
    return descriptors


def windows(count, *, minutes=0):
    first = 10 * np.arange(count)
    zeros = np.zeros(count)
    descriptors = described(first, 10, 7)
    wearer, minute, fold = np.zeros(count), np.arange(count), np.zeros(count, dtype=int)
    return DescribedWindows(first, descriptors, zeros.astype(int), zeros, np.full(count, minutes), wearer, minute, fold)


def test_shorter_windows_end_where_the_whole_ones_end_and_hold_all_of_their_channel_set():
    samples = np.zeros((60, 7))
    samples[35, 3] = np.nan  # of the second window's distance
    fit = Fit(Echo(), samples, np.full(7, True))
    first, offset = np.array([20, 30, 40]), np.array([1, 2, 3])
    evidence = fit.evidence_by_channel_set(Echo(), first, [3, 8], offset=offset, known=True)
    np.testing.assert_allclose(evidence["all channels"], [[70_327.11, 70_347.31], [70_822.11, 70_842.31]])
    np.testing.assert_allclose(evidence["without distance"][0], [60_327.11, 60_337.21, 60_347.31])


def test_a_selection_of_described_windows_selects_all_that_is_known_of_them():
    chosen = windows(4)[np.array([True, False, True, False])]
    assert chosen.first.tolist() == [0, 20]
    assert len(chosen) == len(chosen.descriptors) == len(chosen.minutes) == 2


@pytest.mark.parametrize(("minutes", "there"), [(0, False), (200, True)])
def test_limits_for_a_known_baseline_rest_on_a_hundred_windows_at_least(minutes, there):
    fit = Fit(Echo(), np.zeros((1010, 7)), np.full(7, True))
    limits = fit.limits(Echo(), windows(101, minutes=minutes), (95.0, 99.9), sizes=[3, 10])
    assert ("own" in limits) == there
    assert "own" not in fit.limits(Echo(), windows(99, minutes=minutes), (95.0, 99.9), sizes=[3, 10])


def test_a_baseline_learns_from_the_windows_that_it_may_learn_from():
    class Still(Echo):
        interval_s = 60

        def describe(self, samples, first, **_):
            descriptors = np.zeros((len(first), 23))
            descriptors[:, 0] = 4.0  # bpm above the usual heart rate
            return descriptors, np.where(first < 20, grid.STUCK, grid.OK)

    fit = Fit(Still(), np.zeros((60, 7)), np.full(7, True))
    first, wearer = np.arange(0, 50, 10), np.array(["ada"] * 5)
    assert fit.describe(first, wearer).minutes.tolist() == [0, 1, 2, 3, 4]
    usable = fit.describe(first, wearer, learns=lambda faults: faults == grid.OK)
    assert usable.minutes.tolist() == [0, 0, 0, 1, 2]
    assert {fitting.COMPARED, fitting.LIMITING, fitting.CHECKING} == {0, 1, 2}
