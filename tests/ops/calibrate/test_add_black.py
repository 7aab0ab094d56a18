"""The black level, subtracted on reading, given back."""

import numpy as np
import pytest

from firstlight import step
from firstlight.errors import InputError
from firstlight.io.read import read
from firstlight.io.write import write
from firstlight.model.image import Image, PixelUnit
from firstlight.model.meta import Meta

BLACK = tuple((f"BLACK_{name}", level, "") for name, level in zip(("R", "G1", "B", "G2"), (512.0, 511.0, 513.0, 511.0)))
FRAME = Image(np.arange(-4.0, 8).reshape(3, 4), meta=Meta(cards=BLACK, saturation=3584.0, cfa="RGGB"))


def test_the_lowest_level_is_added_and_taken_off_again_by_the_reader(tmp_path):
    raw = step("cal:addblack")(FRAME)
    np.testing.assert_array_equal(raw.data, FRAME.data + 511)
    assert (raw.meta.pedestal, raw.meta.saturation) == (511.0, 4095.0)
    again = read(write(tmp_path / "a.fits", raw))
    np.testing.assert_array_equal(again.data, FRAME.data)
    assert again.meta.saturation == 3584.0
    np.testing.assert_array_equal(step("cal:addblack")(again).data, raw.data)


def test_only_on_frames_as_read():
    with pytest.raises(InputError, match="has no BLACK_R; only camera raw files bring it along"):
        step("cal:addblack")(Image(np.ones((2, 2))))
    with pytest.raises(InputError, match="has a pedestal of 511 adu"):
        step("cal:addblack")(step("cal:addblack")(FRAME))
    with pytest.raises(InputError, match="is in electron"):
        step("cal:addblack")(FRAME.replace(unit=PixelUnit.ELECTRON))
    with pytest.raises(InputError, match="was corrected for bias or dark"):
        step("cal:addblack")(FRAME.replace(meta=FRAME.meta.replace(calibrated=frozenset({"dark"}))))
