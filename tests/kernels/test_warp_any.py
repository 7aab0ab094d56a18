import numpy as np
import pytest
from scipy import ndimage
from tests.kernels.test_warp import NO_CLAMP, plane, seen, smooth, turn

from firstlight.kernels import shapes, warp_any

TILTED = turn(12, 40, -20) + np.array([[0, 0, 0], [0, 0, 0], [1e-6, -2e-6, 0]])


def mesh_of(inverse, part):
    top, bottom, left, right = part
    cell = warp_any.CELL
    ys = np.arange(top // cell, (bottom - 1) // cell + 2) * float(cell)
    xs = np.arange(left // cell, (right - 1) // cell + 2) * float(cell)
    x, y = np.meshgrid(xs, ys)
    scale = inverse[2, 0] * x + inverse[2, 1] * y + inverse[2, 2]
    return np.stack(
        [(inverse[0, 0] * x + inverse[0, 1] * y + inverse[0, 2]) / scale,
         (inverse[1, 0] * x + inverse[1, 1] * y + inverse[1, 2]) / scale], axis=-1,
    )  # fmt: skip


def resample(source, inverse, kernel="lanczos3", clamp=NO_CLAMP, photons=0.0, part=None, first_row=0, height=None):
    part = part or (0, source.shape[0], 0, source.shape[1])
    out = np.empty((part[1] - part[0], part[3] - part[2]), np.float32)
    warp_any.warp_any(
        source, first_row, height or source.shape[0], shapes.lane_table(kernel), shapes.HALF[kernel],
        mesh_of(inverse, part), part[0], part[2], np.float32(clamp), np.float32(photons), out,
    )  # fmt: skip
    return out


@pytest.mark.parametrize(
    "inverse",
    [
        turn(0.3, 4.2, -3.3),
        turn(37, 60, -40),
        turn(90, 170, 0),
        turn(10, 180, 0, flip=True),
        turn(0, 5, 5, 0.6),
        TILTED,
    ],
)
def test_takes_any_map(inverse):
    source = plane()
    px, py, inside, inner = seen(inverse, source)
    assert inner.sum() > 2000
    result = resample(source, inverse)
    # Whole positions on the edge may fall either way before rounding.
    np.testing.assert_array_equal(np.isfinite(result)[inside], True)
    assert (np.isfinite(result) & ~inside).sum() < 200
    assert np.abs(result - smooth(px, py))[inner].max() < 0.25


@pytest.mark.parametrize("kernel", ["bilinear", "bicubic", "lanczos2", "lanczos3", "lanczos4"])
def test_weights_are_those_of_the_kernel_up_to_the_edge(kernel):
    source = np.random.default_rng(4).normal(100, 10, (90, 80)).astype(np.float32)
    inverse = turn(31, 25, -15)
    px, py, inside, _ = seen(inverse, source)
    half = shapes.HALF[kernel]
    taps = np.arange(1 - half, half + 1)
    rows = np.clip(np.floor(py).astype(int)[..., None] + taps, 0, 89)
    columns = np.clip(np.floor(px).astype(int)[..., None] + taps, 0, 79)
    across = shapes.weights(kernel, (px % 1.0).ravel()).reshape(*px.shape, -1)
    down = shapes.weights(kernel, (py % 1.0).ravel()).reshape(*px.shape, -1)
    expected = np.einsum("...j,...i,...ji->...", down, across, source[rows[..., :, None], columns[..., None, :]])
    result = resample(source, inverse, kernel)
    np.testing.assert_array_equal(np.isfinite(result), inside)
    assert np.abs(result - expected)[inside].max() < 5e-3


def test_bilinear_equals_scipy():
    source = np.random.default_rng(3).normal(size=(60, 70)).astype(np.float32)
    px, py, inside, _ = seen(TILTED, source)
    expected = ndimage.map_coordinates(source.astype(float), [py, px], order=1, cval=np.nan)
    assert inside.sum() > 500
    # The mesh is right to 5e-5 px here: times the steepest slope of the noise.
    assert np.abs(resample(source, TILTED, "bilinear") - expected)[inside].max() < 5e-4


@pytest.mark.parametrize("inverse", [turn(0, 3, -2), turn(90, 49, 0), turn(180, 63, 49)])
@pytest.mark.parametrize("kernel", ["lanczos3", "bicubic", "nearest"])
def test_whole_pixels_are_exact(inverse, kernel):
    source = np.random.default_rng(1).normal(size=(50, 64)).astype(np.float32)
    px, py, inside, _ = seen(inverse, source)
    px, py = np.rint(px).astype(int), np.rint(py).astype(int)
    inside = (px >= 0) & (px < 64) & (py >= 0) & (py < 50)
    if kernel == "nearest":
        result = np.empty_like(source)
        warp_any.pick_nearest(source, 0, 50, mesh_of(inverse, (0, 50, 0, 64)), 0, 0, result)
    else:
        result = resample(source, inverse, kernel, clamp=0.01)
    expected = np.where(inside, source[np.clip(py, 0, 49), np.clip(px, 0, 63)], np.nan)
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-6, equal_nan=True)


@pytest.mark.parametrize("inverse", [turn(12, 30, -100), turn(-65, -100, 150), TILTED])
def test_tiles_equal_the_whole(inverse):
    source = np.random.default_rng(8).normal(100, 10, (160, 700)).astype(np.float32)
    whole = resample(source, inverse, clamp=25.0, photons=0.5)
    assert np.isfinite(whole).mean() > 0.1
    for part in ((60, 80, 0, 700), (0, 33, 100, 333), (61, 62, 15, 17), (100, 160, 300, 700)):
        tile = resample(source, inverse, clamp=25.0, photons=0.5, part=part)
        np.testing.assert_array_equal(tile, whole[part[0] : part[1], part[2] : part[3]])
        rows = mesh_of(inverse, part)[..., 1]
        low, high = max(int(rows.min()) - 4, 0), min(int(rows.max()) + 6, 160)
        if low < high:
            tile = resample(source[low:high], inverse, clamp=25.0, photons=0.5, part=part, first_row=low, height=160)
            np.testing.assert_array_equal(tile, whole[part[0] : part[1], part[2] : part[3]])


def test_clamping_leaves_no_dark_ring_and_noise_as_it_is():
    rng = np.random.default_rng(5)
    source = rng.normal(100, 1, (80, 80)).astype(np.float32)
    source[40, 40] += 5000
    inverse = turn(30, 30.4, -10.2)
    free, clamped = resample(source, inverse), resample(source, inverse, clamp=1.0)
    assert np.nanmin(free) < -100
    assert np.nanmin(clamped) > 94
    assert np.nanmean(np.abs(clamped - free) > 0) < 0.02


def test_missing_samples_spread_no_further_than_the_kernel():
    source = np.ones((40, 40), np.float32)
    source[20, 20] = np.nan
    ys, xs = np.nonzero(np.isnan(resample(source, turn(0, 0.5, 0.5))[:39, :39]))
    assert (ys.min(), ys.max(), xs.min(), xs.max()) == (17, 22, 17, 22)
