"""Backgrounds made grey: the mean stays, bright pixels keep their colour."""

import numpy as np
import pytest

from firstlight import step
from firstlight.errors import InputError
from firstlight.model.image import Image, PixelUnit
from firstlight.ops.spec import parse_step

LEVELS = np.array([500.0, 620.0, 440.0])


def scene(seed=1, nebula=0.0):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:400, :512]
    light = nebula * np.exp(-((x - 150) ** 2 + (y - 200) ** 2) / (2 * 70**2))
    for cy, cx, peak in zip(rng.uniform(5, 395, 80), rng.uniform(5, 507, 80), 10 ** rng.uniform(2, 4, 80)):
        part = slice(int(cy) - 5, int(cy) + 6), slice(int(cx) - 5, int(cx) + 6)
        light[part] += peak * np.exp(-((x[part] - cx) ** 2 + (y[part] - cy) ** 2) / 4)
    colour = np.array([1.0, 0.6, 0.3])[:, None, None]
    return Image(LEVELS[:, None, None] + colour * light + rng.normal(0, 8, (3, 400, 512))), light


def background(image, light):
    return [float(np.median(plane[light < 0.5])) for plane in image.data]


@pytest.mark.parametrize("mode", ["uniform", "smooth", "add", "mult"])
def test_the_mean_background_stays_as_it_was(mode):
    """Raised to the brightest channel, the sky would have to be removed again."""
    image, light = scene()
    result = step("color:neutralize", mode=mode)(image)
    after = background(result, light)
    assert np.ptp(after) < 1.5
    assert np.mean(after) == pytest.approx(np.mean(background(image, light)), abs=1.0)


def test_bright_pixels_are_shifted_less_and_less():
    image, light = scene()
    shift = step("color:neutralize")(image).data - image.data
    star = light > 3000
    for channel in range(3):
        d = LEVELS.mean() - LEVELS[channel]
        threshold = 4 * max(abs(d), 8.0)
        above = (image.data[channel] - LEVELS[channel])[star]
        np.testing.assert_allclose(shift[channel][star], d * threshold / above, rtol=0.05, atol=0.05)
    lift = step("color:neutralize", mode="add")(image).data - image.data
    assert np.abs(lift[:, star]).max() < 0.01
    scale = step("color:neutralize", mode="mult")(image).data / image.data
    assert np.abs(scale[:, star] - 1).max() < 0.08


def test_targets():
    image, light = scene()
    for level, value in (("lowest", 440), ("highest", 620)):
        after = background(step("color:neutralize", mode="uniform", level=level)(image), light)
        assert after == pytest.approx([value] * 3, abs=1.5)


def test_a_nebula_under_a_mask_is_not_taken_for_sky():
    image, light = scene(nebula=900.0)
    mask = Image((light > 2).astype(float)[None], unit=PixelUnit.NORMALISED)
    after = background(step("color:neutralize")(image, mask), light)
    assert np.ptp(after) < 1.5


def test_the_earlier_spelling_and_a_background_that_cannot_be_scaled():
    each = parse_step("neutralization:bg:scale=64,sigma=3,mode=smooth")
    assert (each.operation.id, each.params.scale, each.params.sigma) == ("color:neutralize", 64, 3)
    image, _ = scene()
    with pytest.raises(InputError, match="all must be above 0; use mode=smooth"):
        step("color:neutralize", mode="mult")(image.replace(data=image.data - 1000))
