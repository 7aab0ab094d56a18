"""Lines through ratios of stars, outliers among them."""

import numpy as np
import pytest

from firstlight.errors import InputError
from firstlight.ops.color.colour_fit import fit_index, fit_ratios

RNG = np.random.default_rng(3)


@pytest.mark.parametrize("outliers", [0, 12])
def test_a_line_and_its_value_at_white(outliers):
    x = RNG.uniform(0.6, 1.5, 80)
    y = (0.05 + 0.8 * x) * RNG.normal(1, 0.01, 80)
    y[:outliers] *= 1.6
    fit = fit_ratios(y, 0.01 * y, x, 1.1)
    assert fit.factor == pytest.approx(1 / (0.05 + 0.8 * 1.1), rel=0.004)
    assert fit.scatter == pytest.approx(0.01, rel=0.3)
    assert not fit.used[:outliers].any()


def test_stars_of_one_colour_give_a_scale():
    x = RNG.normal(1.0, 0.01, 30)
    fit = fit_ratios(0.7 * x, 0.01 * x, x, 1.4)
    assert fit.coefficients[0] == 0
    assert fit.factor == pytest.approx(1 / (0.7 * 1.4), rel=1e-3)


def test_magnitudes_bend():
    c = RNG.uniform(0, 2, 100)
    magnitude = 0.3 - 0.5 * c + 0.06 * c**2 + RNG.normal(0, 0.01, 100)
    magnitude[::10] += 0.5
    ratio = 10 ** (-0.4 * magnitude)
    fit = fit_index(ratio, 0.01 * ratio, c, 0.8)
    assert fit.factor == pytest.approx(10 ** (0.4 * (0.3 - 0.4 + 0.06 * 0.64)), rel=0.005)
    few = fit_index(ratio[1:9], 0.01 * ratio[1:9], c[1:9], 0.8)
    assert len(few.coefficients) == 2


def test_too_few():
    with pytest.raises(InputError, match="2 stars with known colours were measured; 3 are needed"):
        fit_ratios(*np.ones((3, 2)), 1.0)
    with pytest.raises(InputError, match="4 stars with known colours were measured; 5 are needed"):
        fit_index(*np.ones((3, 4)), 1.0)
