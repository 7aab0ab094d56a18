"""Where exposures show something: the entropy against scikit-image, the weights against what each shows."""

import numpy as np
import pytest

from firstlight.kernels.entropy import corner_entropy
from firstlight.ops.stretch.exposures import Mesh, _table, entropy, levels_of, weights_by_entropy
from firstlight.ops.stretch.srgb import curve as srgb


@pytest.mark.parametrize(("block", "half"), [(1, 1), (1, 3), (2, 2), (4, 2)])
def test_the_entropy_is_that_of_scikit_image(block, half):
    from skimage.filters.rank import entropy as by_rank

    luma = np.random.default_rng(3).beta(1, 4, (44, 56)).astype(np.float32)
    luma[:20, :20] = 0.3
    levels = levels_of(luma.copy())
    out = np.empty((44 // block + 1, 56 // block + 1), np.float32)
    corner_entropy(levels, block, half, _table((2 * half * block) ** 2), out)
    # The middle of a square of an even number of pixels lies, there, at the pixel below and on the right of it.
    expected = by_rank(levels, np.ones((2 * half * block,) * 2, np.uint8))[::block, ::block]
    np.testing.assert_allclose(out[:-1, :-1], expected, atol=2e-5)


def test_levels_are_those_of_a_screen():
    light = np.linspace(0, 1, 5001, dtype=np.float32)
    expected = (srgb(light.astype(np.float64)) * 255 + 0.5).astype(np.uint8)
    assert np.count_nonzero(levels_of(light.copy()) != expected) < 5


def test_large_surroundings_are_looked_at_coarsely_and_say_the_same():
    y, x = np.mgrid[:128, :160]
    smooth = (0.2 + 0.15 * np.sin(x / 19) * np.cos(y / 23)).astype(np.float32)
    fine, coarse = Mesh.of(smooth.shape, 15, 15), Mesh.of(smooth.shape, 16, 16)
    assert (fine.side, coarse.side) == (1, 2)
    squares = smooth.reshape(64, 2, 80, 2).mean(axis=(1, 3))
    full = entropy(levels_of(smooth.copy()), fine)
    found = entropy(levels_of(squares), coarse)
    assert abs(found[2:-2, 2:-2].mean() / full[2:-2, 2:-2].mean() - 1) < 0.12


def test_weights_add_up_and_follow_what_is_seen():
    rng = np.random.default_rng(1)
    mesh = Mesh.of((64, 64), 8, 4)
    shown, flat = rng.integers(0, 256, (64, 64)).astype(np.uint8), np.full((64, 64), 128, np.uint8)
    knots = weights_by_entropy([shown, flat], mesh)
    np.testing.assert_allclose(knots.sum(axis=0), 1, atol=1e-6)
    assert knots[0].min() > 0.99


@pytest.mark.parametrize(("level", "taken"), [(0, 1), (255, 0)])
def test_where_nothing_is_seen_dark_takes_the_longest_and_white_the_shortest(level, taken):
    flat = np.full((40, 40), level, np.uint8)
    knots = weights_by_entropy([flat, flat], Mesh.of((40, 40), 4, 0))
    np.testing.assert_array_equal(knots[taken], 1)
    np.testing.assert_array_equal(knots[1 - taken], 0)
