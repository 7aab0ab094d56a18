"""Powers against NumPy's."""

import numpy as np
import pytest

from firstlight.kernels.powers import power


@pytest.mark.parametrize("exponent", [1 / 3, 1 / 2.4, 2.4, 1.0, 0.0, -0.25, 3.0])
def test_right_to_eleven_digits(exponent):
    x = np.concatenate([np.geomspace(1e-90, 1e90, 5001), np.linspace(0.9, 1.5, 3001), [1.0, 2.0, 0.5, 4.0]])
    out = [power(each, exponent) for each in x]
    np.testing.assert_allclose(out, x**exponent, rtol=2e-11)
