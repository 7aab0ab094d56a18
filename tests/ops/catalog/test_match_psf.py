"""The profile of a sharp image made that of a broader one."""

import numpy as np
import pytest

from firstlight.errors import FrameError
from firstlight.model.bell import Bell
from firstlight.model.flags import Flag
from firstlight.model.image import Image
from firstlight.model.psf import Psf
from firstlight.ops.catalog.match_psf import convolved, matching_kernel
from star_field import light_of

SHAPE = (101, 101)


def psf(fwhm):
    return Psf.of_bell(Bell(fwhm), SHAPE)


def test_a_sharp_star_becomes_the_broad_one():
    kernel = matching_kernel(psf(2.6), psf(4.0))
    assert kernel.sum() == pytest.approx(1)
    sharp, broad = (light_of(SHAPE, [50.3], [49.8], 1e5, fwhm) for fwhm in (2.6, 4.0))
    found = convolved(Image(sharp + 300), kernel).data[0] - 300
    assert found.sum() == pytest.approx(sharp.sum(), rel=1e-3)
    assert np.abs(found - broad).max() < 0.02 * broad.max()
    assert np.abs(sharp - broad).max() > 0.3 * broad.max()


def test_the_variance_is_that_of_the_pixels():
    kernel = matching_kernel(psf(2.6), psf(4.0))
    rng = np.random.default_rng(1)
    runs = [convolved(Image(rng.normal(100, 3, SHAPE), variance=np.full(SHAPE, 9.0)), kernel) for _ in range(40)]
    scatter = np.var([run.data[0] for run in runs], axis=0, ddof=1).mean()
    assert runs[0].variance.mean() == pytest.approx(scatter, rel=0.05)


def test_holes_do_not_spread():
    kernel = matching_kernel(psf(2.6), psf(4.0))
    plane = np.full(SHAPE, 100.0)
    plane[40:43, 40:43] = np.nan
    found = convolved(Image(plane), kernel)
    np.testing.assert_allclose(found.data[found.good], 100, rtol=1e-5)
    assert (found.flags[0, 40:43, 40:43] & Flag.NOT_FINITE).all()


def test_the_wrong_way_round_is_refused():
    with pytest.raises(FrameError, match="cannot be matched"):
        matching_kernel(psf(7.0), psf(2.2))
