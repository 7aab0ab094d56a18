"""Generalised hyperbolic stretch: monotone, invertible, straight where protected."""

import numpy as np
import pytest
from scipy.integrate import quad

from firstlight.errors import SpecError
from firstlight.model.image import Image
from firstlight.ops.stretch.ghs import Ghs, curve, ghs, inverse

X = np.linspace(0.0, 1.0, 4001)
SHAPES = [
    Ghs(stretch=s, focus=b, symmetry=sp, protect_low=lp, protect_high=hp)
    for s in (0.0, 0.5, 3.0, 6.0)
    for b in (-5.0, -1.5, -1.0, -0.3, 0.0, 0.4, 1.0, 3.0)
    if (s, b) != (6.0, 0.0)  # e^-400 is 0 in any arithmetic
    for sp, lp, hp in ((0.0, 0.0, 1.0), (0.1, 0.02, 0.8), (0.3, 0.3, 0.3), (1.0, 0.2, 1.0))
]


@pytest.mark.parametrize("p", SHAPES, ids=str)
def test_monotone_and_invertible(p):
    y = curve(X, p)
    assert y[0] == 0
    assert y[-1] == 1
    assert np.all(np.diff(y) > 0)
    np.testing.assert_allclose(inverse(y, p), X, atol=1e-6)


def test_straight_beyond_the_protected_levels():
    p = Ghs(stretch=4, focus=2, symmetry=0.3, protect_low=0.1, protect_high=0.6)
    y = curve(X, p)
    for part in (X < 0.1, X > 0.6):
        assert np.ptp(np.diff(y[part])) < 1e-9
    # The tangents meet the curve without a corner.
    assert np.max(np.abs(np.diff(y, 2))) < 5e-4


@pytest.mark.parametrize("b", [-5.0, -1.0, 0.0, 0.5, 4.0])
def test_is_the_integral_of_the_local_intensity_law(b):
    """The defining equation: dT/du = D (1 + b D u)^-(1 + b)/b for b >= 0, D (1 + |b| D u)^(-1/|b|) for b < 0."""
    d = np.expm1(2.5)

    def law(u):
        if b == 0:
            return d * np.exp(-d * u)
        return d * (1 + b * d * u) ** (-(1 + b) / b) if b > 0 else d * (1 + abs(b) * d * u) ** (-1 / abs(b))

    whole = quad(law, 0, 1)[0]
    for x in (0.01, 0.2, 0.7):
        assert curve(np.float64(x), Ghs(stretch=2.5, focus=b)) == pytest.approx(quad(law, 0, x)[0] / whole, rel=1e-6)


def test_levels_in_the_wrong_order_are_refused():
    with pytest.raises(SpecError, match=r"symmetry=0\.3, protect_high=0\.2"):
        ghs(Image([[1.0]]), Ghs(symmetry=0.3, protect_high=0.2))
