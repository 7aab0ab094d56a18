"""Straight stretches and gamma: exact, monotone, invertible."""

import numpy as np
import pytest

from firstlight.errors import SpecError
from firstlight.model.image import Image, PixelUnit
from firstlight.ops.stretch import gamma as power
from firstlight.ops.stretch import linear as straight
from firstlight.ops.stretch import percentile as by_percentile


@pytest.mark.parametrize(
    ("module", "p", "ends"),
    [
        (straight, straight.Linear(black=0.1, white=0.8), (0.1, 0.8)),
        (straight, straight.Linear(black=-0.5, white=1.5), (-0.5, 1.5)),
        (power, power.Gamma(gamma=2.2), (0.0, 1.0)),
        (power, power.Gamma(gamma=0.3), (0.0, 1.0)),
    ],
)
def test_monotone_and_invertible(module, p, ends):
    x = np.linspace(*ends, 1001)
    y = module.curve(x, p)
    assert y[0] == 0
    assert y[-1] == pytest.approx(1)
    assert np.all(np.diff(y) > 0)
    np.testing.assert_allclose(module.inverse(y, p), x, atol=1e-6)


def test_percentiles_against_numpy_and_back():
    data = np.random.default_rng(0).normal(100, 5, (3, 40, 40)) * np.array([1, 2, 3])[:, None, None]
    image = Image(data / 400, unit=PixelUnit.NORMALISED)
    for linked in (True, False):
        p = by_percentile.Percentile(low=5, high=95, linked=linked)
        y = by_percentile.percentile(image, p).data
        for channel, level in enumerate(by_percentile.levels(image, p)):
            low, high = np.percentile(image.data[channel], [5, 95])
            if not linked:
                assert (level.black, level.white) == pytest.approx((low, high))
            inside = (y[channel] > 0) & (y[channel] < 1)
            back = by_percentile.inverse(y[channel][inside].astype(float), level)
            np.testing.assert_allclose(back, image.data[channel][inside], atol=1e-6)
    lows = [level.black for level in by_percentile.levels(image, by_percentile.Percentile())]
    assert len(set(lows)) == 1


def test_levels_in_the_wrong_order_are_refused():
    with pytest.raises(SpecError, match="black=1, white=0"):
        straight.linear(Image([[1.0]]), straight.Linear(black=1, white=0))
    with pytest.raises(SpecError, match="low=50, high=50"):
        by_percentile.percentile(Image([[1.0]]), by_percentile.Percentile(low=50, high=50))
