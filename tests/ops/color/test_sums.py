"""Sums, differences, exposures."""

import numpy as np
import pytest

from firstlight.errors import InputError
from firstlight.model.image import Image, PixelUnit, State
from firstlight.ops.color.sums import Exposures, Sum, added, blended_exposures

RNG = np.random.default_rng(1)
A, B, C = (Image(RNG.uniform(1, 9, (1, 8, 9)), variance=np.full((1, 8, 9), 2.0)) for _ in range(3))


@pytest.mark.parametrize("weights", ["1/0.5/2", "1,0.5,2", "1;0.5;2", "1:0.5:2", "1 0.5 2", "1|0.5|2"])
def test_the_weighted_sum_in_every_spelling(weights):
    out = added([A, B, C], Sum(weights=weights))
    np.testing.assert_allclose(out.data, A.data + 0.5 * B.data + 2 * C.data, rtol=1e-6)
    np.testing.assert_allclose(out.variance, 2 * (1 + 0.25 + 4))


def test_differences():
    np.testing.assert_allclose(added([A, B], Sum(do="diff")).data, np.abs(A.data - B.data), rtol=1e-5)
    np.testing.assert_allclose(added([A, B], Sum(do="difference")).data, A.data - B.data, atol=1e-6)
    equal = added([A, A.replace(data=A.data * 7)], Sum(do="diff", fit=True))
    np.testing.assert_allclose(equal.data, 0, atol=1e-5)


def test_nothing_is_cut_at_the_range_of_integers():
    white = Image(np.full((1, 2, 2), 65535.0))
    assert added([white, white], Sum()).data.max() == 131070


def test_what_does_not_fit_is_refused():
    with pytest.raises(InputError, match="2 weights"):
        added([A, B, C], Sum(weights="1/2"))
    with pytest.raises(InputError, match="the image is 9 x 8 px, the image 2 8 x 8"):
        added([A, B.replace(data=B.data[..., :8], flags=None, variance=None)], Sum())


def test_exposures_show_both_ends():
    y, x = np.mgrid[:80, :160]
    ripple = 1 + 0.2 * np.sin(x / 2) * np.sin(y / 2)
    light = np.where(x < 80, 0.004, 0.4) * ripple
    shots = [Image(np.clip(light * t, 0, 1), unit=PixelUnit.NORMALISED) for t in (32.0, 1.0, 8.0)]
    shots = [s.replace(meta=s.meta.replace(exposure=t)) for s, t in zip(shots, (32.0, 1.0, 8.0))]
    out = blended_exposures(shots, Exposures(radius=6, smooth=3))
    assert out.state == State.STRETCHED
    assert out.meta.exposure == 41
    for half in (np.s_[:, 10:60], np.s_[:, 100:150]):
        assert np.corrcoef(out.data[0][half].ravel(), ripple[half].ravel())[0, 1] > 0.8
    # The order in which they are given does not matter: headers tell.
    again = blended_exposures(shots[::-1], Exposures(radius=6, smooth=3))
    np.testing.assert_array_equal(again.data, out.data)
