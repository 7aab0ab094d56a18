"""Finding stars: parts that whole frames do not show."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from firstlight.ops.inspect.stars import _near_an_earlier


@pytest.mark.parametrize("n", [0, 1, 2, 40, 2500])
def test_close_pairs_as_a_tree_finds_them(n):
    x, y = np.random.default_rng(n).uniform(0, 300, (2, n))
    expected = np.zeros(n, bool)
    if n:
        expected[cKDTree(np.c_[x, y]).query_pairs(2.5, output_type="ndarray").max(axis=1)] = True
    np.testing.assert_array_equal(_near_an_earlier(x, y, 2.5), expected)
