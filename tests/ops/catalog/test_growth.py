"""The curve of growth against profiles in closed form."""

import numpy as np
import pytest

from firstlight.errors import FrameError
from firstlight.ops.catalog.apertures import crowd_of, measure_apertures
from firstlight.ops.catalog.growth import STEPS, best_radius, curve_of_growth
from star_field import expose, light_of, scattered

SHAPE = (300, 300)
FWHM = 3.4


@pytest.fixture(scope="module")
def growth():
    rng = np.random.default_rng(12)
    x, y = scattered(rng, 25, SHAPE, 48.0, 28.0)
    plane = expose(light_of(SHAPE, x, y, rng.uniform(5e4, 8e5, 25), FWHM), rng).astype(np.float32)
    crowd = crowd_of(SHAPE, x, y, 16.0)
    return curve_of_growth(measure_apertures(plane, x, y, STEPS * FWHM, (18.0, 24.0), gain=1.5, crowd=crowd))


def test_shares_are_those_of_a_gaussian(growth):
    # Wider by a twelfth of a pixel squared where pixels collect it, and again where their light is taken as even.
    sigma2 = (FWHM / 2.3548) ** 2 + 1 / 6
    expected = 1 - np.exp(-((STEPS * FWHM) ** 2) / (2 * sigma2))
    np.testing.assert_allclose(growth.share, expected, atol=0.012)
    assert np.all(np.diff(growth.share) >= -1e-9)
    assert growth.share[-1] == 1


def test_correction_is_negative_and_known(growth):
    assert growth.correction(3.0) == pytest.approx(2.5 * np.log10(growth.share_at(3.0)))
    assert growth.correction(3.0) < 0
    assert 0 < growth.correction_error(3.0) < 0.01


def test_faint_stars_want_two_thirds_of_the_width_and_bright_ones_more(growth):
    faint = best_radius(growth, 100.0, 100.0, 1e6, 1.5)
    assert faint == pytest.approx(0.68 * FWHM, rel=0.12)
    assert best_radius(growth, 1e7, 100.0, 1e6, 1.5) > 1.2 * FWHM


def test_too_few_stars_are_refused(growth):
    plane = np.random.default_rng(1).normal(0, 1, SHAPE).astype(np.float32)
    nothing = measure_apertures(plane, [50.0, 90.0], [50.0, 90.0], STEPS * FWHM, (18.0, 24.0))
    with pytest.raises(FrameError, match="3 are needed"):
        curve_of_growth(nothing)
