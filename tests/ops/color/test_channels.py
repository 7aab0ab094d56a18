"""Colour operations against skies of known colour."""

import numpy as np
import pytest

from firstlight import step
from firstlight.errors import InputError
from firstlight.model.flags import Flag
from firstlight.model.image import Image
from firstlight.model.meta import Meta
from firstlight.ops.color.channels import sky_level

LEVELS = np.array([500.0, 1200.0, 700.0])


def sky(stars=150, seed=0):
    """Coloured background, noise 10, and stars whose colour is (1, 0.8, 0.5)."""
    rng = np.random.default_rng(seed)
    light = np.zeros((120, 160))
    y, x = np.mgrid[-4:5, -4:5]
    spot = np.exp(-(x**2 + y**2) / 4)
    for cy, cx, peak in zip(
        rng.integers(5, 115, stars // 10), rng.integers(5, 155, stars // 10), 10 ** rng.uniform(2, 4, stars)
    ):
        light[cy - 4 : cy + 5, cx - 4 : cx + 5] += peak * spot
    colour = np.array([1.0, 0.8, 0.5])[:, None, None]
    return Image(LEVELS[:, None, None] + colour * light + rng.normal(0, 10, (3, 120, 160))), light


def test_the_level_of_the_sky_is_found_past_stars():
    image, _ = sky()
    for channel, level in enumerate(LEVELS):
        assert sky_level(image, channel) == pytest.approx(level, abs=3)
        assert np.median(image.data[channel]) > sky_level(image, channel)


def test_neutralize_makes_the_sky_grey_and_leaves_the_stars():
    image, light = sky()
    for name, target in (("mean", LEVELS.mean()), ("lowest", LEVELS.min())):
        result = step("color:neutralize", mode="uniform", level=name)(image)
        dark = light < 1
        levels = [float(np.median(plane[dark])) for plane in result.data]
        assert np.ptp(levels) < 4
        assert np.mean(levels) == pytest.approx(target, abs=4)
        shift = result.data - image.data
        np.testing.assert_allclose(shift, np.broadcast_to(shift[:, :1, :1], shift.shape), atol=1e-3)


def test_neutralize_ignores_pixels_without_data():
    image, _ = sky()
    flags = image.flags.copy()
    flags[:, :60] = Flag.NO_DATA
    spoilt = image.data.copy()
    spoilt[:, :60] = 1e5
    a = step("color:neutralize")(image.replace(flags=flags)).data
    b = step("color:neutralize")(image.replace(data=spoilt, flags=flags)).data
    np.testing.assert_array_equal(a[:, 60:], b[:, 60:])


def test_balance_scales_light_or_all():
    image, light = sky()
    everything = step("color:balance", red=0.8, blue=2.0)(image).data
    np.testing.assert_allclose(everything, image.data * np.array([0.8, 1, 2])[:, None, None], rtol=1e-5)
    kept = step("color:balance", red=0.8, blue=2.0, keep_background=True)(image).data
    assert [float(np.median(p[light < 1])) for p in kept] == pytest.approx(LEVELS.tolist(), abs=4)
    star = np.unravel_index(light.argmax(), light.shape)
    above = kept[:, star[0], star[1]] - LEVELS
    assert above / above[1] == pytest.approx([0.8 / 0.8, 1.0, 2 * 0.5 / 0.8], rel=0.03)


def test_scnr_holds_green_where_it_exceeds_only():
    pixels = np.array([[[0.2, 0.6, 0.2]], [[0.9, 0.3, 0.4]], [[0.4, 0.4, 0.6]]])  # r, g, b of three pixels
    image = Image(pixels)
    full = step("color:scnr")(image).data
    np.testing.assert_allclose(full[1], [[0.3, 0.3, 0.4]], rtol=1e-6)
    half = step("color:scnr", amount=0.5)(image).data
    np.testing.assert_allclose(half[1], [[0.6, 0.3, 0.4]], rtol=1e-6)
    weaker = step("color:scnr", limit="maximum")(image).data
    np.testing.assert_allclose(weaker[1], [[0.4, 0.3, 0.4]], rtol=1e-6)
    np.testing.assert_array_equal(full[[0, 2]], image.data[[0, 2]])


def test_saturation_keeps_the_luminance():
    image, _ = sky()
    for weights in ("human", "equal"):
        w = np.array([0.2126, 0.7152, 0.0722] if weights == "human" else [1 / 3] * 3)
        strong = step("color:saturation", factor=2.0, luminance=weights)(image).data
        before, after = (np.tensordot(w, d.astype(float), axes=1) for d in (image.data, strong))
        np.testing.assert_allclose(after, before, rtol=1e-5)
        np.testing.assert_allclose(strong[0] - after, 2 * (image.data[0] - before), rtol=1e-3, atol=0.02)
    grey = step("color:saturation", factor=0)(image).data
    np.testing.assert_allclose(grey[0], grey[2], rtol=1e-5)


@pytest.mark.parametrize("name", ["neutralize", "balance", "scnr", "saturation"])
def test_one_channel_is_refused(name):
    with pytest.raises(InputError, match=r"1 channel\(s\); red, green and blue are needed; debayer it first"):
        step(f"color:{name}")(Image(np.ones((4, 4)), meta=Meta(cfa="RGGB")))
