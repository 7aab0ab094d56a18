"""What a combination's noise is, from trials, against laws that are known."""

import numpy as np
import pytest

from firstlight.ops.stack.efficiency import between_nodes, true_over_claimed


@pytest.mark.parametrize(("n", "expected"), [(9, 1.2244**2), (41, 1.2462**2)])
def test_the_median_of_gaussian_samples(n, expected):
    found = true_over_claimed(n, lambda cube: (np.median(cube, axis=0), np.full(cube.shape[1], 1.0 / n)))
    assert found == pytest.approx(expected, rel=0.015)


def test_the_mean_is_what_it_claims():
    found = true_over_claimed(12, lambda cube: (cube.mean(axis=0), np.full(cube.shape[1], 1.0 / 12)))
    assert found == pytest.approx(1.0, rel=1e-6)


def test_a_skewed_cut_does_not_count_its_shift():
    found = true_over_claimed(5, lambda cube: (cube.mean(axis=0) + 3.0, np.full(cube.shape[1], 0.2)))
    assert found == pytest.approx(1.0, rel=1e-5)


@pytest.mark.parametrize("n", [1, 5, 8, 9, 11, 12, 13, 60, 1000])
def test_between_nodes(n):
    assert between_nodes(n, lambda k: 1.0 + 3.0 / k) == pytest.approx(1.0 + 3.0 / n)
