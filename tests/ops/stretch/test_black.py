"""Black points."""

import numpy as np
import pytest

from firstlight.model.image import Image, PixelUnit
from firstlight.model.meta import Meta
from firstlight.ops.stretch.black import Black, black

DATA = np.random.default_rng(0).normal(500, 20, (3, 50, 50)) * np.array([1.0, 1.5, 2.0])[:, None, None]


def test_the_percentile_becomes_zero():
    out = black(Image(DATA), Black(percentile=10, linked=False)).data
    np.testing.assert_allclose(np.percentile(out, 10, axis=(1, 2)), 0, atol=1e-3)
    linked = black(Image(DATA), Black(percentile=10)).data
    np.testing.assert_allclose(np.percentile(linked[0], 10), 0, atol=1e-3)
    np.testing.assert_allclose(linked[1] - linked[0], DATA[1] - DATA[0], atol=1e-3)


@pytest.mark.parametrize("unit", [PixelUnit.ADU, PixelUnit.NORMALISED])
def test_automatic_black_works_whatever_the_numbers_were(unit):
    """The earlier program had no upper limit for it, and failed on floats."""
    scale = 1.0 if unit == PixelUnit.ADU else 65535.0
    for dtype in (np.uint16, np.float32):
        data = np.clip(DATA, 0, 65535).astype(np.uint16).astype(dtype)
        out = black(Image(data / scale, unit=unit), Black(clip=True))
        assert out.data.min() == 0
        np.testing.assert_allclose(out.data.max() * scale, data.max() - np.percentile(data[0], 1), rtol=1e-3)


def test_the_saturation_moves_along():
    image = Image(DATA, meta=Meta(saturation=4000.0))
    out = black(image, Black(fraction=0.1))
    assert out.meta.saturation == pytest.approx(3600)
    np.testing.assert_allclose(out.data, DATA - 400, atol=1e-3)
