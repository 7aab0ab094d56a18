"""Ratios of stars: the truth, the error, the spread of colours."""

import numpy as np
import pytest

from firstlight.errors import FrameError
from firstlight.ops.catalog.star_ratio import fit_star_ratio


def stars(seed, n=80, spread=0.05, outliers=0.1):
    rng = np.random.default_rng(seed)
    light = 10 ** rng.uniform(3.5, 5.5, n)
    own = 0.13 * np.exp(spread * rng.standard_normal(n))
    own[rng.uniform(size=n) < outliers] *= 1.8
    errors = np.sqrt(light * 0.13 + 400), np.sqrt(light + 900)
    return (
        own * light + errors[0] * rng.standard_normal(n),
        errors[0],
        light + errors[1] * rng.standard_normal(n),
        errors[1],
    )


def test_ratio_and_error_tell_the_truth():
    found = [fit_star_ratio(*stars(seed)) for seed in range(80)]
    pulls = [(each.ratio - 0.13) / each.error for each in found]
    assert abs(np.mean(pulls)) < 0.6
    assert 0.75 < np.std(pulls) < 1.3
    assert np.median([each.spread for each in found]) == pytest.approx(0.05, rel=0.25)


def test_stars_with_light_in_the_line_are_left_out():
    first, e1, second, e2 = stars(3, outliers=0.25, spread=0.02)
    found = fit_star_ratio(first, e1, second, e2)
    assert not found.used[found.single > 0.2].any()


def test_four_stars_are_too_few():
    with pytest.raises(FrameError, match="5 are needed"):
        fit_star_ratio(*(np.full(4, v) for v in (10.0, 0.1, 100.0, 0.5)))
