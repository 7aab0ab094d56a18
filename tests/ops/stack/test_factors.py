"""Statistics of n Gaussian samples against Monte Carlo and published values."""

import numpy as np
import pytest

from firstlight.ops.stack.factors import critical_deviates, extreme_factors, median_factors


@pytest.mark.parametrize("n", [2, 3, 4, 5, 6, 7, 12, 31])
def test_medians_and_extremes_by_trial(n):
    samples = np.random.default_rng(n).normal(size=(200_000, n))
    assert np.median(samples, axis=1).std() * np.sqrt(n) == pytest.approx(median_factors(n)[n], rel=0.01)
    assert samples.max(axis=1).std() == pytest.approx(extreme_factors(n)[n], rel=0.01)


def test_extreme_of_five_is_tabulated():
    # Variance of the largest of five: 0.44753 (Teichroew 1956).
    assert extreme_factors(5)[5] ** 2 == pytest.approx(0.44753, abs=1e-4)


def test_critical_deviates_by_another_way():
    from scipy.stats import t

    found = critical_deviates(40, 0.02)
    assert np.isinf(found[:3]).all()
    for k in (3, 4, 10, 40):
        q = t.isf(0.02 / (2 * k), k - 2)
        assert found[k] == pytest.approx(q * (k - 1) / np.sqrt(k * (k - 2 + q**2)), rel=1e-5)
