"""Colours of stars and of the background, apart."""

import numpy as np
import pytest

from firstlight.model.image import Image
from firstlight.model.meta import Meta
from firstlight.ops.chain import apply

Y, X = np.mgrid[:120, :140]
STAR = 3000 * np.exp(-((X - 40) ** 2 + (Y - 40) ** 2) / (2 * 2.0**2))
CLOUD = 60 * np.exp(-((X - 95) ** 2 + (Y - 75) ** 2) / (2 * 18.0**2))
IMAGE = Image(100 + STAR + CLOUD + np.random.default_rng(1).normal(0, 1, (3, 120, 140)), meta=Meta(saturation=60000.0))


@pytest.mark.parametrize(
    ("text", "star", "cloud"), [("color:starwb:red=2", 2.0, 1.0), ("color:starlesswb:red=2", 1.0, 2.0)]
)
def test_only_the_part_that_is_named_changes(text, star, cloud):
    out = apply(IMAGE, text).data
    np.testing.assert_allclose(out[1:], IMAGE.data[1:], atol=1e-3)
    assert out[0, 40, 40] - 100 == pytest.approx(star * (IMAGE.data[0, 40, 40] - 100), rel=0.02)
    region = np.s_[70:80, 90:100]
    assert out[0][region].mean() - 100 == pytest.approx(cloud * (IMAGE.data[0][region].mean() - 100), rel=0.06)
    assert np.median(out[0]) == pytest.approx(np.median(IMAGE.data[0]), abs=3)
