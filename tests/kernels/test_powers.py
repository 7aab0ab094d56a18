"""Powers against NumPy's."""

import numpy as np
import pytest

from firstlight.kernels.powers import power, short_power


@pytest.mark.parametrize("exponent", [1 / 3, 1 / 2.4, 2.4, 1.0, 0.0, -0.25, 3.0])
def test_right_to_eleven_digits(exponent):
    x = np.concatenate([np.geomspace(1e-90, 1e90, 5001), np.linspace(0.9, 1.5, 3001), [1.0, 2.0, 0.5, 4.0]])
    out = [power(each, exponent) for each in x]
    np.testing.assert_allclose(out, x**exponent, rtol=2e-11)


@pytest.mark.parametrize("exponent", [0.1, 1 / 2.4, 1.0, 2.4, 5.0])
def test_short_powers_of_fractions_are_right_to_their_last_bits(exponent):
    x = np.concatenate([np.geomspace(1e-6, 1, 5001), np.linspace(0, 1, 3001)]).astype(np.float32)
    out = np.array([short_power(each, np.float32(exponent)) for each in x])
    np.testing.assert_allclose(out, x.astype(np.float64) ** np.float32(exponent), rtol=0, atol=3e-7)
    assert out[-1] == 1
    assert short_power(np.float32(0), np.float32(exponent)) == 0
