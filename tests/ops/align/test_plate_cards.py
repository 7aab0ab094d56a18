"""SIP and TPV cards against astropy's WCS library."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io.fits import Header
from astropy.wcs import WCS

from firstlight.model.plate import Plate
from firstlight.ops.align.plate_cards import plate_of_fit
from firstlight.ops.align.plate_fit import PlateFit
from firstlight.ops.align.plates import positions_of, scale_of, sky_of

SHAPE = (1000, 1500)


def bent_fit(order: int) -> PlateFit:
    rng = np.random.default_rng(order)
    n = (order + 1) * (order + 2) // 2
    # 15 px of distortion at the edge, of every order, and a constant left over.
    size, scale = 750.0, 2.0 / 3600
    terms = rng.normal(0, 5 * scale, (n, 2))
    terms[1:3] = np.array([[-0.9, 0.4], [0.4, 0.9]]) * size * scale
    terms[0] = [3 * scale, -2 * scale]
    none = np.empty(0, np.int64)
    return PlateFit(210.0, 54.0, (749.5, 499.5), terms, size, order, none, none, np.empty((0, 2)), 99.0, 50)


def grid():
    x, y = np.meshgrid(np.linspace(0, SHAPE[1] - 1, 11), np.linspace(0, SHAPE[0] - 1, 11))
    return np.column_stack([x.ravel(), y.ravel()])


@pytest.mark.parametrize("form", ["sip", "tpv"])
@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_cards_say_what_the_fit_says(form, order):
    fit = bent_fit(order)
    plate = plate_of_fit(fit, form)
    wcs = WCS(Header(dict(plate.cards)))
    ra, dec = fit.sky(grid())
    for got in (wcs.all_pix2world(grid(), 0), sky_of(plate, grid())):
        off = np.hypot((got[:, 0] - ra) * np.cos(np.radians(dec)), got[:, 1] - dec) * 3600 / 2.0
        # Moving the tangent point by the 3 px of the constant is no polynomial.
        assert off.max() < 1e-3
    there = positions_of(plate, sky_of(plate, grid()))
    assert np.abs(there - grid()).max() < 1e-4
    assert ("A_ORDER" in plate.cards) == (form == "sip" and order > 1)
    assert scale_of(plate, SHAPE) == pytest.approx(fit.scale, rel=1e-3)


def test_the_inverse_of_sip_is_good_to_a_twentieth_of_a_pixel_where_15_are_bent():
    fit = bent_fit(3)
    cards = plate_of_fit(fit, "sip").cards
    wcs = WCS(Header(dict(cards)))
    origin = np.array(wcs.wcs.crpix) - 1
    u, v = (wcs.wcs_world2pix(wcs.all_pix2world(grid(), 0), 0) - origin).T
    pixels = [
        axis + sum(value * u ** int(key[3]) * v ** int(key[5]) for key, value in cards.items() if key[:4] in names)
        for axis, names in ((u, [f"AP_{i}" for i in range(9)]), (v, [f"BP_{i}" for i in range(9)]))
    ]
    assert np.abs(np.column_stack(pixels) + origin - grid()).max() < 0.05


def test_other_projections_are_read_too():
    cards = {"CTYPE1": "GLON-CAR", "CTYPE2": "GLAT-CAR", "CRVAL1": 30.0, "CRVAL2": 0.0, "CRPIX1": 50.0, "CRPIX2": 50.0,
             "CD1_1": -0.01, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 0.01}  # fmt: skip
    positions = np.array([[10.0, 20.0], [49.0, 49.0]])
    expected = WCS(Header(cards)).all_pix2world(positions, 0)
    assert np.allclose(sky_of(Plate(cards), positions), expected)
    assert np.allclose(positions_of(Plate(cards), expected), positions)
