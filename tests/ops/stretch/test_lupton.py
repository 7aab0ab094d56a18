"""Lupton's composite against astropy's, which follows the same paper."""

import numpy as np
import pytest

from firstlight.errors import SpecError
from firstlight.model.image import Image, PixelUnit
from firstlight.ops.stretch.lupton import Lupton, lupton, lupton_stretch


def test_it_is_that_of_astropy():
    from astropy.visualization import make_lupton_rgb

    rng = np.random.default_rng(1)
    colours = rng.exponential(0.2, (3, 40, 50)).astype(np.float32)
    colours[:, 5, 5] = 5, 3, 1
    theirs = make_lupton_rgb(*colours, minimum=0, stretch=0.5, Q=8)
    ours = lupton(colours, 8, 0.5)
    assert np.abs(ours * 255 - theirs.transpose(2, 0, 1)).max() <= 1.01


def test_colours_of_full_pixels_stay():
    bright = np.array([8.0, 4.0, 2.0], np.float32)[:, None, None]
    shown = lupton(bright, 8, 0.5).ravel()
    assert shown[0] == pytest.approx(1)
    np.testing.assert_allclose(shown / shown[0], [1, 0.5, 0.25], rtol=1e-5)


def test_percentiles_make_the_sky_black():
    sky = np.random.default_rng(2).normal(0.1, 0.001, (3, 60, 60)) * np.array([1, 2, 3])[:, None, None]
    out = lupton_stretch(Image(sky, unit=PixelUnit.NORMALISED), Lupton(low=50)).data
    # A pixel is black where the mean of its colours is.
    assert 0.4 < (out == 0).all(axis=0).mean() < 0.6
    with pytest.raises(SpecError, match="low=90, high=10"):
        lupton_stretch(Image([[1.0]]), Lupton(low=90, high=10))
