"""Images to and from CCDData."""

import numpy as np
import pytest
from astropy import units
from astropy.nddata import CCDData, StdDevUncertainty

import firstlight as fl
from firstlight.errors import InputError
from firstlight.model.flags import Flag
from firstlight.model.image import Image, PixelUnit
from firstlight.model.meta import Kind, Meta
from firstlight.model.plate import Plate

CARDS = {
    "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": 21.0, "CRPIX2": 16.0, "CRVAL1": 150.0, "CRVAL2": 30.0,
    "CD1_1": -2e-4, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 2e-4, "CUNIT1": "deg", "CUNIT2": "deg",
}  # fmt: skip


def example(channels=1):
    rng = np.random.default_rng(4)
    data = rng.normal(100, 5, (channels, 30, 40)).astype(np.float32)
    flags = np.zeros(data.shape, np.uint16)
    flags[0, 3, 4], flags[0, 5, 6] = Flag.HOT, Flag.NO_DATA
    meta = Meta(kind=Kind.LIGHT, target="M 31", filter="R", exposure=60.0, gain=1.5)
    return Image(data, flags, np.full(data.shape, 25, np.float32), plate=Plate(CARDS), meta=meta, history=("cal:x",))


@pytest.mark.parametrize("channels", [1, 3])
def test_there_and_back_nothing_is_lost(channels):
    fl.Image  # noqa: B018 - the methods come with the package
    image = example(channels)
    ccd = image.to_ccddata()
    assert ccd.unit == units.adu
    assert ccd.mask.sum() == (~image.good).sum()
    assert ccd.uncertainty.uncertainty_type == "var"
    again = Image.from_ccddata(ccd)
    for name in ("data", "flags", "variance"):
        np.testing.assert_array_equal(getattr(again, name), getattr(image, name))
    assert (again.unit, again.state, again.meta, again.history) == (image.unit, image.state, image.meta, image.history)
    assert again.plate == image.plate


def test_the_plate_is_the_wcs():
    ccd = fl.to_ccddata(example())
    place = ccd.wcs.pixel_to_world(20, 15)
    assert (place.ra.deg, place.dec.deg) == pytest.approx((150, 30))
    assert ccd.meta["OBJECT"] == "M 31"
    # And in the arithmetic of CCDData.
    assert np.nanmedian(ccd.multiply(2.0).uncertainty.array) == pytest.approx(100, rel=0.01)


def test_of_other_programs():
    mask = np.zeros((4, 5), bool)
    mask[1, 2] = True
    ccd = CCDData(np.ones((4, 5)), unit="electron", mask=mask, uncertainty=StdDevUncertainty(np.full((4, 5), 3.0)),
                  meta={"OBJECT": "M 33", "EXPTIME": 30.0, "filter": "V"})  # fmt: skip
    image = fl.from_ccddata(ccd)
    assert image.unit is PixelUnit.ELECTRON
    assert image.variance[0, 0, 0] == 9
    assert image.flags[0, 1, 2] == Flag.NO_DATA
    assert (image.meta.target, image.meta.exposure, image.meta.filter) == ("M 33", 30.0, "V")
    with pytest.raises(InputError, match="the unit is m"):
        fl.from_ccddata(CCDData(np.ones((2, 2)), unit="m"))
