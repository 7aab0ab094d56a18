"""Saturation of some hues, by powers, and with a protected background."""

import colorsys

import numpy as np

from firstlight import step
from firstlight.model.image import Image, PixelUnit
from firstlight.ops.color.saturation import hue_of

RNG = np.random.default_rng(6)
PIXELS = RNG.uniform(0.05, 1, (3, 12, 15))


def run(**settings):
    return step("color:saturation", **settings)(Image(PIXELS, unit=PixelUnit.NORMALISED)).data.astype(float)


def test_hues_are_those_of_hsv():
    wanted = [360 * colorsys.rgb_to_hsv(*pixel)[0] for pixel in PIXELS.reshape(3, -1).T]
    np.testing.assert_allclose(hue_of(PIXELS).ravel(), wanted, atol=1e-9)
    assert np.isnan(hue_of(np.ones((3, 1, 1)))).all()


def test_only_the_chosen_hues_change():
    hue = hue_of(PIXELS)
    away = np.abs((hue - 240 + 180) % 360 - 180)
    all_of_them, blue = run(factor=2), run(factor=2, hue=240, width=60)
    np.testing.assert_allclose(blue[:, away > 61], PIXELS[:, away > 61], atol=1e-6)
    share = (0.5 + 0.5 * np.cos(np.pi * away / 60))[away < 60]
    wanted = PIXELS[:, away < 60] + share * (all_of_them - PIXELS)[:, away < 60]
    np.testing.assert_allclose(blue[:, away < 60], wanted, atol=1e-5)


def test_powers_keep_the_largest_channel_and_the_order():
    strong = run(factor=2, method="power")
    np.testing.assert_allclose(strong.max(axis=0), PIXELS.max(axis=0), rtol=1e-5)
    top = PIXELS.max(axis=0)
    np.testing.assert_allclose(strong, top * (PIXELS / top) ** 2, rtol=1e-4)
    np.testing.assert_allclose(run(factor=0, method="power"), np.broadcast_to(top, PIXELS.shape), rtol=1e-5)


def test_a_dark_background_gains_little():
    grey = np.tensordot([0.2126, 0.7152, 0.0722], PIXELS, axes=1)
    gain = np.abs(run(factor=2, background=1.0) - PIXELS).sum(axis=0) / np.abs(run(factor=2) - PIXELS).sum(axis=0)
    np.testing.assert_allclose(gain, grey / grey.max(), rtol=1e-3)
