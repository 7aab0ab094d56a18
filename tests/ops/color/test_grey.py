"""Grey of colours: numbers by hand, noise, flags, header."""

import numpy as np
import pytest

from firstlight import step
from firstlight.errors import InputError
from firstlight.model.flags import Flag
from firstlight.model.image import Image
from firstlight.model.meta import Meta

RNG = np.random.default_rng(5)
SHARES = {"human": (0.299, 0.587, 0.114), "equal": (1 / 3, 1 / 3, 1 / 3), "green": (0, 1, 0)}


@pytest.mark.parametrize(("weights", "shares"), SHARES.items())
def test_shares_noise_and_gain(weights, shares):
    data = 500 + RNG.normal(0, 10, (3, 200, 200))
    meta = Meta(gain=2.0, read_noise=5.0, saturation=4000.0)
    image = Image(data, variance=np.full(data.shape, 100.0), meta=meta)
    grey = step("color:grey", weights=weights)(image)
    assert grey.shape == (1, 200, 200)
    np.testing.assert_allclose(grey.data[0], np.tensordot(shares, data, axes=1), rtol=1e-6)
    assert grey.data.std() == pytest.approx(np.sqrt(grey.variance.mean()), rel=0.02)
    # Photon noise by the header's gain falls just as the variance does.
    assert grey.variance.mean() == pytest.approx(100 * meta.gain / grey.meta.gain, rel=1e-5)
    assert (grey.meta.read_noise / grey.meta.gain) ** 2 == pytest.approx((5 / 2) ** 2 * sum(np.square(shares)))


def test_flags_of_the_colours_that_take_part():
    flags = np.zeros((3, 1, 3), np.uint16)
    flags[0, 0, 0], flags[1, 0, 1], flags[2, 0, 1] = Flag.HOT, Flag.COLD, Flag.TRAIL
    image = Image(np.ones((3, 1, 3)), flags)
    assert step("color:grey")(image).flags.tolist() == [[[Flag.HOT, Flag.COLD | Flag.TRAIL, 0]]]
    assert step("color:grey", weights="green")(image).flags.tolist() == [[[0, Flag.COLD, 0]]]


def test_a_mosaic_directly():
    image = Image(np.arange(12.0).reshape(3, 4), meta=Meta(cfa="RGGB", gain=2.0))
    grey = step("color:grey", weights="direct")(image)
    np.testing.assert_array_equal(grey.data, image.data)
    assert (grey.meta.cfa, grey.meta.gain) == (None, 2.0)
    with pytest.raises(InputError, match="debayer it first"):
        step("color:grey")(image)
    with pytest.raises(InputError, match=r"3 channel\(s\) and no CFA pattern; weights=direct takes a mosaic"):
        step("color:grey", weights="direct")(Image(np.ones((3, 2, 2))))
