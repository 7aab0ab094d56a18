"""One level for each channel, and the floor."""

import numpy as np
import pytest

from firstlight import step
from firstlight.model.flags import Flag
from firstlight.model.image import Image


def scene(seed=3):
    rng = np.random.default_rng(seed)
    data = np.array([300.0, 500.0, 400.0])[:, None, None] + rng.normal(0, 10, (3, 100, 120))
    data[:, 40:60, 50:70] += 1000
    return data


def by_hand(values, iterations):
    level = values.mean()
    for _ in range(iterations - 1):
        level = values[values <= level].mean()
    return level


@pytest.mark.parametrize("iterations", [1, 2, 8])
def test_uniform_is_the_mean_below_the_mean(iterations):
    data = scene()
    result = step("abr:uniform", iterations=iterations, offset=-2)(Image(data)).data
    for channel in range(3):
        level = by_hand(data[channel].astype(np.float32).astype(float), iterations) - 2
        np.testing.assert_allclose(result[channel], data[channel] - level, atol=0.01)
    model = step("abr:uniform", iterations=iterations, offset=-2, mode="set")(Image(data)).data
    np.testing.assert_allclose(model, data - result, atol=0.01)


def test_the_floor_leaves_nearly_all_of_the_smooth_sky_above_zero():
    from scipy.ndimage import gaussian_filter

    data = scene()
    result = step("abr:floor")(Image(data)).data
    for plane in result:
        smooth = gaussian_filter(plane, 2)
        assert 0 < np.median(smooth) < 12
        assert np.mean(smooth > 0) > 0.99
    rough = step("abr:floor", presmooth=0, offset=0)(Image(data)).data
    np.testing.assert_allclose(rough, step("abr:uniform")(Image(data)).data, atol=1e-3)


def test_flagged_and_masked_pixels_take_no_part():
    data = scene()
    flags = np.zeros(data.shape, np.uint16)
    flags[:, :10], data[:, :10] = Flag.NO_DATA, -1e5
    mask = np.zeros((1, 100, 120))
    mask[:, 10:20], data[:, 10:20] = 1, -500
    for name in ("abr:uniform", "abr:floor"):
        result = step(name)(Image(data, flags), Image(mask)).data
        assert -20 < np.median(result[:, 60:]) < 60
