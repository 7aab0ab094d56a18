"""Pairs that the search sees as one star."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from firstlight.model.bell import Bell
from firstlight.model.psf import Psf
from firstlight.ops.inspect.background import measure_background
from firstlight.ops.inspect.blends import part_blends
from firstlight.ops.inspect.plane import Plane
from firstlight.ops.inspect.psf_photometry import fit_stars, prepare
from firstlight.ops.inspect.stars import FindStars, find_stars
from firstlight.simulate.scene import render_stars

GAIN, FWHM, SHAPE = 1.5, 3.2, (500, 500)


def parted(apart, ratio, seed=2):
    rng = np.random.default_rng(seed)
    y, x = (each.ravel().astype(float) for each in np.mgrid[25:490:50, 25:490:50])
    x, y = x + rng.uniform(-0.5, 0.5, len(x)), y + rng.uniform(-0.5, 0.5, len(x))
    double = np.arange(len(x)) % 4 == 0
    turn = rng.uniform(0, np.pi, double.sum())
    x2, y2 = x[double] + apart * FWHM * np.cos(turn), y[double] + apart * FWHM * np.sin(turn)
    flux = np.full(len(x), 2e4)
    light = np.r_[flux, flux[double] * ratio]
    plane = render_stars(SHAPE, np.r_[x, x2], np.r_[y, y2], light, FWHM, beta=4.0) + 100
    plane = (rng.poisson(plane * GAIN) / GAIN + rng.normal(0, 3, SHAPE)).astype(np.float32)
    stars, _ = find_stars(plane, FindStars(), gain=GAIN)
    field = prepare(Plane(plane, None, np.inf, GAIN), measure_background(plane))
    psf = Psf.of_bell(Bell(FWHM, beta=4.0), SHAPE)
    fitted, rest = fit_stars(field, psf, stars.x, stars.y, stars.flux)
    true = np.column_stack([np.r_[x[double], x2], np.r_[y[double], y2]])
    return part_blends(field, psf, fitted, rest, 5.0), true, np.r_[flux[double], flux[double] * ratio], len(light)


@pytest.mark.parametrize(("apart", "ratio"), [(0.8, 1.0), (1.0, 1.0), (1.0, 0.3), (1.5, 0.3)])
def test_a8_pairs_are_found_and_their_light_is_right(apart, ratio):
    found, true, flux, n = parted(apart, ratio)
    distance, index = cKDTree(np.column_stack([found.fitted.x, found.fitted.y])).query(true)
    near = distance < 0.25 * apart * FWHM
    assert near.mean() > 0.95
    assert len(set(index)) == len(index)
    # Nothing is invented.
    assert len(found.fitted) <= n + 1
    share = found.fitted.flux[index[near]] / flux[near]
    assert np.median(share) == pytest.approx(1.0, abs=0.02)
    assert np.std((found.fitted.flux[index[near]] - flux[near]) / found.fitted.flux_error[index[near]]) < 1.4


def test_single_stars_stay_single():
    found, _, _, _ = parted(6.0, 1.0)
    assert (found.kept >= 0).mean() > 0.98


def test_companions_say_that_they_are_new():
    found, true, _, _ = parted(1.0, 1.0)
    assert (found.kept < 0).sum() == pytest.approx(len(true) / 2, abs=2)
