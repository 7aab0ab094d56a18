"""The midtones function by hand, and back."""

import numpy as np
import pytest

from firstlight.errors import InputError, SpecError
from firstlight.model.image import Image, PixelUnit, State
from firstlight.ops.chain import apply

RNG = np.random.default_rng(2)
FORTH_AND_BACK = [
    "stretch:mtf:shadows=0.01,midtone=0.02",
    "stretch:linear:black=0.01,white=0.95",
    "stretch:linear:bright=0.5",
    "stretch:gamma:gamma=2.2",
    "stretch:srgb",
    "stretch:ghs:stretch=3,focus=5,symmetry=0.1",
    "stretch:ghs:stretch=2,focus=-1.5,symmetry=0.05,protect_high=0.8",
    "stretch:curves:points=0/0/0.2/0.4/1/1",
    "stretch:asinh:beta=50",
]


@pytest.mark.parametrize("text", FORTH_AND_BACK)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_inverse_gives_the_linear_image_back(text, channels):
    data = RNG.uniform(0.02, 0.3 if "asinh" in text else 0.9, (channels, 30, 40)).astype(np.float32)
    image = Image(data, variance=np.full(data.shape, 1e-6), unit=PixelUnit.NORMALISED)
    there = apply(image, text)
    assert there.state == State.STRETCHED
    inside = ((there.data > 0) & (there.data < 1)).all(axis=0)
    assert inside.mean() > 0.5
    back = apply(there, text + ("," if "=" in text else ":") + "inverse=true")
    assert back.state == State.LINEAR
    # 1e-6, and what float32 loses on the flat parts of a curve.
    np.testing.assert_allclose(back.data[:, inside], data[:, inside], atol=6e-6)
    if back.variance is not None:
        # Half steps through a bend: where it is sharp against the noise they are not exact.
        np.testing.assert_allclose(back.variance[:, inside], 1e-6, rtol=0.02)


def test_only_a_stretched_image_is_taken_back():
    with pytest.raises(InputError, match="needs stretched data"):
        apply(Image([[1.0]]), "stretch:mtf:inverse=true")


def test_levels_in_the_wrong_order_are_refused():
    with pytest.raises(SpecError, match="shadows must be below"):
        apply(Image([[1.0]]), "stretch:mtf:shadows=0.5,highlights=0.5")
