"""Flips, turns, crops and bins: every pixel keeps its place on the sky and its colour."""

import numpy as np
import pytest
from astropy.wcs import WCS

from firstlight.errors import InputError
from firstlight.model.flags import Flag
from firstlight.model.image import Image
from firstlight.model.meta import Meta
from firstlight.model.plate import Plate
from firstlight.ops.calibrate.debayer import pattern_of
from firstlight.ops.spec import parse_step

SIP = {
    "A_ORDER": 3, "B_ORDER": 2, "A_2_0": 2e-5, "A_1_1": -1e-5, "A_0_2": 3e-6, "A_2_1": 4e-8, "A_0_3": -2e-8,
    "B_2_0": -1e-5, "B_0_2": 1.5e-5, "B_1_1": 5e-6,
}  # fmt: skip
CENTRE = {"CRVAL1": 210.0, "CRVAL2": 54.0, "CRPIX1": 14.0, "CRPIX2": 9.5}
PLATES = {
    "CD": CENTRE | {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CD1_1": -3e-4, "CD1_2": 1e-4, "CD2_1": 1e-4,
                    "CD2_2": 3e-4},
    "PC": CENTRE | {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CDELT1": -3e-4, "CDELT2": 4e-4, "PC1_1": 0.8,
                    "PC1_2": -0.6, "PC2_1": 0.6, "PC2_2": 0.8},
    "CROTA": CENTRE | {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CDELT1": -3e-4, "CDELT2": 4e-4, "CROTA2": 25.0},
    "SIP": CENTRE | SIP | {"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", "CD1_1": -3e-4, "CD1_2": 1e-4,
                           "CD2_1": 1e-4, "CD2_2": 3e-4},
}  # fmt: skip
MOVES = [
    "tx:flip:direction=both", "tx:flip:direction=horizontal", "tx:flip:direction=vertical", "tx:rotate:angle=90",
    "tx:rotate:angle=180", "tx:rotate:angle=270", "tx:rotate:angle=-90", "tx:rotate:angle=0",
    "crop:region:x=3,y=5,width=11,height=9", "bin:mean:factor=2", "bin:mean:factor=3",
]  # fmt: skip
HEIGHT, WIDTH = 18, 24


def sky_of(plate, positions):
    return WCS(dict(plate)).all_pix2world(positions, 0)


@pytest.mark.parametrize("text", MOVES)
@pytest.mark.parametrize("kind", PLATES)
def test_pixels_keep_their_place_on_the_sky(kind, text):
    """Each pixel holds its own coordinates, so that the moved image says where every pixel came from."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(float)
    moved = parse_step(text)(Image(np.stack([x, y]), plate=Plate(PLATES[kind])))
    there = np.mgrid[: moved.shape[1], : moved.shape[2]]
    now = sky_of(moved.plate.cards, np.column_stack([there[1].ravel(), there[0].ravel()]))
    before = sky_of(PLATES[kind], np.column_stack([moved.data[0].ravel(), moved.data[1].ravel()]))
    # 1e-9 degrees are a hundred-thousandth of a pixel here.
    np.testing.assert_allclose(now, before, atol=2e-9, rtol=0)


def test_distortion_tables_cannot_follow():
    plate = Plate(PLATES["CD"] | {"CPDIS1": "LOOKUP"})
    assert parse_step("tx:flip")(Image(np.ones((4, 4)), plate=plate)).plate is None


@pytest.mark.parametrize("text", [t for t in MOVES if not t.startswith("bin")] + ["crop:region:x=1,y=0"])
@pytest.mark.parametrize("cfa", ["RGGB", "GRBG"])
def test_a_mosaic_keeps_its_colours(cfa, text):
    for height, width in ((18, 24), (17, 23)):
        colours = pattern_of(cfa)[np.arange(height)[:, None] % 2, np.arange(width) % 2]
        moved = parse_step(text)(Image(colours.astype(float), meta=Meta(cfa=cfa)))
        shape = moved.shape[1:]
        expected = pattern_of(moved.meta.cfa)[np.arange(shape[0])[:, None] % 2, np.arange(shape[1]) % 2]
        np.testing.assert_array_equal(moved.data[0], expected)


def test_turns_are_as_the_picture_is_shown():
    corner = np.zeros((4, 6))
    corner[0, -1] = 1  # upper right, where the first row is the top
    turned = parse_step("tx:rotate:angle=90")(Image(corner)).data[0]
    assert turned[0, 0] == 1
    corner = np.zeros((4, 6))
    corner[-1, -1] = 1  # upper right, where the last row is the top
    turned = parse_step("tx:rotate:angle=90")(Image(corner, meta=Meta(bottom_up=True))).data[0]
    assert turned[-1, 0] == 1


def test_binning_keeps_the_books():
    rng = np.random.default_rng(0)
    sigma, gain, read_noise = 4.0, 2.0, 8.0
    meta = Meta(gain=gain, read_noise=read_noise, pixel_size=3.8, saturation=60000.0, origin=(6, 3))
    image = Image(rng.normal(0, sigma, (90, 91)), variance=np.full((90, 91), sigma**2), meta=meta)
    small = parse_step("bin:mean:factor=3")(image)
    assert small.shape == (1, 30, 30)
    assert small.data.std() == pytest.approx(np.sqrt(small.variance.mean()), rel=0.06)
    np.testing.assert_allclose(small.variance, sigma**2 / 9)
    # The noise model of the binned frame is that of the mean of nine: (RN/g)^2 / 9 of dark, S / g / 9 of light.
    assert (small.meta.read_noise / small.meta.gain) ** 2 == pytest.approx((read_noise / gain) ** 2 / 9)
    assert small.meta.gain == 9 * gain
    assert (small.meta.binning, small.meta.pixel_size, small.meta.saturation) == ((3, 3), pytest.approx(11.4), 60000.0)
    assert small.meta.origin == (2, 1)


def test_binning_counts_good_pixels_only():
    data = np.array([[1.0, 3.0, 8.0, 8.0], [np.nan, 100.0, 8.0, 8.0]])
    flags = np.array([[0, Flag.HOT, Flag.NO_DATA, Flag.NO_DATA], [0, Flag.NO_DATA, Flag.NO_DATA, Flag.NO_DATA]])
    small = parse_step("bin:mean")(Image(data, flags, np.ones((2, 4))))
    assert small.data[0, 0, 0] == 2
    assert small.variance[0, 0, 0] == 0.5
    assert small.flags[0, 0].tolist() == [Flag.HOT, Flag.NO_DATA | Flag.NOT_FINITE]
    assert np.isnan(small.data[0, 0, 1])


@pytest.mark.parametrize(
    ("text", "meta", "words"),
    [
        ("crop:region:x=24", Meta(), "columns 24 to"),
        ("crop:region:y=10,height=9", Meta(), "rows 10 to 18 were asked for; the image has .* rows 0 to 17"),
        ("bin:mean:factor=20", Meta(), "use a smaller factor"),
        ("bin:mean", Meta(cfa="RGGB"), "its colours would mix"),
    ],
)
def test_what_cannot_be_done_is_refused(text, meta, words):
    with pytest.raises(InputError, match=words):
        parse_step(text)(Image(np.ones((HEIGHT, WIDTH)), meta=meta))
