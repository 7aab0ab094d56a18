"""Planes of a mosaic: places of the colours, positions on the sky, files."""

import numpy as np
import pytest

from firstlight import read, step
from firstlight.errors import InputError
from firstlight.io.write import write
from firstlight.model.flags import Flag
from firstlight.model.image import Image
from firstlight.model.meta import Meta
from firstlight.model.plate import Plate
from firstlight.ops.calibrate.debayer import PATTERNS, pattern_of
from firstlight.ops.calibrate.split_cfa import PLANES, plane_places

CARDS = {
    "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 83.0, "CRVAL2": -5.0, "CRPIX1": 21.0, "CRPIX2": 11.5,
    "CDELT1": -0.001, "CDELT2": 0.001, "CROTA2": 30.0,
}  # fmt: skip


def frame(cfa, shape=(31, 40)):
    data = np.random.default_rng(3).normal(500, 20, shape)
    meta = Meta(cfa=cfa, gain=2.0, pixel_size=3.8, saturation=4000.0)
    return Image(data, variance=data / 2, meta=meta, plate=Plate(CARDS))


@pytest.mark.parametrize("cfa", PATTERNS)
def test_planes_hold_their_colour(cfa):
    image = frame(cfa)
    flags = image.flags.copy()
    flags[0, 4, 6] = Flag.HOT
    image = image.replace(flags=flags)
    planes = step("cal:splitcfa")(image)
    assert planes.shape == (4, 15, 20)
    assert planes.meta.cfa is None
    assert planes.meta.gain == 2.0
    places = plane_places(cfa)
    assert [int(pattern_of(cfa)[places[name]]) for name in PLANES] == [0, 1, 2, 1]
    assert places["red"][0] == places["green1"][0]
    assert len(set(places.values())) == 4
    # Back into the mosaic: every sample is where it was, once.
    for before, after in ((image.data, planes.data), (image.variance, planes.variance), (image.flags, planes.flags)):
        again = np.full((30, 40), -1.0)
        for channel, (j, i) in enumerate(places.values()):
            again[j::2, i::2] = after[channel]
        np.testing.assert_array_equal(again, before[0, :30])


@pytest.mark.parametrize("cfa", PATTERNS)
def test_one_plane_lies_where_its_samples_are_on_the_sky(cfa):
    from astropy.wcs import WCS

    for channel, (name, (j, i)) in enumerate(plane_places(cfa).items()):
        one = step("cal:splitcfa", plane=name)(frame(cfa))
        np.testing.assert_array_equal(one.data[0], step("cal:splitcfa")(frame(cfa)).data[channel])
        here = WCS(dict(one.plate.cards)).all_pix2world([[6, 7]], 0)
        np.testing.assert_allclose(here, WCS(CARDS).all_pix2world([[12 + i, 14 + j]], 0), atol=1e-9)
        assert (one.meta.filter, one.meta.binning, one.meta.pixel_size) == (PLANES[name], (2, 2), 7.6)
    together = step("cal:splitcfa")(frame(cfa))
    middle = WCS(dict(together.plate.cards)).all_pix2world([[6, 7]], 0)
    np.testing.assert_allclose(middle, WCS(CARDS).all_pix2world([[12.5, 14.5]], 0), atol=1e-9)


def test_a_filter_before_the_sensor_keeps_its_name():
    image = frame("RGGB").replace(meta=Meta(cfa="RGGB", filter="L-eNhance"))
    assert step("cal:splitcfa", plane="blue")(image).meta.filter == "L-eNhance B"
    assert step("cal:splitcfa")(image).meta.filter == "L-eNhance"


def test_four_planes_through_a_file(tmp_path):
    planes = step("cal:splitcfa")(frame("BGGR"))
    again = read(write(tmp_path / "a.fits", planes))
    for one, other in ((again.data, planes.data), (again.variance, planes.variance), (again.flags, planes.flags)):
        np.testing.assert_array_equal(one, other)
    assert ("CFAPLANE", "R,G1,B,G2") in [card[:2] for card in again.meta.cards]
    for target in ("a.tif", "a.png"):
        with pytest.raises(InputError):
            write(tmp_path / target, planes)
    assert [path.name for path in tmp_path.iterdir()] == ["a.fits"]


def test_what_is_no_mosaic_is_refused():
    with pytest.raises(InputError, match="1 x 4 x 4 with no CFA pattern; a mosaic of at least 2 x 2"):
        step("cal:splitcfa")(Image(np.ones((4, 4))))
    with pytest.raises(InputError, match="1 x 1 x 4 with the pattern RGGB"):
        step("cal:splitcfa")(Image(np.ones((1, 4)), meta=Meta(cfa="RGGB")))
