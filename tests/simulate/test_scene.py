"""Rendered stars, cosmic rays, trails and skies against independent computations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate

from firstlight.errors import InputError
from firstlight.simulate import scene


def moments(image):
    rows, columns = np.indices(image.shape)
    total = image.sum()
    x, y = (image * columns).sum() / total, (image * rows).sum() / total
    xx = (image * (columns - x) ** 2).sum() / total
    yy = (image * (rows - y) ** 2).sum() / total
    xy = (image * (columns - x) * (rows - y)).sum() / total
    return total, x, y, xx, yy, xy


def integrated(profile, x, y, rows, columns, n=24):
    """Integral of a profile over each pixel."""
    nodes, weights = np.polynomial.legendre.leggauss(n)
    u = columns[:, None] + nodes / 2 - x
    v = rows[:, None] + nodes / 2 - y
    values = profile(u.reshape(1, -1), v.reshape(-1, 1)).reshape(len(rows), n, len(columns), n)
    return np.einsum("iajb,a,b->ij", values, weights / 2, weights / 2)


@pytest.mark.parametrize("beta", [None, 2.5, 3.0, 4.0, 4.765])
@pytest.mark.parametrize(("ellipticity", "angle"), [(0.0, 0.0), (0.3, 0.0), (0.3, 30.0), (0.2, 90.0)])
@pytest.mark.parametrize("fwhm", [2.0, 3.3])
def test_flux_and_centre_of_a_star(beta, ellipticity, angle, fwhm):
    star = scene.render_stars(
        (301, 301), [150.3], [149.6], [1000.0], fwhm, beta=beta, ellipticity=ellipticity, angle=angle
    )
    total, x, y, *_ = moments(star)
    assert total == pytest.approx(1000.0, rel=1e-4)
    assert x == pytest.approx(150.3, abs=3e-4)
    assert y == pytest.approx(149.6, abs=3e-4)


@pytest.mark.parametrize("angle", [0.0, 37.0])
@pytest.mark.parametrize("fwhm", [1.2, 2.0, 4.0])
def test_pixels_of_a_gaussian_star(fwhm, angle):
    ellipticity = 0.25
    star = scene.render_stars((21, 23), [11.27], [9.81], [1.0], fwhm, ellipticity=ellipticity, angle=angle)
    long = fwhm / np.sqrt(1 - ellipticity) / scene.FWHM_PER_SIGMA
    short = long * (1 - ellipticity)
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))

    def profile(u, v):
        return np.exp(-0.5 * ((u * c + v * s) / long) ** 2 - 0.5 * ((v * c - u * s) / short) ** 2) / (
            2 * np.pi * long * short
        )

    expected = integrated(profile, 11.27, 9.81, np.arange(21), np.arange(23))
    np.testing.assert_allclose(star, expected, atol=2e-6 * expected.max())


@pytest.mark.parametrize(("fwhm", "tolerance"), [(1.5, 1e-3), (2.5, 5e-5), (4.0, 2e-5)])
def test_pixels_of_a_moffat_star(fwhm, tolerance):
    star = scene.render_stars((41, 41), [20.4], [19.7], [1.0], fwhm, beta=3.5, ellipticity=0.2, angle=130.0)
    half = 2 * np.sqrt(2 ** (1 / 3.5) - 1)
    a = fwhm / np.sqrt(0.8) / half
    b = a * 0.8
    c, s = np.cos(np.radians(130.0)), np.sin(np.radians(130.0))

    def profile(u, v):
        q = ((u * c + v * s) / a) ** 2 + ((v * c - u * s) / b) ** 2
        return 2.5 / (np.pi * a * b) * (1 + q) ** -3.5

    expected = integrated(profile, 20.4, 19.7, np.arange(41), np.arange(41))
    inside = star > 0
    assert inside.mean() > 0.4
    np.testing.assert_allclose(star[inside], expected[inside], atol=tolerance * expected.max())
    # One pixel of the wing, by adaptive quadrature.
    value, _ = integrate.dblquad(lambda v, u: profile(u, v), 7.1, 8.1, 3.8, 4.8)
    assert star[24, 28] == pytest.approx(value, rel=2e-3)


def test_moments_tell_the_direction_of_the_long_axis():
    *_, xx, yy, xy = moments(scene.render_stars((101, 101), [50], [50], [1.0], 4.0, ellipticity=0.4, angle=25.0))
    assert np.degrees(0.5 * np.arctan2(2 * xy, xx - yy)) == pytest.approx(25.0, abs=0.01)
    # Pixels widen a star by 1/12 px^2 along both axes.
    sigma2 = (4.0 / scene.FWHM_PER_SIGMA) ** 2
    assert xx + yy == pytest.approx(sigma2 * (1 / 0.6 + 0.6) + 2 / 12, rel=1e-3)


def test_a_floor_keeps_the_flux_and_the_position():
    arguments = ((201, 201), [100.2], [99.9], [500.0], 3.0)
    whole = scene.render_stars(*arguments, beta=4.0)
    cut = scene.render_stars(*arguments, beta=4.0, floor=0.01)
    assert (cut > 0).sum() < 0.5 * (whole > 0).sum()
    assert cut.sum() == pytest.approx(500.0, rel=1e-3)
    assert moments(cut)[1] == pytest.approx(100.2, abs=2e-3)


def test_channels_of_a_cfa_get_their_own_flux():
    cell = np.array([[0, 1], [1, 2]])
    flux = np.array([[3000.0, 2000.0, 500.0]])
    star = scene.render_stars((80, 80), [40.1], [40.3], flux, 8.0, cell=cell)
    assert star[0::2, 0::2].sum() == pytest.approx(3000 / 4, rel=1e-3)
    assert star[0::2, 1::2].sum() + star[1::2, 0::2].sum() == pytest.approx(2000 / 2, rel=1e-3)
    assert star[1::2, 1::2].sum() == pytest.approx(500 / 4, rel=1e-3)


def test_stars_beyond_the_edge_shine_in_and_do_no_harm():
    big = scene.render_stars((60, 60), [10.5, 5.0], [29.0, 55.0], [100.0, 50.0], 4.0, beta=4.0)
    small = scene.render_stars((40, 40), [0.5, -5.0], [19.0, 45.0], [100.0, 50.0], 4.0, beta=4.0)
    np.testing.assert_allclose(small, big[10:50, 10:50], atol=1e-9)
    away = scene.render_stars((40, 40), [-500.0, 900.0], [20.0, -4000.0], [1.0, 1.0], 3.0)
    assert not away.any()


def test_widths_that_no_star_has_are_refused():
    for bad in ({"fwhm": 0.0}, {"fwhm": 2.0, "ellipticity": 1.0}, {"fwhm": 2.0, "beta": 1.0}):
        with pytest.raises(InputError, match="fwhm"):
            scene.render_stars((9, 9), [4.0], [4.0], [1.0], **bad)


def test_random_field_follows_its_luminosity_function():
    rng = np.random.default_rng(3)
    x, y, flux = scene.random_field(rng, 40000, (100, 200), (10.0, 1e5), 0.8, margin=5.0)
    assert x.min() >= -5.5
    assert x.max() <= 204.5
    assert y.max() <= 104.5
    assert 10.0 <= flux.min() <= flux.max() <= 1e5
    counts = [(flux > limit).sum() for limit in (20.0, 200.0)]
    assert np.log10(counts[0] / counts[1]) == pytest.approx(0.8, abs=0.03)
    again = scene.random_field(np.random.default_rng(3), 40000, (100, 200), (10.0, 1e5), 0.8, margin=5.0)
    np.testing.assert_array_equal(flux, again[2])


def test_cosmic_rays_are_sorted_unique_and_inside():
    index, charge = scene.cosmic_rays(np.random.default_rng(5), (90, 120), 200)
    assert (np.diff(index) > 0).all()
    assert index[0] >= 0
    assert index[-1] < 90 * 120
    assert (charge > 0).all()
    assert (charge == np.rint(charge)).all()
    assert 300 < len(index) < 2500
    none, empty = scene.cosmic_rays(np.random.default_rng(5), (90, 120), 0)
    assert len(none) == len(empty) == 0


@pytest.mark.parametrize("angle", [0.0, 33.0, 90.0, 147.0])
def test_trail_holds_its_light(angle):
    image = scene.trail((300, 300), 150.0, 150.0, angle, 40.0, 3.5)
    mask = scene.trail_mask((300, 300), 150.0, 150.0, angle, 8.0)
    assert image[~mask].max() < 1e-6
    c, s = abs(np.cos(np.radians(angle))), abs(np.sin(np.radians(angle)))
    core = image[100:200, 100:200]
    assert core.sum() == pytest.approx(40.0 * 100 / max(c, s), rel=0.02)


def test_sky_gradient_rises_along_its_angle():
    plane = scene.sky_gradient((200, 300), 10.0, 0.4, 0.0)
    assert plane[:, -1].mean() - plane[:, 0].mean() == pytest.approx(4.0, rel=1e-6)
    assert plane.mean() == pytest.approx(10.0, rel=1e-3)
    bowl = scene.sky_gradient((201, 201), 10.0, 0.0, bowl=0.1)
    assert bowl[100, 200] - bowl[100, 100] == pytest.approx(1.0)
