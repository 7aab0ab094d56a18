"""Fluxes and places by the PSF, and what is claimed of their errors."""

import numpy as np
import pytest

from firstlight.model.bell import Bell
from firstlight.model.psf import Psf
from firstlight.ops.inspect.background import measure_background
from firstlight.ops.inspect.plane import Plane
from firstlight.ops.inspect.psf_model import psf_of_plane
from firstlight.ops.inspect.psf_photometry import fit_stars, groups_of, prepare
from firstlight.simulate.scene import render_stars

GAIN, READ, SKY = 1.5, 3.0, 100.0
LEVELS = (5, 10, 20, 50, 100, 200, 500)


def flux_of(snr, fwhm, beta):
    """Flux of this SNR for a star whose PSF, place and sky are known."""
    share = render_stars((81, 81), [40], [40], [1.0], fwhm, beta=beta)
    low, high = 1.0, 1e9
    for _ in range(60):
        middle = np.sqrt(low * high)
        variance = (SKY + middle * share) / GAIN + READ**2
        low, high = (middle, high) if np.sqrt(np.sum((middle * share) ** 2 / variance)) < snr else (low, middle)
    return low


def scene(fwhm, beta, seed, levels=LEVELS, side=1000):
    rng = np.random.default_rng(seed)
    y, x = (each.ravel().astype(float) for each in np.mgrid[20:side:40, 20:side:40])
    x, y = x + rng.uniform(-0.5, 0.5, len(x)), y + rng.uniform(-0.5, 0.5, len(x))
    snr = np.array(levels)[np.arange(len(x)) % len(levels)]
    table = {s: flux_of(s, fwhm, beta) for s in levels}
    flux = np.array([table[s] for s in snr])
    plane = render_stars((side, side), x, y, flux, fwhm, beta=beta) + SKY
    plane = rng.poisson(plane * GAIN) / GAIN + rng.normal(0, READ, (side, side))
    return Plane(plane.astype(np.float32), None, np.inf, GAIN), x, y, flux, snr


def pulls(fwhm, beta, seeds, levels=LEVELS):
    found = []
    for seed in seeds:
        plane, x, y, flux, snr = scene(fwhm, beta, seed, levels)
        sky = measure_background(plane.data)
        stars, _ = fit_stars(prepare(plane, sky), psf_of_plane(plane, sky=sky), x, y, flux)
        found.append((snr, (stars.flux - flux) / stars.flux_error, (stars.x - x) / stars.x_error, stars.flux / flux))
    return [np.concatenate(each) for each in zip(*found)]


def test_bright_stars_have_honest_errors():
    snr, flux, x, ratio = pulls(3.0, 4.0, (1,), (50, 100, 200))
    for level in (50, 100, 200):
        of_level = snr == level
        assert np.std(flux[of_level]) == pytest.approx(1.0, abs=0.16)
        assert np.std(x[of_level]) == pytest.approx(1.0, abs=0.16)
    # A8: within 1 % for isolated stars.
    assert np.median(ratio[snr == 200]) == pytest.approx(1.0, abs=0.003)


@pytest.mark.slow
@pytest.mark.parametrize(("fwhm", "beta"), [(3.0, 4.0), (1.8, 3.0)])
def test_a4_pulls_from_snr_5_to_500(fwhm, beta):
    snr, flux, x, _ = pulls(fwhm, beta, range(8))
    for level in LEVELS:
        of_level = flux[snr == level]
        chance = 1 / np.sqrt(len(of_level))
        assert abs(of_level.mean()) < 0.05 + 2 * chance
        assert 0.95 - 1.5 * chance < of_level.std() < 1.05 + 1.5 * chance
        if level >= 20:
            assert np.nanstd(x[snr == level]) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("apart", [0.8, 1.0, 1.6])
def test_a8_known_pairs_share_their_light_rightly(apart):
    fwhm, rng = 3.2, np.random.default_rng(4)
    n, shape = 60, (400, 400)
    x, y = (each.ravel()[:n].astype(float) for each in np.meshgrid(np.arange(25, 390, 45), np.arange(25, 390, 45)))
    turn = rng.uniform(0, np.pi, n)
    x2, y2 = x + apart * fwhm * np.cos(turn), y + apart * fwhm * np.sin(turn)
    flux = np.r_[np.full(n, 4e4), np.full(n, 2e4)]
    plane = render_stars(shape, np.r_[x, x2], np.r_[y, y2], flux, fwhm, beta=4.0) + SKY
    plane = (rng.poisson(plane * GAIN) / GAIN + rng.normal(0, READ, shape)).astype(np.float32)
    psf = Psf.of_bell(Bell(fwhm, beta=4.0), shape)
    field = prepare(Plane(plane, None, np.inf, GAIN), measure_background(plane))
    nudge = rng.normal(0, 0.3, (2, 2 * n))
    fitted, rest = fit_stars(field, psf, np.r_[x, x2] + nudge[0], np.r_[y, y2] + nudge[1], 0.8 * flux)
    assert abs(np.median(fitted.flux / flux) - 1) < 0.005
    assert np.mean(np.abs(fitted.flux / flux - 1) < 0.05) > 0.9
    assert np.std((fitted.flux - flux) / fitted.flux_error) == pytest.approx(1.0, abs=0.25)
    assert abs(rest.mean()) < 0.5


def test_forced_places_stay_and_missing_pixels_take_no_part():
    plane, x, y, flux, _ = scene(3.0, 4.0, 5, (100,), side=300)
    plane.data[:, 150:156] = np.nan
    psf = Psf.of_bell(Bell(3.0, beta=4.0), plane.data.shape)
    sky = measure_background(plane.data)
    fitted, _ = fit_stars(prepare(plane, sky), psf, x, y, flux, move=False)
    np.testing.assert_array_equal(fitted.x, x)
    clear = np.abs(x - 153) > 10
    assert np.median(fitted.flux[clear] / flux[clear]) == pytest.approx(1.0, abs=0.01)
    # Beside the gap the error is larger, and the flux still right.
    cut = (np.abs(x - 153) < 10) & np.isfinite(fitted.flux)
    assert (np.abs(fitted.flux[cut] - flux[cut]) < 5 * fitted.flux_error[cut]).all()


def test_groups_are_cut_where_too_many_touch():
    x = np.arange(30.0)
    members, starts = groups_of(x, np.zeros(30), 1.5)
    assert sorted(members) == list(range(30))
    assert np.diff(starts).max() <= 8
    assert groups_of(np.empty(0), np.empty(0), 1.0)[1].tolist() == [0]


def test_no_stars_leave_the_plane_alone():
    plane, *_ = scene(3.0, 4.0, 1, (10,), side=120)
    field = prepare(plane, measure_background(plane.data))
    nothing = np.empty(0)
    fitted, rest = fit_stars(field, Psf.of_bell(Bell(3.0), (120, 120)), nothing, nothing, nothing)
    assert len(fitted) == 0
    np.testing.assert_array_equal(rest, field.flat)
