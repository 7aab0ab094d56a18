"""Order statistics by counting are those of sorting."""

import numpy as np
import pytest

from firstlight.kernels.few import gather_between, median_of, neighbours_in_order


@pytest.mark.parametrize("n", [1, 2, 3, 4, 24, 25, 64, 127])
def test_median_is_that_of_numpy(n):
    rng = np.random.default_rng(n)
    for values in (rng.normal(0, 1, n), rng.integers(0, 3, n), np.full(n, 7.0)):
        room = np.concatenate([values, rng.normal(50, 1, 5)]).astype(np.float32)
        assert median_of(room, n) == np.float32(np.median(values.astype(np.float32)))


@pytest.mark.parametrize("n", [1, 2, 3, 4, 63, 10_000, 10_001])
def test_neighbours_in_the_order_of_many(n):
    rng = np.random.default_rng(n)
    for values in (rng.normal(0, 1, n), rng.integers(-2, 2, n), -np.abs(rng.normal(1e-30, 1e-30, n)), np.zeros(n)):
        floats = values.astype(np.float32)
        for place in {0, (n - 1) // 2, n // 2, n - 1}:
            ranks = np.array(neighbours_in_order(floats.view(np.int32), place), np.int32)
            found = (ranks ^ ((ranks >> 31) & 0x7FFFFFFF)).view(np.float32)
            np.testing.assert_array_equal(found, np.sort(floats)[[place, min(place + 1, n - 1)]])


@pytest.mark.parametrize("n", [1, 4096, 10_001])
def test_what_lies_between_two_limits_is_gathered_in_its_order(n):
    values = np.random.default_rng(n).normal(0, 1, n).astype(np.float32)
    room = np.empty(n, np.float32)
    for low, high in ((-0.5, 0.25), (-np.inf, np.inf), (9.0, 10.0)):
        below, found = gather_between(values, np.float32(low), np.float32(high), room)
        assert below == np.count_nonzero(values < np.float32(low))
        np.testing.assert_array_equal(room[:found], values[(values >= np.float32(low)) & (values <= np.float32(high))])
