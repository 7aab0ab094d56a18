import numpy as np

from firstlight.kernels.census import count_finite


def test_counts_numbers_of_part_of_a_plane():
    plane = np.zeros((7, 50), np.float32)
    plane[2, 3], plane[4, 40], plane[6, 0] = np.nan, np.inf, -np.inf
    assert count_finite(plane) == 350 - 3
    assert count_finite(plane[1:5, 10:45]) == 4 * 35 - 1
