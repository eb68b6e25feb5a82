import numpy as np

from lib.detector import windows


def test_windows_start_anew_in_each_group_and_cross_none():
    group = np.array([0] * 5 + [1] * 2 + [2] * 4)
    np.testing.assert_array_equal(windows.starts(group, length=3, stride=2), [0, 2, 7])


def test_windows_with_an_untrusted_sample_are_left_out():
    trusted = np.array([True, True, True, True, False, True, True])
    np.testing.assert_array_equal(windows.starts(np.zeros(7), length=2, trusted=trusted), [0, 1, 2, 5])


def test_a_window_holds_in_full_what_has_no_nan_in_it():
    values = np.array([[1, 1], [1, np.nan], [1, 1], [np.nan, 1.0]])
    np.testing.assert_array_equal(windows.whole(values, [0, 2], length=1), [[True, True], [True, True]])
    np.testing.assert_array_equal(
        windows.whole(values, [0, 1, 2], length=2), [[True, False], [True, False], [False, True]]
    )


def test_gathered_windows_are_those_that_start_at_the_rows():
    values = np.arange(12.0).reshape(6, 2)
    np.testing.assert_array_equal(windows.gather(values, [3, 0], length=2), [values[3:5], values[0:2]])


def test_an_even_draw_takes_alike_from_each_stratum():
    strata = np.repeat([0, 1, 2], [100, 10, 3])
    drawn = windows.spread_evenly(np.arange(113), strata, at_most=23, rng=np.random.default_rng(1))
    assert np.bincount(strata[drawn]).tolist() == [10, 10, 3]
    assert (np.diff(drawn) > 0).all()


def test_a_draw_of_more_than_there_are_takes_all():
    drawn = windows.spread_evenly(np.arange(5), np.zeros(5), at_most=9, rng=np.random.default_rng(1))
    np.testing.assert_array_equal(drawn, np.arange(5))


def test_a_sample_closes_a_window_and_a_short_group_is_one_of_its_own_size():
    first, size = windows.closing(np.repeat([0, 1, 2], [4, 2, 3]), length=3)
    assert first.tolist() == [0, 1, 4, 6]
    assert size.tolist() == [3, 3, 2, 3]


def test_a_short_window_is_padded_with_its_first_sample():
    values = np.arange(5.0)[:, None]
    made = windows.gather(values, [1, 3], length=3, size=[3, 1])
    assert made[:, :, 0].tolist() == [[1, 2, 3], [3, 3, 3]]


def test_stretches_are_in_a_row_as_long_for_each_owner_and_go_through_the_day():
    owner = np.repeat(["a", "b", "c"], 12)
    chosen = windows.stretches(owner, at_most=12)
    assert chosen.tolist() == [0, 1, 2, 3, 12 + 4, 12 + 5, 12 + 6, 12 + 7, 24 + 8, 24 + 9, 24 + 10, 24 + 11]


def test_a_stretch_that_reaches_an_owners_end_goes_on_at_their_start_and_few_windows_are_all_taken():
    assert windows.stretches(np.array(["a"] * 4 + ["b"] * 3), at_most=4).tolist() == [0, 1, 4, 6]
    assert windows.stretches(np.array(["a"] * 4 + ["b"] * 3), at_most=99).tolist() == list(range(7))
    assert windows.stretches(np.array([], dtype=str), at_most=9).tolist() == []
