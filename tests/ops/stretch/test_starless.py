"""Stars and background stretched apart."""

import numpy as np
import pytest

from firstlight.model.image import Image
from firstlight.model.meta import Meta
from firstlight.ops.chain import apply
from firstlight.ops.stretch.starless import _narrower

Y, X = np.mgrid[:120, :140]


def field():
    light = 100 + 25 * np.exp(-((X - 70) ** 2 + (Y - 60) ** 2) / (2 * 30.0**2))
    for cx, cy, peak in ((30, 30, 3000), (100, 40, 800), (60, 90, 1500)):
        light = light + peak * np.exp(-((X - cx) ** 2 + (Y - cy) ** 2) / (2 * 2.0**2))
    return Image(light + np.random.default_rng(1).normal(0, 0.7, light.shape), meta=Meta(saturation=4000.0))


def width(plane, cx=30, cy=30):
    row = plane[cy, cx - 12 : cx + 13] - np.median(plane[cy - 20 : cy + 20, cx - 20 : cx + 20])
    return np.count_nonzero(row > 0.5 * row.max())


@pytest.mark.parametrize("method", ["midtones", "hdr", "linear", "asinh"])
def test_the_background_shows_and_stars_stay_small(method):
    image = field()
    out = apply(image, f"stretch:starless:method={method},star_bright=3").data[0]
    assert out.min() >= 0
    assert out.max() <= 1
    assert out[28:33, 28:33].max() > 0.7
    assert width(out) < width(apply(image, "stretch:midtones").data[0])


def test_the_cloud_comes_out_as_in_the_plain_stretch():
    image = field()
    plain, apart = (apply(image, s).data[0] for s in ("stretch:midtones", "stretch:starless"))
    region = np.s_[50:70, 75:90]
    assert apart[region].mean() == pytest.approx(plain[region].mean(), abs=0.05)


def test_shrinking_is_that_of_the_width():
    star = np.exp(-((X - 70) ** 2 + (Y - 60) ** 2) / (2 * 6.0**2)).astype(np.float32)[None]
    mask = np.hypot(X - 70, Y - 60) < 30
    small = _narrower(star, mask, 0.5)
    wanted = np.exp(-((X - 70) ** 2 + (Y - 60) ** 2) / (2 * 3.0**2))
    np.testing.assert_allclose(small[0][mask], wanted[mask], atol=1e-5)
    np.testing.assert_array_equal(_narrower(star, mask, 1.0), star)
