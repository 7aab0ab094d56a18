"""Curves: through their points, rising, and back."""

import numpy as np
import pytest

from firstlight.errors import InputError, SpecError
from firstlight.model.image import Image, PixelUnit
from firstlight.ops.chain import apply
from firstlight.ops.spec import step
from firstlight.ops.stretch.curves import Curves, curve, inverse


@pytest.mark.parametrize("points", ["0/0/1/1", "0/0/0.3/0.7/1/1", "0.1/0/0.11/0.9/1/1", "0/0.2/0.5/0.21/1/0.9"])
def test_it_goes_through_its_points_and_rises(points):
    p = Curves(points=points)
    at, values = np.array(points.split("/"), float)[::2], np.array(points.split("/"), float)[1::2]
    np.testing.assert_allclose(curve(at, p), values, atol=1e-12)
    x = np.linspace(at[0], at[-1], 5001)
    y = curve(x, p)
    assert np.all(np.diff(y) > 0)
    np.testing.assert_allclose(inverse(y, p), x, atol=1e-6)


def test_a_straight_line_changes_nothing():
    data = np.random.default_rng(0).random((3, 9, 9)).astype(np.float32)
    image = Image(data, unit=PixelUnit.NORMALISED)
    np.testing.assert_allclose(apply(image, "stretch:curves:points=0/0/1/1").data, data, atol=1e-7)


def test_one_channel_alone():
    data = np.full((3, 4, 4), 0.5)
    out = apply(Image(data, unit=PixelUnit.NORMALISED), "stretch:curves:points=0/0/0.5/0.7/1/1,channel=blue").data
    np.testing.assert_allclose(out[:, 0, 0], [0.5, 0.5, 0.7], atol=1e-6)
    with pytest.raises(InputError, match="1 channel"):
        apply(Image([[0.5]]), "stretch:curves:channel=red")


@pytest.mark.parametrize("points", ["0/0/1", "0/0/0.5/0.6/0.5/0.7", "0/1/1/0", "0/0/1/1.5", "a/b"])
def test_points_that_make_no_curve_are_refused(points):
    with pytest.raises(SpecError, match="points="):
        step("stretch:curves", points=points)
