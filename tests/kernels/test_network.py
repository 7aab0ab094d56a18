import itertools

import numpy as np
import pytest

from firstlight.kernels.network import median_network, sorting_network


def run(pairs, values):
    rows = [np.array(row) for row in values.T]
    for low, high in pairs:
        rows[low], rows[high] = np.minimum(rows[low], rows[high]), np.maximum(rows[low], rows[high])
    return np.array(rows).T


@pytest.mark.parametrize("n", range(1, 13))
def test_sorts_every_pattern_of_zeros_and_ones(n):
    # A network that sorts all 0-1 inputs sorts everything (Knuth, 5.3.4).
    values = np.array(list(itertools.product((0, 1), repeat=n)))
    assert (run(sorting_network(n), values) == np.sort(values, axis=1)).all()


@pytest.mark.parametrize("n", [20, 33, 60, 64, 100, 257])
def test_sorts_random_numbers(n):
    values = np.random.default_rng(n).normal(size=(200, n))
    assert (run(sorting_network(n), values) == np.sort(values, axis=1)).all()


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 21, 60])
def test_median_network_puts_the_middle_in_place(n):
    values = np.random.default_rng(n).normal(size=(200, n))
    middle = [(n - 1) // 2, n // 2]
    assert (run(median_network(n), values)[:, middle] == np.sort(values, axis=1)[:, middle]).all()
    assert len(median_network(n)) <= len(sorting_network(n))
