"""Variable stars are found, constant ones are not."""

import numpy as np

from firstlight.ops.catalog.variability import find_variables


def test_variables_are_found_and_nothing_else():
    rng = np.random.default_rng(6)
    n = 300
    mean = np.sort(rng.uniform(9, 14, n))
    noise = 0.004 * 10 ** (0.2 * np.maximum(mean - 11, 0))
    m = mean + noise * rng.standard_normal((90, n))
    m[:, 50] += 6 * noise[50] * np.sin(np.arange(90) / 4)
    m[30:45, 120] += 12 * noise[120]
    m[7, 200] += 1.0
    found = find_variables(m)
    assert np.flatnonzero(found.is_variable).tolist() == [50, 120]
    assert abs(np.log(np.median(found.usual / noise))) < 0.1


def test_stars_seen_too_rarely_are_left_out():
    m = np.full((20, 8), np.nan)
    m[:, :4] = np.random.default_rng(1).normal(10, 0.01, (20, 4))
    m[:3, 4:] = 10.0
    found = find_variables(m)
    assert np.isnan(found.scatter[4:]).all()
    assert not found.is_variable.any()
