"""Plates against astropy's WCS, an independent implementation."""

import numpy as np
import pytest
from astropy.wcs import WCS

from firstlight.errors import FrameError
from firstlight.model.plate import Plate
from firstlight.ops.align.plates import SkyMap, motion_on, transform_of_plates

CARDS = {
    "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 83.6, "CRVAL2": 22.0, "CRPIX1": 512.5, "CRPIX2": 300.0,
    "CD1_1": -2.1e-4, "CD1_2": 3.0e-5, "CD2_1": 2.9e-5, "CD2_2": 2.08e-4,
}  # fmt: skip
SIP = {
    "CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", "A_ORDER": 3, "B_ORDER": 3, "A_2_0": 3e-6, "A_1_1": -2e-6,
    "B_0_2": 1.5e-6, "A_3_0": 4e-9, "B_2_1": -3e-9,
}  # fmt: skip
GRID = np.stack(np.meshgrid(np.linspace(0, 1023, 9), np.linspace(0, 599, 7)), axis=-1).reshape(-1, 2)


@pytest.mark.parametrize(
    "more", [{}, SIP, {"CRVAL1": 0.01, "CRVAL2": -89.0}, {"CRVAL1": 359.99, "CRVAL2": 60.0, **SIP}]
)
def test_sky_is_that_of_astropy(more):
    cards = {**CARDS, **more}
    expected = WCS(cards, relax=True).all_pix2world(GRID, 0)
    found = SkyMap.of(Plate(cards)).sky(GRID)
    apart = (found - expected) * [np.cos(np.radians(cards["CRVAL2"])), 1.0]
    apart[:, 0] = (apart[:, 0] + 180) % 360 - 180
    assert np.abs(apart).max() * 3600 < 1e-4
    np.testing.assert_allclose(SkyMap.of(Plate(cards)).positions(found), GRID, atol=1e-5)


@pytest.mark.parametrize("first", [{}, SIP])
@pytest.mark.parametrize("second", [{}, SIP])
def test_transform_is_that_of_astropy(first, second):
    mine = {**CARDS, **first}
    theirs = {**CARDS, "CRVAL1": 83.75, "CRVAL2": 22.1, "CD1_1": 2.0e-4, "CD1_2": 1e-5, "CD2_1": 1e-5, "CD2_2": -2.0e-4}
    theirs |= second
    sky = WCS(mine, relax=True).all_pix2world(GRID, 0)
    expected = WCS(theirs, relax=True).all_world2pix(sky, 0)
    found = transform_of_plates(Plate(mine), Plate(theirs))
    np.testing.assert_allclose(found(GRID), expected, atol=2e-3)
    np.testing.assert_allclose(found.inverse(found(GRID)), GRID, atol=1e-6)


def test_swapped_axes_are_understood():
    swapped = {**CARDS, "CTYPE1": "DEC--TAN", "CTYPE2": "RA---TAN", "CRVAL1": 22.0, "CRVAL2": 83.6}
    swapped |= {f"CD{i}_{j}": CARDS[f"CD{3 - i}_{j}"] for i in (1, 2) for j in (1, 2)}
    np.testing.assert_allclose(transform_of_plates(Plate(swapped), Plate(CARDS))(GRID), GRID, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"CTYPE1": "RA---SIN", "CTYPE2": "DEC--SIN"}, "projection RA---SIN"),
        ({"LONPOLE": 90.0}, "LONPOLE"),
        ({"PV1_5": 0.1}, "PV polynomials"),
        ({"CRVAL1": 200.0}, "degrees from that of the reference"),
    ],
)
def test_what_is_not_understood_is_told(change, words):
    with pytest.raises(FrameError, match=words):
        transform_of_plates(Plate({**CARDS, **change}), Plate(CARDS))


def test_motion_follows_north_and_east():
    position = np.array([512.0, 300.0])
    moved = motion_on(Plate(CARDS), position, 36.0, 90.0)
    (ra, dec), (ra2, dec2) = WCS(CARDS).all_pix2world(np.stack([position, position + moved]), 0)
    assert (ra2 - ra) * np.cos(np.radians(dec)) * 3600 == pytest.approx(36.0, abs=0.01)
    assert (dec2 - dec) * 3600 == pytest.approx(0.0, abs=0.01)
