import numpy as np

from firstlight.library.defects import flag_cold, flag_hot
from firstlight.model.flags import Flag


def test_no_more_than_two_per_cent_are_hot():
    dark = np.random.default_rng(0).gamma(0.5, 100, (1, 100, 100)).astype(np.float32)
    assert 0 < np.count_nonzero(flag_hot(dark, None)) <= 0.02 * dark.size


def test_a_constant_dark_has_no_hot_pixels():
    assert not flag_hot(np.full((1, 20, 20), 7.0, np.float32), None).any()


def test_colours_are_compared_with_their_own():
    flat = np.tile(np.array([[0.5, 1.0], [1.0, 0.4]], np.float32), (20, 20))[None].copy()
    assert not flag_cold(flat, "RGGB").any()
    flat[0, 12, 12] = 0.2
    assert np.argwhere(flag_cold(flat, "RGGB") == Flag.COLD).tolist() == [[0, 12, 12]]
