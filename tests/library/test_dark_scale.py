import numpy as np
import pytest

from firstlight.library.dark_scale import central, find_dark_scale


def scene(k, seed=0, shape=(1, 300, 400), glow=False):
    rng = np.random.default_rng(seed)
    thermal = rng.gamma(1.0, 3.0, shape)
    hot = rng.random(shape) < 0.01
    thermal[hot] += rng.exponential(300, np.count_nonzero(hot))
    yy, xx = np.mgrid[: shape[1], : shape[2]]
    sky = 200 + 0.2 * xx[None]
    for y, x, peak in zip(rng.uniform(5, 295, 60), rng.uniform(5, 395, 60), 10 ** rng.uniform(2, 4.3, 60)):
        sky = sky + peak * np.exp(-((xx - x) ** 2 + (yy - y) ** 2) / (2 * 1.6**2))
    light = rng.normal(sky + k * thermal, np.sqrt((sky + k * thermal) / 2 + 25))
    return light, thermal + rng.normal(0, 0.5, shape)


@pytest.mark.parametrize("method", ["noise", "entropy"])
@pytest.mark.parametrize("k", [0.35, 0.8, 1.3])
def test_the_true_scale_is_found_under_stars(method, k):
    light, thermal = scene(k)
    assert find_dark_scale(light, thermal, 1.0, 1, method) == pytest.approx(k, abs=0.02)


def test_a_mosaic_is_compared_colour_by_colour():
    light, thermal = scene(0.6)
    light[:, ::2, ::2] += 900
    assert find_dark_scale(light, thermal, 1.0, 2, "noise") == pytest.approx(0.6, abs=0.02)


def test_an_even_dark_says_nothing_and_the_exposures_decide():
    rng = np.random.default_rng(0)
    assert find_dark_scale(rng.normal(0, 1, (1, 40, 40)), np.full((1, 40, 40), 3.0), 0.5, 1, "noise") == 0.5


def test_the_window_lies_in_the_middle_on_whole_cells():
    rows, columns = central((1, 2823, 600))
    assert (rows.start % 2, rows.stop - rows.start) == (0, 1024)
    assert (columns.start, columns.stop) == (0, 600)
