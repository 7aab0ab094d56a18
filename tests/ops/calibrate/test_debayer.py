"""Debayering: positions of the colours, exactness on flat and sloping fields, sharpness, noise, flags."""

import numpy as np
import pytest
from scipy.ndimage import convolve

from firstlight import step
from firstlight.errors import InputError
from firstlight.model.flags import Flag
from firstlight.model.image import Image
from firstlight.model.meta import Meta
from firstlight.ops.calibrate.debayer import PATTERNS, REACH, debayer_planes, pattern_of

RNG = np.random.default_rng(11)
METHODS = ("bilinear", "edge", "superpixel")


def mosaic_of(scene, cfa):
    """Sample a colour scene (3, y, x) through a CFA."""
    height, width = scene.shape[1:]
    colours = pattern_of(cfa)[np.arange(height)[:, None] % 2, np.arange(width) % 2]
    return np.take_along_axis(scene, colours[None], axis=0)[0].astype(np.float32)


def star_field(shape=(64, 80)):
    y, x = np.mgrid[: shape[0], : shape[1]]
    light = np.full(shape, 0.05)
    for cy, cx in RNG.uniform(6, 58, (25, 2)):
        light += np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * 1.3**2))
    return 1000 * light * np.array([1.0, 0.8, 0.6])[:, None, None]


@pytest.mark.parametrize("cfa", PATTERNS)
@pytest.mark.parametrize("method", METHODS)
def test_flat_colours_are_exact(cfa, method):
    scene = np.broadcast_to(np.array([3.0, 7.0, 11.0])[:, None, None], (3, 14, 18))
    planes = debayer_planes(mosaic_of(scene, cfa), cfa, method)
    np.testing.assert_allclose(planes, scene[:, : planes.shape[1], : planes.shape[2]], rtol=1e-6)


@pytest.mark.parametrize("cfa", PATTERNS)
@pytest.mark.parametrize("method", ["bilinear", "edge"])
def test_slopes_are_exact_inside(cfa, method):
    y, x = np.mgrid[:20, :22]
    scene = np.array([1.0, 1.0, 1.0])[:, None, None] * (3 * x - 2 * y + 100) + np.array([0, 50, 90])[:, None, None]
    planes = debayer_planes(mosaic_of(scene, cfa), cfa, method)
    np.testing.assert_allclose(planes[:, 4:-4, 4:-4], scene[:, 4:-4, 4:-4], rtol=1e-5)


@pytest.mark.parametrize("cfa", PATTERNS)
def test_bilinear_against_convolution(cfa):
    mosaic = RNG.normal(100, 10, (31, 40)).astype(np.float32)
    planes = debayer_planes(mosaic, cfa, "bilinear")
    colours = pattern_of(cfa)[np.arange(31)[:, None] % 2, np.arange(40) % 2]
    for channel in range(3):
        kernel = np.array([[0, 1, 0], [1, 4, 1], [0, 1, 0]] if channel == 1 else [[1, 2, 1], [2, 4, 2], [1, 2, 1]]) / 4
        expected = convolve(np.where(colours == channel, mosaic, 0).astype(float), kernel, mode="mirror")
        np.testing.assert_allclose(planes[channel], expected, rtol=1e-5)


def test_edge_aware_is_sharper_than_bilinear():
    scene = star_field()
    error = {
        m: np.sqrt(np.mean((debayer_planes(mosaic_of(scene, "RGGB"), "RGGB", m) - scene)[:, 4:-4, 4:-4] ** 2))
        for m in ("bilinear", "edge")
    }
    assert error["edge"] < 0.6 * error["bilinear"]


@pytest.mark.parametrize("method", METHODS)
def test_bands_equal_the_whole(method):
    mosaic = mosaic_of(star_field() + RNG.normal(0, 5, (3, 64, 80)), "GBRG")
    whole = debayer_planes(mosaic, "GBRG", method)
    reach, shrink = REACH[method] + REACH[method] % 2, 2 if method == "superpixel" else 1
    band = debayer_planes(mosaic[20 - reach : 40 + reach], "GBRG", method)
    inner = band[:, reach // shrink : band.shape[1] - reach // shrink]
    np.testing.assert_array_equal(inner, whole[:, 20 // shrink : 40 // shrink])


@pytest.mark.parametrize("method", METHODS)
def test_noise_is_what_the_variance_says(method):
    sky = np.full((3, 96, 96), 500.0)
    sigma = np.linspace(2, 6, 96)
    noisy = mosaic_of(sky, "RGGB") + sigma * RNG.standard_normal((96, 96))
    image = step("cal:debayer", method=method)(
        Image(noisy, variance=np.broadcast_to(sigma**2, (96, 96)), meta=Meta(cfa="RGGB"))
    )
    pulls = (image.data - 500) / np.sqrt(image.variance)
    assert pulls.std() == pytest.approx(1, abs=0.025)


def test_superpixel_keeps_positions_on_the_sky():
    from astropy.wcs import WCS

    from firstlight.model.plate import Plate

    cards = {
        "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 83.0, "CRVAL2": -5.0, "CRPIX1": 21.0, "CRPIX2": 11.5,
        "CDELT1": -0.001, "CDELT2": 0.001, "CROTA2": 30.0,
    }  # fmt: skip
    image = Image(np.ones((31, 40)), meta=Meta(cfa="RGGB", pixel_size=3.8, origin=(4, 2)), plate=Plate(cards))
    small = step("cal:debayer", method="superpixel")(image)
    assert small.shape == (3, 15, 20)
    assert (small.meta.binning, small.meta.pixel_size, small.meta.origin) == ((2, 2), 7.6, (2, 1))
    # The middle of a cell is the centre of its superpixel.
    here = WCS(dict(small.plate.cards)).all_pix2world([[6, 7]], 0)
    there = WCS(cards).all_pix2world([[12.5, 14.5]], 0)
    np.testing.assert_allclose(here, there, atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_flags_cover_every_pixel_that_a_bad_one_touches(method):
    base = mosaic_of(star_field(), "RGGB")
    for y, x in ((20, 20), (21, 20), (21, 21), (0, 0), (63, 79)):
        flags = np.zeros(base.shape, np.uint16)
        flags[y, x] = Flag.HOT
        spoilt = base.copy()
        spoilt[y, x] += 5000
        image = step("cal:debayer", method=method)(Image(spoilt, flags, meta=Meta(cfa="RGGB")))
        # Direction weights look one pixel further, but change a value only in second order.
        touched = np.abs(image.data - debayer_planes(base, "RGGB", method)) > (200 if method == "edge" else 1e-3)
        assert touched.any()
        assert np.all(image.flags[touched] == Flag.HOT)
        assert (image.flags > 0).mean() < 0.02


def test_what_is_no_mosaic_is_refused():
    with pytest.raises(InputError, match="names no BAYERPAT"):
        step("cal:debayer")(Image(np.ones((4, 4))))
    with pytest.raises(InputError, match="three channels already"):
        step("cal:debayer")(Image(np.ones((3, 4, 4))))
    with pytest.raises(InputError, match="CFA pattern 'RGBG'; one of RGGB"):
        pattern_of("RGBG")


@pytest.mark.parametrize("name", ["m27_asi224mc_als/Light_1283.fits.fz", "panoptes_dslr/solved.fits.fz"])
def test_real_mosaics_give_one_picture_by_every_method(name, real_data):
    """Stars of a real frame lie on the same colours in all methods: a wrong pattern or a shift would part them."""
    from firstlight import read

    image = read(real_data(name))
    assert image.meta.cfa == "RGGB"
    planes = {m: step("cal:debayer", method=m)(image).data.astype(float) for m in METHODS}
    height, width = (n // 2 * 2 for n in image.shape[1:])
    halves = {
        m: p if m == "superpixel" else p[:, :height, :width].reshape(3, height // 2, 2, width // 2, 2).mean(axis=(2, 4))
        for m, p in planes.items()
    }
    bright = halves["superpixel"][1] > np.percentile(halves["superpixel"][1], 99.9)
    for colour in range(3):
        light = [p[colour][bright].sum() - np.median(p[colour]) * bright.sum() for p in halves.values()]
        assert np.ptp(light) < 0.25 * np.mean(light)
        medians = [np.median(p[colour]) for p in halves.values()]
        assert np.ptp(medians) < 0.06 * np.mean(medians)
