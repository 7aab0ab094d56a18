"""All ways to hold a channel back, by numbers."""

import numpy as np
import pytest

from firstlight import step
from firstlight.model.image import Image, PixelUnit

RNG = np.random.default_rng(4)
PIXELS = RNG.uniform(0, 1, (3, 20, 30))


def result(**settings):
    return step("color:scnr", **settings)(Image(PIXELS, unit=PixelUnit.NORMALISED)).data.astype(float)


def test_formulas():
    r, g, b = PIXELS
    for a in (1.0, 0.4):
        m = np.maximum(r, b)
        np.testing.assert_allclose(
            result(limit="maximum_mask", amount=a)[1], np.minimum(g, g * (1 - a) * (1 - m) + m * g), atol=1e-6
        )
        m = np.minimum(1, r + b)
        np.testing.assert_allclose(
            result(limit="additive_mask", amount=a)[1], np.minimum(g, g * (1 - a) * (1 - m) + m * g), atol=1e-6
        )
        np.testing.assert_allclose(
            result(limit="average", amount=a)[1], np.minimum(g, (1 - a) * g + a * (r + b) / 2), atol=1e-6
        )
    np.testing.assert_allclose(result(limit="minimum")[1], np.maximum(g, np.minimum(r, b)), atol=1e-6)
    np.testing.assert_allclose(result(limit="max", channel="red")[0], np.minimum(r, np.maximum(g, b)), atol=1e-6)


@pytest.mark.parametrize("limit", ["average", "maximum", "maximum_mask", "additive_mask", "minimum"])
def test_the_luminance_is_given_back(limit):
    weights = np.array([0.2126, 0.7152, 0.0722])
    after = np.tensordot(weights, result(limit=limit, keep_luminance=True), axes=1)
    np.testing.assert_allclose(after, np.tensordot(weights, PIXELS, axes=1), atol=1e-5)
