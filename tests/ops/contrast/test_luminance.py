"""Contrast: what each step promises, on scenes that show it."""

import numpy as np
import pytest
from skimage.exposure import equalize_adapthist

from firstlight import step
from firstlight.model.image import Image, State
from firstlight.ops.contrast.luminance import luminance

Y, X = np.mgrid[:128, :160]
STEPS = ("global", "clahe", "local", "hdr", "localnormalize", "darkstructure")


def picture(data: np.ndarray) -> Image:
    return Image(data, state=State.STRETCHED)


def galaxy() -> np.ndarray:
    """A bright core with arms, faint outskirts, and a few stars."""
    r, angle = np.hypot(X - 80, Y - 64), np.arctan2(Y - 64, X - 80)
    light = 0.12 + 0.75 * np.exp(-r / 18) * (1 + 0.12 * np.cos(2 * angle - r / 4))
    for y, x in ((20, 30), (100, 130), (64, 140)):
        light = light + 0.8 * np.exp(-((X - x) ** 2 + (Y - y) ** 2) / 3.0)
    return np.clip(light + np.random.default_rng(1).normal(0, 0.003, light.shape), 0, 1)


@pytest.mark.parametrize("name", STEPS)
def test_colours_stay_and_values_stay_within_black_and_white(name):
    colour = picture(np.stack([galaxy(), 0.8 * galaxy(), 0.6 * galaxy()]))
    result = step(f"contrast:{name}", strength=1.0)(colour)
    assert result.data.min() >= 0
    assert result.data.max() <= 1 + 1e-6
    bright = (result.data.max(axis=0) < 0.98) & (result.data.min(axis=0) > 0.02)
    np.testing.assert_allclose((result.data[1] / result.data[0])[bright], 0.8, rtol=1e-3)


@pytest.mark.parametrize("name", STEPS)
def test_strength_mixes(name):
    image = picture(galaxy())
    full, half = (step(f"contrast:{name}", strength=s)(image).data for s in (1.0, 0.5))
    inside = (full > 0) & (full < 1)
    np.testing.assert_allclose(half[inside], 0.5 * (full + image.data)[inside], atol=1e-5)


def test_the_core_shows_its_arms_and_stars_have_no_dark_discs():
    image = picture(galaxy())
    flat = step("contrast:hdr", compress=0.7)(image).data[0]
    assert flat[60:68, 76:84].mean() < 0.75 * image.data[0, 60:68, 76:84].mean()
    ring = (np.hypot(X - 80, Y - 64) > 10) & (np.hypot(X - 80, Y - 64) < 20)
    contrast = [plane[ring].std() / plane[ring].mean() for plane in (image.data[0], flat)]
    assert contrast[1] > 0.6 * contrast[0]
    for y, x in ((20, 30), (100, 130)):
        around = (np.hypot(X - x, Y - y) > 5) & (np.hypot(X - x, Y - y) < 10)
        assert flat[around].mean() == pytest.approx(image.data[0][around].mean(), abs=0.03)


def test_tiles_are_those_of_scikit_image():
    plane = galaxy().astype(np.float32)
    ours = step("contrast:clahe", tile=32, strength=1.0)(picture(plane)).data[0]
    low, high = plane.min(), plane.max()
    theirs = low + (high - low) * equalize_adapthist(np.clip(plane, 0, 1), kernel_size=[32, 32], clip_limit=0.01)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_local_steps_lift_faint_structure_anywhere():
    wave = 0.01 * np.sin(Y / 3.0)
    uneven = picture(0.1 + 0.004 * X + wave)
    for name, settings in (("local", {"radius": 32}), ("clahe", {"tile": 48})):
        result = step(f"contrast:{name}", strength=1.0, **settings)(uneven).data[0]
        for column in (30, 80, 130):
            assert result[30:100, column].std() > 1.2 * wave[30:100, column].std(), name


def test_level_and_scatter_become_the_same_everywhere():
    rng = np.random.default_rng(2)
    strength = np.where(X < 80, 0.01, 0.03)
    uneven = picture(np.where(X < 80, 0.2, 0.5) + strength * rng.standard_normal(X.shape))
    even = step("contrast:localnormalize", scale=10.0, strength=1.0)(uneven).data[0]
    left, right = even[:, 10:60], even[:, 100:150]
    assert left.mean() == pytest.approx(right.mean(), abs=0.01)
    assert left.std() == pytest.approx(right.std(), rel=0.15)


def test_the_curve_has_its_pivot_and_its_inverse():
    ramp = picture(np.linspace(0, 1, 200)[None])
    steep = step("contrast:global", contrast=1.0, pivot=0.3)(ramp)
    assert np.all(np.diff(steep.data[0, 0]) >= 0)
    assert np.interp(0.3, ramp.data[0, 0], steep.data[0, 0]) == pytest.approx(0.3, abs=0.01)
    back = step("contrast:global", contrast=-0.5, pivot=0.3)(steep)
    np.testing.assert_allclose(back.data, ramp.data, atol=1e-4)


def test_dark_lanes_deepen_and_gaps_between_stars_do_not():
    lane = 0.4 - 0.08 * np.exp(-(((X - 50) / 5) ** 2))
    stars = sum(0.5 * np.exp(-((X - x) ** 2 + (Y - 64) ** 2) / 3.0) for x in (110, 122))
    image = picture(lane + stars + np.random.default_rng(3).normal(0, 0.003, X.shape))
    deep = step("contrast:darkstructure", scales=5)(image).data[0]
    assert (deep - image.data[0])[40:90, 49:52].mean() < -0.02
    assert abs((deep - image.data[0])[62:67, 115:118].mean()) < 0.01


def test_unsharp_is_what_it_says():
    from scipy.ndimage import gaussian_filter

    plane = galaxy().astype(np.float32)
    result = step("contrast:unsharp", sigma=1.5, amount=0.8)(Image(plane)).data[0]
    np.testing.assert_allclose(result, plane + 0.8 * (plane - gaussian_filter(plane, 1.5, mode="mirror")), atol=1e-4)


def test_luminance_weighs_the_eye():
    assert luminance(np.ones((3, 1, 1), np.float32)).item() == pytest.approx(1)
    assert luminance(np.array([[[0.0]], [[1.0]], [[0.0]]], np.float32)).item() == pytest.approx(0.7152)


def test_stars_become_smaller_without_rings():
    image = picture(galaxy())
    small = step("extract:reducestars", amount=1.0)(image).data[0]
    around = np.hypot(X - 30, Y - 20) < 10
    assert (small - 0.12)[around].sum() < 0.75 * (image.data[0] - 0.12)[around].sum()
    assert small[around].min() > image.data[0][around].min() - 0.02
