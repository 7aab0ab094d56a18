import numpy as np
import pytest

from firstlight.kernels.network import median_network
from firstlight.kernels.surroundings import find_lone, separable_median


def slow(plane, step):
    height, width = plane.shape
    across = np.empty_like(plane)
    out = np.empty_like(plane)
    for x in range(width):
        taps = [min(max(x + k * step, x % step), width - step + (x - width) % step) for k in range(-2, 3)]
        across[:, x] = np.median(plane[:, taps], axis=1)
    for y in range(height):
        taps = [y + k * step for k in range(-2, 3)]
        inside = []
        for t in taps:
            while t < 0:
                t += step
            while t >= height:
                t -= step
            inside.append(t)
        out[y] = np.median(across[inside], axis=0)
    return out


@pytest.mark.parametrize("step", [1, 2])
def test_equals_the_slow_twin(step):
    plane = np.random.default_rng(step).normal(size=(14, 16)).astype(np.float32)
    out = np.empty_like(plane)
    separable_median(plane, step, out)
    np.testing.assert_array_equal(out, slow(plane, step))


def test_single_pixels_do_not_move_it():
    plane = np.full((20, 20), 5.0, np.float32)
    plane[10, 10] = 1e6
    plane[3, 15] = -1e6
    out = np.empty_like(plane)
    separable_median(plane, 1, out)
    assert (out == 5.0).all()


@pytest.mark.parametrize("step", [1, 2])
def test_lone_pixels_are_those_whose_neighbours_lie_low(step):
    plane = np.random.default_rng(step).normal(100, 1, (40, 50)).astype(np.float32)
    spikes = np.arange(plane.size, dtype=np.int32)[::7]
    padded = np.pad(plane, 3 * step, mode="edge")
    expected = []
    for place in spikes:
        y, x = (c + 3 * step for c in divmod(int(place), 50))
        square = padded[y - 3 * step : y + 3 * step + 1 : step, x - 3 * step : x + 3 * step + 1 : step]
        inner = np.zeros((7, 7), bool)
        inner[1:6, 1:6] = True
        near = square[2:5, 2:5].sum(dtype=float) - square[3, 3]
        level = np.median(square[~inner])
        expected.append(abs(near / 8 - level) < 0.25 * abs(square[3, 3] - level))
    found = np.empty(len(spikes), bool)
    find_lone(plane, spikes, step, 3, median_network(24), np.float32(0.25), found)
    assert (found != expected).sum() == 0
    assert 0 < found.sum() < len(found)
