import numpy as np
import pytest

from firstlight.library.raw import adu_rows, level_of, sampled
from memory_frame import memory_frame


@pytest.mark.parametrize("dtype", [">i2", "<i2", ">u2", "<u2", "u1", ">i4", ">f4", "<f8"])
@pytest.mark.parametrize(("scale", "zero"), [(1.0, 0.0), (1.0, 32768.0), (1.0, 32668.0), (0.5, 10.0)])
def test_every_way_a_file_holds_numbers(dtype, scale, zero):
    low, high = (0, 200) if dtype == "u1" else (0, 30000)
    values = np.random.default_rng(0).integers(low, high, (1, 6, 9)).astype(dtype)
    if dtype[1] == "i":
        values = (values - values.dtype.type(9000)).astype(dtype)
    frame = memory_frame("x", values).replace(scale=scale, zero=zero)
    expected = values[:, 2:5].astype(np.float64) * scale + zero
    np.testing.assert_allclose(adu_rows(frame, 2, 5), expected, rtol=1e-6, atol=1e-3)


def test_level_and_share_of_saturated_pixels():
    pixels = np.full((40, 40), 500, np.uint16)
    pixels[:, :4] = 60000
    level, full = level_of(sampled(memory_frame("x", pixels)), 60000.0)
    assert level == 500
    assert full == pytest.approx(0.1)
