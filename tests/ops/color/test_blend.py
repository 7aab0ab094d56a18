"""Blending by a mask."""

import numpy as np
import pytest

from firstlight.errors import InputError
from firstlight.model.flags import Flag
from firstlight.model.image import Image
from firstlight.ops.color.blend import Blend, blend

RNG = np.random.default_rng(1)
STARS = Image(RNG.normal(100, 1, (1, 60, 60)), variance=np.ones((1, 60, 60)))
COMET = Image(RNG.normal(130, 1, (1, 60, 60)) + np.pad(np.full((1, 20, 20), 50.0), ((0, 0), (20, 20), (20, 20))))
COMET = COMET.replace(variance=np.full((1, 60, 60), 4.0))
MASK = Image(np.pad(np.full((1, 20, 20), 200.0), ((0, 0), (20, 20), (20, 20))))


def test_the_comet_stands_in_the_stars_without_a_step():
    out = blend(STARS, Blend(), COMET, MASK)
    inside = np.s_[0, 22:38, 22:38]
    assert out.data[inside].mean() == pytest.approx(150, abs=1)
    np.testing.assert_array_equal(out.data[0, :15], STARS.data[0, :15])
    assert out.variance[inside].mean() == pytest.approx(4)
    assert out.variance[0, 0, 0] == pytest.approx(1)
    plain = blend(STARS, Blend(background_fit=False), COMET, MASK)
    assert plain.data[inside].mean() == pytest.approx(180, abs=1)


def test_soft_rims_and_gaps():
    out = blend(STARS, Blend(feather=4), COMET, MASK)
    profile = out.data[0, 25:35].mean(axis=0)
    assert 110 < profile[20] < 140
    flags = np.zeros((1, 60, 60), np.uint16)
    flags[0, 30, 30] = Flag.NO_DATA
    data = COMET.data.copy()
    data[0, 30, 30] = np.nan
    out = blend(STARS, Blend(), COMET.replace(data=data, flags=flags), MASK)
    assert np.isfinite(out.data).all()
    # The other stands in.
    assert out.flags[0, 30, 30] == 0
    assert out.data[0, 30, 30] == STARS.data[0, 30, 30]


def test_sizes():
    with pytest.raises(InputError, match="must be equal"):
        blend(STARS, Blend(), COMET, Image(np.ones((1, 3, 3))))
