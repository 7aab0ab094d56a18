"""Blending by entropy: the entropy against scikit-image, the blend against what each exposure shows."""

import numpy as np
import pytest

from firstlight.model.image import Image, PixelUnit
from firstlight.ops.stretch.hdr import Hdr, blend_by_entropy, entropy_map, hdr
from firstlight.ops.stretch.srgb import curve as srgb


@pytest.mark.parametrize("radius", [1, 3, 7])
def test_the_entropy_is_that_of_scikit_image(radius):
    from skimage.filters.rank import entropy
    from skimage.morphology import disk

    luma = np.random.default_rng(3).beta(1, 4, (41, 53)).astype(np.float32)
    luma[:20, :20] = 0.3
    levels = (srgb(luma) * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    np.testing.assert_allclose(entropy_map(luma, radius), entropy(levels, disk(radius)), atol=1e-5)


def test_large_disks_are_looked_at_coarsely_and_say_the_same():
    y, x = np.mgrid[:128, :160]
    smooth = 0.2 + 0.15 * np.sin(x / 19) * np.cos(y / 23)
    full = entropy_map(smooth.astype(np.float32), 15)
    coarse = entropy_map(smooth.astype(np.float32), 16)
    assert coarse.shape == full.shape
    assert np.abs(coarse - full)[20:-20, 20:-20].mean() < 0.12 * full.mean()


def test_faint_and_bright_show_at_once():
    """Two patterns of which any one exposure shows only one."""
    y, x = np.mgrid[:96, :192]
    ripple = 1 + 0.3 * np.sin(x / 3) * np.sin(y / 3)
    data = np.where(x < 96, 0.006 * ripple, 0.6 * ripple).astype(np.float32)
    image = Image(data, unit=PixelUnit.NORMALISED)
    out = hdr(image, Hdr(radius=12, smooth=4)).data[0]
    assert out.max() == 1
    for side, half in ((out[:, 20:70], data[:, 20:70]), (out[:, 120:170], data[:, 120:170])):
        assert np.corrcoef(side.ravel(), half.ravel())[0, 1] > 0.9
        assert side.std() > 0.02
    # The plain coding of one exposure shows the faint half much weaker.
    assert out[:, 20:70].std() > 2.5 * (data[:, 20:70] ** (1 / 2.4)).std()
    assert out[:, :60].mean() > 0.25


def test_where_nothing_is_seen_dark_stays_dark_and_white_white():
    dark, white = np.zeros((1, 40, 40), np.float32), np.ones((1, 40, 40), np.float32)
    np.testing.assert_array_equal(blended(2, dark, dark), 0)
    np.testing.assert_array_equal(blended(2, white, white), 1)
    half = np.where(np.arange(40) < 20, 0, 1).astype(np.float32)[None, None] * np.ones((1, 40, 1), np.float32)
    light = blended(2, half * 0.5, half)
    assert light[0, 20, 5] == 0
    # White in the longest alone: what the shortest shows, 1/2; the largest is where both tell as much, 3/4.
    assert light[0, 20, 35] == pytest.approx(2 / 3)


def blended(radius, *exposures):
    made = [lambda rows, each=each: each[:, rows] for each in exposures]
    return blend_by_entropy(made, exposures[0].shape, radius, 0)


def test_rows_at_a_time_give_the_whole(monkeypatch):
    import firstlight.ops.stretch.hdr as module

    y, x = np.mgrid[:150, :170]
    data = np.stack([np.exp(-np.hypot(x - 60, y - k) / 25) for k in (50, 60, 70)])
    whole = hdr(Image(data, unit=PixelUnit.NORMALISED), Hdr(radius=32, smooth=8)).data
    monkeypatch.setattr(module, "STRIP", 1000)
    np.testing.assert_array_equal(hdr(Image(data, unit=PixelUnit.NORMALISED), Hdr(radius=32, smooth=8)).data, whole)


def test_grey_stays_grey():
    data = np.repeat(np.random.default_rng(5).random((1, 40, 40)), 3, axis=0)
    out = hdr(Image(data, unit=PixelUnit.NORMALISED), Hdr(radius=4))
    np.testing.assert_allclose(out.data[0], out.data[2], atol=1e-6)
    assert out.variance is None
