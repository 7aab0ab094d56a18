"""The measured PSF against the profile that drew the stars."""

import numpy as np
import pytest

from firstlight.errors import FrameError, InputError
from firstlight.model.bell import Bell
from firstlight.model.image import Image
from firstlight.model.meta import Meta
from firstlight.ops.inspect.psf_model import MeasurePsf, measure_psf
from firstlight.simulate.scene import random_field, render_stars

SHAPE = (600, 800)
GAIN = 1.5


def scene(fwhm, beta=4.0, ellipticity=0.0, n=350, seed=3, bend=0.0):
    rng = np.random.default_rng(seed)
    x, y, flux = random_field(rng, n, SHAPE, (500, 3e5))
    u = (x - SHAPE[1] / 2) / (SHAPE[1] / 2)
    plane = render_stars(SHAPE, x, y, flux, fwhm * (1 + bend * u), beta=beta, ellipticity=ellipticity, angle=30.0)
    plane = rng.poisson((plane + 100) * GAIN) / GAIN + rng.normal(0, 3, SHAPE)
    return Image(plane, meta=Meta(gain=GAIN))


def truth(psf, fwhm, beta=4.0, ellipticity=0.0):
    side = 2 * psf.radius + 1
    return render_stars((side, side), [psf.radius], [psf.radius], [1.0], fwhm, beta=beta, ellipticity=ellipticity,
                        angle=30.0)  # fmt: skip


@pytest.mark.parametrize(
    ("fwhm", "beta", "ellipticity"), [(3.2, 4.0, 0.0), (1.6, None, 0.0), (2.2, 3.0, 0.1), (5.0, 2.5, 0.2)]
)
def test_the_psf_is_that_which_drew_the_stars(fwhm, beta, ellipticity):
    psf = measure_psf(scene(fwhm, beta, ellipticity), MeasurePsf(variation="none"))
    true = truth(psf, fwhm, beta, ellipticity)
    middle = psf.stamp(SHAPE[1] / 2, SHAPE[0] / 2)
    assert np.abs(middle - true).max() < 0.02 * true.max()
    assert middle.sum() == pytest.approx(true.sum(), rel=0.005)
    assert psf.fwhm == pytest.approx(fwhm, rel=0.015)
    short = (1 - ellipticity) ** 2
    assert np.hypot(*psf.bell.stretch) == pytest.approx((1 - short) / (1 + short), abs=0.01)
    if ellipticity:
        assert psf.bell.angle == pytest.approx(30.0, abs=2.0)
    assert psf.kernel.sum() == pytest.approx(1.0, abs=1e-12)
    assert psf.kernel.shape == (2 * psf.radius + 1,) * 2


def test_it_follows_a_width_that_changes_over_the_field():
    psf = measure_psf(scene(3.2, bend=0.15, n=600), MeasurePsf(variation="linear"))
    for x in (80, 400, 720):
        u = (x - 400) / 400
        local = truth(psf, 3.2 * (1 + 0.15 * u))
        assert np.abs(psf.stamp(x, 300.0) - local).max() < 0.05 * local.max()
    assert psf.degree == 1


def test_a_star_between_pixels():
    psf = measure_psf(scene(2.4), MeasurePsf(variation="none"))
    side, r = 2 * psf.radius + 1, psf.radius
    true = render_stars((side, side), [r + 0.37], [r - 0.21], [1.0], 2.4, beta=4.0)
    assert np.abs(psf.stamp(400, 300, 0.37, -0.21) - true).max() < 0.02 * true.max()


def test_few_faint_stars_give_the_closed_form_and_no_noise():
    psf = measure_psf(scene(3.0, n=30, seed=5), MeasurePsf(snr=15))
    true = truth(psf, 3.0)
    assert np.abs(psf.stamp(400, 300) - true).max() < 0.06 * true.max()
    edge = psf.kernel[0]
    assert np.abs(edge).max() < 2e-3 * psf.kernel.max()


def test_colour_and_mosaic_images_are_measured():
    mono = scene(3.0)
    colour = Image(np.repeat(mono.data, 3, axis=0))
    assert measure_psf(colour).fwhm == pytest.approx(3.0, rel=0.03)
    assert measure_psf(colour, channel=2).fwhm == pytest.approx(3.0, rel=0.03)
    mosaic = mono.replace(meta=Meta(cfa="RGGB"))
    # The binomial filter widens stars by its own 2 px^2 / 2 of variance.
    assert measure_psf(mosaic).fwhm == pytest.approx(np.hypot(3.0, 2.355 * np.sqrt(0.5)), rel=0.05)


def test_no_stars_no_psf():
    noise = Image(np.random.default_rng(1).normal(100, 5, (200, 200)))
    with pytest.raises(FrameError, match="at least 3 are needed"):
        measure_psf(noise)
    with pytest.raises(InputError, match="channel 4"):
        measure_psf(noise, channel=4)


def test_bell_is_the_profile_of_the_simulator():
    for beta in (None, 3.0):
        side = render_stars((41, 41), [20.3], [19.8], [1.0], 2.5, beta=beta, ellipticity=0.2, angle=40.0)
        bell = Bell(2.5, np.sqrt(1 - 0.8**2), 40.0, beta or np.inf)
        run = np.arange(41)
        np.testing.assert_allclose(bell.in_pixels(run[None, :] - 20.3, run[:, None] - 19.8), side, atol=3e-5)
