"""Channels on one line."""

import numpy as np
import pytest

from firstlight.model.image import Image
from firstlight.ops.color.linear_fit import LinearFit, linear_fit


def test_noisy_channels_are_brought_onto_the_reference():
    rng = np.random.default_rng(2)
    y, x = np.mgrid[:160, :160]
    light = 50 * np.exp(-np.hypot(x - 80, y - 80) / 30)
    cube = np.stack([100 + light, 20 + 0.3 * light, 400 + 2 * light]) + rng.normal(0, 1, (3, 160, 160))
    # Stars of one channel alone do not steer.
    cube[1, ::20, ::20] += 500
    out = linear_fit(Image(cube, variance=np.ones(cube.shape)), LinearFit(reference="red"))
    np.testing.assert_array_equal(out.data[0], cube[0].astype(np.float32))
    for c, factor in ((1, 1 / 0.3), (2, 0.5)):
        assert np.median(out.data[c] - out.data[0]) == pytest.approx(0, abs=0.3)
        assert np.sqrt(out.variance[c, 0, 0]) == pytest.approx(factor, rel=0.03)


def test_the_brightest_stays():
    light = np.add.outer(np.arange(32.0), np.arange(32.0))
    cube = np.stack([light, 3 * light, 0.1 * light])
    out = linear_fit(Image(cube), LinearFit())
    np.testing.assert_allclose(out.data, np.broadcast_to(cube[1], cube.shape), atol=1e-3)
