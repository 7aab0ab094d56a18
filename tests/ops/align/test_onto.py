"""Images brought onto each other's pixels."""

import numpy as np
import pytest

from firstlight.model.flags import Flag, has
from firstlight.model.image import Image
from firstlight.model.registration import Transform
from firstlight.ops.align.onto import brought_onto


def scene(shape=(80, 100), dx=0.0, dy=0.0, step=1.0):
    y, x = np.mgrid[: shape[0], : shape[1]] * step + (step - 1) / 2
    light = np.full(shape, 50.0)
    for cx, cy in ((30, 30), (60, 50), (80, 20)):
        light = light + 200 * np.exp(-((x - cx - dx) ** 2 + (y - cy - dy) ** 2) / (2 * 3.0**2))
    return light


def test_a_shifted_image_lies_on_the_other():
    out = brought_onto(Image(scene(dx=3.4, dy=-2.2)), Transform.of_shift(-3.4, 2.2), (80, 100))
    good = out.good[0]
    assert 0.9 < good.mean() < 0.97
    np.testing.assert_allclose(out.data[0][good], scene()[good], atol=0.8)


def test_half_a_turn():
    turned = Image(scene()[::-1, ::-1])
    half = Transform(np.array([[-1.0, 0, 99], [0, -1, 79], [0, 0, 1]]))
    np.testing.assert_allclose(brought_onto(turned, half, (80, 100)).data[0], scene(), atol=1e-3)


def test_binned_colours_lie_on_a_luminance_of_twice_the_pixels_and_the_other_way():
    small = scene((40, 50), step=2.0)
    up = Transform(np.array([[2.0, 0, 0.5], [0, 2, 0.5], [0, 0, 1]]))
    out = brought_onto(Image(small), up, (80, 100))
    inner = np.s_[6:-6, 6:-6]
    np.testing.assert_allclose(out.data[0][inner], scene()[inner], atol=1.0)
    down = brought_onto(Image(scene()), up.inverse, (40, 50))
    np.testing.assert_allclose(down.data[0][3:-3, 3:-3], small[3:-3, 3:-3], atol=6.0)


def test_the_variance_is_that_of_noisy_runs():
    rng = np.random.default_rng(3)
    shift = Transform.of_shift(0.37, 0.61)
    runs = [
        brought_onto(Image(50 + rng.normal(0, 2, (40, 40)), variance=np.full((40, 40), 4.0)), shift, (40, 40))
        for _ in range(200)
    ]
    inner = np.s_[0, 8:-8, 8:-8]
    scatter = np.var([r.data[inner] for r in runs], axis=0, ddof=1).mean()
    assert runs[0].variance[inner].mean() == pytest.approx(scatter, rel=0.05)


def test_flags_and_gaps_go_along():
    data = scene()
    flags = np.zeros((1, 80, 100), np.uint16)
    data[40, 40], flags[0, 40, 40] = np.nan, Flag.NO_DATA
    flags[0, 30, 30] = Flag.SATURATED
    out = brought_onto(Image(data, flags=flags), Transform.of_shift(0.5, 0), (80, 100))
    assert has(out.flags[0], Flag.SATURATED).sum() == 2
    assert has(out.flags[0, 40, 38:44], Flag.NO_DATA).sum() == 2
    assert np.isfinite(out.data).all()
    assert np.abs(out.data[0, 38:43, 44:48] - scene()[38:43, 44:48]).max() < 3
