"""Order statistics by counting are those of sorting."""

import numpy as np
import pytest

from firstlight.kernels.few import median_of, middle_ranks


@pytest.mark.parametrize("n", [1, 2, 3, 4, 24, 25, 64, 127])
def test_median_is_that_of_numpy(n):
    rng = np.random.default_rng(n)
    for values in (rng.normal(0, 1, n), rng.integers(0, 3, n), np.full(n, 7.0)):
        room = np.concatenate([values, rng.normal(50, 1, 5)]).astype(np.float32)
        assert median_of(room, n) == np.float32(np.median(values.astype(np.float32)))


@pytest.mark.parametrize("n", [1, 2, 3, 4, 63, 10_000, 10_001])
def test_middle_ranks_of_many(n):
    rng = np.random.default_rng(n)
    for values in (rng.normal(0, 1, n), rng.integers(-2, 2, n), -np.abs(rng.normal(1e-30, 1e-30, n)), np.zeros(n)):
        floats = values.astype(np.float32)
        ranks = np.array(middle_ranks(floats.view(np.int32)), np.int32)
        found = (ranks ^ ((ranks >> 31) & 0x7FFFFFFF)).view(np.float32)
        np.testing.assert_array_equal(found, np.sort(floats)[[(n - 1) // 2, n // 2]])
