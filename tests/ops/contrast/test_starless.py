"""Pictures without stars, against the sky that was put behind them."""

import numpy as np
import pytest

from firstlight import step
from firstlight.errors import InputError
from firstlight.model.flags import Flag
from firstlight.model.image import Image, State
from firstlight.model.meta import Meta
from firstlight.ops.contrast.star_mask import star_mask
from firstlight.ops.contrast.starless import StarSplit, on_starless, split_stars
from firstlight.simulate.scene import random_field, render_stars

SHAPE = (240, 300)
NOISE = 3.0


def nebula() -> np.ndarray:
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    arc = np.exp(-(((np.hypot(x - 150, y - 140) - 60) / 12) ** 2))
    return 200 + 60 * arc + 40 * np.exp(-((x - 150) ** 2 + (y - 140) ** 2) / 1800)


def field(seed: int = 1, channels: int = 1, beta: float = 3.0, saturation: float | None = None, fwhm: float = 3.0):
    rng = np.random.default_rng(seed)
    x, y, flux = random_field(rng, 150, SHAPE, (300, 3e5), 0.6)
    stars = render_stars(SHAPE, x, y, flux, fwhm, beta=beta)
    light = (nebula() + stars)[None] * np.array([1.0, 0.7, 1.2])[:channels, None, None]
    data = light + rng.normal(0, NOISE, light.shape)
    if saturation:
        data = np.minimum(data, saturation)
    return Image(data, meta=Meta(saturation=saturation)), stars


@pytest.mark.parametrize("saturation", [None, 4000.0])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_sky_behind_stars_is_that_of_the_truth(channels, saturation):
    image, stars = field(channels=channels, saturation=saturation)
    parts = split_stars(image)
    for channel, scale in enumerate((1.0, 0.7, 1.2)[:channels]):
        error = parts.starless.data[channel] - scale * nebula()
        assert np.sqrt(np.mean(error**2)) < 1.5 * NOISE
        drawn = error[parts.mask]
        assert abs(np.mean(drawn)) < NOISE
        assert np.percentile(np.abs(drawn), 99) < 6 * NOISE
    lost = stars[~parts.mask].sum() / stars.sum()
    assert lost < 0.03


def test_the_parts_add_up():
    image, _ = field(channels=3)
    parts = split_stars(image)
    np.testing.assert_allclose(parts.starless.data + parts.stars.data, image.data, rtol=1e-5)
    np.testing.assert_array_equal(step("extract:stars")(image).data, parts.stars.data)
    np.testing.assert_array_equal(step("extract:starless", grain=False)(image).data, parts.starless.data)
    whole = step("extract:reducestars", size=0, amount=1.0)(image).data
    np.testing.assert_allclose(whole, image.data, rtol=1e-5)


def test_a_nebula_without_stars_stays():
    sky = nebula() + np.random.default_rng(3).normal(0, NOISE, SHAPE)
    assert star_mask(Image(sky)).mean() < 0.002


def test_grain_is_that_of_the_surroundings():
    image, _ = field()
    mask = split_stars(image).mask
    grainy = step("extract:starless")(image).data[0] - nebula()
    # With the structure of the arcs, 20 times the noise, that subtraction and filling do not hit.
    assert 0.9 * NOISE < grainy[mask].std() < 1.45 * NOISE
    smooth = step("extract:starless", grain=False)(image).data[0] - nebula()
    drawn = grainy != smooth
    assert 0.01 < drawn.mean() < 0.5 * mask.mean()
    assert 0.7 * NOISE < (grainy - smooth)[drawn].std() < 1.2 * NOISE


def test_stretched_pictures_are_taken_apart_too():
    image, stars = field()
    stretched = step("stretch:midtones")(image)
    parts = split_stars(stretched)
    bright = stars > 500
    assert parts.mask[bright].mean() > 0.98
    assert parts.starless.data[0][bright].max() < 0.6 < stretched.data[0][bright].min() + 0.3
    assert parts.starless.state == State.STRETCHED


def test_a_step_between_stars_leaves_them_alone():
    image, _ = field()
    same = on_starless(image, lambda behind: behind)
    np.testing.assert_allclose(same.data, image.data, rtol=1e-5)
    darker = on_starless(image, lambda behind: behind.replace(data=0.5 * behind.data))
    parts = split_stars(image)
    np.testing.assert_allclose(darker.data, 0.5 * parts.starless.data + parts.stars.data, rtol=1e-5)
    assert darker.variance is None


def test_screen_never_passes_white():
    image = step("stretch:midtones")(field()[0])
    bright = on_starless(image, lambda behind: behind.replace(data=np.sqrt(behind.data)), join="screen")
    assert bright.data.max() <= 1.0 + 1e-6
    assert bright.data.mean() > image.data.mean()


def test_holes_stay_holes():
    image, _ = field()
    flags = image.flags.copy()
    flags[0, 50:60, 70:90] = Flag.NO_DATA
    data = image.data.copy()
    data[0, 50:60, 70:90] = np.nan
    result = step("extract:starless")(image.replace(data=data, flags=flags))
    assert np.isnan(result.data[0, 50:60, 70:90]).all()
    assert np.isfinite(np.delete(result.data[0], np.s_[50:60], axis=0)).all()


def test_morphological_takes_filaments_too():
    image, stars = field()
    parts = split_stars(image, StarSplit(star_method="morphological", star_size=24))
    assert parts.starless.data[0][stars > 1000].max() < 400
    with pytest.raises(InputError, match="mosaic"):
        split_stars(image.replace(meta=Meta(cfa="RGGB")))


def test_background_and_what_is_small_add_up():
    image, stars = field()
    behind = step("extract:background", size=32)(image).data
    small = step("extract:starstuff", size=32)(image).data
    np.testing.assert_allclose(behind + small, image.data, rtol=1e-5)
    assert abs(np.median(small)) < NOISE
    assert small[0][stars > 1000].min() > 700


def test_structure_is_what_is_neither_star_nor_sky():
    image, stars = field()
    found = step("extract:structure", scale=48)(image).data[0]
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    ridge = np.abs(np.hypot(x - 150, y - 140) - 60) < 3
    assert found[ridge].mean() > 15
    assert found[stars > 1000].max() < 100
