"""Shifts by phase correlation: below a tenth of a pixel, over what does not move with the sky, or not at all."""

import numpy as np
import pytest

from firstlight.errors import FrameError
from firstlight.ops.align.phase import phase_correlate
from firstlight.simulate.scene import render_stars

SHAPE = (240, 320)


def field(dx, dy, seed=0, noise=5.0, stars=60):
    rng = np.random.default_rng(7)
    x, y = rng.uniform(-20, 340, stars), rng.uniform(-20, 260, stars)
    flux = rng.pareto(1.2, stars) * 800 + 800
    plane = render_stars(SHAPE, x + dx, y + dy, flux, 3.0)
    return (plane + 500 + np.random.default_rng(seed).normal(0, noise, SHAPE)).astype(np.float32)


@pytest.mark.parametrize(("dx", "dy"), [(0.0, 0.0), (3.0, -7.0), (12.35, 4.71), (-40.5, 22.25)])
def test_finds_fractions_of_a_pixel(dx, dy):
    found = phase_correlate(field(dx, dy, 1), field(0, 0, 2)).transform
    np.testing.assert_allclose(found.matrix[:2, 2], [-dx, -dy], atol=0.1)
    assert found.is_affine


def test_hot_pixels_that_stay_do_not_decide():
    rng = np.random.default_rng(3)
    hot = rng.random(SHAPE) < 0.003
    one, other = field(9.0, 5.0, 1), field(0.0, 0.0, 2)
    one[hot], other[hot] = 5000.0, 5000.0
    np.testing.assert_allclose(phase_correlate(one, other).transform.matrix[:2, 2], [-9.0, -5.0], atol=0.2)


def test_what_shows_nothing_in_common_is_refused():
    rng = np.random.default_rng(4)
    with pytest.raises(FrameError, match="stands"):
        phase_correlate(*(rng.normal(500, 5, SHAPE).astype(np.float32) for _ in range(2)))
    with pytest.raises(FrameError, match="same everywhere"):
        phase_correlate(np.zeros(SHAPE, np.float32), np.zeros(SHAPE, np.float32))
