import numpy as np
import pytest
from scipy import ndimage

from firstlight.kernels import warp

NO_CLAMP = np.float32(1e30)


def smooth(x, y):
    return 100 + 50 * np.sin(x / 9.0) * np.cos(y / 7.3) + 10 * np.cos((x + y) / 6.0)


def plane(height=160, width=200):
    yy, xx = np.mgrid[:height, :width].astype(float)
    return smooth(xx, yy).astype(np.float32)


def turn(degrees, x, y, scale=1.0, flip=False):
    c, s = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    matrix = np.array([[c, -s, x], [s, c, y], [0, 0, 1.0]])
    return matrix @ np.diag([-1.0, 1.0, 1.0]) if flip else matrix


def two_pass(source, inverse, half=3, clamp=NO_CLAMP):
    out, rows = np.empty_like(source), np.empty_like(source)
    warp.warp_two_pass(
        source,
        0,
        source.shape[0],
        warp.kernel_table(half),
        half,
        inverse[:2].copy(),
        0,
        clamp,
        np.float32(0),
        rows,
        out,
    )
    return out


def direct(source, inverse, half=3, clamp=NO_CLAMP):
    out = np.empty_like(source)
    warp.warp_direct(
        source, 0, 0, source.shape, warp.kernel_table(half), half, inverse, 0, 0, clamp, np.float32(0), out
    )
    return out


SMALL_TURNS = {
    "shift": turn(0, 3.37, -2.21),
    "turn": turn(0.3, 4.2, -3.3),
    "large turn": turn(-5, 10, 8),
    "stretch": turn(0.1, 2, 1, scale=1.01),
    "pier flip": turn(179.8, 196.3, 157.1),
}


@pytest.mark.parametrize("name", SMALL_TURNS)
def test_both_paths_find_the_true_values(name):
    source, inverse = plane(), SMALL_TURNS[name]
    yy, xx = np.mgrid[: source.shape[0], : source.shape[1]].astype(float)
    px = inverse[0, 0] * xx + inverse[0, 1] * yy + inverse[0, 2]
    py = inverse[1, 0] * xx + inverse[1, 1] * yy + inverse[1, 2]
    inside = (px >= 0) & (px <= source.shape[1] - 1) & (py >= 0) & (py <= source.shape[0] - 1)
    inner = (px >= 3) & (px <= source.shape[1] - 4) & (py >= 3) & (py <= source.shape[0] - 4)
    for result in (two_pass(source, inverse), direct(source, inverse)):
        np.testing.assert_array_equal(np.isfinite(result), inside)
        assert np.abs(result - smooth(px, py))[inner].max() < 0.25
        assert np.abs(result - smooth(px, py))[inner].std() < 0.05


@pytest.mark.parametrize(
    "inverse", [turn(37, 60, -40), turn(90, 170, 0), turn(10, 180, 0, flip=True), turn(0, 5, 5, 0.6)]
)
def test_direct_path_takes_any_map(inverse):
    source = plane()
    yy, xx = np.mgrid[: source.shape[0], : source.shape[1]].astype(float)
    px = inverse[0, 0] * xx + inverse[0, 1] * yy + inverse[0, 2]
    py = inverse[1, 0] * xx + inverse[1, 1] * yy + inverse[1, 2]
    inner = (px >= 3) & (px <= source.shape[1] - 4) & (py >= 3) & (py <= source.shape[0] - 4)
    assert inner.sum() > 2000
    assert np.abs(direct(source, inverse) - smooth(px, py))[inner].max() < 0.25


def test_bilinear_equals_scipy():
    source = np.random.default_rng(3).normal(size=(60, 70)).astype(np.float32)
    inverse = turn(2.0, 1.25, -0.5)
    yy, xx = np.mgrid[:60, :70].astype(float)
    px = inverse[0, 0] * xx + inverse[0, 1] * yy + inverse[0, 2]
    py = inverse[1, 0] * xx + inverse[1, 1] * yy + inverse[1, 2]
    expected = ndimage.map_coordinates(source.astype(float), [py, px], order=1, cval=np.nan)
    both = np.isfinite(expected) & np.isfinite(direct(source, inverse, half=1))
    assert both.sum() > 3000
    # The table is right to 1/4096 px: times the steepest slope of the noise.
    assert np.abs(direct(source, inverse, half=1) - expected)[both].max() < 3e-3


def test_whole_pixel_shift_is_exact():
    source = np.random.default_rng(1).normal(size=(50, 64)).astype(np.float32)
    result = two_pass(source, turn(0, 3, -2))
    np.testing.assert_array_equal(result[2:, :61], source[:48, 3:])
    assert np.isnan(result[:2]).all()
    assert np.isnan(result[:, 61:]).all()


def test_bands_equal_the_whole():
    source, inverse = plane(), turn(0.4, 2.7, 3.1)
    whole = two_pass(source, inverse)
    out, rows = np.empty((20, source.shape[1]), np.float32), np.empty((60, source.shape[1]), np.float32)
    warp.warp_two_pass(
        source[40:100],
        40,
        source.shape[0],
        warp.kernel_table(3),
        3,
        inverse[:2].copy(),
        60,
        NO_CLAMP,
        np.float32(0),
        rows,
        out,
    )
    np.testing.assert_array_equal(out, whole[60:80])


def test_clamping_leaves_no_dark_ring_and_noise_as_it_is():
    rng = np.random.default_rng(5)
    source = rng.normal(100, 1, (80, 80)).astype(np.float32)
    source[40, 40] += 5000
    inverse = turn(0, 0.5, 0.5)
    free, clamped = two_pass(source, inverse), two_pass(source, inverse, clamp=np.float32(1.0))
    assert np.nanmin(free) < -100
    assert np.nanmin(clamped) > 94
    far = np.ones(free.shape, bool)
    far[33:48, 33:48] = False
    far &= np.isfinite(free)
    assert np.abs(clamped - free)[far].mean() < 0.005


def test_mark_near_hits_the_pixels_that_saw_it():
    out = np.zeros((10, 10), np.uint16)
    forward = turn(0, 0.5, 0.0)
    warp.mark_near(np.array([4]), np.array([4]), forward, 0, 0, np.uint16(1), out)
    assert np.argwhere(out).tolist() == [[4, 4], [4, 5]]


def test_withdrawn_samples_are_kept_aside_once():
    out = np.full((6, 6), 10.0, np.float32)
    sums, weights = np.zeros((6, 6), np.float32), np.zeros((6, 6), np.float32)
    where = np.array([2, 2])
    warp.withdraw_near(where, where, np.eye(3), 0, 0, np.float32(2), np.float32(1), np.float32(3), out, sums, weights)
    assert np.isnan(out[2, 2])
    assert np.isfinite(out).sum() == 35
    assert (sums[2, 2], weights[2, 2]) == (63.0, 3.0)


def test_flanks_of_bright_stars_keep_their_noise():
    rng = np.random.default_rng(2)
    yy, xx = np.mgrid[:60, :60]
    star = 40000 * np.exp(-((yy - 30) ** 2 + (xx - 30) ** 2) / 8) + 100
    light = np.zeros(200)
    for i in range(200):
        source = rng.poisson(star).astype(np.float32)
        out, rows = np.empty_like(source), np.empty_like(source)
        inverse = turn(0, 0.4, 0.3)[:2].copy()
        warp.warp_two_pass(
            source, 0, 60, warp.kernel_table(3), 3, inverse, 0, np.float32(100.0), np.float32(1.0), rows, out
        )
        light[i] = (out[15:45, 15:45] - 100).sum() - (source[15:45, 15:45] - 100).sum()
    assert abs(light.mean()) < 3e-4 * (star - 100).sum()
