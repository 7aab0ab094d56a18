"""Curves told by stars, against the curve that was applied."""

import numpy as np
import pytest

from firstlight.ops.contrast.star_curve import MIDDLES, bent, curve_of
from firstlight.simulate.scene import random_field, render_stars


def linear(seed=1):
    rng = np.random.default_rng(seed)
    stars = render_stars((400, 400), *random_field(rng, 150, (400, 400), (0.02, 5.0), 0.5), 3.2, beta=4.0)
    return np.clip(0.004 + stars + rng.normal(0, 2e-4, (400, 400)), 0, 1).astype(np.float32)


@pytest.mark.parametrize("middle", [0.005, 0.02, 0.1])
def test_a_stretch_is_undone(middle):
    found = curve_of(bent(linear(), middle), 0.99)
    k = MIDDLES.index(min(MIDDLES, key=lambda m: abs(np.log((1 - m) / middle))))
    assert abs(MIDDLES.index(found) - k) <= 1


def test_what_is_linear_stays():
    assert curve_of(linear(), 0.99) <= 0.8


def test_without_stars_nothing_is_told():
    noise = np.random.default_rng(1).uniform(0.2, 0.3, (200, 200)).astype(np.float32)
    assert curve_of(noise, 0.99) == MIDDLES[0]


def test_there_and_back():
    values = np.linspace(0, 1, 1001, dtype=np.float32)
    for middle in MIDDLES:
        np.testing.assert_allclose(bent(bent(values, middle), 1 - middle), values, atol=1e-5)
