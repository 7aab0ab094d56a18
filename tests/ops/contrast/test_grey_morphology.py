"""Morphology against scipy, and its laws."""

import numpy as np
import pytest
from scipy.ndimage import maximum_filter, minimum_filter

from firstlight import step
from firstlight.model.image import Image
from firstlight.ops.contrast.grey_morphology import extreme

PLANE = np.random.default_rng(1).normal(100, 10, (70, 90)).astype(np.float32)


@pytest.mark.parametrize("size", [3, 7, 15, 21, 33])
def test_it_is_that_of_scipy_with_the_same_element(size):
    half = size // 2
    spot = np.zeros((2 * size + 1, 2 * size + 1), np.float32)
    spot[size, size] = 1
    element = extreme(spot, size, low=False)[size - half : size + half + 1, size - half : size + half + 1] > 0
    np.testing.assert_array_equal(
        extreme(PLANE, size, low=True), minimum_filter(PLANE, footprint=element, mode="constant", cval=np.inf)
    )
    np.testing.assert_array_equal(
        extreme(PLANE, size, "square", low=False), maximum_filter(PLANE, size, mode="nearest")
    )


@pytest.mark.parametrize("size", [9, 21, 51, 101])
def test_the_disc_is_nearly_one(size):
    spot = np.zeros((2 * size + 1, 2 * size + 1), np.float32)
    spot[size, size] = 1
    element = extreme(spot, size, low=False) > 0
    assert element.sum() == pytest.approx(np.pi / 4 * size**2, rel=0.1)
    ys, xs = np.nonzero(element)
    assert np.hypot(ys - size, xs - size).max() < 1.1 * (size / 2)
    np.testing.assert_array_equal(element, element.T)


def test_laws_of_morphology():
    image = Image(PLANE)
    opened, closed = (step(f"morphology:{n}", size=7)(image) for n in ("open", "close"))
    assert np.all(opened.data <= image.data)
    assert np.all(closed.data >= image.data)
    np.testing.assert_array_equal(step("morphology:open", size=7)(opened).data, opened.data)
    np.testing.assert_array_equal(step("morphology:close", size=7)(closed).data, closed.data)
    negative = step("morphology:erode", size=7)(Image(-PLANE)).data
    np.testing.assert_array_equal(-negative, step("morphology:dilate", size=7)(image).data)


def test_the_white_top_hat_holds_what_is_small():
    """D86: the earlier program could not make it."""
    y, x = np.mgrid[:80, :80]
    wide = 50 * np.exp(-((x - 40) ** 2 + (y - 40) ** 2) / 800.0)
    small = 30 * np.exp(-((x - 20) ** 2 + (y - 50) ** 2) / 4.0)
    hat = step("extract:wtophat", size=25)(Image(wide + small)).data[0]
    assert hat[50, 20] == pytest.approx(30, rel=0.1)
    assert hat[40, 40] < 10
    np.testing.assert_allclose(
        hat, Image(wide + small).data[0] - step("morphology:open", size=25)(Image(wide + small)).data[0], atol=1e-5
    )
