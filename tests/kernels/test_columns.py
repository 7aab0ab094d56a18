"""Vector instructions down the columns of a tile against plain arrays."""

import numpy as np
import pytest
from numba import njit

from firstlight.kernels import columns
from firstlight.kernels.network import sorting_network

TILE = 64


@njit
def run_sift(bits, at, starts, n, swapped, gain, zero, weight, tile, found):
    columns.sift(bits, at, starts, n, swapped, gain, zero, weight, 0, tile, TILE, found)


@njit
def run_count(tile, n, limits, counts):
    columns.count_outside(0, tile, n, TILE, limits, counts)


@njit
def run_sums(ranked, n, centre, sums, squares):
    columns.running_sums(0, ranked, n, TILE, centre, sums, squares)


@njit
def run_kept(tile, n, centre, limits, weight, noise, photons, inside, added, counts, hits, struck):
    columns.add_kept(0, tile, n, TILE, centre, limits, weight, noise, photons, inside, added, counts, hits, struck)


@njit
def run_sort(column, ranked, pairs):
    columns.sort_columns(column, ranked, pairs, pairs.shape[0], TILE)


def samples(n, seed=1):
    return np.random.default_rng(seed).normal(500, 20, (n, TILE)).astype(np.float32)


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("n", [1, 2, 7, 60])
def test_extremes_and_sums(n, swapped):
    cube = np.random.default_rng(n).normal(500, 20, (n, 100)).astype(np.float32)
    cube[n // 2, 33] = np.nan
    cube[0, 40] = np.nan
    cube[n - 1, 45] = np.inf
    gain, zero, weight = (np.random.default_rng(k).uniform(0.5, 2, n).astype(np.float32) for k in range(3))
    bits = cube.astype(">f4" if swapped else "<f4").view(np.uint32).reshape(-1)
    tile, found = np.zeros((n, TILE), np.float32), np.zeros((4, TILE), np.float32)
    run_sift(bits, 20, np.arange(n) * 100, n, swapped, gain, zero, weight, tile.reshape(-1), found.reshape(-1))
    values = cube[:, 20:52] * gain[:, None] + zero[:, None]
    np.testing.assert_allclose(tile[:, :32], values, rtol=2e-7)
    assert (tile[:, 32:] == 0).all()
    good = np.isfinite(values).all(axis=0)
    assert np.count_nonzero(~good) == 3
    assert (np.isfinite(found[columns.TOTAL, :32]) == good).all()
    off = (values[:, good] - values[0, good]).astype(float)
    np.testing.assert_array_equal(found[columns.LOWEST, :32][good], tile[:, :32].min(axis=0)[good])
    np.testing.assert_array_equal(found[columns.HIGHEST, :32][good], tile[:, :32].max(axis=0)[good])
    np.testing.assert_allclose(found[columns.TOTAL, :32][good], weight @ off, rtol=1e-4, atol=1e-2)
    np.testing.assert_allclose(found[columns.SQUARES, :32][good], weight @ off**2, rtol=1e-4, atol=1e-2)


def test_samples_outside_are_counted():
    tile = samples(23)
    tile[3, 5] = np.nan
    limits = np.array([[480.0], [510.0]], np.float32) * np.ones(TILE, np.float32)
    limits[0, 7] = limits[1, 7] = tile[9, 7]
    counts = np.full((2, TILE), -1, np.int32)
    run_count(tile.reshape(-1), 23, limits.reshape(-1), counts.reshape(-1))
    np.testing.assert_array_equal(counts[0, :32], (tile < limits[0]).sum(axis=0)[:32])
    np.testing.assert_array_equal(counts[1, :32], (tile > limits[1]).sum(axis=0)[:32])
    assert (counts[:, 32:] == -1).all()


def test_running_sums():
    ranked = np.sort(samples(11), axis=0)
    ranked[-2:, 4] = np.inf
    ranked[:, 6] = np.inf
    centre = ranked[5].copy()
    centre[6] = 0
    sums, squares = np.full((2, 12, TILE), 7, np.float32)
    run_sums(ranked.reshape(-1), 11, centre, sums.reshape(-1), squares.reshape(-1))
    with np.errstate(invalid="ignore"):
        off = np.where(np.isfinite(ranked), ranked - centre, 0)[:, :32].astype(float)
    np.testing.assert_allclose(sums[1:, :32], off.cumsum(axis=0), atol=1e-3)
    np.testing.assert_allclose(squares[1:, :32], (off**2).cumsum(axis=0), rtol=1e-5)
    assert (sums[0, :32] == 0).all()
    assert (squares[0, :32] == 0).all()


def test_kept_samples_are_added_up():
    n = 17
    tile = samples(n)
    tile[3, 5] = np.nan
    tile[4, 6] = np.inf
    tile[5, 7] = -np.inf
    limits = np.array([[470.0], [530.0]], np.float32) * np.ones(TILE, np.float32)
    centre = np.full(TILE, 500, np.float32)
    weight, noise, photons = (np.random.default_rng(k).uniform(0.5, 2, n).astype(np.float32) for k in range(3))
    inside = (np.arange(TILE) % 3).astype(np.int32)
    added, counts = np.empty((5, TILE), np.float32), np.empty((3, TILE), np.int32)
    hits, struck = np.full(n, 100), np.zeros((2, n, TILE // 32), np.uint32)
    flat = (each.reshape(-1) for each in (tile, limits, added, counts))
    t, edges, a, c = flat
    run_kept(t, n, centre, edges, weight, noise, photons, inside, a, c, hits, struck)
    tile, inside = tile[:, :32], inside[:32]
    low, high = tile < 470, tile > 530
    stays = (tile >= 470) & (tile <= 530)
    np.testing.assert_array_equal(counts[:, :32], [each.sum(axis=0) for each in (stays, low, high)])
    off = np.where(stays, np.nan_to_num(tile) - 500.0, 0)
    expected = (
        weight @ stays,
        weight @ off,
        weight @ off**2,
        (weight**2 * noise) @ stays,
        (weight**2 * photons) @ stays,
    )
    np.testing.assert_allclose(added[:, :32], expected, rtol=1e-4, atol=1e-3)
    np.testing.assert_array_equal(hits - 100, ((low | high) & (inside != 0)).sum(axis=1))
    bits = (struck[:, :, :1] >> np.arange(32, dtype=np.uint32)) & 1
    np.testing.assert_array_equal(bits, [low, high])
    assert (struck[:, :, 1] == 0).all()


@pytest.mark.parametrize("n", [1, 2, 9, 60])
def test_columns_are_sorted(n):
    tile = samples(n)
    tile[n // 2, 40] = np.inf
    ranked = tile.copy()
    run_sort(32, ranked, sorting_network(n))
    np.testing.assert_array_equal(ranked[:, 32:], np.sort(tile[:, 32:], axis=0))
    np.testing.assert_array_equal(ranked[:, :32], tile[:, :32])
