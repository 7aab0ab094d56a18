import numpy as np
import pytest

from firstlight.kernels.surroundings import separable_median


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
