"""Displacements of patches: as far as they are, as sure as they say."""

import numpy as np
import pytest

from firstlight.ops.align.patches import SIDE, STEP, compare_patches
from firstlight.ops.align.texture import texture_of
from ops.align.textures import seen, surface

SHAPE = (360, 480)


@pytest.fixture(scope="module")
def scene():
    return surface(SHAPE)


def moved(scene, x, y, **how):
    """What lies at q on the reference lies at q + (x, y) on this."""
    return texture_of(seen(scene, SHAPE, lambda positions: np.full_like(positions, 0.0) - [x, y], **how))


def test_shifts_and_their_errors(scene):
    found = compare_patches(texture_of(seen(scene, SHAPE, noise=20.0)), moved(scene, 0.3, -0.2, noise=20.0, seed=5))
    assert found.found.mean() > 0.95
    off = (found.shifts - [0.3, -0.2])[found.found]
    assert np.abs(off.mean(axis=0)).max() < 0.03
    pull = off / found.sigma[found.found][:, None]
    assert 0.6 < np.std(pull) < 1.3


def test_whole_pixels(scene):
    found = compare_patches(texture_of(seen(scene, SHAPE)), moved(scene, 7.0, -5.0, seed=5))
    assert np.median(found.shifts[found.found], axis=0) == pytest.approx([7.0, -5.0], abs=0.4)


def test_patches_lie_on_a_grid(scene):
    plane = texture_of(seen(scene, SHAPE))
    found = compare_patches(plane, plane)
    assert found.positions[0, 0].tolist() == [(SIDE - 1) / 2] * 2
    assert found.positions[1, 2].tolist() == [(SIDE - 1) / 2 + 2 * STEP, (SIDE - 1) / 2 + STEP]
    assert np.abs(found.shifts[found.found]).max() < 1e-3


def test_noise_shows_nothing():
    rng = np.random.default_rng(1)
    planes = [texture_of(rng.normal(0, 1, SHAPE).astype(np.float32)) for _ in range(2)]
    assert not compare_patches(*planes).found.any()


def test_flat_and_missing_patches_show_nothing(scene):
    plane = texture_of(seen(scene, SHAPE))
    flat = plane.copy()
    flat[:, :200] = 0.0
    found = compare_patches(plane, flat).found
    assert not found[:, :6].any()
    assert found[:, 10:].all()
    flat[:, :200] = np.nan
    assert not compare_patches(plane, flat).found[:, :6].any()


def test_what_strays_is_left_out(scene):
    reference, other = texture_of(seen(scene, SHAPE)), moved(scene, 0.0, 0.0, seed=5)
    # One place shows something that moved on its own.
    other[150:210, 200:260] = np.roll(other, 6, axis=1)[150:210, 200:260]
    found = compare_patches(reference, other)
    assert np.abs(found.shifts[found.found]).max() < 1.0
