"""The lower envelope: follows skies of any shape, in the spelling of cvastrophoto too."""

import numpy as np
import pytest

from firstlight import step
from firstlight.model.image import Image
from firstlight.ops.spec import parse_step

Y, X = np.mgrid[:256, :384].astype(float)
WAVE = 40 * np.sin(X / 60) * np.cos(Y / 70)


def sky(seed=1):
    rng = np.random.default_rng(seed)
    data = 500 + WAVE + rng.normal(0, 3, X.shape)
    for y, x in zip(rng.uniform(8, 248, 60), rng.uniform(8, 376, 60)):
        data += 400 * np.exp(-((X - x) ** 2 + (Y - y) ** 2) / 6)
    return data


def left(result):
    cells = np.median(result.data[0].reshape(16, 16, 24, 16), axis=(1, 3))
    return float(np.std(cells))


def test_a_small_scale_follows_a_wave():
    image = Image(sky())
    assert left(step("abr:envelope", scale=24)(image)) < 0.35 * left(image)
    again = step("abr:envelope", scale=48, residual_iterations=2)(image)
    assert left(again) < 0.7 * left(step("abr:envelope", scale=48)(image))


def test_without_its_level_the_sky_comes_down_to_zero():
    image = Image(sky())
    result = step("abr:envelope", scale=24, keep_level=False)(image)
    assert abs(float(np.median(result.data))) < 25
    lifted = step("abr:envelope", scale=24, keep_level=False, offset=-51)(image)
    np.testing.assert_allclose(lifted.data - result.data, 50, atol=1e-3)
    half = step("abr:envelope", scale=24, keep_level=False, gain=0.5, offset=0)(image)
    assert float(np.median(half.data)) == pytest.approx(255, abs=15)


def test_dust_and_glows_by_closing_opening_and_cap():
    shadow = 60 * np.exp(-((X - 200) ** 2 + (Y - 130) ** 2) / (2 * 6**2))
    clean = sky() - WAVE

    def dent(closing):
        each = step("abr:envelope", scale=64, closing=closing, mode="model")
        return np.abs(each(Image(clean - shadow)).data - each(Image(clean)).data).max()

    assert dent(48) < 0.3 * dent(0)
    for extra in ("opening=32", "noise_cap=3", "detrend=0", "presmooth=0"):
        assert np.isfinite(parse_step(f"abr:envelope:scale=64,{extra}")(Image(clean)).data).all()
