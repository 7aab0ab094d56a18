import numpy as np
import pytest
from scipy import ndimage

from firstlight.kernels import shapes, warp

NO_CLAMP = np.inf


def smooth(x, y):
    return 100 + 50 * np.sin(x / 9.0) * np.cos(y / 7.3) + 10 * np.cos((x + y) / 6.0)


def plane(height=160, width=200):
    yy, xx = np.mgrid[:height, :width].astype(float)
    return smooth(xx, yy).astype(np.float32)


def turn(degrees, x, y, scale=1.0, flip=False):
    c, s = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    matrix = np.array([[c, -s, x], [s, c, y], [0, 0, 1.0]])
    return matrix @ np.diag([-1.0, 1.0, 1.0]) if flip else matrix


def two_pass(source, inverse, kernel="lanczos3", clamp=NO_CLAMP, photons=0.0, part=None, first_row=0, height=None):
    top, bottom, left, right = part or (0, source.shape[0], 0, source.shape[1])
    out = np.empty((bottom - top, right - left), np.float32)
    warp.warp_two_pass(
        source, first_row, height or source.shape[0], shapes.polynomials(kernel), inverse[:2].copy(), top, left,
        np.float32(clamp), np.float32(photons), out,
    )  # fmt: skip
    return out


SMALL_TURNS = {
    "shift": turn(0, 3.37, -2.21),
    "turn": turn(0.3, 4.2, -3.3),
    "large turn": turn(-5, 10, 8),
    "stretch": turn(0.1, 2, 1, scale=1.01),
    "pier flip": turn(179.8, 196.3, 157.1),
}


def seen(inverse, source):
    """Plane positions of each pixel, which of them lie inside, and which away from the edges."""
    yy, xx = np.mgrid[: source.shape[0], : source.shape[1]].astype(float)
    scale = inverse[2, 0] * xx + inverse[2, 1] * yy + inverse[2, 2]
    px = (inverse[0, 0] * xx + inverse[0, 1] * yy + inverse[0, 2]) / scale
    py = (inverse[1, 0] * xx + inverse[1, 1] * yy + inverse[1, 2]) / scale
    inside = (px >= 0) & (px <= source.shape[1] - 1) & (py >= 0) & (py <= source.shape[0] - 1)
    inner = (px >= 4) & (px <= source.shape[1] - 5) & (py >= 4) & (py <= source.shape[0] - 5)
    return px, py, inside, inner


@pytest.mark.parametrize("name", SMALL_TURNS)
def test_finds_the_true_values(name):
    source, inverse = plane(), SMALL_TURNS[name]
    px, py, inside, inner = seen(inverse, source)
    result = two_pass(source, inverse)
    np.testing.assert_array_equal(np.isfinite(result), inside)
    assert np.abs(result - smooth(px, py))[inner].max() < 0.25
    assert np.abs(result - smooth(px, py))[inner].std() < 0.05


@pytest.mark.parametrize("kernel", ["bilinear", "bicubic", "lanczos2", "lanczos3", "lanczos4"])
@pytest.mark.parametrize("name", SMALL_TURNS)
def test_weights_are_those_of_the_kernel(kernel, name):
    source = np.random.default_rng(4).normal(100, 10, (90, 80)).astype(np.float32)
    inverse = turn(0, 3.37, -2.21) if name == "shift" else turn(0.3, 1.2, -3.3) if name == "turn" else SMALL_TURNS[name]
    px, py, _, inner = seen(inverse, source)
    if name == "pier flip":
        inverse = turn(179.8, 78.3, 87.1)
        px, py, _, inner = seen(inverse, source)
    # Rows first, at the place along each row from which its column sees the output pixel; then columns.
    expected = np.zeros_like(px)
    half = shapes.HALF[kernel]
    ratio = inverse[0, 1] / inverse[1, 1]
    for j in range(1 - half, half + 1):
        row = np.clip(np.floor(py).astype(int) + j, 0, source.shape[0] - 1)
        at = px - ratio * (py - row)
        across = shapes.weights(kernel, (at % 1.0).ravel()).reshape(*px.shape, -1)
        columns = np.floor(at).astype(int)[..., None] + np.arange(1 - half, half + 1)
        values = (across * source[row[..., None], np.clip(columns, 0, source.shape[1] - 1)]).sum(axis=-1)
        expected += shapes.weights(kernel, (py % 1.0).ravel()).reshape(*px.shape, -1)[..., j + half - 1] * values
    assert inner.sum() > 1000
    assert np.abs(two_pass(source, inverse, kernel) - expected)[inner].max() < 2e-3


def test_bilinear_equals_scipy_for_shifts():
    source = np.random.default_rng(3).normal(size=(60, 70)).astype(np.float32)
    expected = ndimage.shift(source.astype(float), (0.5, -1.25), order=1, cval=np.nan)
    result = two_pass(source, turn(0, 1.25, -0.5), "bilinear")
    np.testing.assert_array_equal(np.isfinite(result), np.isfinite(expected))
    np.testing.assert_allclose(result, expected, atol=2e-6, equal_nan=True)


@pytest.mark.parametrize("kernel", ["bilinear", "bicubic", "lanczos2", "lanczos3", "lanczos4"])
@pytest.mark.parametrize("rounding", [0.0, 1e-12, -1e-12])
def test_whole_pixel_shift_is_exact(kernel, rounding):
    source = np.random.default_rng(1).normal(size=(50, 64)).astype(np.float32)
    result = two_pass(source, turn(0, 3 + rounding, -2 + rounding), kernel, clamp=0.01)
    np.testing.assert_array_equal(result[2:, :61], source[:48, 3:])
    assert np.isnan(result[:2]).all()
    assert np.isnan(result[:, 61:]).all()


@pytest.mark.parametrize("inverse", [turn(0, 3.7, 2.2), turn(0.4, 2.7, 3.1), turn(-3, 5, 60), turn(179.6, 2500, 150)])
def test_tiles_equal_the_whole(inverse):
    source = np.random.default_rng(8).normal(100, 10, (160, 2600)).astype(np.float32)
    whole = two_pass(source, inverse, clamp=25.0, photons=0.5)
    assert np.isfinite(whole).mean() > 0.3
    for part in ((60, 80, 0, 2600), (0, 33, 500, 1100), (61, 62, 1020, 1030), (100, 160, 2000, 2600)):
        tile = two_pass(source, inverse, clamp=25.0, photons=0.5, part=part)
        np.testing.assert_array_equal(tile, whole[part[0] : part[1], part[2] : part[3]])
    # Only the rows that the tile sees.
    corners = inverse[1, 0] * np.array([900, 1199, 900, 1199]) + inverse[1, 1] * np.array([60, 60, 79, 79])
    low, high = int(corners.min() + inverse[1, 2]) - 3, int(corners.max() + inverse[1, 2]) + 5
    low, high = max(low, 0), min(high, 160)
    tile = two_pass(
        source[low:high], inverse, clamp=25.0, photons=0.5, part=(60, 80, 900, 1200), first_row=low, height=160
    )
    np.testing.assert_array_equal(tile, whole[60:80, 900:1200])


def test_clamping_leaves_no_dark_ring_and_noise_as_it_is():
    rng = np.random.default_rng(5)
    source = rng.normal(100, 1, (80, 80)).astype(np.float32)
    source[40, 40] += 5000
    inverse = turn(0, 0.5, 0.5)
    free, clamped = two_pass(source, inverse), two_pass(source, inverse, clamp=1.0)
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
        out = two_pass(source, turn(0, 0.4, 0.3), clamp=100.0, photons=1.0)
        light[i] = (out[15:45, 15:45] - 100).sum() - (source[15:45, 15:45] - 100).sum()
    assert abs(light.mean()) < 3e-4 * (star - 100).sum()
