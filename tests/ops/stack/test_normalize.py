"""Each mode on frames with known factors, and surfaces with known shapes."""

import numpy as np
import pytest

from firstlight.errors import FrameError, InputError
from firstlight.ops.stack.normalize import SCALED, difference_surface, normalizing_line

REFERENCE = np.array([200.0, 300.0, 100.0])
SIGNAL = np.linspace(0, 5000, 11)[:, None]
"""Light of stars on the reference, above its background."""


@pytest.mark.parametrize(
    ("mode", "light", "sky", "expected"),
    [
        # The frame shows SIGNAL * light over a background of sky.
        ("none", 0.5, 300.0, 300 + 0.5 * SIGNAL),
        ("additive", 1.0, 300.0, REFERENCE + SIGNAL),
        ("background", 0.5, 300.0, REFERENCE + 0.5 * SIGNAL),
        ("multiplicative", 0.5, 0.5 * REFERENCE, REFERENCE + SIGNAL),
        ("signal", 0.5, 300.0, 300 + SIGNAL),
        ("additive+scale", 0.5, 300.0, REFERENCE + SIGNAL),
        ("multiplicative+scale", 0.5, 300.0, REFERENCE + SIGNAL),
        ("local", 0.5, 300.0, REFERENCE + SIGNAL),
    ],
)
def test_known_factors_are_undone(mode, light, sky, expected):
    background = np.broadcast_to(sky, (3,)).astype(float)
    frame = background + light * SIGNAL
    factor, summand = normalizing_line(mode, 1 / light, background, REFERENCE)
    np.testing.assert_allclose(frame * factor + summand, np.broadcast_to(expected, frame.shape), rtol=1e-12)
    assert (mode in SCALED) == (factor[0] == 1 / light and light != 1 and mode != "multiplicative")


@pytest.mark.parametrize("mode", ["multiplicative", "multiplicative+scale"])
def test_nothing_is_divided_by_a_background_of_zero(mode):
    with pytest.raises(InputError, match=r"light_1.fits: background -3 adu, reference 100 adu; .*additive\+scale"):
        normalizing_line(mode, 1.0, np.array([10.0, -3.0, 5.0]), REFERENCE, "light_1.fits")


def shape(y, x):
    return 20 * (x / 160) - 35 * (y / 120) + 25 * ((x - 80) / 160) ** 2 - 18 * (x / 160) * (y / 120)


def test_a_smooth_difference_is_found():
    yy, xx = np.mgrid[:120, :160].astype(float)
    noise = np.random.default_rng(1).normal(0, 1.0, yy.shape)
    found = difference_surface((shape(yy, xx) + noise).astype(np.float32), 16).at()
    assert np.abs(found - shape(yy, xx)).max() < 0.6
    assert np.std(found - shape(yy, xx)) < 0.12


def test_leftovers_of_stars_and_a_glaring_tile_are_shrugged_off():
    yy, xx = np.mgrid[:120, :160].astype(float)
    rng = np.random.default_rng(2)
    plane = shape(yy, xx) + rng.normal(0, 1.0, yy.shape)
    stars = rng.random(yy.shape) < 0.05
    plane[stars] += rng.normal(0, 60, stars.sum())
    plane[48:72, 64:96] += 500
    found = difference_surface(plane.astype(np.float32), 24).at()
    assert np.abs(found - shape(yy, xx))[np.abs(plane - shape(yy, xx)) < 300].max() < 1.0


def test_beyond_what_both_frames_see_the_nearest_tile_goes_on():
    plane = np.full((96, 128), 7.0, np.float32)
    plane[:, 64:] = np.nan
    np.testing.assert_allclose(difference_surface(plane, 16).at(), 7.0, rtol=1e-6)


def test_nothing_in_common_is_an_error_of_the_frame():
    with pytest.raises(FrameError, match="too little of the reference"):
        difference_surface(np.full((64, 64), np.nan, np.float32), 16)


def test_a_small_frame_is_one_tile():
    plane = np.random.default_rng(3).normal(5, 0.1, (9, 12)).astype(np.float32)
    np.testing.assert_allclose(difference_surface(plane, 32).at(), 5, atol=0.05)
