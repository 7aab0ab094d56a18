"""A picture moved."""

import numpy as np
import pytest

from firstlight.model.flags import Flag, has
from firstlight.model.image import Image
from firstlight.model.plate import Plate
from firstlight.ops.align.plates import SkyMap
from firstlight.ops.chain import apply


def test_whole_and_half_pixels():
    y, x = np.mgrid[:40, :50]
    light = np.exp(-((x - 20) ** 2 + (y - 15) ** 2) / (2 * 3.0**2))
    out = apply(Image(light), "tx:shift:x=4,y=-3")
    np.testing.assert_allclose(out.data[0, :-3, 4:], light[3:, :-4], atol=1e-6)
    assert has(out.flags[0, :, :4], Flag.NO_DATA).all()
    half = apply(Image(light), "tx:shift:x=2.5").data[0]
    wanted = np.exp(-((x - 22.5) ** 2 + (y - 15) ** 2) / (2 * 3.0**2))
    assert np.abs(half[:, 8:] - wanted[:, 8:]).max() < 0.005


def test_the_plate_moves_along():
    plate = Plate({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": 10.0, "CRPIX2": 12.0, "CRVAL1": 30.0,
                   "CRVAL2": 40.0, "CD1_1": -5e-4, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 5e-4})  # fmt: skip
    out = apply(Image(np.ones((20, 20)), plate=plate), "tx:shift:x=2.25,y=1")
    before, after = (SkyMap.of(p).sky(np.array([q])) for p, q in ((plate, (5.0, 6.0)), (out.plate, (7.25, 7.0))))
    assert after == pytest.approx(before, abs=1e-9)
