"""Blending by entropy: against exposures made one by one, and what each exposure shows."""

import numpy as np
import pytest

from firstlight.model.flags import Flag
from firstlight.model.image import Image, PixelUnit
from firstlight.ops.stretch import hdr as module
from firstlight.ops.stretch.colorimetric import faded
from firstlight.ops.stretch.exposures import Mesh, levels_of, shares_of_brightness, weights_by_entropy
from firstlight.ops.stretch.hdr import Hdr, hdr


def plain(data, p):
    """The same, exposure after exposure and place by place."""
    channels, height, width = data.shape
    mesh = Mesh.of((height, width), p.radius, p.smooth)
    rows, columns = height // mesh.side, width // mesh.side
    made = [faded(data, p.clipexp, p.bright * 2.0**k) for k in range(p.steps)]
    levels = []
    for light in made:
        luma = np.tensordot(shares_of_brightness(channels), light, 1)[: rows * mesh.side, : columns * mesh.side]
        levels.append(levels_of(luma.reshape(rows, mesh.side, columns, mesh.side).mean(axis=(1, 3))))
    knots = weights_by_entropy(levels, mesh).astype(np.float64)
    down, along = (spline(n, mesh.cell, knots.shape[axis]) for n, axis in ((height, 1), (width, 2)))
    total = sum((down @ own @ along.T) * light for own, light in zip(knots, made))
    return np.clip(total / total.max(), 0, 1) ** (1 / p.gamma)


def spline(pixels, cell, knots):
    """Weights (pixel, knot) of a cubic B-spline, the second knot being at the edge."""
    at = (np.arange(pixels)[:, None] + 0.5) / cell + 1
    d = np.abs(at - np.arange(knots))
    return np.where(d < 1, 2 / 3 - d**2 + d**3 / 2, np.where(d < 2, (2 - d) ** 3 / 6, 0))


@pytest.mark.parametrize("p", [Hdr(), Hdr(steps=3, bright=4, radius=8, smooth=8, gamma=1.5, clipexp=1), Hdr(smooth=0)])
@pytest.mark.parametrize("channels", [1, 3])
def test_is_the_mean_of_exposures_made_one_by_one(p, channels):
    y, x = np.mgrid[:150, :170]
    rng = np.random.default_rng(2)
    data = np.stack([1.2 * np.exp(-np.hypot(x - 60, y - k) / 12) for k in (50, 60, 70)])[:channels]
    data = (data + rng.normal(0.01, 0.004, data.shape)).astype(np.float32)
    out = hdr(Image(data, unit=PixelUnit.NORMALISED), p).data
    expected = plain(np.maximum(data, 0), p)
    # Near black the power is steep.
    np.testing.assert_allclose(out**p.gamma, expected**p.gamma, atol=2e-3 if expected.max() < 1 else 1e-4)


def test_faint_and_bright_show_at_once():
    """Two patterns of which any one exposure shows only one."""
    y, x = np.mgrid[:96, :192]
    ripple = 1 + 0.3 * np.sin(x / 3) * np.sin(y / 3)
    data = np.where(x < 96, 0.006 * ripple, 0.6 * ripple).astype(np.float32)
    image = Image(data, unit=PixelUnit.NORMALISED)
    out = hdr(image, Hdr(radius=12, smooth=4)).data[0]
    assert out.max() > 0.99
    for side, half in ((out[:, 20:70], data[:, 20:70]), (out[:, 120:170], data[:, 120:170])):
        assert np.corrcoef(side.ravel(), half.ravel())[0, 1] > 0.9
        assert side.std() > 0.02
    # The plain coding of one exposure shows the faint half much weaker.
    assert out[:, 20:70].std() > 2.5 * (data[:, 20:70] ** (1 / 2.4)).std()
    assert out[:, :60].mean() > 0.25


def test_the_brightest_is_white_and_nothing_is_above():
    y, x = np.mgrid[:200, :240]
    for top in (0.02, 0.4, 1.0):
        data = (0.001 + top * np.exp(-np.hypot(x - 113, y - 87) / 9))[None].astype(np.float32)
        out = hdr(Image(data, unit=PixelUnit.NORMALISED), Hdr()).data
        assert 0.98 < out.max() <= 1


def test_where_nothing_is_seen_dark_stays_dark_and_white_white():
    dark, white = np.zeros((1, 40, 40), np.float32), np.ones((1, 40, 40), np.float32)
    for data in (dark, white):
        np.testing.assert_array_equal(hdr(Image(data, unit=PixelUnit.NORMALISED), Hdr(radius=4)).data, data)


def test_rows_at_a_time_give_the_whole(monkeypatch):
    y, x = np.mgrid[:150, :170]
    data = np.stack([np.exp(-np.hypot(x - 60, y - k) / 25) for k in (50, 60, 70)])
    whole = hdr(Image(data, unit=PixelUnit.NORMALISED), Hdr(radius=32, smooth=8)).data
    monkeypatch.setattr(module, "STRIP", 1000)
    np.testing.assert_array_equal(hdr(Image(data, unit=PixelUnit.NORMALISED), Hdr(radius=32, smooth=8)).data, whole)


def test_pixels_without_a_number_are_black_and_count_for_nothing():
    data = np.random.default_rng(5).random((1, 40, 40)).astype(np.float32)
    flags = np.zeros(data.shape, np.uint16)
    flags[0, 10:14, 20] = Flag.NO_DATA
    out = hdr(Image(np.where(flags > 0, np.float32(9), data), flags, unit=PixelUnit.NORMALISED), Hdr(radius=4)).data
    black = hdr(Image(np.where(flags > 0, np.float32(0), data), unit=PixelUnit.NORMALISED), Hdr(radius=4)).data
    np.testing.assert_array_equal(out, black)


def test_grey_stays_grey():
    data = np.repeat(np.random.default_rng(5).random((1, 40, 40)), 3, axis=0)
    out = hdr(Image(data, unit=PixelUnit.NORMALISED), Hdr(radius=4))
    np.testing.assert_allclose(out.data[0], out.data[2], atol=1e-6)
    assert out.variance is None
